// Latency histogram over a rolling window, in shared memory.
//
// Log-linear buckets (16 to an octave, so a percentile is off by 3 % at most), one ring of minutes per writer.
// Each writer owns its ring alone and clears a minute's buckets when it enters them, so recording needs no lock
// and no allocation; a reader that meets a ring while it turns sees at worst a few samples less.

/** Values are microseconds; everything from about 67 s up falls into the last bucket. */
const SUB_BUCKET_BITS = 4;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
const OCTAVES = 22;
const BUCKETS = SUB_BUCKETS * (OCTAVES + 1);
const VALUE_MAX = 2 ** (SUB_BUCKET_BITS + OCTAVES) - 1;

/** The window is the running minute and the four before it. */
const SLOTS = 5;
const SLOT_MS = 60_000;
export const WINDOW_MS = SLOTS * SLOT_MS;
/** Per slot: the minute it holds, then the buckets. */
const SLOT_CELLS = 1 + BUCKETS;

export const HISTOGRAM_BYTES = SLOTS * SLOT_CELLS * 4;

function toBucket(micros: number): number {
  if (micros < SUB_BUCKETS) return micros;
  const octave = 31 - SUB_BUCKET_BITS - Math.clz32(micros);
  return ((octave + 1) << SUB_BUCKET_BITS) + ((micros >>> octave) & (SUB_BUCKETS - 1));
}

/** Lower border and width of a bucket, in microseconds. */
function toRange(bucket: number): [low: number, width: number] {
  if (bucket < SUB_BUCKETS) return [bucket, 1];
  const octave = (bucket >>> SUB_BUCKET_BITS) - 1;
  return [(SUB_BUCKETS + (bucket & (SUB_BUCKETS - 1))) << octave, 1 << octave];
}

/** The writer's side. One thread at a time may hold a given place. */
export class HistogramWriter {
  readonly #cells: Uint32Array;
  #minute = -1;
  #base = 0;

  constructor(buffer: SharedArrayBuffer, byteOffset: number) {
    this.#cells = new Uint32Array(buffer, byteOffset, SLOTS * SLOT_CELLS);
  }

  /** Both in milliseconds; `nowMs` from core/clock.ts. */
  record(latencyMs: number, nowMs: number): void {
    const minute = Math.floor(nowMs / SLOT_MS);
    if (minute !== this.#minute) this.#turn(minute);
    const micros = Math.min(VALUE_MAX, Math.max(0, Math.round(latencyMs * 1000)));
    const cell = this.#base + toBucket(micros);
    this.#cells[cell] = this.#cells[cell]! + 1;
  }

  #turn(minute: number): void {
    this.#minute = minute;
    const start = (minute % SLOTS) * SLOT_CELLS;
    this.#base = start + 1;
    // A replaced writer goes on with the minute that its predecessor had begun.
    if (this.#cells[start] === minute) return;
    this.#cells.fill(0, start, start + SLOT_CELLS);
    this.#cells[start] = minute;
  }
}

/** The merged samples of several writers at one moment. */
export class HistogramReading {
  readonly #buckets = new Float64Array(BUCKETS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(buffer: SharedArrayBuffer, byteOffset: number, nowMs: number): void {
    const cells = new Uint32Array(buffer, byteOffset, SLOTS * SLOT_CELLS);
    const newest = Math.floor(nowMs / SLOT_MS);
    for (let slot = 0; slot < SLOTS; slot++) {
      const start = slot * SLOT_CELLS;
      const minute = cells[start]!;
      if (minute === 0 || minute > newest || minute <= newest - SLOTS) continue;
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        const samples = cells[start + 1 + bucket]!;
        this.#buckets[bucket] = this.#buckets[bucket]! + samples;
        this.#count += samples;
      }
    }
  }

  /** Milliseconds at the quantile (0 to 1), at the middle of its bucket; null without samples. */
  quantileMs(quantile: number): number | null {
    if (this.#count === 0) return null;
    const rank = quantile * this.#count;
    let below = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const samples = this.#buckets[bucket]!;
      if (samples > 0 && below + samples >= rank) {
        const [low, width] = toRange(bucket);
        return (low + (width - 1) / 2) / 1000;
      }
      below += samples;
    }
    return VALUE_MAX / 1000;
  }

  /** Borders in milliseconds, and samples, of every bucket that has any, from fast to slow. */
  buckets(): [lowMs: number, highMs: number, count: number][] {
    const buckets: [number, number, number][] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const samples = this.#buckets[bucket]!;
      if (samples === 0) continue;
      const [low, width] = toRange(bucket);
      buckets.push([low / 1000, (low + width) / 1000, samples]);
    }
    return buckets;
  }
}
