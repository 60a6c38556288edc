// Bodies of Admin API requests: size, form, content types, and clients that never end.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { assertForm, assertRefused, KEY, openAdminApi, sampleValue } from './admin-api-kit.ts';

const BODY_BYTES_MAX = 1_572_864;

/** A route whose JSON has exactly so many bytes, most of them white space. */
function toSized(bytes: number): string {
  return JSON.stringify(sampleValue('/a')).padEnd(bytes, ' \n\t');
}

test('1.5 MiB pass and one byte more is refused with 400, with and without a known length', async (t) => {
  const { send } = await openAdminApi(t);
  const chunked = { 'transfer-encoding': 'chunked' };
  for (const headers of [{}, chunked]) {
    const fits = await send('PUT', 'routes/1', { body: toSized(BODY_BYTES_MAX), headers });
    assert.ok(fits.status < 300, fits.text.slice(0, 200));
    for (const bytes of [BODY_BYTES_MAX + 1, 1_678_025, 8 * 1024 * 1024]) {
      const answer = await send('PUT', 'routes/2', { body: toSized(bytes), headers });
      const message = `invalid request body: request size ${bytes} is greater than the maximum size ${BODY_BYTES_MAX} allowed`;
      assertRefused(answer, 400, message);
    }
  }
  assert.equal((await send('GET', 'routes/2')).status, 404);
});

test('a body that never ends is answered all the same, and its connection is closed', async (t) => {
  const { port, send } = await openAdminApi(t);
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
  // How it is closed is not promised: bytes that were not read make it a reset.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(
    `PUT /apisix/admin/routes/1 HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: ${KEY}\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  const chunk = `100000\r\n${'x'.repeat(1024 * 1024)}\r\n`;
  for (let count = 0; count < 17; count++) socket.write(chunk);
  await closed;
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.match(answer, /\r\nconnection: close\r\n/i);
  assert.match(answer, /is greater than the maximum size/);
  assert.deepEqual((await send('GET', 'routes')).body, { list: [], total: 0 });
});

test('a body that breaks off changes nothing and is nobody’s fault', async (t) => {
  const { port, send, errors } = await openAdminApi(t);
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `PUT /apisix/admin/routes/1 HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: ${KEY}\r\nContent-Length: 1000\r\n\r\n{"uri"`,
  );
  await once(socket, 'ready');
  // A whole exchange on another connection, so that the bytes above have been looked at.
  assert.equal((await send('GET', 'routes')).status, 200);
  socket.resetAndDestroy();
  await once(socket, 'close');
  assert.deepEqual((await send('GET', 'routes')).body, { list: [], total: 0 });
  assert.deepEqual(errors, []);
});

test('the content type is not looked at', async (t) => {
  const { send } = await openAdminApi(t);
  const types = [
    undefined,
    'application/json',
    'application/x-www-form-urlencoded',
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/octet-stream',
    'application/json; charset=latin1',
    'nonsense',
    ';;;',
    '',
  ];
  for (const [index, type] of types.entries()) {
    const headers = type === undefined ? {} : { 'content-type': type };
    const id = `r${index}`;
    const body = JSON.stringify(sampleValue(`/${id}`, { desc: 'ü世界' }));
    const answer = await send('PUT', `routes/${id}`, { body, headers });
    assert.equal(answer.status, 201, `${type} ${answer.text}`);
    assert.equal((answer.body as { value: { desc: string } }).value.desc, 'ü世界');
  }
});

test('what is not JSON is sent back, cut', async (t) => {
  const { send } = await openAdminApi(t);
  for (const body of ['{', '{a: 1}', 'uri=/a', "{'uri': '/a'}", '{} {}', '{"uri": "/a",}', '\u0000', ' ']) {
    for (const [method, path] of [
      ['PUT', 'routes/1'],
      ['POST', 'routes'],
      ['PATCH', 'routes/1'],
    ] as const) {
      const answer = await send(method, path, { body });
      assertRefused(answer, 400, /^invalid request body: ./, body);
      assert.equal((answer.body as { req_body: string }).req_body, body);
    }
  }
  const long = await send('PUT', 'routes/1', { body: 'x'.repeat(100_000) });
  assertRefused(long, 400, /^invalid request body: ./);
  assert.equal((long.body as { req_body: string }).req_body.length, 4096);
  const latin = await send('PUT', 'routes/1', { body: Buffer.from('{"uri": "/\xfc"}', 'latin1') });
  assertRefused(latin, 400, 'invalid request body: it is not UTF-8');
  assert.deepEqual((await send('GET', 'routes')).body, { list: [], total: 0 });
});

test('JSON of any depth is only ever refused', async (t) => {
  const { send, errors } = await openAdminApi(t);
  const nest = (levels: number) =>
    `{"uri": "/a", "desc": ${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
  const objects = `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`;
  for (const body of [nest(101), nest(500_000), objects]) {
    for (const [method, path] of [
      ['PUT', 'routes/1'],
      ['PATCH', 'routes/1/desc'],
    ] as const) {
      const answer = await send(method, path, { body });
      assertRefused(answer, 400, 'invalid request body: it is nested in more than 100 levels');
    }
  }
  assert.deepEqual(errors, []);
});

test('numbers that JSON cannot hold again are refused with their place', async (t) => {
  const { send } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body: sampleValue('/a') });
  const before = (await send('GET', 'routes/1')).body;
  const cases: readonly (readonly [body: string, place: string])[] = [
    ['{"uri": "/a", "priority": 1e999}', ' at /priority'],
    [
      '{"uri": "/a", "upstream": {"nodes": [{"weight": 1}, {"weight": -1e999}]}}',
      ' at /upstream/nodes/1/weight',
    ],
    ['{"uri": "/a", "id": 1e999}', ' at /id'],
    [`{"${'k'.repeat(300)}": 1e999}`, ` at /${'k'.repeat(255)}…`],
    ['1e999', ''],
  ];
  for (const [body, place] of cases) {
    for (const [method, path] of [
      ['PUT', 'routes/1'],
      ['PUT', 'routes'],
      ['POST', 'routes'],
      ['PATCH', 'routes/1'],
      ['PATCH', 'routes/1/priority'],
    ] as const) {
      const message = `invalid request body: the number${place} is out of range`;
      assertRefused(await send(method, path, { body }), 400, message, `${method} ${path}`);
    }
  }
  assert.deepEqual((await send('GET', 'routes/1')).body, before);
  const most = `{"uri": "/a", "labels": {}, "timeout": {"connect": 1.7e308, "send": 1e-999, "read": 1}}`;
  // Its own rules may refuse it, this one does not.
  assert.doesNotMatch((await send('PUT', 'routes/2', { body: most })).text, /out of range/);
});

test('an empty body is none', async (t) => {
  const { send } = await openAdminApi(t);
  for (const headers of [{ 'content-length': '0' }, { 'transfer-encoding': 'chunked' }]) {
    assertRefused(await send('PUT', 'routes/1', { body: '', headers }), 400, 'missing configurations');
    assertRefused(await send('POST', 'routes', { body: '', headers }), 400, 'missing configurations');
    assertRefused(await send('PATCH', 'routes/1', { body: '', headers }), 400, 'missing new configuration');
  }
});

test('names of prototypes in a body are keys like any other', async (t) => {
  const { send } = await openAdminApi(t);
  const body = '{"uri": "/a", "__proto__": {"uri": "/b", "polluted": true}}';
  const answer = await send('PUT', 'routes/1', { body });
  assert.ok(answer.status === 201 || answer.status === 400);
  assertForm(answer);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test('without the key a body is not even read', async (t) => {
  const { port } = await openAdminApi(t);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    'PUT /apisix/admin/routes/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n{',
  );
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  assert.match(bytes.toString(), /^HTTP\/1\.1 401 /);
  socket.destroy();
});
