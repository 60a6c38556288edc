// Weights of backends: how long the cycle is in which they take turns.
//
// Owns nothing but that arithmetic; the bound is in defaults.ts, the cycle itself is the balancer's.

/** Places in the shortest cycle that has these shares; 0 without any weight above 0. */
export function countPlaces(weights: readonly number[]): number {
  const divisor = findCommonDivisor(weights);
  return divisor === 0 ? 0 : weights.reduce((sum, weight) => sum + weight / divisor, 0);
}

/** Largest number by which all can be divided; 0 when all are 0. */
export function findCommonDivisor(weights: readonly number[]): number {
  return weights.reduce(toCommonDivisor, 0);
}

/** Smallest number that all can divide; null when it is too large to be exact. For numbers above 0. */
export function findCommonMultiple(numbers: readonly number[]): number | null {
  let multiple = 1;
  for (const number of numbers) {
    multiple = (multiple / toCommonDivisor(multiple, number)) * number;
    if (!Number.isSafeInteger(multiple)) return null;
  }
  return multiple;
}

function toCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : toCommonDivisor(b, a % b);
}
