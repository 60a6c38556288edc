// Bytes that are no HTTP request, on the admin listener.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { openAdminApi } from './admin-api-kit.ts';

test('what is no request is answered in the form of its path, and ends its own connection only', async (t) => {
  const { port, ask } = await openAdminApi(t);
  const exchange = async (bytes: string): Promise<readonly string[]> => {
    const socket = connect(port, '127.0.0.1');
    socket.write(bytes);
    let text = '';
    for await (const chunk of socket.setEncoding('latin1')) text += chunk;
    const [head = '', body = ''] = text.slice(text.lastIndexOf('HTTP/1.1 ')).split('\r\n\r\n');
    const version = /^x-api-version: (.*)$/m.exec(head)?.[1]?.trim() ?? '';
    assert.match(head, new RegExp(`^content-length: ${body.length}\r?$`, 'm'));
    assert.match(head, /^connection: close\r?$/m);
    return [head.slice(9, 12), version, body];
  };
  const unknown = 'the request method is unknown';
  const other = ['400', '', JSON.stringify({ error: unknown })];
  const api = ['400', 'v3', JSON.stringify({ error_msg: unknown })];
  const end = ' HTTP/1.1\r\nHost: localhost\r\n\r\n';
  for (const path of ['/apisix/admin', '/apisix/admin/routes/1', '/apisix/admin?x=/y']) {
    assert.deepEqual(await exchange(`FOO ${path}${end}`), api, path);
  }
  for (const path of ['/mirrors', '/', '/apisix/administrator', '*', '/x?/apisix/admin']) {
    assert.deepEqual(await exchange(`FOO ${path}${end}`), other, path);
  }
  assert.deepEqual(await exchange(`GET /livez${end}FOO /apisix/admin/routes${end}`), api);
  assert.deepEqual(await exchange(`FOO /mirrors${end}GET /apisix/admin/routes${end}`), other);
  const large = `GET /apisix/admin/routes HTTP/1.1\r\nHost: localhost\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`;
  assert.deepEqual(await exchange(large), [
    '431',
    'v3',
    JSON.stringify({ error_msg: 'the headers are too large' }),
  ]);
  const nonsense = ['400', '', JSON.stringify({ error: 'the request is not HTTP' })];
  assert.deepEqual(await exchange('GET /mirrors HTTQ/1.1\r\n\r\n'), nonsense);
  for (const method of ['MKACTIVITY', 'M-SEARCH', 'QUERY']) {
    const { status, body } = await ask(method, '/mirrors', { key: null });
    assert.deepEqual([status, body], [401, { error: 'the X-API-KEY header is missing or wrong' }], method);
  }
  assert.equal((await ask('HEAD', '/livez')).status, 200);
});
