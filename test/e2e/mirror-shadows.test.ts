// What each shadow gets of an exchange, and of which exchanges it gets anything.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request, toRequestBytes } from '../kit/raw.ts';

/** A gateway in front of the origins; ends with balanced books and nothing left open. */
async function openScene(t: TestContext, origins: readonly Origin[], config: string): Promise<Gateway> {
  let gateway: Gateway | null = null;
  t.after(async () => {
    try {
      if (gateway !== null) assert.equal(await gateway.stop(), 0);
      await Promise.all(origins.map((origin) => origin.waitForSockets(0)));
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all(origins.map((origin) => origin.close()));
    }
  });
  gateway = await openGateway({ config });
  return gateway;
}

function openOrigins(count: number): Promise<Origin[]> {
  return Promise.all(Array.from({ length: count }, () => openOrigin({ behaviour: { body: 'ok' } })));
}

test('every shadow has its own header edits and its own Host, and sees nothing of the others’', async (t) => {
  const origins = await openOrigins(4);
  const [primary, edited, node, literal] = origins as [Origin, Origin, Origin, Origin];
  const gateway = await openScene(
    t,
    origins,
    `routes:
  - id: api
    path: /a
    host_header: primary.example
    backends: [{ url: ${primary.url} }]
    mirror:
      timeout: { connect: 60s, send: 60s, read: 60s }
      backends:
        - url: ${edited.url}
          headers: { set: { X-Env: shadow, X-New: "1", Accept: text/plain }, remove: [Authorization, X-Missing] }
        - { url: ${node.url}, host_header: node, headers: { remove: [x-env, x-forwarded-for] } }
        - { url: ${literal.url}, host_header: "literal.example:81" }`,
  );
  const fields = ['Authorization: secret', 'X-Env: live', 'Accept: a', 'X-Env: twice', 'Accept: b'];
  for (let sent = 0; sent < 3; sent++) {
    await request(gateway.port, { method: 'POST', path: '/a', fields, body: 'same' });
  }
  const { api } = await gateway.settled({ api: 9 });
  assert.equal(api!.total_success, 9);
  const ownFields = (origin: Origin): (readonly string[])[] =>
    origin.requests.map((one) => {
      assert.equal(one.body.toString(), 'same');
      return one.fields.filter((field) => !/^(connection|content-length|x-request-id):/i.test(field));
    });
  const forwarded = [
    'x-forwarded-for: 127.0.0.1',
    'x-forwarded-proto: http',
    'x-forwarded-host: test.example',
  ];
  const mark = 'x-umbra-mirror: api';
  const sent = ['authorization: secret', 'x-env: live', 'accept: a', 'x-env: twice', 'accept: b'];
  const same = (each: string[]): string[][] => [each, each, each];
  const sorted = (all: (readonly string[])[]): string[][] => all.map((each) => [...each].sort());
  assert.deepEqual(sorted(ownFields(primary)), same(['host: primary.example', ...sent, ...forwarded].sort()));
  const edits = ['host: primary.example', 'x-env: shadow', 'x-new: 1', 'accept: text/plain'];
  assert.deepEqual(sorted(ownFields(edited)), same([...edits, ...forwarded, mark].sort()));
  const host = `host: ${new URL(node.url).host}`;
  const left = ['authorization: secret', 'accept: a', 'accept: b', ...forwarded.slice(1)];
  assert.deepEqual(sorted(ownFields(node)), same([host, ...left, mark].sort()));
  assert.deepEqual(
    sorted(ownFields(literal)),
    same(['host: literal.example:81', ...sent, ...forwarded, mark].sort()),
  );
  const ids = origins.map((origin) => origin.requests.map((one) => one.field('x-request-id')).sort());
  for (const each of ids) assert.deepEqual(each, ids[0]);
  assert.equal(new Set(ids[0]).size, 3);
});

test('path replaces the path or goes before it, and the query stays as it was', async (t) => {
  const origins = await openOrigins(2);
  const [primary, shadow] = origins as [Origin, Origin];
  const toRoute = (id: string, mirror: string): string => `  - id: ${id}
    path: /${id}
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }], timeout: { connect: 60s, send: 60s, read: 60s }, ${mirror} }`;
  const gateway = await openScene(
    t,
    origins,
    `routes:
${toRoute('none', 'enabled: true')}
${toRoute('replace', 'path: /shadow/%20x')}
${toRoute('explicit', 'path: /shadow, path_concat_mode: replace')}
${toRoute('prefix', 'path: /pre/, path_concat_mode: prefix')}`,
  );
  const expected: readonly (readonly [string, string])[] = [
    ['/none/a?b', '/none/a?b'],
    ['/replace', '/shadow/%20x'],
    ['/replace/a/../b?', '/shadow/%20x?'],
    ['/replace?a=/c?d&%20', '/shadow/%20x?a=/c?d&%20'],
    ['/explicit/x?y=1', '/shadow?y=1'],
    ['/prefix/a//b?c', '/pre//prefix/a//b?c'],
  ];
  for (const [path] of expected) await request(gateway.port, { path });
  await shadow.waitFor(expected.length);
  // Copies may overtake each other.
  const targets = (origin: Origin): string[] => origin.requests.map(({ target }) => target).sort();
  assert.deepEqual(targets(shadow), expected.map(([, target]) => target).sort());
  assert.deepEqual(targets(primary), expected.map(([path]) => path).sort());
});

for (const compare of [false, true]) {
  const mode = compare ? ', comparing' : '';
  test(`one copy per exchange, though the primary was asked again${mode}`, async (t) => {
    const origins = await openOrigins(3);
    const [gone, primary, shadow] = origins as [Origin, Origin, Origin];
    await gone.refuse();
    const gateway = await openScene(
      t,
      origins,
      `routes:
  - id: api
    path: /
    path_prefix: true
    retries: 1
    backends: [{ url: ${gone.url} }, { url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }], timeout: { connect: 60s, send: 60s, read: 60s }${compare ? ', compare: {}' : ''} }`,
    );
    for (let sent = 0; sent < 20; sent++) {
      const response = await request(gateway.port, {
        method: 'POST',
        path: `/${sent}`,
        body: `body ${sent}`,
      });
      assert.equal(response.status, 200);
    }
    const { api } = await gateway.settled({ api: 20 });
    assert.equal(api!.total_success, 20);
    assert.equal(api!.total_compared, compare ? 20 : 0);
    assert.equal(api!.total_mismatches, 0);
    const bodies = shadow.requests.map(({ target, body }) => `${target} ${body}`).sort();
    assert.deepEqual(bodies, primary.requests.map(({ target, body }) => `${target} ${body}`).sort());
    assert.equal(new Set(bodies).size, 20);
  });

  test(`an exchange is mirrored though its primary fails${mode}`, async (t) => {
    const origins = await openOrigins(3);
    const [refusing, primary, shadow] = origins as [Origin, Origin, Origin];
    await refusing.refuse();
    primary.behave({ hang: true }, '/hung');
    primary.behave({ cut: { at: 'start', how: 'reset' } }, '/reset');
    primary.behave({ raw: 'what?\r\n\r\n' }, '/malformed');
    primary.behave({ body: 100_000, cut: { at: 'body', how: 'close' } }, '/cut');
    const toRoute = (path: string, backend: string): string => `  - id: ${path}
    path: /${path}
    retries: 0
    timeout: { read: ${path === 'hung' ? '500ms' : '60s'} }
    backends: [{ ${backend} }]
    mirror: { backends: [{ url: ${shadow.url} }], timeout: { connect: 60s, send: 60s, read: 60s }${compare ? ', compare: {}' : ''} }`;
    const { url } = primary;
    const gateway = await openScene(
      t,
      origins,
      `routes:
${toRoute('refused', `url: ${refusing.url}`)}
${toRoute('hung', `url: ${url}`)}
${toRoute('reset', `url: ${url}`)}
${toRoute('malformed', `url: ${url}`)}
${toRoute('cut', `url: ${url}`)}`,
    );
    const expected = { refused: 502, hung: 504, reset: 502, malformed: 502 };
    for (const [path, status] of Object.entries(expected)) {
      const response = await request(gateway.port, { method: 'PUT', path: `/${path}`, body: 'body' });
      assert.equal(response.status, status, path);
    }
    await assert.rejects(request(gateway.port, { method: 'PUT', path: '/cut', body: 'body' }));
    const reports = await gateway.settled({ refused: 1, hung: 1, reset: 1, malformed: 1, cut: 1 });
    for (const [id, { total_success, total_compared, uncompared }] of Object.entries(reports)) {
      assert.equal(total_success, 1, id);
      assert.equal(total_compared, 0, id);
      const isCut = id === 'cut';
      assert.equal(uncompared.primary_failed, compare && !isCut ? 1 : 0, id);
      assert.equal(uncompared.primary_incomplete, compare && isCut ? 1 : 0, id);
    }
    for (const copy of shadow.requests) assert.equal(copy.body.toString(), 'body');
  });

  test(`a client that leaves before its body is complete is skipped as incomplete, one that leaves later is not${mode}`, async (t) => {
    const origins = await openOrigins(2);
    const [primary, shadow] = origins as [Origin, Origin];
    const gateway = await openScene(
      t,
      origins,
      `routes:
  - id: api
    path: /
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }], timeout: { connect: 60s, send: 60s, read: 60s }${compare ? ', compare: {}' : ''} }`,
    );
    const leave = async (bytes: string | Buffer, heads: number): Promise<void> => {
      const client = await openRaw(gateway.port);
      await client.send(bytes);
      await primary.waitForHeads(heads);
      client.reset();
    };
    const head = 'POST / HTTP/1.1\r\nHost: a\r\n';
    await leave(`${head}Content-Length: 10\r\n\r\n12345`, 1);
    await leave(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n`, 2);
    await gateway.settled({ api: 2 });
    primary.behave({ hang: true });
    await leave(toRequestBytes({ method: 'POST', body: '12345' }), 3);
    await leave(toRequestBytes({}), 4);
    const { api } = await gateway.settled({ api: 4 });
    assert.equal(api!.skipped.incomplete, 2);
    assert.equal(api!.total_success, 2);
    assert.equal(api!.uncompared.primary_incomplete, compare ? 2 : 0);
    assert.deepEqual(shadow.requests.map(({ method }) => method).sort(), ['GET', 'POST']);
  });
}

test('what the front end refuses is not even matched, and a body that outgrows its limit is incomplete', async (t) => {
  const origins = await openOrigins(2);
  const [primary, shadow] = origins as [Origin, Origin];
  const gateway = await openScene(
    t,
    origins,
    `limits: { body: 1000, target_length: 100, header_count: 20, overload_delay: 1h }
routes:
  - id: api
    path: /api
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }], timeout: { connect: 60s, send: 60s, read: 60s } }`,
  );
  const refused: readonly (readonly [number, string])[] = [
    [404, 'GET /other HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'GET /api HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    [400, 'POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na'],
    [413, 'POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n'],
    [414, `GET /api?${'a'.repeat(100)} HTTP/1.1\r\nHost: a\r\n\r\n`],
    [431, `GET /api HTTP/1.1\r\nHost: a\r\n${'X-A: b\r\n'.repeat(20)}\r\n`],
  ];
  for (const [status, bytes] of refused) {
    const client = await openRaw(gateway.port);
    await client.send(bytes);
    const [response] = await client.read();
    assert.equal(response?.status, status, bytes);
    client.close();
  }
  assert.equal((await gateway.settled()).api!.matched, 0);
  const chunk = `3e8\r\n${'a'.repeat(1000)}\r\n`;
  const fields = ['Transfer-Encoding: chunked'];
  const over = await request(gateway.port, {
    method: 'POST',
    path: '/api',
    fields,
    body: `${chunk}1\r\nb\r\n0\r\n\r\n`,
  });
  assert.equal(over.status, 413);
  const at = await request(gateway.port, { method: 'POST', path: '/api', fields, body: `${chunk}0\r\n\r\n` });
  assert.equal(at.status, 200);
  const { api } = await gateway.settled({ api: 2 });
  assert.equal(api!.skipped.incomplete, 1);
  assert.equal(api!.total_success, 1);
  assert.equal(shadow.arrived, 1);
  assert.equal(shadow.requests[0]!.bodyBytes, 1000);
});
