// Where requests for the Admin API go that come by a listener for traffic: to the admin listener of the same process.
//
// It is a target like a route's, so that they take the exchange's ordinary way, but it is in no table and its counters
// are in nobody's books. They are never mirrored and never sent twice.

import { RouteBook } from '../core/book.ts';
import { CLIENT_AUTO, HOST_PASS, type Route } from '../core/model.ts';
import { type RouteParts, RouteTarget } from './table.ts';

const ADMIN_PATH = '/apisix/admin';
/** No route's: parentheses are not for ids. */
const ADMIN_ID = '(admin)';
const CONNECT_MS = 5_000;
/** A store that does not answer is the admin listener's to give up on. */
const IDLE_MS = 60_000;

/** Whether it is the Admin API's path, or one below it. */
export function isAdminPath(path: string): boolean {
  return (
    path.startsWith(ADMIN_PATH) &&
    (path.length === ADMIN_PATH.length || path.charCodeAt(ADMIN_PATH.length) === 0x2f) /* / */
  );
}

/** `origin` as in `http://127.0.0.1:9180`. */
export function createAdminTarget(origin: string, parts: RouteParts): RouteTarget {
  const authority = origin.slice('http://'.length);
  const route: Route = {
    id: ADMIN_ID,
    revision: '',
    hosts: [],
    paths: [],
    methods: [],
    remoteAddrs: [],
    vars: null,
    priority: 0,
    backends: [{ origin, authority, tls: null, client: CLIENT_AUTO, weight: 1, priority: 0 }],
    hostHeader: HOST_PASS,
    retries: 0,
    retryTimeoutMs: null,
    timeouts: { connectMs: CONNECT_MS, sendMs: IDLE_MS, readMs: IDLE_MS },
    mirror: null,
  };
  const memory = {
    book: RouteBook.allocate(parts.frontends),
    shadows: [],
    limit: null,
    cursor: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
  };
  return new RouteTarget({ route, memory }, { ...parts, observe: () => null });
}
