// The header lines of two answers, name by name.

import { type ParameterNames, replaceParameters } from '../parameters.ts';
import { MASKED } from './answer-diff.ts';
import { isCredentialName } from './credential.ts';
import { type DiffList, HEADER_DIFFS_MAX } from './diff-list.ts';
import type { DiffRules } from './diff-rules.ts';
import { cutText, cutTexts, toOwnText } from './preview.ts';

/** Values by lower-case name, in order; a name that occurs on several lines has several. */
export type HeaderValues = ReadonlyMap<string, readonly string[]>;

/** Characters of a name that are shown. */
const NAME_LENGTH_MAX = 200;

export function parseHeaderLines(lines: string): HeaderValues {
  const values = new Map<string, string[]>();
  let start = 0;
  while (start < lines.length) {
    let end = lines.indexOf('\n', start);
    if (end < 0) end = lines.length;
    const colon = lines.indexOf(':', start);
    if (colon >= 0 && colon < end) {
      const name = lines.slice(start, colon).toLowerCase();
      const value = lines.slice(colon + 1, end).trim();
      const known = values.get(name);
      if (known === undefined) values.set(name, [value]);
      else known.push(value);
    }
    start = end + 1;
  }
  return values;
}

/** Its lines cannot be joined (RFC 9110 section 5.3). */
const UNJOINED = 'set-cookie';
/** Values that are URLs, or hold some. */
const URL_HEADERS: ReadonlySet<string> = new Set(['location', 'content-location', 'link', 'refresh']);
/** Beginnings of queries and fragments in one value that are looked at. */
const QUERIES_MAX = 20;

/** Whether they say the same: several lines are one list, in their order. */
function isSameList(name: string, first: readonly string[], second: readonly string[]): boolean {
  if (first.length === second.length && first.every((value, at) => value === second[at])) return true;
  return name !== UNJOINED && first.join(', ') === second.join(', ');
}

/** Without the values of these parameters; as a whole withheld where it is not sure where such a value ends. */
function redactUrls(value: string, names: ParameterNames): string {
  const starts = [...value.matchAll(/[?#]/g)].slice(0, QUERIES_MAX + 1).map(({ index }) => index + 1);
  const [first, ...others] = starts;
  if (first === undefined) return value;
  const redact = (from: number) => replaceParameters(value, from, names, MASKED, Number.POSITIVE_INFINITY);
  if (starts.length > QUERIES_MAX || others.some((start) => redact(start) !== value)) return MASKED;
  return redact(first) ?? MASKED;
}

function toShownValues(name: string, values: readonly string[] | null, rules: DiffRules): string | null {
  if (values === null) return null;
  if (rules.maskedHeaders.has(name) || isCredentialName(name)) return MASKED;
  const isUrl = !rules.maskedParameters.isEmpty && URL_HEADERS.has(name);
  return (isUrl ? values.map((value) => redactUrls(value, rules.maskedParameters)) : values).join('\n');
}

function toShown(primary: string | null, shadow: string | null): [string | null, string | null] {
  if (primary !== null && shadow !== null) return cutTexts(primary, shadow);
  return [primary === null ? null : cutText(primary), shadow === null ? null : cutText(shadow)];
}

/** `isCodingIgnored`: `content-encoding` says nothing of what was compared. */
export function diffHeaders(
  primary: HeaderValues,
  shadow: HeaderValues,
  rules: DiffRules,
  isCodingIgnored: boolean,
  list: DiffList,
): void {
  const isIgnored = (name: string): boolean =>
    rules.ignoredHeaders.has(name) || (isCodingIgnored && name === 'content-encoding');
  let found = 0;
  const report = (
    name: string,
    first: readonly string[] | null,
    second: readonly string[] | null,
  ): boolean => {
    const field = toOwnText(`header:${name.slice(0, NAME_LENGTH_MAX)}`);
    const kind = first === null ? 'extra' : second === null ? 'missing' : 'value';
    if (list.isNoise(field, kind, field)) return true;
    if (found === HEADER_DIFFS_MAX) {
      list.isCut = true;
      return false;
    }
    found++;
    const [before, after] = toShown(toShownValues(name, first, rules), toShownValues(name, second, rules));
    list.keep({ field, at: field, kind, primary: before, shadow: after });
    return true;
  };
  for (const [name, values] of primary) {
    if (isIgnored(name)) continue;
    const others = shadow.get(name) ?? null;
    if (others !== null && isSameList(name, values, others)) continue;
    if (!report(name, values, others)) return;
  }
  for (const [name, values] of shadow) {
    if (primary.has(name) || isIgnored(name)) continue;
    if (!report(name, null, values)) return;
  }
}
