// Compares what our parser makes of a case with what others make of it, and with itself when the reads end elsewhere.
//
// Whatever differs must be on a list of differences; it is counted by its name. Anything else throws Disagreement.

import { BYTES_AFTER, type Difference, LLHTTP_DIFFERENCES, UNDICI_DIFFERENCES } from './differences.ts';
import { type Case, createCase } from './generator.ts';
import { Llhttp } from './llhttp.ts';
import { escapeBytes, findEnd, type Outcome, readOurs } from './outcome.ts';
import { toCaseSeed } from './random.ts';
import { readUndici } from './undici-reader.ts';

export class Disagreement extends Error {
  override readonly name = 'Disagreement';
}

export type Reading = Pick<Case, 'isHead' | 'bytes'>;

/** Read byte by byte up to this size. */
const BYTEWISE_MAX = 400;

/** What a run has to go through. */
export interface Share {
  readonly seed: number;
  /** The first case, the first that is not any more, and from one to the next. */
  readonly from: number;
  readonly to: number;
  readonly step: number;
  /** Every so many-th case is read by undici too. */
  readonly undiciEvery: number;
}

/** How often each outcome of ours and each difference was met, by name. */
export type Tally = Map<string, number>;

/** Goes through the cases; throws Disagreement, with seed, index and bytes, at the first that fails. */
export async function runCases(share: Share, tally: Tally): Promise<void> {
  const llhttp = new Llhttp();
  for (let index = share.from; index < share.to; index += share.step) {
    const one = createCase(toCaseSeed(share.seed, index));
    try {
      const ours = readAnyway(one);
      count(tally, `ours: ${ours.verdict}`);
      count(tally, `llhttp: ${compareWithLlhttp(one, ours, llhttp)}`);
      if (Math.floor(index / share.step) % share.undiciEvery === 0)
        count(tally, `undici: ${await compareWithUndici(one, ours)}`);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const place = `seed ${share.seed}, case ${index}${one.isHead ? ', to a HEAD' : ''}`;
      throw new Disagreement(`${error.message}\n  ${place}, cut at [${one.cuts}]: ${escapeBytes(one.bytes)}`);
    }
  }
}

function count(tally: Tally, name: string): void {
  tally.set(name, (tally.get(name) ?? 0) + 1);
}

/** Our outcome, the same for every way to cut the bytes. */
export function readAnyway({ bytes, isHead, cuts }: Case): Outcome {
  const whole = readOurs(bytes, isHead);
  checkSplit(whole, readOurs(bytes, isHead, cuts), 'cut at random');
  if (bytes.length <= BYTEWISE_MAX) {
    checkSplit(whole, readOurs(bytes, isHead, toEveryByte(bytes.length)), 'cut at every byte');
  }
  if (whole.verdict === 'complete' && !whole.isCloseDelimited) checkEnd(bytes, isHead);
  return whole;
}

/** A response that says where it ends is whole with its last byte, and with none before or after it. */
function checkEnd(bytes: Buffer, isHead: boolean): void {
  const { verdict } = readOurs(bytes.subarray(0, -1), isHead);
  if (verdict !== 'incomplete') throw new Disagreement(`without its last byte: ${verdict}`);
  const { error } = readOurs(Buffer.concat([bytes, Buffer.from('\r')]), isHead);
  if (error !== BYTES_AFTER) throw new Disagreement(`with one byte more: ${error}`);
}

export function toEveryByte(length: number): number[] {
  return Array.from({ length }, (_, at) => at);
}

export function checkSplit(whole: Outcome, split: Outcome, how: string): void {
  if (whole.verdict === 'refused') {
    // A head that does not go on for want of a line end is looked at when the line end comes.
    if (split.verdict === 'incomplete' && !split.hasHead) return;
    if (split.verdict !== 'refused')
      throw new Disagreement(`${how}: ${describe(split)}, not ${describe(whole)}`);
    return;
  }
  const difference = findUnlike(whole, split);
  if (difference !== '')
    throw new Disagreement(`${how}: ${difference}, ${describe(split)}, not ${describe(whole)}`);
}

/** Returns the name of the difference, or 'same'. */
export function compareWithLlhttp(one: Reading, ours: Outcome, llhttp: Llhttp): string {
  if (ours.error !== BYTES_AFTER)
    return judge(one, ours, llhttp.read(one.bytes, one.isHead), LLHTTP_DIFFERENCES);
  const alone = toResponseAlone(one);
  return toAfter(compareWithLlhttp(alone, readAlone(alone), llhttp));
}

export async function compareWithUndici(one: Reading, ours: Outcome): Promise<string> {
  if (ours.error === BYTES_AFTER) {
    const alone = toResponseAlone(one);
    return toAfter(await compareWithUndici(alone, readAlone(alone)));
  }
  const theirs = await readUndici(one.bytes, one.isHead);
  // It tells less: no persistence, no difference between refused and incomplete, and reason phrases in UTF-8.
  if (ours.verdict !== 'complete' && theirs.verdict !== 'complete') return 'same';
  theirs.isPersistent = ours.isPersistent;
  const statusText = Buffer.from(ours.statusText, 'latin1').toString();
  return judge(one, { ...ours, statusText }, theirs, UNDICI_DIFFERENCES);
}

/** The case without the bytes after its response. */
function toResponseAlone({ bytes, isHead }: Reading): Reading {
  const end = findEnd(bytes, isHead);
  if (end <= 0 || end >= bytes.length)
    throw new Disagreement(`no bytes after the response: it ends at ${end}`);
  return { isHead, bytes: bytes.subarray(0, end) };
}

function readAlone({ bytes, isHead }: Reading): Outcome {
  const ours = readOurs(bytes, isHead);
  if (ours.verdict !== 'complete') throw new Disagreement(`without the bytes after: ${describe(ours)}`);
  return ours;
}

function toAfter(name: string): string {
  return name === 'same' ? `we refuse: ${BYTES_AFTER}` : name;
}

/** Returns the name of the difference, or 'same'; throws when there is one that has no name. */
export function judge(
  { bytes, isHead }: Reading,
  ours: Outcome,
  theirs: Outcome,
  differences: readonly Difference[],
): string {
  if (ours.verdict === 'refused' && theirs.verdict === 'refused') return 'same';
  const unlike = findUnlike(ours, theirs);
  if (unlike === '') return 'same';
  const text = bytes.toString('latin1');
  const difference = differences.find((each) => each.matches({ unlike, ours, theirs, isHead, bytes, text }));
  if (difference !== undefined) return difference.name;
  throw new Disagreement(`${unlike}: we ${describe(ours)}, they ${describe(theirs)}`);
}

/** What is not the same, or nothing. */
function findUnlike(one: Outcome, other: Outcome): string {
  if (one.verdict !== other.verdict) return 'verdict';
  if (one.hasHead !== other.hasHead) return 'head';
  if (!one.hasHead) return '';
  if (one.status !== other.status) return 'status';
  if (one.statusText !== other.statusText) return 'reason phrase';
  if (one.fields.length !== other.fields.length) return 'fields';
  if (one.fields.some((field, at) => field !== other.fields[at])) return 'fields';
  if (!one.body.equals(other.body)) return 'body';
  return one.verdict === 'complete' && one.isPersistent !== other.isPersistent ? 'persistence' : '';
}

export function describe(outcome: Outcome): string {
  const { verdict, error, status, statusText, fields, body, isPersistent } = outcome;
  if (verdict === 'refused') return `refused (${error})`;
  const end = isPersistent ? 'kept' : 'closed';
  return `${verdict} ${status} ${JSON.stringify(statusText)} ${JSON.stringify(fields)} ${escapeBytes(body)} ${end}`;
}
