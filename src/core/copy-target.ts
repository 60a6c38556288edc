// The target of a copy, from that of its request and the mirror's path rule.

import { CONCAT_PREFIX, type Mirror } from './model.ts';

/** The rule's path: instead of the path, the query kept; or in front of the whole target, no slash put in or taken out. */
export function toCopyTarget(path: string, mode: Mirror['pathConcatMode'], target: string): string {
  if (mode === CONCAT_PREFIX) return path + target;
  const query = target.indexOf('?');
  return query < 0 ? path : path + target.slice(query);
}
