// Which bytes may stand where in a response (RFC 9110 section 5, RFC 9112).

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

function toTable(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (pattern.test(String.fromCharCode(code)) ? 1 : 0));
}

/** RFC 9110 section 5.6.2. */
export const IS_TOKEN = toTable(/[!#$%&'*+\-.^_`|~0-9A-Za-z]/);

/** RFC 9110 section 5.5, and of a reason phrase (RFC 9112 section 4): tab, space, visible ASCII, and what lies beyond. */
export const IS_TEXT = toTable(/[\t\x20-\x7e\x80-\xff]/);

/** Of a hexadecimal digit; 255 of anything else. */
export const HEX_VALUE = Uint8Array.from({ length: 256 }, (_, code) => {
  const digit = String.fromCharCode(code);
  return /[0-9A-Fa-f]/.test(digit) ? Number.parseInt(digit, 16) : 255;
});
