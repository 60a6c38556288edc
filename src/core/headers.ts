// Rules about header fields: which go to the next hop, which names and values are well formed.
//
// Pure functions and tables. Names are lower case everywhere in umbra; header lists are flat (name, value, …)
// and their strings carry one byte per character.

/** What a request header means to a gateway. Names that are not listed are end-to-end. */
export const RequestHeader = {
  endToEnd: 0,
  hopByHop: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  host: 5,
  forwardedFor: 6,
  forwardedProto: 7,
  forwardedHost: 8,
  requestId: 9,
  mirrorMark: 10,
} as const;

export const MIRROR_MARK = 'x-umbra-mirror';
export const REQUEST_ID = 'x-request-id';

/**
 * RFC 9110 section 7.6.1, with `trailer` (trailers end here), and `expect`: the listener has answered it.
 * Ordinary names are listed too: a look-up that hits spares the token check.
 */
const REQUEST_HEADERS: ReadonlyMap<string, number> = new Map<string, number>([
  ['connection', RequestHeader.connection],
  ['keep-alive', RequestHeader.hopByHop],
  ['proxy-connection', RequestHeader.hopByHop],
  ['te', RequestHeader.hopByHop],
  ['trailer', RequestHeader.hopByHop],
  ['upgrade', RequestHeader.hopByHop],
  ['expect', RequestHeader.hopByHop],
  ['transfer-encoding', RequestHeader.transferEncoding],
  ['content-length', RequestHeader.contentLength],
  ['host', RequestHeader.host],
  ['x-forwarded-for', RequestHeader.forwardedFor],
  ['x-forwarded-proto', RequestHeader.forwardedProto],
  ['x-forwarded-host', RequestHeader.forwardedHost],
  [REQUEST_ID, RequestHeader.requestId],
  [MIRROR_MARK, RequestHeader.mirrorMark],
  ...[
    'accept',
    'accept-encoding',
    'accept-language',
    'authorization',
    'cache-control',
    'content-encoding',
    'content-type',
    'cookie',
    'dnt',
    'if-match',
    'if-modified-since',
    'if-none-match',
    'origin',
    'pragma',
    'priority',
    'range',
    'referer',
    'sec-ch-ua',
    'sec-ch-ua-mobile',
    'sec-ch-ua-platform',
    'sec-fetch-dest',
    'sec-fetch-mode',
    'sec-fetch-site',
    'sec-fetch-user',
    'traceparent',
    'tracestate',
    'upgrade-insecure-requests',
    'user-agent',
    'via',
    'x-api-key',
    'x-real-ip',
  ].map((name): [string, number] => [name, RequestHeader.endToEnd]),
]);

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 section 5.5: no control characters but tab. What lies beyond ASCII may pass, except U+FFFD, which stands for bytes that were lost. */
const BAD_VALUE = /[^\t\x20-\x7e\x80-\ufffc\ufffe\uffff]/;
/**
 * A `Host`: reg-name, IPv4 or bracketed IPv6, and a port (RFC 9110 section 7.2, RFC 3986 section 3.2.2). No leading
 * dot: the listener cuts off what is not ASCII at a value's edge, and would leave one of `é.example`.
 */
const HOST = /^(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;
const ASCII = /^[\x00-\x7f]*$/;

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** A value of RequestHeader, or -1 when the name is not a token. */
export function classifyRequestHeader(name: string): number {
  return REQUEST_HEADERS.get(name) ?? (TOKEN.test(name) ? RequestHeader.endToEnd : -1);
}

export interface KnownHeader {
  readonly name: string;
  /** A value of RequestHeader, or -1 when the name is not a token. */
  readonly kind: number;
}

const NAMES_MAX = 1_024;
const NAME_LENGTH_MAX = 64;
/** A power of two. */
const MARKS = 256;

/**
 * The header names that a thread has seen, one string for each, so that a name is the same object in every request:
 * the engine then has its hash, finds it as a key at once, and writes it to memory by the short way.
 * Keeps up to 1,024 names of up to 64 bytes and then starts over, so that invented names do not stay for good.
 */
export class HeaderNames {
  readonly #names = new Map<string, KnownHeader>();
  /** In front of the map, so that the names of every request need not be hashed: one place for each mark. */
  readonly #marked: (KnownHeader | undefined)[] = new Array(MARKS).fill(undefined);

  constructor() {
    this.#reset();
  }

  find(name: string): KnownHeader {
    const length = name.length;
    const mark =
      (length * 37 +
        name.charCodeAt(0) * 11 +
        name.charCodeAt(length >> 1) * 5 +
        name.charCodeAt(length - 1)) &
      (MARKS - 1);
    const marked = this.#marked[mark];
    if (marked !== undefined && marked.name === name) return marked;
    const known = this.#names.get(name) ?? this.#learn(name);
    if (length <= NAME_LENGTH_MAX) this.#marked[mark] = known;
    return known;
  }

  #learn(name: string): KnownHeader {
    const known = { name, kind: classifyRequestHeader(name) };
    if (known.kind < 0 || name.length > NAME_LENGTH_MAX) return known;
    if (this.#names.size >= NAMES_MAX) this.#reset();
    this.#names.set(name, known);
    return known;
  }

  #reset(): void {
    this.#names.clear();
    for (const [name, kind] of REQUEST_HEADERS) this.#names.set(name, { name, kind });
  }
}

export function isFieldValue(value: string): boolean {
  return !BAD_VALUE.test(value);
}

export function isHost(value: string): boolean {
  return HOST.test(value);
}

export function isAscii(value: string): boolean {
  return ASCII.test(value);
}

/** Lower-case name without port and without the dot that ends an absolute name (RFC 1034 section 3.1); empty for an empty value. */
export function toHostName(host: string): string {
  const colon = host.charCodeAt(0) === 0x5b /* [ */ ? host.indexOf(']') + 1 : host.indexOf(':');
  const end = colon > 0 ? colon : host.length;
  const isAbsolute = end > 1 && host.charCodeAt(end - 1) === 0x2e; /* . */
  return host.slice(0, isAbsolute ? end - 1 : end).toLowerCase();
}

/** Fields that a `Connection` may not take away: framing, routing and what authorises the request. */
const NEVER_NOMINATED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'authorization',
  'cookie',
  'set-cookie',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  REQUEST_ID,
  MIRROR_MARK,
]);

const CONNECTION_ONLY: ReadonlySet<string> = new Set(['keep-alive', 'close', 'upgrade', 'te']);

/**
 * The header names that a `Connection` value nominates, beyond the standard ones; null when the value is not a
 * list of tokens or nominates a field that it must not (RFC 9110 section 7.6.1).
 */
export function parseConnection(value: string): readonly string[] | null {
  if (value === 'keep-alive' || value === 'close' || value === 'Keep-Alive') return NOTHING;
  const nominated: string[] = [];
  for (const part of value.split(',')) {
    // Not trim(): a no-break space is none of HTTP's white space.
    const name = part.replace(/^[\t ]+|[\t ]+$/g, '').toLowerCase();
    if (name === '') continue;
    if (!TOKEN.test(name) || NEVER_NOMINATED.has(name)) return null;
    if (!CONNECTION_ONLY.has(name)) nominated.push(name);
  }
  return nominated;
}

const NOTHING: readonly string[] = [];

/** Response fields that stay on the upstream's hop, and `date`, which the listener writes itself. */
export const RESPONSE_HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'date',
]);

export function isResponseHopByHop(name: string): boolean {
  return RESPONSE_HOP_BY_HOP.has(name);
}

/** Removes every line whose name is listed, in place. */
export function removeHeaders(headers: string[], names: readonly string[]): void {
  let kept = 0;
  for (let at = 0; at < headers.length; at += 2) {
    if (names.includes(headers[at]!)) continue;
    headers[kept] = headers[at]!;
    headers[kept + 1] = headers[at + 1]!;
    kept += 2;
  }
  headers.length = kept;
}

/** First value of that name, or null. */
export function findHeader(headers: readonly string[], name: string): string | null {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] === name) return headers[at + 1]!;
  }
  return null;
}
