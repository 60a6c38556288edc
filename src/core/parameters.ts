// The parameters of a query or a posted form: finds those of given names and replaces their values.
//
// Read as generously as any server may: decoded, without regard to case, to white space around a name and to what is in
// brackets behind it, up to a NUL, with `.`, a space and an open `[` for `_` (as PHP reads them), and also after a semicolon. One pass over the text; every byte that is not replaced stays.

const AMPERSAND = 0x26;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;

/** Names as they are looked up. */
export class ParameterNames {
  readonly #plain = new Set<string>();
  /** Those that have brackets of their own. */
  readonly #bracketed: string[] = [];

  constructor(names: readonly string[]) {
    for (const name of names) {
      const compared = toCompared(name);
      this.#plain.add(compared);
      if (compared.includes('[')) this.#bracketed.push(compared);
    }
  }

  get isEmpty(): boolean {
    return this.#plain.size === 0;
  }

  /** `raw` as it is written in a query, one byte per character. */
  hasRaw(raw: string): boolean {
    const decoded = decodeName(raw);
    const name = toCompared(decoded);
    if (this.#plain.has(name)) return true;
    const bracket = decoded.indexOf('[');
    if (bracket === -1) return false;
    return (
      this.#plain.has(toCompared(decoded.slice(0, bracket))) ||
      this.#bracketed.some((bracketed) => name.startsWith(`${bracketed}[`))
    );
  }
}

function toCompared(name: string): string {
  const end = name.indexOf('\0');
  const whole = end === -1 ? name : name.slice(0, end);
  // A bracket that is never closed is no bracket.
  return whole
    .trim()
    .toLowerCase()
    .replace(whole.includes(']') ? /[. ]/g : /[. []/g, '_');
}

/** Percent-decoded, `+` as a space; what is no sound escape stands for itself. */
function decodeName(raw: string): string {
  if (!raw.includes('%') && !raw.includes('+') && isAscii(raw)) return raw;
  const bytes = Buffer.allocUnsafe(raw.length);
  let length = 0;
  for (let at = 0; at < raw.length; at++) {
    let code = raw.charCodeAt(at);
    if (code === 0x2b /* + */) code = 0x20;
    else if (code === 0x25 /* % */ && at + 2 < raw.length) {
      const high = toHexValue(raw.charCodeAt(at + 1));
      const low = toHexValue(raw.charCodeAt(at + 2));
      if (high !== -1 && low !== -1) {
        code = high * 16 + low;
        at += 2;
      }
    }
    bytes[length++] = code;
  }
  return bytes.toString('utf8', 0, length);
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

/** -1 for what is no digit. */
function toHexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/**
 * The text from `from` on with the values of these parameters replaced, and before it as it is. A parameter without `=` has
 * no value. A value ends at `&` alone, so that a secret with a semicolon is gone whole. Null: there are more than `namedMax`
 * parameters with a value.
 */
export function replaceParameters(
  text: string,
  from: number,
  names: ParameterNames,
  value: string,
  namedMax: number,
): string | null {
  let replaced = '';
  let copied = 0;
  let named = 0;
  /** Where the name begins that is being read; -1 in a value. */
  let nameAt = from;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === AMPERSAND || code === SEMICOLON) nameAt = at + 1;
    if (code !== EQUALS || nameAt === -1) continue;
    if (++named > namedMax) return null;
    if (names.hasRaw(text.slice(nameAt, at))) {
      const end = text.indexOf('&', at);
      replaced += text.slice(copied, at + 1) + value;
      copied = end === -1 ? text.length : end;
      // The next round looks at the `&`.
      at = copied - 1;
    }
    nameAt = -1;
  }
  return copied === 0 ? text : replaced + text.slice(copied);
}
