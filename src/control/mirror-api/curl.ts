// A kept request as a curl command, for the primary's side or a shadow's.
//
// Says what was asked, byte for byte where curl can; values that were masked stay masked. Never runs anything.

import { toCopyTarget } from '../../core/copy-target.ts';
import type { Mismatch } from '../../core/findings.ts';
import { MIRROR_MARK } from '../../core/headers.ts';
import { type Backend, HOST_NODE, HOST_PASS, type Route, type Shadow } from '../../core/model.ts';
import { quoteBytes, quoteWord } from './shell.ts';

/** Linux takes no word of more than 128 KiB. */
const BODY_BYTES_MAX = 120 * 1024;
/** What curl sends of itself, unless it is told not to. */
const CURL_HEADERS = ['user-agent', 'accept'] as const;
/** curl makes them anew from the body that it is given. */
const FRAMING_HEADERS: readonly string[] = ['content-length', 'transfer-encoding', 'connection'];
/** Nothing in it that curl, or its reading of URLs, would change. */
const PLAIN_TARGET = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?[\]{}]*$/;

interface Request {
  readonly backend: Backend;
  readonly method: string;
  readonly target: string;
  /** Flat list. */
  readonly headers: readonly string[];
  readonly body: string | null;
}

/** As words; the shell's quotes are not yet around them. */
export interface Word {
  readonly text: string;
  /** One byte per character. */
  readonly isLatin1: boolean;
}

/** Null when the route has no backend. */
export function toPrimaryCurl(route: Route, mismatch: Mismatch): string | null {
  const backend = findPrimary(route);
  if (backend === null) return null;
  const { method, target, requestHeaders, requestBody } = mismatch;
  return toCommand({ backend, method, target, headers: requestHeaders, body: requestBody });
}

/** Null when the route has no such shadow any more. */
export function toShadowCurl(route: Route, shadowOrigin: string, mismatch: Mismatch): string | null {
  const { mirror } = route;
  const shadow = mirror?.shadows.find(({ origin }) => origin === shadowOrigin);
  if (mirror === null || shadow === undefined) return null;
  const { method, target, requestBody } = mismatch;
  return toCommand({
    backend: shadow,
    method,
    target: mirror.path === null ? target : toCopyTarget(mirror.path, mirror.pathConcatMode, target),
    headers: toShadowHeaders(mismatch.requestHeaders, shadow, route.id),
    body: requestBody,
  });
}

/** Why a command does not have the request's body though there was one; null when it has, or there was none. */
export function findBodyNote({ method, requestBody, requestNote }: Mismatch): string | null {
  if (requestBody === null) return requestNote;
  if (requestBody.includes('\0')) return 'the body contains NUL, which no command line can';
  if (Buffer.byteLength(requestBody) > BODY_BYTES_MAX) return 'the body is too long for a command line';
  return method === 'HEAD' ? 'curl sends no body with HEAD' : requestNote;
}

/** Most of the traffic goes to one of these. */
function findPrimary({ backends }: Route): Backend | null {
  let found: Route['backends'][number] | null = null;
  for (const backend of backends) {
    if (backend.weight === 0) continue;
    const isFirst = found === null || backend.priority > found.priority;
    if (isFirst || (backend.priority === found!.priority && backend.weight > found!.weight)) found = backend;
  }
  return found ?? backends[0] ?? null;
}

/** The rules of mirror/copy.ts, on a list. Values that the configuration sets may be secrets. */
function toShadowHeaders(headers: readonly string[], shadow: Shadow, routeId: string): string[] {
  const changed = new Set([
    ...shadow.headers.remove,
    ...shadow.headers.set.map(([name]) => name),
    MIRROR_MARK,
  ]);
  if (shadow.hostHeader !== HOST_PASS) changed.add('host');
  const kept: string[] = [];
  if (shadow.hostHeader !== HOST_PASS) {
    kept.push('host', shadow.hostHeader === HOST_NODE ? shadow.authority : shadow.hostHeader);
  }
  for (let at = 0; at < headers.length; at += 2) {
    if (!changed.has(headers[at]!)) kept.push(headers[at]!, headers[at + 1]!);
  }
  for (const [name] of shadow.headers.set) kept.push(name, SET_BY_CONFIG);
  kept.push(MIRROR_MARK, routeId);
  return kept;
}

const SET_BY_CONFIG = '(set by the configuration)';

function toCommand(request: Request): string {
  return toWords(request)
    .map(({ text, isLatin1 }) => (isLatin1 ? quoteBytes(text) : quoteWord(text)))
    .join(' ');
}

export function toWords({ backend, method, target, headers, body }: Request): Word[] {
  const words: Word[] = [];
  const add = (...texts: string[]): void => {
    for (const text of texts) words.push({ text, isLatin1: true });
  };
  const isPlain = PLAIN_TARGET.test(target);
  add('curl', '--path-as-is');
  if (/[[\]{}]/.test(target) || backend.origin.includes('[')) add('--globoff');
  if (backend.tls?.verify === false) add('--insecure');
  if (headers.some((name, at) => at % 2 === 0 && name === 'accept-encoding')) add('--compressed');
  const sent = method === 'HEAD' || !isBodyFit(body) ? null : body;
  if (method === 'HEAD') add('--head');
  else if (method !== (sent === null ? 'GET' : 'POST')) add('--request', method);
  addHeaders(add, headers, sent !== null);
  if (sent !== null) {
    // --data-binary, but for one thing: a body that begins with @ is not taken for the name of a file.
    add('--data-raw');
    words.push({ text: sent, isLatin1: false });
  }
  if (!isPlain) add('--request-target', target);
  add(isPlain ? backend.origin + target : `${backend.origin}/`);
  return words;
}

function isBodyFit(body: string | null): boolean {
  return body !== null && !body.includes('\0') && Buffer.byteLength(body) <= BODY_BYTES_MAX;
}

function addHeaders(add: (...texts: string[]) => void, headers: readonly string[], hasBody: boolean): void {
  const named = new Set<string>();
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!.toLowerCase();
    const value = headers[at + 1]!;
    named.add(name);
    if (FRAMING_HEADERS.includes(name)) continue;
    // A name with nothing behind the colon would be left out; with a semicolon it is sent empty.
    add('--header', value === '' ? `${name};` : `${name}: ${value}`);
  }
  for (const name of CURL_HEADERS) if (!named.has(name)) add('--header', `${name}:`);
  if (!hasBody) return;
  if (!named.has('content-type')) add('--header', 'content-type:');
  add('--header', 'expect:');
}
