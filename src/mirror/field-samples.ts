// What was seen of one field of one shadow: how often it differed, and whether its values are always new ones.

import type { FieldDelta } from '../core/findings.ts';

/** Values of each side that are remembered, as fingerprints: a field with more of them is as good as random. */
const VALUES_MAX = 64;
/** FNV-1a, 32 bits, cut to what the engine keeps without a box. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const SMALL_MASK = 0x3fff_ffff;

export class FieldSamples {
  controlDiffered = 0;
  readonly #field: string;
  readonly #primary = new SeenValues();
  readonly #shadow = new SeenValues();
  #differed = 0;
  #counted = 0;
  #fresh = 0;

  constructor(field: string) {
    this.#field = field;
  }

  /** It differed in one comparison. A side without a value has nothing fresh. */
  add(primary: string | null, shadow: string | null): void {
    this.#differed++;
    this.#counted++;
    const isPrimaryFresh = primary !== null && this.#primary.learn(primary);
    const isShadowFresh = shadow !== null && this.#shadow.learn(shadow);
    if (isPrimaryFresh && isShadowFresh) this.#fresh++;
  }

  /** It differed in one comparison, and all of it was noise. */
  addNoise(): void {
    this.#differed++;
  }

  /** Since the last time. */
  take(): FieldDelta {
    const delta = {
      field: this.#field,
      differed: this.#differed,
      counted: this.#counted,
      controlDiffered: this.controlDiffered,
      fresh: this.#fresh,
    };
    this.#differed = 0;
    this.#counted = 0;
    this.controlDiffered = 0;
    this.#fresh = 0;
    return delta;
  }
}

/** The last values of one side. */
class SeenValues {
  readonly #fingerprints: number[] = [];
  #next = 0;

  /** Whether the value is a new one. */
  learn(value: string): boolean {
    const fingerprint = toFingerprint(value);
    if (this.#fingerprints.includes(fingerprint)) return false;
    this.#fingerprints[this.#next] = fingerprint;
    this.#next = (this.#next + 1) % VALUES_MAX;
    return true;
  }
}

function toFingerprint(value: string): number {
  let print = FNV_OFFSET;
  for (let at = 0; at < value.length; at++) print = Math.imul(print ^ value.charCodeAt(at), FNV_PRIME);
  return print & SMALL_MASK;
}
