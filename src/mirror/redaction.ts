// What a copy does not tell its shadow: values of named headers, parameters of queries and forms, and places in JSON bodies.
//
// Replaces values and nothing else: names, order and every other byte stay. What must be redacted and cannot be is not
// sent at all. The primary's request is never touched: this works on a mirror thread's own copy of it. What a body does
// here is bounded in time and memory, and a defect that it meets costs its copies and not the thread.

import { EDIT_GROWTH_MAX } from '../core/diff/json-edit.ts';
import { compilePaths, type PathMatcher } from '../core/diff/path-matcher.ts';
import { redactJsonBody } from '../core/diff/redact-json.ts';
import type { Redaction } from '../core/model.ts';
import { ParameterNames, replaceParameters } from '../core/parameters.ts';
import {
  editEachHeadLine,
  findHeadLine,
  findHeadLines,
  readTarget,
  removeHeadLines,
  setEachHeadLine,
  setHeadLine,
  setTarget,
} from '../core/request-head.ts';
import { type DefectHost, DefectLog } from './defect.ts';
import type { Job } from './job.ts';

/** What stands for a value. */
export const REDACTED = 'redacted';

/** A longer body of JSON or of a form is not redacted, and so not sent. */
const BODY_BYTES_MAX = 1024 * 1024;
/** Parameters of a form that is redacted; further ones are more than a server takes. */
const FORM_PARAMETERS_MAX = 20_000;
/** Header lines whose value is a URL or a target: what a query tells, they tell too. */
const URL_LINES = ['referer', 'x-original-url', 'x-original-uri', 'x-rewrite-url', 'x-forwarded-uri'];
/** How a message is framed says nothing of anybody, and without it the copy would be another message. */
const FRAMING: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding']);
/** What vouches for a body's bytes: RFC 9530, RFC 3230, RFC 1864. */
const BODY_DIGESTS = ['content-digest', 'repr-digest', 'digest', 'content-md5'];
/** White space of JSON (RFC 8259 section 2), and what stands in front of it in other encodings: byte order marks and zero. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0x00, 0xef, 0xbb, 0xbf, 0xfe, 0xff]);
/** Objects, arrays and strings. Numbers and words begin like any text and count by their media type alone. */
const OPENINGS: ReadonlySet<number> = new Set([0x7b, 0x5b, 0x22]);

/** A rule's redaction, ready to be looked up. */
export interface RedactionRules {
  readonly headers: readonly string[];
  readonly parameters: ParameterNames;
  /** Null without paths. */
  readonly json: PathMatcher;
}

export function compileRedaction({ headers, query, json }: Redaction): RedactionRules {
  return { headers, parameters: new ParameterNames(query), json: compilePaths(json) };
}

/** The redaction of one rule in one thread. */
export class JobRedactor {
  readonly #redact: Redaction;
  readonly #defects: DefectLog;
  /** Null until the first job. */
  #rules: RedactionRules | null = null;

  constructor(host: DefectHost, route: string, redact: Redaction) {
    this.#redact = redact;
    this.#defects = new DefectLog(host, 'redaction failed', route);
  }

  /** As redactJob(). Never throws: what it fails on is not sent. */
  redact(job: Job): Job | null {
    try {
      this.#rules ??= compileRedaction(this.#redact);
      return redactJob(job, this.#rules);
    } catch (error) {
      this.#defects.tell(error);
      return null;
    }
  }
}

/**
 * The job as its copies are made of it, redacted once for all shadows; itself when nothing changes; null: not to be sent.
 * Its bytes are those that it takes now, so that they count for the queue.
 */
export function redactJob(job: Job, rules: RedactionRules): Job | null {
  const body = redactBody(job.headText, job.body, rules);
  if (body === null) return null;
  let { headText } = job;
  // The body first: what it is, its header lines say.
  if (body !== job.body) headText = setBodyLines(headText, body.length);
  headText = editHead(headText, rules.headers, rules.parameters);
  if (body === job.body && headText === job.headText) return job;
  const bytes = job.bytes + headText.length - job.headText.length + body.length - job.body.length;
  return { ...job, bytes, headText, body };
}

/** A head with the values of named headers and query parameters replaced. */
export function redactHead(headText: string, { headers, query }: Redaction): string {
  return editHead(headText, headers, new ParameterNames(query));
}

function editHead(headText: string, headers: readonly string[], parameters: ParameterNames): string {
  let edited = redactHeadLines(headText, headers);
  if (parameters.isEmpty) return edited;
  const target = readTarget(edited);
  const redacted = replaceQuery(target, parameters);
  if (redacted !== target) edited = setTarget(edited, redacted);
  for (const name of URL_LINES) {
    edited = editEachHeadLine(edited, name, (value) => replaceQuery(value, parameters));
  }
  return edited;
}

/** Every line of these names (lower case) stays, without its value. */
function redactHeadLines(headText: string, names: readonly string[]): string {
  let edited = headText;
  for (const name of names) {
    if (!FRAMING.has(name)) edited = setEachHeadLine(edited, name, REDACTED);
  }
  return edited;
}

/** A target or URL with the values of these query parameters replaced (core/parameters.ts). */
export function redactTarget(target: string, names: readonly string[]): string {
  return names.length === 0 ? target : replaceQuery(target, new ParameterNames(names));
}

function replaceQuery(url: string, names: ParameterNames): string {
  const query = url.indexOf('?') + 1;
  if (query === 0) return url;
  return replaceParameters(url, query, names, REDACTED, Number.POSITIVE_INFINITY)!;
}

/** The same object when there is nothing to redact. Null: there may be, and nobody can tell. */
function redactBody(headText: string, body: Buffer, { json, parameters }: RedactionRules): Buffer | null {
  if (body.length === 0) return body;
  const isFormRead = !parameters.isEmpty && isForm(headText);
  if (json === null && !isFormRead) return body;
  // What it is when it is decoded, nobody knows.
  if (!hasPlainBody(headText)) return null;
  const redacted = json === null ? body : redactJson(headText, body, json);
  // One that is both is read in both ways: nobody knows in which its server does.
  return redacted !== null && isFormRead ? redactForm(redacted, parameters) : redacted;
}

function redactJson(headText: string, body: Buffer, paths: PathMatcher): Buffer | null {
  if (!isJson(headText, body)) return body;
  if (body.length > BODY_BYTES_MAX) return null;
  const redacted = redactJsonBody(body, paths);
  if (redacted === null) return null;
  const bytes = Buffer.from(redacted.buffer, redacted.byteOffset, redacted.length);
  return bytes.equals(body) ? body : bytes;
}

function redactForm(body: Buffer, names: ParameterNames): Buffer | null {
  if (body.length > BODY_BYTES_MAX) return null;
  const text = body.toString('latin1');
  const redacted = replaceParameters(text, 0, names, REDACTED, FORM_PARAMETERS_MAX);
  if (redacted === null || redacted.length - text.length > EDIT_GROWTH_MAX) return null;
  return redacted === text ? body : Buffer.from(redacted, 'latin1');
}

function isForm(headText: string): boolean {
  return findHeadLines(headText, 'content-type').some((value) => /^[^;]*x-www-form-urlencoded/i.test(value));
}

function hasPlainBody(headText: string): boolean {
  return findHeadLines(headText, 'content-encoding').every((value) =>
    value.split(',').every((coding) => /^[\t ]*(?:identity)?[\t ]*$/i.test(coding)),
  );
}

/** Whether it says that it is JSON of any kind, or begins like it whatever it says. */
function isJson(headText: string, body: Uint8Array): boolean {
  const types = findHeadLines(headText, 'content-type');
  // Up to the parameters, and not trusting there to be just one type.
  if (types.some((value) => /^[^;]*json/i.test(value))) return true;
  let at = 0;
  while (at < body.length && BLANKS.has(body[at]!)) at++;
  return at < body.length && OPENINGS.has(body[at]!);
}

/** A changed body has another length, and nothing vouches for it. */
function setBodyLines(headText: string, bytes: number): string {
  let edited = headText;
  for (const name of BODY_DIGESTS) edited = removeHeadLines(edited, name);
  if (findHeadLine(edited, 'content-length') === null) return edited;
  return setHeadLine(edited, 'content-length', String(bytes));
}
