// The bodies of two answers: which way they are compared, and what differs.
//
// JSON by fields and text by lines, where both sides have the same media type and can be read; everything else by length
// and digest. Where places are masked, nothing of a body that is not compared as JSON is shown, its digest neither: a
// short secret could be found by trying.

import { hash } from 'node:crypto';
import type { AnswerContent, BodyMethod } from './answer-diff.ts';
import {
  DecodeProblem,
  DecodeRoom,
  decodeBody,
  isJsonType,
  isTextType,
  parseCodings,
  parseMediaType,
} from './body-content.ts';
import { decodeText, decodeUtf8 } from './body-text.ts';
import type { DiffList } from './diff-list.ts';
import type { DiffRules } from './diff-rules.ts';
import type { HeaderValues } from './header-diff.ts';
import { diffJson } from './json-diff.ts';
import { LEVELS_MAX } from './json-path.ts';
import { type ParsedJson, parseJson } from './json-value.ts';
import { diffText } from './text-diff.ts';
import { type Clock, READ_STEPS_MAX, Stopwatch, VISITS_MAX, Work } from './work.ts';

export interface BodyReading {
  readonly method: BodyMethod;
  /** As AnswerDiff.note. */
  readonly note: string | null;
  readonly isCut: boolean;
}

const SAME_BYTES: BodyReading = { method: 'bytes', note: null, isCut: false };

type Side = 'primary' | 'shadow';

/** What one side's body is, as far as it could be read. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly essence: string;
  readonly charset: string;
}

export function isSameBody(primary: AnswerContent, shadow: AnswerContent): boolean {
  if (primary.bodyBytes !== shadow.bodyBytes) return false;
  if (primary.body === null || shadow.body === null) return toDigest(primary) === toDigest(shadow);
  return Buffer.compare(primary.body, shadow.body) === 0;
}

/** In base64. */
function toDigest({ body, digest }: AnswerContent): string {
  return body === null ? digest : hash('sha256', body, 'base64');
}

function isSameList(first: readonly string[], second: readonly string[]): boolean {
  return first.length === second.length && first.every((value, at) => value === second[at]);
}

/** Two bodies, ready to be compared. */
export type BodyPair =
  | { readonly kind: 'same'; readonly isDecoded: boolean }
  /** By digest of what came. */
  | { readonly kind: 'raw'; readonly isSame: boolean; readonly note: string; readonly isDecoded: false }
  /** The contents, without the codings that they came in; their bytes differ. */
  | {
      readonly kind: 'contents';
      readonly primary: Content;
      readonly shadow: Content;
      readonly isDecoded: true;
    };

const SAME: BodyPair = { kind: 'same', isDecoded: false };
const SAME_DECODED: BodyPair = { kind: 'same', isDecoded: true };

export interface HeadPair {
  readonly primary: HeaderValues;
  readonly shadow: HeaderValues;
}

/** Undoes the codings, unless the bodies need not be looked into. */
export function readBodies(
  primary: AnswerContent,
  shadow: AnswerContent,
  heads: HeadPair,
  rules: DiffRules,
): BodyPair {
  // `$` is ignored: the whole body, whatever it is.
  if (rules.json?.value?.isIgnored === true) return SAME;
  const isSame = isSameBody(primary, shadow);
  if (primary.body === null || shadow.body === null)
    return { kind: 'raw', isSame, note: toLongNote(primary, shadow), isDecoded: false };
  const primaryCodings = parseCodings(heads.primary.get('content-encoding') ?? []);
  const shadowCodings = parseCodings(heads.shadow.get('content-encoding') ?? []);
  // Also written differently: no coding is called `identity` by some.
  if (isSame && isSameList(primaryCodings, shadowCodings)) return SAME_DECODED;
  if (isSame && primary.bodyBytes === 0) return SAME;
  const room = new DecodeRoom();
  const first = decodeBody(primary.body, primaryCodings, rules.maxBodyCaptureBytes, room);
  if (typeof first === 'string')
    return { kind: 'raw', isSame, note: toDecodeNote('primary', first), isDecoded: false };
  const second = decodeBody(shadow.body, shadowCodings, rules.maxBodyCaptureBytes, room);
  if (typeof second === 'string')
    return { kind: 'raw', isSame, note: toDecodeNote('shadow', second), isDecoded: false };
  if (Buffer.compare(first, second) === 0) return SAME_DECODED;
  return {
    kind: 'contents',
    primary: toContent(first, heads.primary),
    shadow: toContent(second, heads.shadow),
    isDecoded: true,
  };
}

function toContent(bytes: Uint8Array, head: HeaderValues): Content {
  return { bytes, ...parseMediaType(head.get('content-type')?.[0] ?? '') };
}

/** `primary` and `shadow` are the answers that the pair was read from. */
export function diffBodies(
  pair: BodyPair,
  primary: AnswerContent,
  shadow: AnswerContent,
  rules: DiffRules,
  list: DiffList,
  clock: Clock,
): BodyReading {
  if (pair.kind === 'same') return SAME_BYTES;
  if (pair.kind === 'contents')
    return diffContents(pair.primary, pair.shadow, rules, list, new Stopwatch(clock));
  if (!pair.isSame) reportDigests(list, toDigestText(primary, rules), toDigestText(shadow, rules));
  return toDigestReading(pair.note);
}

function diffContents(
  primary: Content,
  shadow: Content,
  rules: DiffRules,
  list: DiffList,
  watch: Stopwatch,
): BodyReading {
  if (primary.essence !== shadow.essence)
    return fallBack('the media types differ', primary, shadow, rules, list);
  const work = new Work(READ_STEPS_MAX, watch);
  const isJson = isJsonType(primary.essence);
  if (!isJson && !isTextType(primary.essence))
    return fallBack('the media type is neither JSON nor text', primary, shadow, rules, list);
  if (!work.takeBytes(primary.bytes.length + shadow.bytes.length))
    return fallBack(toWorkNote(isJson, watch), primary, shadow, rules, list);
  return isJson
    ? diffJsonContents(primary, shadow, rules, list, work, watch)
    : diffTextContents(primary, shadow, rules, list);
}

function diffTextContents(primary: Content, shadow: Content, rules: DiffRules, list: DiffList): BodyReading {
  const first = decodeText(primary.bytes, primary.charset);
  const second = decodeText(shadow.bytes, shadow.charset);
  if (first === null || second === null)
    return fallBack(
      `the ${first === null ? 'primary' : 'shadow'}'s text is in no charset that is known`,
      primary,
      shadow,
      rules,
      list,
    );
  diffText(first, second, rules.hasMask, list);
  return { method: 'text', note: null, isCut: list.isFull };
}

function diffJsonContents(
  primary: Content,
  shadow: Content,
  rules: DiffRules,
  list: DiffList,
  reading: Work,
  watch: Stopwatch,
): BodyReading {
  const first = readJson(primary.bytes, reading);
  // Whichever it is: the other one need not be read then.
  const second = 'problem' in first && first.problem === 'work' ? first : readJson(shadow.bytes, reading);
  const note = toJsonNote('primary', first, watch) ?? toJsonNote('shadow', second, watch);
  if (note !== null || 'problem' in first || 'problem' in second)
    return fallBack(note ?? TOO_DEEP, primary, shadow, rules, list);
  const mark = list.mark();
  const end = diffJson(first.value, second.value, rules, list, new Work(VISITS_MAX, watch));
  if (end === 'depth') {
    list.rewind(mark);
    return fallBack(TOO_DEEP, primary, shadow, rules, list);
  }
  // Nothing was found in what was looked at, and something may be in the rest: that is not called equal.
  if (end === 'work' && list.found === mark.found + mark.noiseFound)
    return fallBack(toWorkNote(true, watch), primary, shadow, rules, list);
  return { method: 'json', note: null, isCut: end === 'work' || list.isFull };
}

const NOTE_LATE = 'comparing the bodies took too long';
const NOTE_COSTLY = 'takes too many steps to compare';

function toWorkNote(isJson: boolean, watch: Stopwatch): string {
  return watch.isLate ? NOTE_LATE : `the ${isJson ? 'JSON' : 'text'} ${NOTE_COSTLY}`;
}

/** Whether bodies were compared by digest for want of time or steps: their fields may be the same. */
export function isWorkNote(note: string | null): boolean {
  return note === NOTE_LATE || note?.endsWith(NOTE_COSTLY) === true;
}

function fallBack(
  note: string,
  primary: Content,
  shadow: Content,
  rules: DiffRules,
  list: DiffList,
): BodyReading {
  reportDigests(list, toContentText(primary, rules), toContentText(shadow, rules));
  return toDigestReading(note);
}

const TOO_DEEP = `the JSON has more than ${LEVELS_MAX} levels`;

function toJsonNote(side: Side, parsed: ParsedJson, watch: Stopwatch): string | null {
  if (!('problem' in parsed)) return null;
  if (parsed.problem === 'work') return toWorkNote(true, watch);
  return parsed.problem === 'depth' ? TOO_DEEP : `the ${side}'s body is not valid JSON`;
}

/** JSON is UTF-8 whatever its charset says (RFC 8259 section 8.1). */
function readJson(bytes: Uint8Array, work: Work): ParsedJson {
  const text = decodeUtf8(bytes);
  return text === null ? { problem: 'syntax' } : parseJson(text, work);
}

function toDigestReading(note: string): BodyReading {
  return { method: 'digest', note, isCut: false };
}

function toLongNote(primary: AnswerContent, shadow: AnswerContent): string {
  if (primary.body === null && shadow.body === null) return 'both bodies are longer than max_body_capture';
  return `the ${primary.body === null ? "primary's" : "shadow's"} body is longer than max_body_capture`;
}

function toDecodeNote(side: Side, problem: DecodeProblem): string {
  if (problem === DecodeProblem.long)
    return `the ${side}'s body is longer than max_body_capture when it is decoded`;
  if (problem === DecodeProblem.costly) return 'the bodies are too long when they are decoded';
  const what =
    problem === DecodeProblem.unknown ? 'has a content-encoding that is not known' : 'cannot be decoded';
  return `the ${side}'s body ${what}`;
}

function reportDigests(list: DiffList, primary: string, shadow: string): void {
  if (list.isNoise('body', 'digest', 'body')) return;
  list.keep({ field: 'body', at: 'body', kind: 'digest', primary, shadow });
}

function toDigestText(answer: AnswerContent, rules: DiffRules): string {
  return formatDigest(answer.bodyBytes, rules, () => toDigest(answer));
}

function toContentText({ bytes }: Content, rules: DiffRules): string {
  return formatDigest(bytes.length, rules, () => hash('sha256', bytes, 'base64'));
}

function formatDigest(bytes: number, rules: DiffRules, digest: () => string): string {
  const length = bytes === 1 ? '1 byte' : `${bytes} bytes`;
  if (bytes === 0 || rules.hasMask) return length;
  return `${length}, sha256 ${Buffer.from(digest(), 'base64').toString('hex')}`;
}
