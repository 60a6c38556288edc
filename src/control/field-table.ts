// What is known of the fields of one route, for each of its shadows: how often they differed, and from whom.
//
// Bounded: of more fields than that, those that differed least go first. Names come from answers.

import type { FieldDelta } from '../core/findings.ts';

export const FIELDS_MAX = 400;
/** Fields beyond the bound until the rarest are taken out, so that this is not done for each new one. */
const FIELDS_SLACK = 100;
/** A longer name is not counted: a body's keys can be of any length. */
export const FIELD_LENGTH_MAX = 1024;

export interface FieldCounts {
  differed: number;
  counted: number;
  controlDiffered: number;
  fresh: number;
}

export interface FieldTable {
  readonly compared: number;
  readonly controlled: number;
  readonly fields: ReadonlyMap<string, Readonly<FieldCounts>>;
}

export class GrowingFieldTable implements FieldTable {
  compared = 0;
  controlled = 0;
  readonly fields = new Map<string, FieldCounts>();

  /** Returns how many fields were left out or forgotten. */
  add(compared: number, controlled: number, deltas: readonly FieldDelta[]): number {
    this.compared += compared;
    this.controlled += controlled;
    let lost = 0;
    for (const delta of deltas) {
      if (delta.field.length > FIELD_LENGTH_MAX) {
        lost++;
        continue;
      }
      const counts = this.fields.get(delta.field) ?? {
        differed: 0,
        counted: 0,
        controlDiffered: 0,
        fresh: 0,
      };
      counts.differed += delta.differed;
      counts.counted += delta.counted;
      counts.controlDiffered += delta.controlDiffered;
      counts.fresh += delta.fresh;
      this.fields.set(delta.field, counts);
      if (this.fields.size > FIELDS_MAX + FIELDS_SLACK) lost += this.#forgetRarest();
    }
    return lost;
  }

  #forgetRarest(): number {
    const ranked = [...this.fields].sort(([, one], [, other]) => toRank(other) - toRank(one));
    const rarest = ranked.slice(FIELDS_MAX);
    for (const [field] of rarest) this.fields.delete(field);
    return rarest.length;
  }
}

function toRank({ differed, controlDiffered }: FieldCounts): number {
  return differed + controlDiffered;
}
