// What expressions can ask of a request: nginx's variables, as APISIX fills them.
//
// Owns their names and where each value comes from. Values are bytes as characters, like everything of a head; null is a
// variable that the request does not have. Reads only; never throws.

import { classifyRequestHeader, RequestHeader, toHostName } from './headers.ts';

/** A request, as the route's and the mirror's conditions see it. */
export interface ExpressionSubject {
  readonly method: string;
  /** Raw request target. */
  readonly target: string;
  /** Raw path without query. */
  readonly path: string;
  /** The `Host` header as received. */
  readonly host: string;
  /** Flat list, lower-case names. The client's come first; see `received`. */
  readonly headers: readonly string[];
  /** Entries of `headers` that are the client's own; what follows was added for the primary. */
  readonly received: number;
  /** The client's own `x-forwarded-for`, which is kept apart; empty without. */
  readonly forwardedFor: string;
  /** Text of the client's address. */
  readonly address: string;
  /** Whether the request came by TLS. */
  readonly secure: boolean;
}

/** True is an argument without `=`. */
export type VariableValue = string | true | null;
export type ReadVariable = (subject: ExpressionSubject) => VariableValue;

const NAME_LENGTH_MAX = 256;
/** As many as OpenResty reads. */
const ARGUMENTS_MAX = 100;

const FIXED: ReadonlyMap<string, ReadVariable> = new Map<string, ReadVariable>([
  ['method', (subject) => subject.method],
  ['request_method', (subject) => subject.method],
  // Raw, where nginx has it decoded and normalised: umbra never decodes a path.
  ['uri', (subject) => subject.path],
  ['request_uri', (subject) => subject.target],
  ['args', readQuery],
  ['query_string', readQuery],
  ['host', (subject) => toHostName(subject.host)],
  ['remote_addr', (subject) => subject.address],
  ['scheme', (subject) => (subject.secure ? 'https' : 'http')],
]);

/** These belong to one connection and are not kept with the request. */
const NOT_KEPT: ReadonlySet<number> = new Set([
  RequestHeader.hopByHop,
  RequestHeader.connection,
  RequestHeader.transferEncoding,
]);

/** What is wrong with a variable's name; null when nothing is. */
export function findVariableProblem(name: string): string | null {
  if (name.length > NAME_LENGTH_MAX)
    return `must be a variable's name of at most ${NAME_LENGTH_MAX} characters`;
  const argument = /^(?:arg|cookie)_(.+)$/s.test(name);
  if (FIXED.has(name) || argument) return null;
  const header = /^http_(.+)$/s.exec(name)?.[1];
  if (header === undefined) {
    return `must be a variable that umbra knows: arg_NAME, http_NAME, cookie_NAME, ${[...FIXED.keys()].join(', ')}`;
  }
  const kind = classifyRequestHeader(toHeaderName(header));
  if (kind === -1) return 'must be http_ and the name of a header, with _ for -';
  if (NOT_KEPT.has(kind)) return 'asks for a header that belongs to one connection, not to the request';
  return null;
}

/** For a name without problem. */
export function toVariable(name: string): ReadVariable {
  const fixed = FIXED.get(name);
  if (fixed !== undefined) return fixed;
  const [kind] = name.split('_', 1);
  const rest = toBytes(name.slice(kind!.length + 1));
  if (kind === 'arg') return (subject) => findArgument(subject.target, rest);
  if (kind === 'cookie') return (subject) => findCookie(readHeader(subject, 'cookie', '; '), rest);
  const header = toHeaderName(rest);
  if (header === 'host') return (subject) => subject.host;
  if (header === 'x-forwarded-for')
    return (subject) => (subject.forwardedFor === '' ? null : subject.forwardedFor);
  return (subject) => readHeader(subject, header, ', ');
}

/** UTF-8 as one character per byte, which is how a request's texts are held. */
export function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function toHeaderName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

function readQuery(subject: ExpressionSubject): string | null {
  const mark = subject.target.indexOf('?');
  return mark === -1 ? null : subject.target.slice(mark + 1);
}

/** All lines of that name in one; in names `_` counts as `-`. `name` has no `_`. */
function readHeader(subject: ExpressionSubject, name: string, separator: string): string | null {
  const { headers, received } = subject;
  let value: string | null = null;
  for (let at = 0; at < received; at += 2) {
    const found = headers[at]!;
    if (found !== name && !(found.length === name.length && found.replaceAll('_', '-') === name)) continue;
    value = value === null ? headers[at + 1]! : value + separator + headers[at + 1]!;
  }
  return value;
}

/** The first argument of that name: decoded, `+` for a space. Names are compared decoded, and with case. */
function findArgument(target: string, name: string): VariableValue {
  let at = target.indexOf('?') + 1;
  if (at === 0) return null;
  for (let count = 0; at <= target.length && count < ARGUMENTS_MAX; ) {
    const found = target.indexOf('&', at);
    const end = found === -1 ? target.length : found;
    // Nothing between two `&` is no argument.
    if (end > at) {
      count++;
      const equals = target.indexOf('=', at);
      const nameEnd = equals === -1 || equals > end ? end : equals;
      if (decode(target.slice(at, nameEnd)) === name) {
        return nameEnd === end ? true : decode(target.slice(nameEnd + 1, end));
      }
    }
    at = end + 1;
  }
  return null;
}

/** Whatever is not `%` and two hexadecimal digits stays as it is. */
function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  return text
    .replaceAll('+', ' ')
    .replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The last cookie of that name, raw; a value ends at a semicolon or at white space. */
function findCookie(header: string | null, name: string): string | null {
  if (header === null) return null;
  let value: string | null = null;
  for (let at = 0; at < header.length; ) {
    while (header[at] === ' ' || header[at] === '\t') at++;
    const equals = header.indexOf('=', at);
    if (equals === -1) break;
    let end = equals + 1;
    while (end < header.length && header[end] !== ';' && header[end] !== ' ' && header[end] !== '\t') end++;
    if (equals - at === name.length && header.startsWith(name, at)) value = header.slice(equals + 1, end);
    at = end + 1;
  }
  return value;
}
