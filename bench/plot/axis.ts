// Scales and their ticks: linear, logarithmic, and in nines for percentiles.
//
// Pure arithmetic. Knows nothing of how a plot is drawn, and must never move a value to make it fit.

export type Scale = (value: number) => number;

export interface Range {
  readonly low: number;
  readonly high: number;
}

const LADDER = [1, 2, 5] as const;

export function createLinearScale(domain: Range, from: number, to: number): Scale {
  return (value) => from + ((value - domain.low) / (domain.high - domain.low)) * (to - from);
}

/** `domain` is above zero. */
export function createLogScale(domain: Range, from: number, to: number): Scale {
  const low = Math.log10(domain.low);
  const span = Math.log10(domain.high) - low;
  return (value) => from + ((Math.log10(value) - low) / span) * (to - from);
}

/** How many nines a percentile has: 0 is 0, 90 is 1, 99 is 2, 99.9 is 3. `percentile` is below 100. */
export function toNines(percentile: number): number {
  return 2 - Math.log10(100 - percentile);
}

/** 0, 50, 90, 99 and so on as far as `ninesMax`, with their places in nines. */
export function toNinesTicks(ninesMax: number): { nines: number; label: string }[] {
  const ticks = [
    { nines: 0, label: '0' },
    { nines: toNines(50), label: '50' },
    { nines: 1, label: '90' },
  ];
  for (let nines = 2; nines <= ninesMax + 1e-9; nines++) {
    ticks.push({ nines, label: nines === 2 ? '99' : `99.${'9'.repeat(nines - 2)}` });
  }
  return ticks.filter((tick) => tick.nines <= ninesMax + 1e-9);
}

/** 1, 2, 5, 10, 20 and so on: all from the decade below `low` to the decade above `high`. */
function toRungs(low: number, high: number): number[] {
  const rungs: number[] = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++) {
    // Divided for what is below one: 10 ** -3 times 5 is not the nearest number to 0.005.
    for (const step of LADDER) rungs.push(power < 0 ? step / 10 ** -power : step * 10 ** power);
  }
  return rungs;
}

/** The narrowest range from rung to rung that holds both; never an empty one. */
export function toLogDomain(low: number, high: number): Range {
  const rungs = toRungs(low, high);
  const bottom = rungs.findLast((rung) => rung <= low)!;
  return { low: bottom, high: rungs.find((rung) => rung >= high && rung > bottom)! };
}

/** Every rung of the domain, or only the powers of ten where a decade has less than `decadeMin` of room. */
export function toLogTicks(domain: Range, length: number, decadeMin = 60): number[] {
  const decades = Math.log10(domain.high / domain.low);
  const rungs = toRungs(domain.low, domain.high).filter((rung) => rung >= domain.low && rung <= domain.high);
  if (length / decades >= decadeMin) return rungs;
  return rungs.filter((rung) => Number.isInteger(Math.round(Math.log10(rung) * 1e9) / 1e9));
}

/** The smallest step of the ladder that takes at most `countMax` steps from low to high. */
function toStep(span: number, countMax: number): number {
  const rungs = toRungs(span / countMax, span);
  return rungs.find((rung) => span / rung <= countMax * (1 + 1e-9))!;
}

/** Round values within the domain, at most `countMax` steps. */
export function toLinearTicks(domain: Range, countMax: number): number[] {
  const step = toStep(domain.high - domain.low, countMax);
  const first = Math.ceil(domain.low / step - 1e-9);
  const last = Math.floor(domain.high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
}

/** From zero to the tick at or above `high`, so that the longest bar or the highest curve keeps its scale. */
export function toZeroDomain(high: number, countMax: number): Range {
  if (high <= 0) return { low: 0, high: 1 };
  const step = toStep(high, countMax);
  return { low: 0, high: Number((Math.ceil(high / step - 1e-9) * step).toPrecision(12)) };
}
