// What is known of the fields of one route, for each of its shadows: how often they differed, and from whom.
//
// Bounded: of more fields than that, those that differed least go first. Names come from answers.

import type { FieldDelta } from '../../core/findings.ts';

export const FIELDS_MAX = 400;
/** Fields beyond the bound until the rarest are taken out, so that this is not done for each new one. */
const FIELDS_SLACK = 100;
/** A longer name is not counted: a body's keys can be of any length, and no rule could name it. */
export const FIELD_LENGTH_MAX = 300;

/** What all tables of a store may still take together. */
export interface FieldRoom {
  fieldsLeft: number;
}

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
  readonly #room: FieldRoom;

  constructor(room: FieldRoom) {
    this.#room = room;
  }

  /** Returns how many fields were left out or forgotten. */
  add(compared: number, controlled: number, deltas: readonly FieldDelta[]): number {
    this.compared += compared;
    this.controlled += controlled;
    let lost = 0;
    for (const delta of deltas) {
      const counts = this.fields.get(delta.field) ?? this.#open(delta.field);
      if (counts === null) {
        lost++;
        continue;
      }
      counts.differed += delta.differed;
      counts.counted += delta.counted;
      counts.controlDiffered += delta.controlDiffered;
      counts.fresh += delta.fresh;
      if (this.fields.size > FIELDS_MAX + FIELDS_SLACK) lost += this.#forgetRarest();
    }
    return lost;
  }

  /** Gives its room back. */
  clear(): void {
    this.#room.fieldsLeft += this.fields.size;
    this.fields.clear();
  }

  /** Null when there is no room for it. */
  #open(field: string): FieldCounts | null {
    if (field.length > FIELD_LENGTH_MAX || this.#room.fieldsLeft === 0) return null;
    const counts = { differed: 0, counted: 0, controlDiffered: 0, fresh: 0 };
    this.fields.set(field, counts);
    this.#room.fieldsLeft--;
    return counts;
  }

  #forgetRarest(): number {
    const ranked = [...this.fields].sort(([, one], [, other]) => toRank(other) - toRank(one));
    const rarest = ranked.slice(FIELDS_MAX);
    for (const [field] of rarest) this.fields.delete(field);
    this.#room.fieldsLeft += rarest.length;
    return rarest.length;
  }
}

function toRank({ differed, controlDiffered }: FieldCounts): number {
  return differed + controlDiffered;
}
