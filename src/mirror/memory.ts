// Whose memory a piece of bytes keeps alive.

/** The bytes in memory of their own when they pin more than `bytesMax` and more than twice themselves. */
export function detach(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const pinned = bytes.buffer.byteLength;
  return pinned > bytesMax && pinned > bytes.length * 2 ? new Uint8Array(bytes) : bytes;
}

/** The text in memory of its own: a part of a long text keeps the whole of it alive. */
export function toOwnText(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}
