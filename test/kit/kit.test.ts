// The kit itself: the origin says what came and does what it is told, and the raw client sees what was sent.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createCertificate } from './certificate.ts';
import { MessageReader } from './message.ts';
import { type Origin, openOrigin } from './origin.ts';
import { createPattern, digestPattern } from './pattern.ts';
import { openRaw, request, toRequestBytes } from './raw.ts';

let origin: Origin;

before(async () => {
  origin = await openOrigin();
});

after(() => origin.close());

const POST =
  'POST /x?y HTTP/1.1\r\nHOST: a\r\nX-b:  c \r\nTransfer-Encoding: chunked\r\n\r\n3;q=1\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n';

test('the origin notes a request as it came, however it was cut', async () => {
  origin.behave({ body: 'echo' }, '/x');
  const client = await openRaw(origin.port);
  const cuts = [[], [1], [4, 5, 6], [POST.length - 1], [60, 90, 93]];
  for (const offsets of cuts) await client.sendSplit(POST, offsets);
  await client.sendBytewise(POST);
  const responses = await client.read(cuts.length + 1);
  assert.deepEqual(
    responses.map((response) => response.body.toString()),
    Array(cuts.length + 1).fill('abcde'),
  );
  for (const seen of origin.requests) {
    assert.equal(seen.line, 'POST /x?y HTTP/1.1');
    assert.deepEqual(seen.fields, ['HOST: a', 'X-b:  c ', 'Transfer-Encoding: chunked']);
    assert.deepEqual(
      [seen.body.toString(), seen.bodyBytes, seen.trailers, seen.connection],
      ['abcde', 5, ['T: 1'], 1],
    );
    assert.equal(seen.bodySha256, createHash('sha256').update('abcde').digest('hex'));
  }
  client.close();
  await origin.waitForSockets(0);
});

const bad = [
  'GET / HTTP/1.1\r\nno colon\r\n\r\n',
  'GET / HTTP/1.1\r\na : b\r\n\r\n',
  'GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n',
  'GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n',
  'GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  'GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n',
  'GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\n',
  'GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n',
];

test('the reader calls bad what is not exactly a message', () => {
  for (const bytes of bad) {
    const reasons: string[] = [];
    const nothing = () => undefined;
    const sink = {
      onHead: () => false,
      onBody: nothing,
      onEnd: nothing,
      onBad: (why: string) => reasons.push(why),
    };
    new MessageReader('request', sink).feed(Buffer.from(bytes));
    assert.equal(reasons.length, 1, JSON.stringify(bytes));
  }
});

test('the raw client reads every framing, interim answers and the end of the connection', async () => {
  origin.behave(
    { body: 'hello', trailers: ['X-T: 1'], interim: ['HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'] },
    '/chunked',
  );
  const client = await openRaw(origin.port);
  const chunked = await request(client, { path: '/chunked' });
  assert.deepEqual(
    [chunked.body.toString(), chunked.trailers, chunked.interim.length],
    ['hello', ['X-T: 1'], 1],
  );
  origin.behave({ status: 204 }, '/none');
  assert.equal((await request(client, { path: '/none' })).status, 204);
  const head = await request(client, { path: '/chunked', method: 'HEAD' });
  assert.deepEqual([head.body.length, head.field('transfer-encoding')], [0, 'chunked']);
  client.answersHead = false;
  origin.behave({ body: 'to the end', framing: 'close' }, '/close');
  assert.equal((await request(client, { path: '/close' })).body.toString(), 'to the end');
  await client.waitClosed();
  assert.equal(client.bad, null);
});

test('an answer that breaks off is seen as such', async () => {
  for (const at of ['start', 'head', 'body'] as const) {
    origin.behave({ body: 'hello', cut: { at, how: 'close' } }, '/cut');
    const client = await openRaw(origin.port);
    await client.send(toRequestBytes({ path: '/cut' }));
    assert.deepEqual(await client.read(), []);
    assert.deepEqual(
      [client.closed, client.bad],
      [true, at === 'start' ? null : 'ends within a message'],
      at,
    );
    client.close();
  }
});

test('large bodies pass both ways without being kept', async () => {
  const bytes = 3_000_001;
  origin.behave({ body: bytes }, '/large');
  const answer = await request(origin.port, {
    path: '/large',
    method: 'PUT',
    body: Buffer.concat([...createPattern(bytes)]),
  });
  assert.equal(createHash('sha256').update(answer.body).digest('hex'), digestPattern(bytes));
  const seen = origin.requests.at(-1);
  assert.deepEqual(
    [seen?.bodyBytes, seen?.bodySha256, seen?.body.length],
    [bytes, digestPattern(bytes), 1024 * 1024],
  );
});

test('an origin refuses and comes back on its port', async () => {
  const flaky = await openOrigin();
  const idle = await openRaw(flaky.port);
  await flaky.refuse();
  await idle.waitClosed();
  await assert.rejects(request(flaky.port), /ECONNREFUSED/);
  const { port } = flaky;
  await flaky.open();
  assert.equal((await request(port)).status, 200);
  await flaky.close();
});

test('a TLS origin serves with a certificate of its own authority', async () => {
  const certificate = createCertificate();
  const secure = await openOrigin({ tls: certificate, behaviour: { body: 'safe' } });
  const client = await openRaw(secure.port, { tls: certificate.ca, host: 'localhost' });
  assert.equal((await request(client)).body.toString(), 'safe');
  await assert.rejects(openRaw(secure.port, { tls: createAndRemove(), host: 'localhost' }));
  client.close();
  await secure.close();
  certificate.remove();
});

function createAndRemove(): string {
  const other = createCertificate();
  other.remove();
  return other.ca;
}
