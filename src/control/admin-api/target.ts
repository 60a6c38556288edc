// The target of a request: the segments of its path, and its query.
//
// Reads the text that came, as APISIX does: a slash that is encoded is part of a segment.

import { Refusal } from '../catalog.ts';

export interface Target {
  /** Decoded; slashes at the end of the path do not count. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

/** Throws a Refusal for a path that cannot be decoded. */
export function parseTarget(target: string): Target {
  const path = target.replace(/\?.*$/s, '').replace(/\/+$/, '').replace(/^\//, '');
  return { path: path === '' ? [] : path.split('/').map(toDecoded), query: parseQuery(target) };
}

export function parseQuery(target: string): URLSearchParams {
  const start = target.indexOf('?');
  // The empty parameter in front keeps a second question mark, which would be dropped.
  return new URLSearchParams(start === -1 ? '' : `&${target.slice(start + 1)}`);
}

function toDecoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(400, { error_msg: 'the path is not percent-encoded UTF-8' });
  }
}
