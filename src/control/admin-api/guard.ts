// The door of the admin listeners: what each request must bring before a handler sees it.
//
// Owns the order of the checks and what a refused client is told. A request that is refused here changes nothing, and its
// body is not read.

import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../../config/address.ts';
import type { AdminSettings } from '../../core/model.ts';
import {
  type Credential,
  createAllowList,
  createKeyring,
  findCredential,
  findForwardedAddress,
  isForeignPage,
  isOwnHost,
  ROLE_ADMIN,
  ROLE_VIEWER,
  type Role,
} from './auth.ts';

/**
 * What a request asks for: health and the dashboard's files, which hold no data, are for everyone; of the rest, the Admin API
 * asks for more than what else is read.
 */
export const AREA_HEALTH = 'health';
export const AREA_FILES = 'files';
export const AREA_ADMIN_API = 'admin_api';
export const AREA_OTHER = 'other';
export type Area = typeof AREA_HEALTH | typeof AREA_FILES | typeof AREA_ADMIN_API | typeof AREA_OTHER;

/** Everything on the admin listener; or the Admin API alone, behind the listeners for traffic. */
export const SURFACE_ALL = 'all';
export const SURFACE_ADMIN_API = 'admin_api';
export type Surface = typeof SURFACE_ALL | typeof SURFACE_ADMIN_API;

export interface Asking {
  readonly area: Area;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly query: URLSearchParams;
  /** The other end of the connection. */
  readonly address: string;
}

export interface Denial {
  readonly status: 401 | 403 | 421;
  readonly message: string;
  /** What is wrong with the key; null when it is something else. */
  readonly description: string | null;
}

const READ_METHODS: readonly string[] = ['GET', 'HEAD'];

/** Null lets the request pass. */
export function createGuard(settings: AdminSettings, surface: Surface): (asking: Asking) => Denial | null {
  const findRole = createKeyring(settings);
  const isAllowed = createAllowList(settings.allow);
  const isLocal = surface === SURFACE_ALL && isLoopback(settings.host);

  function isKeyNeeded(area: Area, isRead: boolean): boolean {
    return area === AREA_ADMIN_API || !isRead ? settings.keyRequired : !isLocal;
  }

  return ({ area, method, headers, query, address }) => {
    if (area === AREA_HEALTH || area === AREA_FILES) return null;
    const client = surface === SURFACE_ADMIN_API ? (findForwardedAddress(headers) ?? address) : address;
    const isRead = READ_METHODS.includes(method);
    // Where no key is asked for, the address is all that other writes have.
    const isListed = area === AREA_ADMIN_API || (!isRead && !settings.keyRequired);
    if (isListed && !isAllowed(client)) return toDenial(403, 'the client address may not use the Admin API');
    const credential = findCredential(headers, query);
    const role = credential === null ? null : findRole(credential.key);
    const hasKey = role === ROLE_ADMIN || (role === ROLE_VIEWER && isRead);
    if (!hasKey && isKeyNeeded(area, isRead)) return toKeyDenial(area, credential, role);
    const isVouched = hasKey && credential?.isAmbient === false;
    // A page in somebody's browser must neither use this through a name that it let point here, nor write to it unseen: it
    // can send some requests to other origins, with their cookies, though it cannot read the answers. Without a key it is
    // the place that the browser stands at that opens the door: this machine, or an address in the list. So the Host is
    // looked at wherever the key is not, also behind the listeners for traffic, which pass on the client's.
    if (!hasKey && !isOwnHost(headers.host, settings.host)) {
      return toDenial(421, 'the Host header names neither an address nor this machine');
    }
    if (!isVouched && !isRead && isForeignPage(headers)) {
      return toDenial(403, 'a page of another origin may not write here');
    }
    return null;
  };
}

function toKeyDenial(area: Area, credential: Credential | null, role: Role | null): Denial {
  const description = toDescription(credential, role);
  if (area === AREA_ADMIN_API) return { status: 401, message: 'failed to check token', description };
  const message =
    role === ROLE_VIEWER ? 'the key is good for reading alone' : 'the X-API-KEY header is missing or wrong';
  return { status: 401, message, description };
}

/** In APISIX's words. */
function toDescription(credential: Credential | null, role: Role | null): string {
  if (credential === null) return 'missing apikey';
  return role === ROLE_VIEWER ? 'invalid method for role viewer' : 'wrong apikey';
}

function toDenial(status: 403 | 421, message: string): Denial {
  return { status, message, description: null };
}
