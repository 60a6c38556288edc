// The header lines of two answers, name by name.

import { MASKED } from './answer-diff.ts';
import { isCredentialName } from './credential.ts';
import { type DiffList, HEADER_DIFFS_MAX } from './diff-list.ts';
import { cutText, cutTexts } from './preview.ts';

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

/** Whether lists say the same: as many lines, in the same order. */
function isSameList(first: readonly string[], second: readonly string[]): boolean {
  return first.length === second.length && first.every((value, at) => value === second[at]);
}

function toShown(
  name: string,
  primary: string | null,
  shadow: string | null,
): [string | null, string | null] {
  if (isCredentialName(name)) return [primary === null ? null : MASKED, shadow === null ? null : MASKED];
  if (primary !== null && shadow !== null) return cutTexts(primary, shadow);
  return [primary === null ? null : cutText(primary), shadow === null ? null : cutText(shadow)];
}

/** `isIgnored` is asked by name. */
export function diffHeaders(
  primary: HeaderValues,
  shadow: HeaderValues,
  isIgnored: (name: string) => boolean,
  list: DiffList,
): void {
  let found = 0;
  const report = (
    name: string,
    first: readonly string[] | null,
    second: readonly string[] | null,
  ): boolean => {
    if (found === HEADER_DIFFS_MAX) {
      list.isCut = true;
      return false;
    }
    found++;
    const [before, after] = toShown(name, first?.join('\n') ?? null, second?.join('\n') ?? null);
    const field = `header:${name.slice(0, NAME_LENGTH_MAX)}`;
    const kind = first === null ? 'extra' : second === null ? 'missing' : 'value';
    list.keep({ field, at: field, kind, primary: before, shadow: after });
    return true;
  };
  for (const [name, values] of primary) {
    if (isIgnored(name)) continue;
    const others = shadow.get(name) ?? null;
    if (others !== null && isSameList(values, others)) continue;
    if (!report(name, values, others)) return;
  }
  for (const [name, values] of shadow) {
    if (primary.has(name) || isIgnored(name)) continue;
    if (!report(name, null, values)) return;
  }
}
