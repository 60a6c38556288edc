// Text with one byte per character, in and out of memory.
//
// What Buffer's toString() and write() call for 'latin1', without choosing by the encoding's name: half the cost for
// short strings, of which a head has dozens.

interface Latin1Memory {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number): number;
}

export function readLatin1(memory: Buffer, start: number, end: number): string {
  return (memory as unknown as Latin1Memory).latin1Slice(start, end);
}

/** Returns how many bytes were written: fewer than the text has when the memory ends. */
export function writeLatin1(memory: Buffer, text: string, offset: number): number {
  return (memory as unknown as Latin1Memory).latin1Write(text, offset);
}
