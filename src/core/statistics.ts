// What may be said of a share, and of a quantile, from the samples that there are: estimates with bounds.
//
// Pure and exact as far as doubles go: no random numbers, so that the same data always give the same bounds. Counts may go
// up to 1e12. Every bound takes the samples to be independent of each other.

/** Confidence of a bound on one side, where nothing else is asked for. */
export const CONFIDENCE = 0.95;
export const COUNT_MAX = 1e12;

const LN_2_PI = Math.log(2 * Math.PI);
/** Relative, of a solution. */
const PRECISION = 1e-12;
/** Far beyond what any count up to COUNT_MAX takes. */
const STEPS_MAX = 200;
const FRACTION_TERMS_MAX = 1_000_000;

/**
 * The largest share that `count` of `of` samples still allow: were it larger, so few would be found with a probability of
 * less than 1 - confidence. Exact binomial, after C. J. Clopper and E. S. Pearson, Biometrika 26 (1934). 1 without samples.
 */
export function toShareUpper(count: number, of: number, confidence = CONFIDENCE): number {
  if (count >= of) return 1;
  // A share near 1 is known better by what it lacks.
  if (count > of / 2) return 1 - toShareLower(of - count, of, confidence);
  const target = Math.log(1 - confidence);
  // (1 - share) ** of = 1 - confidence
  if (count <= 0) return -Math.expm1(target / of);
  const start = guessUpper(count, of, target);
  return solve(count / of, 1, start, target, (share) => tail(count, of, share, 1 - share));
}

/** The smallest share that they still allow; 0 without samples. */
export function toShareLower(count: number, of: number, confidence = CONFIDENCE): number {
  if (count <= 0 || of <= 0) return 0;
  const target = Math.log(1 - confidence);
  if (count >= of) return Math.exp(target / of);
  if (count > of / 2) return 1 - toShareUpper(of - count, of, confidence);
  // The others are too many instead of the counted ones too few.
  const start = count / of / 2;
  return solve(count / of, 0, start, target, (share) => tail(of - count, of, 1 - share, share));
}

/** The nearest rank: the smallest sample that at least this part (above 0, at most 1) of all are not above. Sorted; not empty. */
export function toQuantile(sorted: ArrayLike<number>, part: number): number {
  return sorted[toRank(sorted.length, part) - 1]!;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Bootstrap interval of a quantile by the percentile method (B. Efron, Annals of Statistics 7 (1979)), of 95 % by default.
 *
 * The quantile of a resample is one of the samples, and that of rank k or a smaller one exactly when enough of the n draws
 * fall on the k smallest, which is a binomial probability (J. S. Maritz and R. G. Jarrett, JASA 73 (1978)). So this is
 * the interval that infinitely many resamples would give, without drawing any.
 */
export function toQuantileInterval(sorted: ArrayLike<number>, part: number, confidence = 0.95): Interval {
  const size = sorted.length;
  const rank = toRank(size, part);
  const beyond = (1 - confidence) / 2;
  return {
    low: sorted[findRank(size, rank, beyond) - 1]!,
    high: sorted[findRank(size, rank, 1 - beyond) - 1]!,
  };
}

function toRank(size: number, part: number): number {
  // A product such as 0.99 * 100 must not come out above its true value.
  return Math.min(size, Math.max(1, Math.ceil(part * size - 1e-9)));
}

/** The smallest k for which the resample's sample of this rank is one of the k smallest with at least this probability. */
function findRank(size: number, rank: number, probability: number): number {
  let low = 1;
  let high = size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (toAtLeast(rank, size, middle / size) >= probability) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Probability of `count` or more of `of`. */
export function toAtLeast(count: number, of: number, share: number): number {
  if (count <= 0) return 1;
  if (count > of || share <= 0) return 0;
  if (share >= 1) return 1;
  // The tail of the side on which the share is not: there the fraction converges.
  if (share * of > count) return 1 - Math.exp(tail(count - 1, of, share, 1 - share).logarithm);
  return Math.exp(tail(of - count, of, 1 - share, share).logarithm);
}

interface Tail {
  /** Of the probability. */
  readonly logarithm: number;
  /** Of `logarithm`, over the share; without its sign. */
  readonly slope: number;
}

/**
 * The probability of `count` or fewer of `of`, for 0 <= count < of and a share above count / of; `rest` is 1 - share. It is
 * the incomplete beta function I_q(of - count, count + 1): p (of - count) times the probability of exactly `count`, times a
 * continued fraction.
 */
function tail(count: number, of: number, share: number, rest: number): Tail {
  const fraction = toFraction(of - count, count + 1, share, rest);
  const factor = share * (of - count) * fraction;
  const logarithm = toLogProbability(count, of, share, rest) + Math.log(factor);
  return { logarithm, slope: 1 / (share * rest * fraction) };
}

/**
 * The continued fraction of I_x(a, b) in the form of A. R. Didonato and A. H. Morris, ACM TOMS 18 (1992), algorithm 708, which
 * loses nothing to cancellation where x is near 1 (a share of few in very many); read forwards by the method of Lentz. It
 * ends after b terms at the latest. `y` is 1 - x.
 */
function toFraction(a: number, b: number, y: number, x: number): number {
  // The same number, by the way that loses less.
  const lead = x < y ? a - (a + b) * x : (a + b) * y - b;
  let value = (a * (lead + 1)) / (a + 1);
  let c = value;
  let d = 0;
  for (let m = 1; m < b && m <= FRACTION_TERMS_MAX; m++) {
    const behind = a + 2 * m - 1;
    const over = ((a + m - 1) / behind) * ((a + b + m - 1) / behind) * m * (b - m) * x * x;
    const under = m + (m * (b - m) * x) / behind + ((a + m) * (lead + 1 + m * (1 + y))) / (a + 2 * m + 1);
    d = 1 / (under + over * d);
    c = under + over / c;
    const change = c * d;
    value *= change;
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return 1 / value;
}

/** Of exactly `count` of `of`, by saddle-point expansion: C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000). */
function toLogProbability(count: number, of: number, share: number, rest: number): number {
  if (count === 0) return of * Math.log1p(-share);
  if (count === of) return of * Math.log(share);
  const others = of - count;
  return (
    toStirlingError(of) -
    toStirlingError(count) -
    toStirlingError(others) -
    toDeviance(count, of * share) -
    toDeviance(others, of * rest) +
    0.5 * (Math.log(of / others / count) - LN_2_PI)
  );
}

/** By how much Stirling's formula falls short of ln n!: its series (DLMF 5.11.1), from 16 on within a double's precision. */
function toStirlingError(n: number): number {
  if (n < 16) {
    let factorial = 1;
    for (let factor = 2; factor <= n; factor++) factorial *= factor;
    return Math.log(factorial) - (n + 0.5) * Math.log(n) + n - 0.5 * LN_2_PI;
  }
  const square = n * n;
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / n;
}

/** x ln(x / mean) + mean - x, which cancels nearly whole where both are near to each other. */
function toDeviance(x: number, mean: number): number {
  const difference = x - mean;
  if (Math.abs(difference) > 0.1 * (x + mean)) return x * Math.log(x / mean) - difference;
  // 2 x artanh(v) - difference, by the series of artanh.
  const v = difference / (x + mean);
  const square = v * v;
  let sum = difference * v;
  let power = 2 * x * v;
  for (let odd = 3; odd < 1000; odd += 2) {
    power *= square;
    const next = sum + power / odd;
    if (next === sum) break;
    sum = next;
  }
  return sum;
}

/** Near the upper bound, from the score interval (E. B. Wilson, JASA 22 (1927)), with a normal quantile that is good enough to start at. */
function guessUpper(count: number, of: number, logAlpha: number): number {
  const t = Math.sqrt(-2 * logAlpha);
  // Abramowitz and Stegun, 26.2.22.
  const z = t - (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t);
  const half = z * Math.sqrt(((count + 0.5) * (of - count)) / of + (z * z) / 4);
  return (count + 0.5 + (z * z) / 2 + half) / (of + z * z);
}

/**
 * The share between the estimate and that end (0 or 1) whose tail has this logarithm. The tail falls towards the end. Newton's
 * method, and halving where a step of it would leave.
 */
function solve(
  estimate: number,
  end: 0 | 1,
  start: number,
  target: number,
  toTail: (share: number) => Tail,
): number {
  /** The tail is too heavy at the one and too light at the other. */
  let heavy = estimate;
  let light: number = end;
  const isBetween = (share: number): boolean => (share - heavy) * (share - light) < 0;
  const outward = end === 1 ? 1 : -1;
  let share = isBetween(start) ? start : (heavy + light) / 2;
  for (let step = 0; step < STEPS_MAX; step++) {
    const { logarithm, slope } = toTail(share);
    if (logarithm > target) heavy = share;
    else light = share;
    let next = share + (outward * (logarithm - target)) / slope;
    if (!isBetween(next)) next = (heavy + light) / 2;
    if (Math.abs(next - share) <= PRECISION * share) return next;
    share = next;
  }
  return share;
}
