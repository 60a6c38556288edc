// Turns the head of a job into the request that a shadow gets.
//
// Works on the text that went to the primary, redacted where the rule says so (redaction.ts), and changes only the lines
// that the rule changes: nothing is decoded, normalised or put in another order. What the head says was checked by the
// front end, what the rule says by config, so nothing here fails.

import { randomUUID } from 'node:crypto';
import { toCopyTarget } from '../core/copy-target.ts';
import { MIRROR_MARK } from '../core/headers.ts';
import { HOST_NODE, HOST_PASS, type Mirror, type Shadow } from '../core/model.ts';
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
import { isTraceparent, type SpanIds } from '../core/trace-context.ts';
import type { UpstreamRequest } from '../upstream/client.ts';

const TRACEPARENT_OPENING = '\r\ntraceparent: ';
/** draft-ietf-httpapi-idempotency-key-header-07 */
const IDEMPOTENCY_KEY = 'idempotency-key';
/** Methods of which a copy may get a key: they write, and their effect is looked for. */
const WRITING_METHODS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/**
 * What all shadows of a rule get alike: the primary's head, the rule's path, the loop mark, the length of a streamed body, a
 * key for an exchange that writes and has none.
 */
export function toCopyHead(headText: string, mirror: Mirror, routeId: string, bodyBytes: number): string {
  // Never a second mark: what arrives with one is not mirrored (decision.ts).
  let copy = addHeadLine(headText, MIRROR_MARK, routeId);
  if (mirror.path !== null) {
    copy = setTarget(copy, toCopyTarget(mirror.path, mirror.pathConcatMode, readTarget(copy)));
  }
  // The primary got a body of unknown length in chunks; here the whole of it is at hand.
  if (bodyBytes > 0 && findHeadLine(copy, 'content-length') === null) {
    copy = addHeadLine(copy, 'content-length', String(bodyBytes));
  }
  return mirror.idempotencyKey ? addIdempotencyKey(copy) : copy;
}

/** The key is a string of RFC 8941. The client's own one stays. */
function addIdempotencyKey(headText: string): string {
  if (!WRITING_METHODS.has(readMethod(headText)) || findHeadLine(headText, IDEMPOTENCY_KEY) !== null) {
    return headText;
  }
  return addHeadLine(headText, IDEMPOTENCY_KEY, `"umbra-${randomUUID()}"`);
}

/** A copy is a span of its own in the trace of its request. What is not a single sound `traceparent` stays as it is. */
function renewSpan(headText: string, spanIds: SpanIds): string {
  const at = headText.indexOf(TRACEPARENT_OPENING);
  if (at === -1) return headText;
  const from = at + TRACEPARENT_OPENING.length;
  const end = headText.indexOf('\r\n', from);
  if (!isTraceparent(headText.slice(from, end)) || headText.indexOf(TRACEPARENT_OPENING, end) !== -1) {
    return headText;
  }
  return spanIds.renew(headText, from, end);
}

/** A shadow's own span, and its own rules on top. */
export function toShadowHead(headText: string, shadow: Shadow, spanIds: SpanIds): string {
  let edited = renewSpan(headText, spanIds);
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
