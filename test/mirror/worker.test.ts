// The mirror thread as its front end sees it: what is sent, what is limited, how it stops.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { CONCAT_PREFIX, HOST_NODE } from '../../src/core/model.ts';
import { openRig, toMirror, toShadow, until } from './rig.ts';
import { findClosedPort, headerOf, openHttpShadow, openRawShadow } from './shadow-server.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

function answerOk(response: ServerResponse): void {
  response.end('ok');
}

test('a copy has the bytes of the primary’s request: target, headers, body', async (t) => {
  const rig = openRig(t);
  const shadow = await openRawShadow(t, (socket) => socket.write(OK));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)]), 'api');
  const lines = ['x-b: caf\xe9\xff\x80', 'x-a: one', 'x-empty: ', 'content-length: 5', 'x-a: two'];
  const head = `POST /a%2fb//../c;d?q=%20&r?\r\nhost: client.example:81\r\n${lines.join('\r\n')}\r\n`;
  const body = [Buffer.from([0, 13, 10]), Buffer.from([255, 128])];
  rig.job(rule, { head, body });
  await rig.flush();
  await rig.stop();
  const received = shadow.received();
  const end = received.indexOf('\r\n\r\n');
  const [requestLine, ...fields] = received.slice(0, end).split('\r\n');
  assert.equal(requestLine, 'POST /a%2fb//../c;d?q=%20&r? HTTP/1.1');
  assert.ok(fields.includes('host: client.example:81'));
  assert.ok(fields.includes('content-length: 5'));
  // The client writes these in places of its own.
  const isOrdered = (line: string): boolean => !/^(host|connection|content-length):/.test(line);
  assert.deepEqual(fields.filter(isOrdered), [...lines.filter(isOrdered), 'x-umbra-mirror: api']);
  assert.equal(received.slice(end + 4), '\x00\r\n\xff\x80');
});

test('an empty query keeps its question mark, and a request without body has none', async (t) => {
  const rig = openRig(t);
  const shadow = await openRawShadow(t, (socket) => socket.write(OK));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)]));
  rig.job(rule, { head: 'GET /%2f?\r\nhost: h\r\n' });
  await rig.flush();
  await rig.stop();
  assert.match(shadow.received(), /^GET \/%2f\? HTTP\/1\.1\r\n/);
  assert.doesNotMatch(shadow.received(), /content-length|transfer-encoding/);
});

test('a body that the primary got in chunks is sent with its length', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, answerOk);
  const rule = rig.rule(toMirror([toShadow(shadow.origin)]));
  rig.job(rule, { head: 'PUT /x\r\nhost: h\r\n', body: [Buffer.from('abc'), Buffer.from('def')] });
  await rig.flush();
  await rig.stop();
  assert.equal(shadow.requests[0]?.body, 'abcdef');
  assert.equal(headerOf(shadow.requests[0], 'content-length'), '6');
  assert.equal(headerOf(shadow.requests[0], 'transfer-encoding'), undefined);
});

test('each named shadow gets its own copy by its own rules, the others none', async (t) => {
  const rig = openRig(t);
  const first = await openHttpShadow(t, answerOk);
  const second = await openHttpShadow(t, answerOk);
  const third = await openHttpShadow(t, answerOk);
  const edits = { set: [['x-env', 'shadow']], remove: ['authorization'] } as const;
  const mirror = toMirror(
    [
      toShadow(first.origin),
      toShadow(second.origin, { headers: edits, hostHeader: HOST_NODE }),
      toShadow(third.origin, { hostHeader: 'third.example' }),
    ],
    { path: '/v2', pathConcatMode: CONCAT_PREFIX },
  );
  const rule = rig.rule(mirror, 'api');
  const head = 'GET /x?y\r\nhost: client.example\r\nauthorization: secret\r\n';
  rig.job(rule, { head });
  rig.job(rule, { head, shadows: 0b101 });
  await rig.flush();
  await rig.stop();
  const read = (shadow: typeof first, name: string): (string | undefined)[] =>
    shadow.requests.map((request) => headerOf(request, name));
  assert.deepEqual(
    [first, second, third].map((shadow) => shadow.requests.map((request) => request.target)),
    [['/v2/x?y', '/v2/x?y'], ['/v2/x?y'], ['/v2/x?y', '/v2/x?y']],
  );
  assert.deepEqual(read(first, 'authorization'), ['secret', 'secret']);
  assert.deepEqual(read(first, 'host'), ['client.example', 'client.example']);
  assert.deepEqual(read(second, 'authorization'), [undefined]);
  assert.deepEqual(read(second, 'x-env'), ['shadow']);
  assert.deepEqual(read(second, 'host'), [second.origin.slice('http://'.length)]);
  assert.deepEqual(read(third, 'host'), ['third.example', 'third.example']);
  assert.deepEqual(read(third, 'x-umbra-mirror'), ['api', 'api']);
  assert.deepEqual(
    [0, 1, 2].map((shadow) => rig.count(rule, 'answered', shadow)),
    [2, 1, 2],
  );
});

test('redirects are answers like any other and are not followed', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, (response) => response.writeHead(302, { location: '/b' }).end());
  const rule = rig.rule(toMirror([toShadow(shadow.origin)]));
  for (let job = 0; job < 3; job++) rig.job(rule);
  await rig.flush();
  await rig.stop();
  assert.equal(shadow.requests.length, 3);
  assert.equal(rig.count(rule, 'answered'), 3);
});

for (const count of [1, 7]) {
  test(`a limit of ${count} sends exactly ${count} copies, counted over two threads`, async (t) => {
    const rig = openRig(t, 2);
    const shadow = await openHttpShadow(t, answerOk);
    const limit = { count, windowMs: 60_000, policy: 'local', redis: null } as const;
    const rule = rig.rule(toMirror([toShadow(shadow.origin)], { limit }));
    for (let job = 0; job < 200; job++) rig.job(rule, {}, job % 2);
    await rig.flush();
    await rig.stop();
    assert.equal(shadow.requests.length, count);
    assert.equal(rig.count(rule, 'sent'), count);
    assert.equal(rig.count(rule, 'skip_limit'), 200 - count);
  });
}

test('a limit counts exchanges, not the copies of each', async (t) => {
  const rig = openRig(t);
  const first = await openHttpShadow(t, answerOk);
  const second = await openHttpShadow(t, answerOk);
  const limit = { count: 3, windowMs: 60_000, policy: 'local', redis: null } as const;
  const rule = rig.rule(toMirror([toShadow(first.origin), toShadow(second.origin)], { limit }));
  for (let job = 0; job < 10; job++) rig.job(rule);
  await rig.flush();
  await rig.stop();
  assert.deepEqual([first.requests.length, second.requests.length], [3, 3]);
  assert.equal(rig.count(rule, 'skip_limit', 1), 7);
});

test('a refused connection counts as sent and failed, a reset one too', async (t) => {
  const rig = openRig(t);
  const resetting = await openRawShadow(t, (socket) => socket.resetAndDestroy());
  const shadows = [toShadow(`http://127.0.0.1:${await findClosedPort()}`), toShadow(resetting.origin)];
  const rule = rig.rule(toMirror(shadows));
  for (let job = 0; job < 20; job++)
    rig.job(rule, { head: 'POST /\r\nhost: h\r\n', body: [Buffer.from('x')] });
  await rig.flush();
  await rig.stop();
  assert.deepEqual([rig.count(rule, 'sent', 0), rig.count(rule, 'fail_refused', 0)], [20, 20]);
  assert.deepEqual([rig.count(rule, 'sent', 1), rig.count(rule, 'fail_reset', 1)], [20, 20]);
});

test('an answer that is not HTTP is malformed', async (t) => {
  const rig = openRig(t);
  const shadow = await openRawShadow(t, (socket) => socket.end('SMTP 220 hello\r\n\r\n'));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)]));
  rig.job(rule);
  await rig.flush();
  await rig.stop();
  assert.equal(rig.count(rule, 'fail_malformed'), 1);
});

test('an origin that a reload leaves unchanged keeps its connection; a dropped one is closed', async (t) => {
  const rig = openRig(t);
  const kept = await openHttpShadow(t, answerOk);
  const dropped = await openHttpShadow(t, answerOk);
  const old = rig.rule(toMirror([toShadow(kept.origin), toShadow(dropped.origin)]));
  rig.job(old);
  await rig.flush();
  await until(() => rig.count(old, 'answered', 0) + rig.count(old, 'answered', 1) === 2, 'two answers');
  assert.deepEqual([kept.openConnections, dropped.openConnections], [1, 1]);
  const next = rig.rule(toMirror([toShadow(kept.origin, { hostHeader: 'new' })]), 'route', old);
  rig.job(next, { shadows: 1 });
  rig.retire(old);
  await rig.flush();
  await until(() => kept.requests.length === 2 && dropped.openConnections === 0, 'the second copy');
  assert.equal(kept.connections, 1);
});

test('a retired rule drops its connections only when its last copy has ended', async (t) => {
  const rig = openRig(t);
  const held: ServerResponse[] = [];
  const shadow = await openHttpShadow(t, (response) => held.push(response));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)]));
  rig.job(rule);
  rig.retire(rule);
  await rig.flush();
  rig.retire(rule);
  await rig.flush();
  await until(() => held.length === 1, 'the copy');
  assert.equal(shadow.openConnections, 1);
  held[0]!.end('late');
  await until(() => shadow.openConnections === 0, 'the connection to close');
  assert.equal(rig.count(rule, 'answered'), 1);
});

test('a stop waits for copies that are on their way', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, (response) => setTimeout(() => response.end('ok'), 200));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight: 2 }));
  for (let job = 0; job < 4; job++) rig.job(rule);
  await rig.flush();
  await rig.stop();
  assert.equal(rig.count(rule, 'answered'), 4);
});

test('at its deadline a stop drops what waits and ends what is on its way', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, () => {});
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight: 2 }));
  for (let job = 0; job < 5; job++) rig.job(rule);
  await rig.flush();
  await until(() => shadow.requests.length === 2, 'two copies');
  const started = performance.now();
  await rig.stop(100);
  assert.ok(performance.now() - started < 2000);
  assert.deepEqual([rig.count(rule, 'fail_shutdown'), rig.count(rule, 'drop_shutdown')], [2, 3]);
});

test('a stop with nothing to do is answered at once', async (t) => {
  const rig = openRig(t);
  await rig.flush();
  const started = performance.now();
  await rig.stop(10_000);
  assert.ok(performance.now() - started < 2000);
});

test('a record of an unknown rule ends the thread', async (t) => {
  const rig = openRig(t);
  await rig.flush();
  await assert.rejects(rig.sendUnknown(99), /mirror rule 99 is unknown/);
});
