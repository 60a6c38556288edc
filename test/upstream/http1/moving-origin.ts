// A name that moves from address to address while a client uses it; run by addresses.test.ts where /etc/hosts may be
// written. Ends with an assertion, or well.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { CLIENT_AUTO } from '../../../src/core/model.ts';
import { createHttp1Clients } from '../../../src/upstream/http1/client.ts';
import { type Origin, openOrigin } from '../../kit/origin.ts';
import { run } from '../trace.ts';

const NAME = 'moving.umbra.test';
const LIFE_MS = 200;

const [hosts = ''] = process.argv.slice(2);

function point(...addresses: readonly string[]): void {
  writeFileSync(hosts, ['127.0.0.1 localhost', ...addresses.map((each) => `${each} ${NAME}`), ''].join('\n'));
}

const first = await openOrigin({ host: '127.0.0.2' });
const others: Origin[] = [];
for (const host of ['127.0.0.3', '127.0.0.4']) others.push(await openOrigin({ host, port: first.port }));
const [second, third] = others as [Origin, Origin];
const client = createHttp1Clients(LIFE_MS)({
  origin: `http://${NAME}:${first.port}`,
  tls: null,
  client: CLIENT_AUTO,
  timeouts: { connectMs: 20_000, sendMs: 20_000, readMs: 20_000 },
  connectionsMax: 2,
  queueMax: 100,
  queueTimeoutMs: 20_000,
});

async function ask(): Promise<void> {
  const trace = await run(client);
  assert.deepEqual([trace.status, trace.failure], [200, null]);
}

point('127.0.0.2', '127.0.0.3');
// Two at once: one connection each, the second one begins with the other address.
await Promise.all([ask(), ask()]);
assert.deepEqual([first.connections, second.connections, third.connections], [1, 1, 0]);

// The connections are in use all the time, so only the look-up can tell that the name has moved.
point('127.0.0.4');
while (third.arrived === 0) await ask();
assert.equal(third.connections, 1);
await first.waitForSockets(0);
await second.waitForSockets(0);

// A look-up that fails changes nothing.
point();
const arrived = third.arrived;
const untilMs = performance.now() + 4 * LIFE_MS;
while (performance.now() < untilMs) await ask();
assert.ok(third.arrived > arrived);
assert.equal(third.connections, 1);
await client.close();
for (const origin of [first, second, third]) await origin.close();
