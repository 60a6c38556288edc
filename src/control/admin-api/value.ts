// What every JSON value of the Admin API must be like, whatever it means: shallow, and of numbers that JSON can hold.
//
// Looks only; never goes deeper than the bound, so whatever walks through a value after it may do so by recursion.

/** Levels of objects and lists in each other. */
export const DEPTH_MAX = 100;
/** Of a place, as it is told to the client who chose the names in it. */
const PLACE_LENGTH_MAX = 256;

/** What is wrong with a parsed value, and where; null when nothing is. */
export function findFlaw(value: unknown): string | null {
  return findBelow(value, []);
}

function findBelow(value: unknown, place: string[]): string | null {
  // JSON.parse makes Infinity of `1e999`, which would be written as null.
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return place.length === 0
      ? 'the number is out of range'
      : `the number at ${toText(place)} is out of range`;
  }
  if (typeof value !== 'object' || value === null) return null;
  if (place.length === DEPTH_MAX) return `it is nested in more than ${DEPTH_MAX} levels`;
  for (const [key, item] of Object.entries(value)) {
    place.push(key);
    const flaw = findBelow(item, place);
    if (flaw !== null) return flaw;
    place.pop();
  }
  return null;
}

function toText(place: readonly string[]): string {
  const text = `/${place.join('/')}`;
  return text.length > PLACE_LENGTH_MAX ? `${text.slice(0, PLACE_LENGTH_MAX)}…` : text;
}
