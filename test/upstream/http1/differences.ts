// Where our parser and another one differ on purpose. A row stands for one cause: its predicate must find that cause
// in the bytes, and not only the two verdicts.

import { parseConnection } from '../../../src/core/headers.ts';
import { type Outcome, readOurs, trim } from './outcome.ts';

export const BYTES_AFTER = 'bytes after the response';
/** Enough to end any head. */
const LINE_ENDS = Buffer.from('\r\n\r\n\r\n');

/** What a predicate looks at. */
export interface Comparison {
  /** What is not the same: 'verdict', 'body', … */
  readonly unlike: string;
  readonly ours: Outcome;
  readonly theirs: Outcome;
  readonly isHead: boolean;
  readonly bytes: Buffer;
  /** The bytes, one character each. */
  readonly text: string;
}

export interface Difference {
  readonly name: string;
  readonly reason: string;
  matches(comparison: Comparison): boolean;
}

/** We refuse with that error; the other one reads on or to the end. */
function refusal(error: string, reason: string, hasCause: (text: string) => boolean): Difference {
  return {
    name: `we refuse: ${error}`,
    reason,
    matches: ({ ours, theirs, text }) =>
      ours.verdict === 'refused' && ours.error === error && theirs.verdict !== 'refused' && hasCause(text),
  };
}

/** We read on or to the end; the other one refuses with an error that begins so. */
function leniency(
  name: string,
  reason: string,
  error: RegExp,
  hasCause: (comparison: Comparison) => boolean,
): Difference {
  return {
    name,
    reason,
    matches: (comparison) =>
      comparison.ours.verdict !== 'refused' &&
      comparison.theirs.verdict === 'refused' &&
      error.test(comparison.theirs.error) &&
      hasCause(comparison),
  };
}

/** Both tell the same response, but not whether the connection may be used again. */
function persistence(
  name: string,
  reason: string,
  hasCause: (comparison: Comparison) => boolean,
): Difference {
  return {
    name,
    reason,
    matches: (comparison) => comparison.unlike === 'persistence' && hasCause(comparison),
  };
}

/** Values of all lines that look like a field of that name. */
function findValues(text: string, name: string): string[] {
  const lines = text.matchAll(new RegExp(`\\n${name}:([^\\r\\n]*)`, 'gi'));
  return Array.from(lines, ([, value]) => trim(value!));
}

function isOddCoding(value: string): boolean {
  return value.toLowerCase() !== 'chunked';
}

function isBadConnection(value: string): boolean {
  return value.includes('\xa0') || parseConnection(value) === null;
}

/** What llhttp and undici, which is built on it, have in common. */
export const REFUSALS: readonly Difference[] = [
  refusal('not an HTTP/1 response', 'line ends before a status line are not skipped', (text) =>
    /(?:^|\r\n\r\n)[\r\n]+(?:[A-Z]|$)/.test(text),
  ),
  refusal('not an HTTP/1 response', 'only HTTP/1.0 and HTTP/1.1 are answers to our request', (text) =>
    /(?:^|\r\n)(?:HTTP\/(?:0|2|\d\.?$)|RTSP|RTS?$|R$|ICE|IC?$)/.test(text),
  ),
  refusal('status is below 100', 'there is no such class of status (RFC 9110 section 15)', (text) =>
    /HTTP\/1\.[01] 0\d\d/.test(text),
  ),
  refusal('bad reason phrase', 'control bytes in it (RFC 9112 section 4)', (text) =>
    /HTTP\/1\.[01] \d{3} [^\r\n]*[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text),
  ),
  refusal(
    'too many interim responses',
    'a limit of ours',
    (text) => (text.match(/HTTP\/1\.[01] 1\d\d/g)?.length ?? 0) > 16,
  ),
  refusal('bad connection header', 'not a list of tokens, or it nominates what it must not', (text) =>
    findValues(text, 'connection').some(isBadConnection),
  ),
  refusal('unknown transfer-encoding', 'we know chunked and nothing else', (text) =>
    findValues(text, 'transfer-encoding').some(isOddCoding),
  ),
  refusal(
    'more than one transfer-encoding',
    'chunked twice is forbidden (RFC 9112 section 6.1)',
    (text) => findValues(text, 'transfer-encoding').length > 1,
  ),
  refusal(
    'transfer-encoding in HTTP/1.0',
    'its framing is faulty (RFC 9112 section 6.1)',
    (text) => text.includes('HTTP/1.0 ') && findValues(text, 'transfer-encoding').length > 0,
  ),
  refusal(
    'an interim response with a body',
    'it must not have one (RFC 9112 section 6.3)',
    (text) => /HTTP\/1\.[01] 1\d\d/.test(text) && /\n(?:content-length|transfer-encoding):/i.test(text),
  ),
  refusal('unasked switch of protocols', 'we never ask for one', (text) => /HTTP\/1\.[01] 101/.test(text)),
  refusal('bad content-length', 'over fifteen digits a length may not be exact', (text) =>
    findValues(text, 'content-length').some((value) => /^\d{16,}$/.test(value)),
  ),
  refusal(
    'bad content-length',
    'it is empty, and the next line cannot mend that: no line is folded',
    (text) => /\ncontent-length:[\t ]*\r\n?$/i.test(text),
  ),
  refusal('chunk too large', 'over thirteen digits, leading zeros among them', (text) =>
    /\n[0-9a-f]{14}/i.test(text),
  ),
];

/** Where we read on and they refuse, or read something else. */
const LENIENCIES: readonly Difference[] = [
  leniency(
    'we read: text of a chunk extension',
    'nothing of it is used, and no byte of it can end its line',
    /in chunk extensions/,
    ({ ours, text }) => ours.hasHead && /\n[0-9a-f]+;/i.test(text),
  ),
  leniency(
    'we read: framing among the trailers',
    'trailers are dropped, whatever their names',
    /Content-Length can't be present with Transfer-Encoding/,
    ({ ours, text }) => ours.hasHead && /\n0+(?:;[^\r]*)?\r\n(?:[^\r]+\r\n)*content-length:/i.test(text),
  ),
  {
    name: 'we read: chunked with a tab',
    reason:
      'a tab around it is white space (RFC 9110 section 5.6.3); llhttp then reads to the end of the connection',
    matches: ({ ours, theirs, text }) =>
      /\ntransfer-encoding:[^\r\n]*chunked *\t[\t ]*\r/i.test(text) &&
      theirs.verdict === 'complete' &&
      // What it takes for the body is the chunks as they came.
      text.endsWith(theirs.body.toString('latin1')) &&
      (ours.verdict !== 'refused' || ours.hasHead || /chunk|trailer/.test(ours.error)),
  },
  leniency(
    'we read: a final response after an interim one that closes',
    'what an interim response says of the connection is not the end of it',
    /Data after `Connection: close`/,
    ({ text }) => /(?:HTTP\/1\.0 1\d\d|HTTP\/1\.1 1\d\d[\s\S]*\n(?:proxy-)?connection:)/i.test(text),
  ),
];

export const LLHTTP_DIFFERENCES: readonly Difference[] = [
  ...REFUSALS,
  ...LENIENCIES,
  leniency(
    'we wait: the head is judged at its end',
    'a head that is not complete is neither accepted',
    /./,
    ({ ours, isHead, bytes }) => {
      if (ours.verdict !== 'incomplete' || ours.hasHead) return false;
      const { verdict, error } = readOurs(Buffer.concat([bytes, LINE_ENDS]), isHead);
      return verdict === 'refused' && error !== BYTES_AFTER;
    },
  ),
  persistence(
    'we keep: HEAD without a length',
    'it has no body, so its end is known',
    ({ ours, theirs, isHead }) => isHead && ours.isPersistent && !theirs.isPersistent,
  ),
  persistence(
    'we keep: Proxy-Connection: close',
    'it is no field of a response (RFC 9112 appendix C.2.2)',
    ({ ours, text }) => ours.isPersistent && /\nproxy-connection:[^\r]*close/i.test(text),
  ),
  persistence(
    'we close: Proxy-Connection: keep-alive in HTTP/1.0',
    'it is no field of a response (RFC 9112 appendix C.2.2)',
    ({ ours, text }) =>
      !ours.isPersistent &&
      /HTTP\/1\.0 [2-9]/.test(text) &&
      /\nproxy-connection:[^\r]*keep-alive/i.test(text),
  ),
  persistence(
    'we close: close and keep-alive in HTTP/1.0',
    'close wins (RFC 9112 section 9.3)',
    ({ ours, text }) => {
      const options = findValues(text, 'connection').flatMap((value) =>
        value.toLowerCase().split(/[\t ]*,[\t ]*/),
      );
      return !ours.isPersistent && options.includes('close') && options.includes('keep-alive');
    },
  ),
  persistence(
    'we close: 204 with a length or a coding',
    'it must not have them (RFC 9110 section 8.6), and may yet send such a body',
    ({ ours, text }) =>
      ours.status === 204 && !ours.isPersistent && /\n(?:content-length|transfer-encoding):/i.test(text),
  ),
];

export const UNDICI_DIFFERENCES: readonly Difference[] = [
  ...REFUSALS,
  ...LENIENCIES,
  refusal(
    'bad reason phrase',
    'a status line ends in CRLF; the llhttp in undici takes two CR for it',
    (text) => /HTTP\/1\.[01] \d{3}[^\r\n]*\r\r/.test(text),
  ),
  leniency(
    'we read: what follows a 100',
    'an interim response may come unasked (RFC 9110 section 15.2)',
    /^bad response$/,
    ({ text }) => /HTTP\/1\.[01] 100/.test(text),
  ),
  leniency(
    'we read: a length with white space after it',
    'it is none of the value (RFC 9112 section 5); undici counts it as digits',
    /^Response body length does not match content-length header$/,
    ({ text }) => /\ncontent-length:[^\r]*[\t ]\r/i.test(text),
  ),
];
