// A piscina worker that does nothing with its task but to say how long it was.

export default function measure({ records }: { readonly records: ArrayBuffer }): number {
  return records.byteLength;
}
