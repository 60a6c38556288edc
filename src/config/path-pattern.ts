// Path patterns in APISIX's syntax (`uri`, `uris`) → model.
//
// Without `*` the whole path; a `*` at the end stands for any text; so does one that begins a segment before the end.
// Facts from lua-resty-radixtree, which is APISIX's default engine; where it takes pieces of a pattern for a regular
// expression by accident, they are literal here.

import { PATH_EXACT, PATH_TEXT_PREFIX, PATH_WILDCARD, type PathPattern, type Route } from '../core/model.ts';

/** As in APISIX's schema. */
const URI_LENGTH_MAX = 4096;

/**
 * What is wrong with it, without the path and without the value; null when nothing is. Takes what APISIX takes, as long as
 * a request could match it: a pattern that begins with neither `/` nor `*` never would.
 */
export function findUriProblem(uri: string): string | null {
  if (uri === '' || uri.length > URI_LENGTH_MAX) return `must have 1 to ${URI_LENGTH_MAX} characters`;
  if (!uri.startsWith('/') && !uri.startsWith('*')) return 'must start with /, or with * for any path';
  if (/[?#]/.test(uri)) return 'must be a path without query and fragment';
  if (!/^[\x21-\x7e]*$/.test(uri)) {
    return 'must have visible ASCII characters only, others percent-encoded as they arrive';
  }
  if (hasInnerWildcard(uri) && /[^/]\*./.test(uri)) {
    return 'mixes a * that begins a segment with one inside a segment';
  }
  return null;
}

/** For texts without problem. */
export function toPathPattern(uri: string): PathPattern {
  const star = uri.indexOf('*');
  if (star === -1) return { match: PATH_EXACT, path: uri };
  // A segment that begins with `*` may go on with a name for it, which means nothing to the match.
  if (hasInnerWildcard(uri)) return { match: PATH_WILDCARD, path: uri.replaceAll(/(?<=^|\/)\*[^/]*/g, '*') };
  return { match: PATH_TEXT_PREFIX, path: uri.slice(0, star) };
}

/** How many the router keeps for a route: one for each path of each host. */
export function countPatterns({ hosts, paths }: Pick<Route, 'hosts' | 'paths'>): number {
  return Math.max(1, hosts.length) * paths.length;
}

/** Whether a segment before the last one begins with `*`. */
function hasInnerWildcard(uri: string): boolean {
  return /(?:^|\/)\*[^/]*\//.test(uri);
}
