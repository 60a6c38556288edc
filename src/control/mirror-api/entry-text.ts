// The JSON text of kept mismatches: made once for each, and kept for the next reader.
//
// Quoting a request twice for a shell is what reading mismatches costs. Bounded in bytes, and gone with the mismatch.

import type { Route } from '../../core/model.ts';
import type { KeptMismatch } from '../findings/mismatch-store.ts';
import { toEntryView } from './mismatch-view.ts';

/** Twice as much may be kept: what was read since the texts came to this much, and what was before. */
export const TEXT_BYTES_MAX = 8 * 1024 * 1024;

interface Text {
  /** The commands are those of this route. */
  readonly route: Route;
  readonly json: string;
  readonly bytes: number;
}

export class EntryTexts {
  #young = new WeakMap<KeptMismatch, Text>();
  #old = new WeakMap<KeptMismatch, Text>();
  #youngBytes = 0;
  #made = 0;

  /** How many were made so far. */
  get made(): number {
    return this.#made;
  }

  get(route: Route, kept: KeptMismatch): Text {
    const young = this.#young.get(kept);
    if (young?.route === route) return young;
    const old = this.#old.get(kept);
    const text = old?.route === route ? old : this.#make(route, kept);
    if (this.#youngBytes + text.bytes > TEXT_BYTES_MAX) {
      this.#old = this.#young;
      this.#young = new WeakMap();
      this.#youngBytes = 0;
    }
    this.#young.set(kept, text);
    this.#youngBytes += text.bytes;
    return text;
  }

  #make(route: Route, kept: KeptMismatch): Text {
    this.#made++;
    const json = JSON.stringify(toEntryView(route, kept));
    return { route, json, bytes: Buffer.byteLength(json) };
  }
}
