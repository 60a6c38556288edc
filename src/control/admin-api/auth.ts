// Who may ask the admin listeners for what: keys, roles, client addresses, and pages of a browser.
//
// Decides only; guard.ts turns the decisions into answers. Keys are compared in constant time, and no key ever leaves here.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { AdminSettings } from '../../core/model.ts';

export const ROLE_ADMIN = 'admin';
export const ROLE_VIEWER = 'viewer';
export type Role = typeof ROLE_ADMIN | typeof ROLE_VIEWER;

const KEY_COOKIE = 'x_api_key';
const KEY_PARAMETER = 'api_key';
const MAPPED_PREFIX = '::ffff:';

export interface Credential {
  readonly key: string;
  /** A browser sends it by itself, whoever made it send the request. */
  readonly isAmbient: boolean;
}

/** The key that a request brings: of its header, else of its query, else of its cookie. */
export function findCredential(headers: IncomingHttpHeaders, query: URLSearchParams): Credential | null {
  const header = headers['x-api-key'];
  if (typeof header === 'string') return { key: header, isAmbient: false };
  const parameter = query.get(KEY_PARAMETER);
  if (parameter !== null) return { key: parameter, isAmbient: false };
  const cookie = findCookie(headers.cookie);
  return cookie === null ? null : { key: cookie, isAmbient: true };
}

function findCookie(header: string | undefined): string | null {
  for (const pair of header?.split(';') ?? []) {
    const end = pair.indexOf('=');
    if (end > 0 && pair.slice(0, end).trim() === KEY_COOKIE) return pair.slice(end + 1).trim();
  }
  return null;
}

/** Tells the role of a key; null for one that is nobody's. */
export function createKeyring({
  key,
  viewerKey,
}: Pick<AdminSettings, 'key' | 'viewerKey'>): (given: string) => Role | null {
  const admin = key ? toDigest(key) : null;
  const viewer = viewerKey ? toDigest(viewerKey) : null;
  return (given) => {
    const digest = toDigest(given);
    // Both are always compared, so that the time does not tell which one it might have been.
    const isAdmin = admin !== null && timingSafeEqual(digest, admin);
    const isViewer = viewer !== null && timingSafeEqual(digest, viewer);
    if (isAdmin) return ROLE_ADMIN;
    return isViewer ? ROLE_VIEWER : null;
  };
}

/** Hashes, because timingSafeEqual wants equal lengths and the length of the key is a secret as well. */
function toDigest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Tells whether a client address is in the list; every one is when the list is empty. */
export function createAllowList(entries: readonly string[]): (address: string) => boolean {
  if (entries.length === 0) return () => true;
  // Apart, because a list takes IPv4 addresses for mapped IPv6 ones, and `::/0` would hold them all.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = toFamily(address);
    if (bits === undefined) lists[family].addAddress(address, family);
    else lists[family].addSubnet(address, Number(bits), family);
  }
  return (address) => {
    const plain = toPlainAddress(address);
    const family = toFamily(plain);
    return isIP(plain) !== 0 && lists[family].check(plain, family);
  };
}

function toFamily(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

/** An IPv4 client of a socket that listens on IPv6 is shown as `::ffff:1.2.3.4`. */
function toPlainAddress(address: string): string {
  const tail = address.slice(MAPPED_PREFIX.length);
  return address.toLowerCase().startsWith(MAPPED_PREFIX) && isIP(tail) === 4 ? tail : address;
}

/** The address that the front end appended: whatever stands before it was the client's own claim. */
export function findForwardedAddress(headers: IncomingHttpHeaders): string | null {
  const header = headers['x-forwarded-for'];
  const text = Array.isArray(header) ? header.at(-1) : header;
  const last = text?.split(',').at(-1)?.trim();
  return last ? last : null;
}

/** Whether the Host of a request is an address or a name of this machine: no name that others can let point here. */
export function isOwnHost(header: string | undefined, host: string): boolean {
  // HTTP/1.0 may leave it out; no browser does.
  if (header === undefined) return true;
  const name = header
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  return (
    isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || name === host.toLowerCase()
  );
}

/** Whether a browser sent the request for a page of another origin. It says so with whatever is not a mere read. */
export function isForeignPage({ origin, host }: IncomingHttpHeaders): boolean {
  if (origin === undefined) return false;
  const named = URL.canParse(origin) ? new URL(origin).host : '';
  return named === '' || named !== host?.toLowerCase();
}
