// How a mismatch is shown: the request as the primary got it, with what must not be seen left out.
//
// Nothing of a request leaves this thread but through here. Where it is not certain that a secret is found, the body as a
// whole is left out.

import { type FieldDiff, MASKED } from '../core/diff/answer-diff.ts';
import { isCredentialName } from '../core/diff/credential.ts';
import { maskJsonText } from '../core/diff/mask-json.ts';
import { compilePaths, type PathMatcher } from '../core/diff/path-matcher.ts';
import type { Mismatch } from '../core/findings.ts';
import { findHeader, REQUEST_ID } from '../core/headers.ts';
import type { Mirror, Redaction } from '../core/model.ts';
import { parseHeadText } from '../core/request-head.ts';
import type { MismatchDraft } from './findings.ts';
import { detach } from './memory.ts';
import { redactHead } from './redaction.ts';

/** Bytes of a request's body that are kept for an example. */
const BODY_BYTES_MAX = 16 * 1024;
/** What an example weighs beyond its texts, and each of its differences beyond theirs. */
const FIXED_BYTES = 512;

/** Lines that umbra added to what the client sent, and those that frame the body. */
const NOT_SHOWN: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'content-length',
  'transfer-encoding',
]);

/** The beginning of a request's body. */
export interface BodySample {
  readonly bytes: Uint8Array;
  /** Of the whole body. */
  readonly bodyBytes: number;
}

/** Of a body that lives no longer than its copies; null without one. May share its memory. */
export function toBodySample(body: Uint8Array): BodySample | null {
  if (body.length === 0) return null;
  const bytes = body.length > BODY_BYTES_MAX ? new Uint8Array(body.subarray(0, BODY_BYTES_MAX)) : body;
  return { bytes, bodyBytes: body.length };
}

/** What of a rule's requests is not shown. */
export interface ExampleRules {
  readonly redact: Redaction;
  /** Places of JSON bodies; null for none. */
  readonly masked: PathMatcher | null;
}

/** Once for a rule. */
export function compileExampleRules({ compare, redact }: Mirror): ExampleRules {
  const paths = [...(compare?.mask ?? []), ...redact.json];
  return { redact, masked: paths.length === 0 ? null : compilePaths(paths) };
}

export interface ExampleParts {
  readonly timestampMs: number;
  readonly primaryStatus: number;
  readonly shadowStatus: number;
  readonly primaryLatencyMs: number;
  readonly shadowLatencyMs: number;
  readonly diffs: readonly FieldDiff[];
  readonly isCut: boolean;
  readonly bodyMethod: string;
  readonly note: string | null;
}

/** A mismatch that is made ready to be shown only when it is reported. */
export class ExampleDraft implements MismatchDraft {
  readonly bytes: number;
  readonly #rules: ExampleRules;
  readonly #parts: ExampleParts;
  readonly #headText: string;
  readonly #body: BodySample | null;

  constructor(rules: ExampleRules, parts: ExampleParts, headText: string, body: BodySample | null) {
    this.#rules = rules;
    this.#parts = parts;
    this.#headText = headText;
    // Of its own: its batch may be much larger than what is counted here.
    this.#body = body === null ? null : { bytes: detach(body.bytes, 0), bodyBytes: body.bodyBytes };
    this.bytes = FIXED_BYTES + headText.length + (body?.bytes.length ?? 0) + sumBytes(parts.diffs);
  }

  toMismatch(): Mismatch {
    const { redact, masked } = this.#rules;
    const { method, target, headers } = parseHeadText(redactHead(this.#headText, redact));
    const body = this.#body === null ? NO_BODY : toShownBody(this.#body, headers, masked);
    return {
      ...this.#parts,
      method,
      target,
      requestId: findHeader(headers, REQUEST_ID),
      requestHeaders: toShownHeaders(headers),
      requestBody: body.text,
      requestNote: body.note,
    };
  }
}

interface ShownBody {
  readonly text: string | null;
  readonly note: string | null;
}

const NO_BODY: ShownBody = { text: null, note: null };

function toShownBody(
  { bytes, bodyBytes }: BodySample,
  headers: readonly string[],
  masked: PathMatcher | null,
): ShownBody {
  const coding = findHeader(headers, 'content-encoding');
  if (coding !== null && !/^[\t ]*(?:identity)?[\t ]*$/i.test(coding)) return leftOut('it is compressed');
  const isCut = bodyBytes > bytes.length;
  const text = toText(bytes, isCut);
  if (text === null) return leftOut('it is no text');
  if (masked === null) {
    return { text, note: isCut ? `cut to ${bytes.length} of ${bodyBytes} bytes` : null };
  }
  // A part of a document is none, and of other text nobody knows where its secrets are.
  if (isCut) return leftOut(`it is too long to be masked: ${bodyBytes} bytes`);
  // A border although it is our own code: what clients send must not end the thread.
  let shown: string | null;
  try {
    shown = maskJsonText(text, masked);
  } catch {
    return leftOut('masking it failed');
  }
  return shown === null ? leftOut('it is no JSON that can be masked') : { text: shown, note: null };
}

function leftOut(why: string): ShownBody {
  return { text: null, note: `the body was left out: ${why}` };
}

function toText(bytes: Uint8Array, isCut: boolean): string | null {
  try {
    // A cut may go through a character: what is begun is left away.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

function toShownHeaders(headers: readonly string[]): string[] {
  const shown: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    if (!NOT_SHOWN.has(name)) shown.push(name, isCredentialName(name) ? MASKED : headers[at + 1]!);
  }
  return shown;
}

function sumBytes(diffs: readonly FieldDiff[]): number {
  let bytes = 0;
  for (const { field, at, primary, shadow } of diffs) {
    bytes += field.length + at.length + (primary?.length ?? 0) + (shadow?.length ?? 0);
  }
  return bytes;
}
