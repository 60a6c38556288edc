// The live figures since the newest sample of a route's history, as the newest point of its plot.
//
// Only readings of one run of the gateway are compared with each other: its counters begin at zero with each.

import type { RouteLine } from './routes.ts';
import type { History } from './shapes.ts';

/** The history has a sample each 10 s, the live figures come each second; and some more. */
const READINGS_MAX = 30;

export class Readings {
  /** Newest last. */
  #lines: RouteLine[] = [];

  take(line: RouteLine): void {
    const last = this.#lines.at(-1);
    if (last?.atMs === line.atMs) return;
    const fell = last !== undefined && (line.compared < last.compared || line.mismatches < last.mismatches);
    // The first of a connection: who knows what happened between it and the one before.
    if (fell || line.isFirst) this.#lines = [];
    this.#lines.push(line);
    if (this.#lines.length > READINGS_MAX) this.#lines.shift();
  }

  /** The history, and what the readings say since its newest sample. */
  addTo({ interval_seconds, samples }: History): History {
    const newest = this.#lines.at(-1);
    const sampledMs = (samples.at(-1)?.[0] ?? 0) * 1000;
    const base = this.#lines.findLast(({ atMs }) => atMs <= sampledMs) ?? this.#lines[0];
    if (newest === undefined || base === undefined || newest.atMs <= sampledMs)
      return { interval_seconds, samples };
    const compared = newest.compared - base.compared;
    if (compared <= 0) return { interval_seconds, samples };
    const live = [newest.atMs / 1000, compared, newest.mismatches - base.mismatches, 0, 0] as const;
    return { interval_seconds, samples: [...samples, live] };
  }
}
