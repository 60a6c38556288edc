// Whether bytes are one whole Zstandard frame (RFC 8878 section 3.1.1).
//
// Needed because node:zlib decodes a frame that was cut short to whatever it has so far and reports no error, and
// stops after the first of several frames: two bodies that differ would become the same.

const MAGIC = 0xfd2fb528;
/** Bytes of the content's size, by the flag in the descriptor. */
const SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const RLE_BLOCK = 1;
const CHECKSUM_BYTES = 4;

export function isWholeZstdFrame(body: Uint8Array): boolean {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (view.byteLength < 6 || view.getUint32(0, true) !== MAGIC) return false;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  // A single segment has no window descriptor, and always says how long it is.
  const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : SIZE_BYTES[sizeFlag]!;
  let at = 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3]! + sizeBytes;
  let isLast = false;
  while (!isLast) {
    if (at + 3 > view.byteLength) return false;
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    isLast = (header & 1) === 1;
    at += 3 + (((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3);
  }
  if ((descriptor & 0x04) !== 0) at += CHECKSUM_BYTES;
  return at === view.byteLength;
}
