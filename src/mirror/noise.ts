// What differs between two answers of the same version, and so says nothing about a shadow.
//
// A field that differs between primary and control is noise in that exchange; one that has differed there often is noise of
// the route, also in exchanges whose control gave no answer. One profile for each rule and thread; nothing here is
// ever shared or stored.

import type { AnswerDiff, FieldDiff } from '../core/diff/answer-diff.ts';

/** Fields that a profile knows. Others are not remembered: they are noise in their exchange alone. */
const PROFILE_FIELDS_MAX = 1000;
/** A field is noise of the route when it has differed so often, and in such a share of the controlled comparisons. */
const DIFFERED_MIN = 3;
const DIFFERED_SHARE_MIN = 0.05;

const BODY = 'body';

/** What was seen to differ between primary and control of a rule. */
export class NoiseProfile {
  readonly #differed = new Map<string, number>();
  #controlled = 0;

  /** The fields of one comparison with the control, each once. */
  add(fields: Iterable<string>): void {
    this.#controlled++;
    for (const field of fields) {
      const differed = this.#differed.get(field);
      if (differed === undefined && this.#differed.size >= PROFILE_FIELDS_MAX) continue;
      this.#differed.set(field, (differed ?? 0) + 1);
    }
  }

  isNoise(field: string): boolean {
    const differed = this.#differed.get(field);
    return (
      differed !== undefined && differed >= DIFFERED_MIN && differed >= this.#controlled * DIFFERED_SHARE_MIN
    );
  }
}

/** What a control's answer says of its own exchange. */
export class ExchangeNoise {
  /** Each once. */
  readonly fields: ReadonlySet<string>;
  /**
   * An array of another length, or in another order, shifts what stands in it: differences in its elements follow from that
   * and are noise in this exchange, though never of the route.
   */
  readonly #shifted: readonly string[];
  readonly #hasBody: boolean;

  constructor({ diffs }: AnswerDiff) {
    this.fields = new Set(diffs.map(({ field }) => field));
    this.#shifted = diffs
      .filter(({ kind }) => kind === 'length' || kind === 'order')
      .map(({ field }) => toElementPrefix(field));
    this.#hasBody = diffs.some(({ field }) => field.startsWith(BODY));
  }

  covers({ field, kind }: FieldDiff): boolean {
    if (this.fields.has(field)) return true;
    // Where only digests were compared, the control's would have differed too, whichever place it is that differs.
    if (kind === 'digest' && field === BODY) return this.#hasBody;
    return this.#shifted.some((prefix) => field.startsWith(prefix));
  }
}

/** The differences that are not noise. The same list when none is. */
export function subtractNoise(
  diffs: readonly FieldDiff[],
  profile: NoiseProfile,
  noise: ExchangeNoise | null,
): readonly FieldDiff[] {
  if (diffs.length === 0) return diffs;
  const counted = diffs.filter((diff) => !profile.isNoise(diff.field) && !noise?.covers(diff));
  return counted.length === diffs.length ? diffs : counted;
}

function toElementPrefix(field: string): string {
  return field === BODY ? `${BODY}:[]` : `${field}[]`;
}
