// Who is in the sample.
//
// A key's place in [0, 1) depends on nothing but the key, so the same key falls the same way in every thread,
// process and release, and a smaller share lies inside a larger one.

/** Place of a key in [0, 1): FNV-1a over its UTF-16 units, mixed by MurmurHash3's finalizer (public domain). */
export function toSamplePlace(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** Whether the exchange is mirrored; `percentage` 0 to 100. Without a key the choice is random. */
export function isSampled(percentage: number, key: string | null): boolean {
  if (percentage >= 100) return true;
  if (percentage <= 0) return false;
  return (key === null ? Math.random() : toSamplePlace(key)) * 100 < percentage;
}
