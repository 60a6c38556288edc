// Host names, listen addresses and origins as they are written in config files.
//
// Owns their syntax. Every function returns either what the text means or a sentence about what is wrong with it; the text
// itself is never in the sentence, because an origin may contain credentials.

import { isIPv4, isIPv6 } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Origin {
  /** Lower case, the port always written out. */
  readonly origin: string;
  /** The port only when it is not the scheme's own. */
  readonly authority: string;
  readonly isHttps: boolean;
}

/** A meaning, or what is wrong. */
export type Parsed<T> =
  | { readonly value: T; readonly wrong: null }
  | { readonly value: null; readonly wrong: string };

const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
const PORT = /^(?:0|[1-9][0-9]{0,4})$/;
const PORT_MAX = 65_535;

function right<T>(value: T): Parsed<T> {
  return { value, wrong: null };
}

function wrong<T>(sentence: string): Parsed<T> {
  return { value: null, wrong: sentence };
}

/** A name, an IPv4 address or a bracketed IPv6 address; underscores are fine, as service names have them. */
export function isHostName(text: string): boolean {
  if (text.startsWith('[')) return text.endsWith(']') && isIPv6(text.slice(1, -1)) && !text.includes('%');
  if (isIPv4(text)) return true;
  const labels = text.split('.');
  // RFC 3696 section 2: a name does not end in digits alone; what does is a broken IPv4 address.
  return text.length <= 253 && labels.every((label) => LABEL.test(label)) && !/^[0-9]+$/.test(labels.at(-1)!);
}

/** What a route's `hosts` may hold. */
export function isHostPattern(text: string): boolean {
  if (!text.startsWith('*.')) return isHostName(text);
  const suffix = text.slice(2);
  return isHostName(suffix) && !suffix.startsWith('[') && !isIPv4(suffix);
}

/** What a `Host` header may be: a host, and a port. */
export function isHostHeader(text: string): boolean {
  const { host, port } = splitPort(text);
  return isHostName(host) && (port === null || isPort(port, 1));
}

/** `host:port`, `[::]:port` or `:port` (all IPv4 addresses). Port 0 lets the system choose. */
export function toAddress(text: string): Parsed<Address> {
  const { host, port } = splitPort(text);
  if (port === null) return wrong('must be host:port, [::]:port or :port');
  if (!isPort(port, 0)) return wrong(`must have a port from 0 to ${PORT_MAX}`);
  if (host === '') return right({ host: '0.0.0.0', port: Number(port) });
  if (!isHostName(host))
    return wrong('must have a name, an IPv4 address or a bracketed IPv6 address before the port');
  const bare = host.startsWith('[') ? host.slice(1, -1) : host;
  return right({ host: bare.toLowerCase(), port: Number(port) });
}

/** `host:port` of a server to connect to. */
export function isServerAddress(text: string): boolean {
  const { host, port } = splitPort(text);
  return isHostName(host) && port !== null && isPort(port, 1);
}

/** Whether only this machine can connect to it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** Scheme, host and port; whatever else a URL may have does not belong to a backend. */
export function toOrigin(text: string): Parsed<Origin> {
  const scheme = /^(https?):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return wrong('must be an origin that starts with http:// or https://');
  const rest = text.slice(scheme.length + 3);
  const authority = /^[^/?#\\]*/.exec(rest)![0];
  if (authority.includes('@')) return wrong('must be an origin without user name or password');
  const behind = rest.slice(authority.length);
  if (behind.startsWith('?')) return wrong('must be an origin without a query');
  if (behind.startsWith('#')) return wrong('must be an origin without a fragment');
  if (behind !== '') return wrong('must be an origin without a path, not even a last slash');
  const { host, port } = splitPort(authority);
  if (!isHostName(host))
    return wrong('must have a name, an IPv4 address or a bracketed IPv6 address as its host');
  if (port !== null && !isPort(port, 1)) return wrong(`must have a port from 1 to ${PORT_MAX}`);
  const standardPort = scheme === 'https' ? 443 : 80;
  const number = port === null ? standardPort : Number(port);
  // The platform's own form of an IPv6 address, so that equal origins are equal texts.
  const name = host.startsWith('[') ? new URL(`http://${host}`).hostname : host.toLowerCase();
  return right({
    origin: `${scheme}://${name}:${number}`,
    authority: number === standardPort ? name : `${name}:${number}`,
    isHttps: scheme === 'https',
  });
}

function splitPort(text: string): { host: string; port: string | null } {
  const end = text.startsWith('[') ? text.indexOf(']') + 1 : text.indexOf(':');
  if (end <= 0 && !text.startsWith(':')) return { host: text, port: null };
  if (end === text.length) return { host: text, port: null };
  if (text[end] !== ':') return { host: text, port: null };
  return { host: text.slice(0, end), port: text.slice(end + 1) };
}

function isPort(text: string, minimum: number): boolean {
  return PORT.test(text) && Number(text) >= minimum && Number(text) <= PORT_MAX;
}
