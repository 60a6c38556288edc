// A body in a great many tiny chunks: as harmless as any other of its size.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openGateway } from '../kit/gateway.ts';
import { openOrigin } from '../kit/origin.ts';
import { openRaw, request } from '../kit/raw.ts';

const CHUNKS = 80_000;

function residentMiB(pid: number): number {
  const found = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found![1]) / 1024;
}

test('80,000 chunks of one byte cost no more than their bytes, also against a primary that does not read', async () => {
  const primary = await openOrigin();
  const shadow = await openOrigin();
  const gateway = await openGateway({
    config: `routes:
  - { id: all, path: /, path_prefix: true, backends: [{ url: "${primary.url}" }], mirror: { backends: [{ url: "${shadow.url}" }] } }
`,
  });
  await request(gateway.port, { method: 'POST', body: 'warm' });
  const before = residentMiB(gateway.pid);
  const head = 'POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  const bytes = `${head}${'1\r\na\r\n'.repeat(CHUNKS)}0\r\n\r\n`;
  primary.behave({ reading: { pauseMs: 50 } }, '/chunks');
  const clients = await Promise.all(Array.from({ length: 4 }, () => openRaw(gateway.port)));
  await Promise.all(clients.map((client) => client.send(bytes)));
  const other = await request(gateway.port, { path: '/other' });
  assert.equal(other.status, 200);
  for (const client of clients) assert.equal((await client.read())[0]?.status, 200);
  for (const recorded of primary.requests.filter(({ target }) => target === '/chunks')) {
    assert.equal(recorded.bodyBytes, CHUNKS);
  }
  assert.ok(residentMiB(gateway.pid) - before < 128, `${residentMiB(gateway.pid) - before} MiB more`);
  await gateway.settled({ all: 6 });
  assert.equal(await gateway.stop(), 0);
  await primary.close();
  await shadow.close();
});
