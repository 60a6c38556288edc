// Compares what an upstream has recorded with what it should have got.

import assert from 'node:assert/strict';
import type { Origin } from '../kit/origin.ts';
import type { RecordedRequest } from '../kit/recording.ts';
import type { Seen } from './edge-case.ts';

/** Fields of the connection between gateway and upstream, whose framing is the gateway's own. */
const OWN = /^(?:connection|content-length|transfer-encoding):/i;

export const ROUTE = 'edge';

/** One route for everything, mirrored whole; and one that is not, to wait for the gateway's loop. */
export function toConfig(primary: Origin, shadow: Origin, idle: Origin = primary): string {
  return `
routes:
  - id: ${ROUTE}
    path: /
    path_prefix: true
    retries: 0
    backends: [{ url: '${primary.url}' }]
    mirror: { max_in_flight: 4096, backends: [{ url: '${shadow.url}' }] }
  - { id: barrier, path: /barrier, hosts: [barrier.test], backends: [{ url: '${idle.url}' }] }
`;
}

/** Line, all fields in their order, and body; the request id must be there, once. */
export function assertSeen(request: RecordedRequest, seen: Seen, isShadow: boolean): void {
  const who = isShadow ? 'shadow' : 'primary';
  assert.equal(request.line, seen.line, `${who}: request line`);
  const fields = request.fields.filter((field) => !OWN.test(field));
  const id = fields.findIndex((field) => field.startsWith('x-request-id: '));
  assert.notEqual(id, -1, `${who}: x-request-id`);
  fields.splice(id, 1);
  const expected = [
    `host: ${seen.host}`,
    ...seen.fields,
    'x-forwarded-for: 127.0.0.1',
    'x-forwarded-proto: http',
    `x-forwarded-host: ${seen.host}`,
    ...(isShadow ? [`x-umbra-mirror: ${ROUTE}`] : []),
  ];
  assert.deepEqual(fields, expected, `${who}: fields`);
  assert.ok(request.complete, `${who}: whole`);
  assert.equal(request.body.toString('latin1'), seen.body, `${who}: body`);
}
