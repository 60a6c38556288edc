// Turns the head of a job into the request that a shadow gets.
//
// Works on the text that went to the primary and changes only the lines that the rule changes: nothing is decoded,
// normalised or put in another order. What the head says was checked by the front end, what the rule says by config,
// so nothing here fails.

import { MIRROR_MARK } from '../core/headers.ts';
import { CONCAT_PREFIX, HOST_NODE, HOST_PASS, type Mirror, type Shadow } from '../core/model.ts';
import {
  addHeadLine,
  findHeadLine,
  parseHeadText,
  readMethod,
  readTarget,
  removeHeadLines,
  setHeadLine,
  setTarget,
} from '../core/request-head.ts';
import type { UpstreamRequest } from '../upstream/client.ts';

/** The rule's path: instead of the path, the query kept; or in front of the whole target, no slash put in or taken out. */
export function toCopyTarget(path: string, mode: Mirror['pathConcatMode'], target: string): string {
  if (mode === CONCAT_PREFIX) return path + target;
  const query = target.indexOf('?');
  return query < 0 ? path : path + target.slice(query);
}

/** What all shadows of a rule get alike: the primary's head, the rule's path, the loop mark, the length of a streamed body. */
export function toCopyHead(headText: string, mirror: Mirror, routeId: string, bodyBytes: number): string {
  let copy = setHeadLine(headText, MIRROR_MARK, routeId);
  if (mirror.path !== null) {
    copy = setTarget(copy, toCopyTarget(mirror.path, mirror.pathConcatMode, readTarget(copy)));
  }
  // The primary got a body of unknown length in chunks; here the whole of it is at hand.
  if (bodyBytes > 0 && findHeadLine(copy, 'content-length') === null) {
    copy = addHeadLine(copy, 'content-length', String(bodyBytes));
  }
  return copy;
}

/** A shadow's own rules on top. */
export function toShadowHead(headText: string, shadow: Shadow): string {
  let edited = headText;
  if (shadow.hostHeader !== HOST_PASS) {
    edited = setHeadLine(
      edited,
      'host',
      shadow.hostHeader === HOST_NODE ? shadow.authority : shadow.hostHeader,
    );
  }
  for (const name of shadow.headers.remove) edited = removeHeadLines(edited, name);
  for (const [name, value] of shadow.headers.set) edited = setHeadLine(edited, name, value);
  return edited;
}

/** A copy as its client is given it. */
export class CopyRequest implements UpstreamRequest {
  readonly method: string;
  readonly headText: string;
  readonly declaredBytes: number;
  readonly body: Uint8Array | null;
  readonly streaming = false;

  constructor(headText: string, body: Uint8Array | null) {
    this.method = readMethod(headText);
    this.headText = headText;
    this.declaredBytes = Number(findHeadLine(headText, 'content-length') ?? -1);
    this.body = body;
  }

  get target(): string {
    return readTarget(this.headText);
  }

  get headers(): string[] {
    return parseHeadText(this.headText).headers;
  }
}
