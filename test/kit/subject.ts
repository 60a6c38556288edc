// A request as conditions see it, for tests.

import type { ExpressionSubject } from '../../src/core/request-variable.ts';

/** `headers` without `host`; all of them are the client's own. */
export function toSubject(edits: Partial<ExpressionSubject> = {}): ExpressionSubject {
  const target = edits.target ?? '/a/b?c=d';
  const host = edits.host ?? 'a.example';
  const headers = ['host', host, ...(edits.headers ?? [])];
  return {
    method: 'GET',
    path: target.split('?', 1)[0]!,
    forwardedFor: '',
    address: '192.0.2.1',
    secure: false,
    received: headers.length,
    ...edits,
    target,
    host,
    headers,
  };
}
