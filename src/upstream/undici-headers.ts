// Header lists on their way into and out of undici.
//
// Never drops, joins or reorders a field: which of them are hop-by-hop is the caller's business.

type ParsedHeaders = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Flat list of lower-case names and latin1 values in the order they came. undici always builds the parsed
 * object, and walking it costs a twentieth of decoding its raw list (0.04 against 0.8 µs for 8 fields), but
 * it gathers repeated names and moves numeric ones to the front; only then the raw list is decoded.
 */
export function toHeaderList(parsed: ParsedHeaders, raw: unknown): string[] {
  const list: string[] = [];
  for (const name in parsed) {
    const value = parsed[name];
    const first = name.charCodeAt(0);
    if (typeof value !== 'string' || (first >= 0x30 && first <= 0x39)) return decode(raw);
    list.push(name, value);
  }
  return list;
}

function decode(raw: unknown): string[] {
  const list: string[] = [];
  if (!Array.isArray(raw)) return list;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    list.push(latin1(raw[i]).toLowerCase(), latin1(raw[i + 1]));
  }
  return list;
}

function latin1(bytes: unknown): string {
  return Buffer.isBuffer(bytes) ? bytes.toString('latin1') : String(bytes);
}

/** What `content-length` says, or -1 when it is not there. */
export function toDeclaredBytes(headers: readonly string[]): number {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i];
    if (name !== undefined && name.length === 14 && name.toLowerCase() === 'content-length') {
      const value = headers[i + 1];
      return value !== undefined && /^\d+$/.test(value) ? Number(value) : -1;
    }
  }
  return -1;
}
