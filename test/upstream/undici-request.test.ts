// Requests that are wrong in themselves: they fail, nothing whole arrives, and the client is none the worse.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { assertUsable, run, Trace, toCreateClient, toRequest, toUpload } from './trace.ts';

const createClient = toCreateClient('undici');

let origin: Origin;

before(async () => {
  origin = await openOrigin();
});

after(() => origin.close());

const refusedByUndici = [
  ['a hop-by-hop header', { headers: ['host', 'a', 'transfer-encoding', 'chunked'] }],
  ['an expect header', { headers: ['host', 'a', 'expect', '100-continue'] }],
  ['two hosts', { headers: ['host', 'a', 'host', 'b'] }],
  ['a line break in a value', { headers: ['host', 'a', 'x', 'y\r\nz: 1'] }],
  ['a bad target', { target: '/a b' }],
  ['a bad method', { method: 'G T' }],
  [
    'a length that its body does not have',
    { method: 'POST', headers: ['host', 'a', 'content-length', '5'], body: Buffer.from('abc') },
  ],
] as const;

for (const [name, request] of refusedByUndici) {
  test(`a request with ${name} fails as malformed, unsent, and costs no connection`, async () => {
    const client = createClient(origin.url, { connectionsMax: 1 });
    for (let i = 0; i < 5; i += 1) {
      const trace = await run(client, {
        ...request,
        headers: [...('headers' in request ? request.headers : ['host', 'a'])],
      });
      assert.deepEqual([trace.failure?.reason, trace.failure?.sent], ['malformed', false]);
      assert.deepEqual([trace.events, trace.early, trace.late], [['error'], false, []]);
    }
    await assertUsable(client);
    await client.close();
  });
}

for (const [name, chunks] of [
  ['nothing', []],
  ['less', ['abc']],
  ['more', ['abc', 'defg']],
] as const) {
  test(`a streamed body of ${name} where its content-length says five bytes ends as malformed, and no whole request arrives`, async () => {
    const exact = await openOrigin();
    const client = createClient(exact.url, { connectionsMax: 1 });
    const trace = new Trace((event, self) => {
      if (event !== 'drain') return;
      for (const chunk of chunks) self.attempt.write(Buffer.from(chunk));
      self.attempt.end();
    }).dispatch(client, toUpload(5));
    await trace.done();
    assert.deepEqual([trace.failure?.reason, trace.late], ['malformed', []]);
    assert.equal(exact.completed, 0);
    await assertUsable(client);
    await client.close();
    await exact.close();
  });
}

test('a streamed body that came whole while it waited for a connection is still checked and sent', async () => {
  origin.behave({ body: 'echo' }, '/echo');
  const client = createClient(origin.url, { connectionsMax: 1 });
  const first = new Trace().dispatch(client, toRequest());
  const second = new Trace().dispatch(client, { ...toUpload(5), target: '/echo' });
  second.attempt.write(Buffer.from('hello'));
  second.attempt.end();
  await first.done();
  await second.done();
  assert.deepEqual([second.text, second.failure], ['hello', null]);
  await client.close();
});
