// Turns the head of a job into the request that a shadow gets.
//
// Works on the same characters as the primary got them, one byte each: nothing is decoded, normalised or put in
// another order. What the head says was checked by the front end, what the rule says by config, so nothing here
// fails. Never touches a list that another shadow shares.

import { findHeader, MIRROR_MARK, removeHeaders } from '../core/headers.ts';
import { CONCAT_PREFIX, HOST_NODE, HOST_PASS, type Mirror, type Shadow } from '../core/model.ts';

/** A job's head, taken apart. */
export interface Head {
  readonly method: string;
  /** As the client sent it. */
  readonly rawTarget: string;
  /** Flat list as in UpstreamRequest; names are lower case. */
  readonly headers: string[];
}

/** `text` as in the hand-off's layout (job.ts). */
export function parseHead(text: string): Head {
  const lineEnd = text.indexOf('\r\n');
  const space = text.indexOf(' ');
  const headers: string[] = [];
  for (let at = lineEnd + 2; at < text.length; ) {
    const end = text.indexOf('\r\n', at);
    const colon = text.indexOf(': ', at);
    headers.push(text.slice(at, colon), text.slice(colon + 2, end));
    at = end + 2;
  }
  return { method: text.slice(0, space), rawTarget: text.slice(space + 1, lineEnd), headers };
}

/** The rule's path: instead of the path, the query kept; or in front of the whole target, no slash put in or taken out. */
export function toCopyTarget(mirror: Mirror, rawTarget: string): string {
  if (mirror.path === null) return rawTarget;
  if (mirror.pathConcatMode === CONCAT_PREFIX) return mirror.path + rawTarget;
  const query = rawTarget.indexOf('?');
  return query < 0 ? mirror.path : mirror.path + rawTarget.slice(query);
}

/** What all shadows of a rule get alike: the primary's headers, the loop mark, and the length of a streamed body. */
export function toCopyHeaders(headers: readonly string[], routeId: string, bodyBytes: number): string[] {
  const copy = setHeader(headers, MIRROR_MARK, routeId);
  // The primary got a body of unknown length in chunks; here the whole of it is at hand.
  if (bodyBytes > 0 && findHeader(copy, 'content-length') === null) {
    copy.push('content-length', String(bodyBytes));
  }
  return copy;
}

/** A shadow's own rules on top. Returns the list itself when it has none. */
export function toShadowHeaders(shadow: Shadow, headers: string[]): string[] {
  let edited = headers;
  if (shadow.hostHeader !== HOST_PASS) {
    edited = setHeader(
      edited,
      'host',
      shadow.hostHeader === HOST_NODE ? shadow.authority : shadow.hostHeader,
    );
  }
  if (shadow.headers.remove.length > 0) {
    edited = edited.slice();
    removeHeaders(edited, shadow.headers.remove);
  }
  for (const [name, value] of shadow.headers.set) edited = setHeader(edited, name, value);
  return edited;
}

/** One line of that name stays, in the place of the first one; at the end when there was none. */
function setHeader(headers: readonly string[], name: string, value: string): string[] {
  const result: string[] = [];
  let isSet = false;
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] !== name) {
      result.push(headers[at]!, headers[at + 1]!);
    } else if (!isSet) {
      result.push(name, value);
      isSet = true;
    }
  }
  if (!isSet) result.push(name, value);
  return result;
}
