// `umbra run` with the files of an APISIX: what was mirrored there is mirrored here, and clients are served as before.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, type RawClient, request } from '../kit/raw.ts';

interface Scene {
  readonly gateway: Gateway;
  readonly client: RawClient;
  readonly primary: Origin;
  readonly second: Origin;
  readonly shadow: Origin;
}

type Origins = Readonly<Record<'primary' | 'second' | 'shadow', Origin>>;

/** umbra's own settings in one file, and whatever `toFiles` makes in others. Ends with balanced books and nothing left open. */
async function openScene(
  t: TestContext,
  toFiles: (origins: Origins) => Record<string, string>,
): Promise<Scene> {
  const primary = await openOrigin({ behaviour: { body: 'primary' } });
  const second = await openOrigin({ behaviour: { body: 'second' } });
  const shadow = await openOrigin({ behaviour: { body: 'shadow' } });
  const origins = [primary, second, shadow];
  let gateway: Gateway | null = null;
  t.after(async () => {
    try {
      if (gateway !== null) {
        assert.deepEqual(gateway.logs('defect'), []);
        assert.equal(await gateway.stop(), 0);
      }
      await Promise.all(origins.map((origin) => origin.waitForSockets(0)));
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all(origins.map((origin) => origin.close()));
    }
  });
  gateway = await openGateway({ config: '', files: toFiles({ primary, second, shadow }) });
  const client = await openRaw(gateway.port);
  t.after(() => client.close());
  return { gateway, client, primary, second, shadow };
}

function toStandalone(upstream: string): string {
  return `routes:
  - id: hello
    uri: /hello*
    upstream_id: up
    plugins:
      proxy-mirror: { host: "SHADOW", path: /copied, path_concat_mode: prefix }
  - id: filtered
    uri: /filtered
    service_id: svc
  - id: off
    uri: /off
    status: 0
    upstream_id: up
  - id: empty
    uri: /empty
    upstream: { nodes: {} }
services:
  - id: svc
    upstream_id: up
    plugins:
      proxy-mirror:
        host: "SHADOW"
        _meta: { filter: [["arg_copy", "==", "yes"]] }
        enable_limit_count: true
        count: 2
upstreams:
  - id: up
    type: roundrobin
    pass_host: rewrite
    upstream_host: up.example
    nodes: { "${upstream}": 1 }
#END
`;
}

test('a standalone file beside umbra.yaml forwards, mirrors and reloads', async (t) => {
  const toText = (upstream: Origin, shadow: Origin): string =>
    toStandalone(`127.0.0.1:${upstream.port}`).replaceAll('SHADOW', shadow.url);
  const { gateway, client, primary, second, shadow } = await openScene(t, (origins) => ({
    'apisix.yaml': toText(origins.primary, origins.shadow),
  }));
  const hello = await request(client, { path: '/hello/a%2Fb?x=1' });
  assert.deepEqual([hello.status, hello.body.toString()], [200, 'primary']);
  await shadow.waitFor(1);
  assert.equal(primary.requests[0]!.target, '/hello/a%2Fb?x=1');
  assert.equal(shadow.requests[0]!.target, '/copied/hello/a%2Fb?x=1');
  for (const origin of [primary, shadow])
    assert.deepEqual(origin.requests[0]!.allFields('host'), ['up.example']);
  for (const path of ['/filtered', '/filtered?copy=yes', '/filtered?copy=yes', '/filtered?copy=yes']) {
    assert.equal((await request(client, { path })).status, 200);
  }
  await gateway.settled({ hello: 1, filtered: 4 });
  const { filtered } = await gateway.mirrors();
  assert.equal(filtered!.total_mirrored, 2);
  assert.deepEqual([filtered!.skipped.condition, filtered!.skipped.limit], [1, 1]);
  assert.equal((await request(client, { path: '/off' })).status, 404);
  assert.equal((await request(client, { path: '/empty' })).status, 503);

  writeFileSync(join(dirname(gateway.file), 'apisix.yaml'), toText(second, shadow));
  await gateway.reload('');
  assert.equal((await request(client, { path: '/hello' })).body.toString(), 'second');

  writeFileSync(join(dirname(gateway.file), 'apisix.yaml'), 'routes:\n  - { id: 1, uri: 5 }\n#END\n');
  await gateway.reload('');
  assert.equal((await request(client, { path: '/hello' })).body.toString(), 'second');
  await gateway.waitForLog('reload refused, the old config stays');
  const problems = gateway.lines.filter((line) =>
    line.includes('apisix.yaml:2:19: routes[0].uri: must be text'),
  );
  assert.equal(problems.length, 1);
});

test('a route object in JSON and conf/config.yaml: the copy has the deadlines of plugin_attr', async (t) => {
  const { gateway, client, shadow } = await openScene(t, ({ primary, shadow }) => ({
    'route.json': JSON.stringify({
      id: 'json',
      uri: '/json',
      plugins: { 'proxy-mirror': { host: shadow.url } },
      upstream: { nodes: { [`127.0.0.1:${primary.port}`]: 1 } },
    }),
    'config.yaml': 'deployment: {}\nplugin_attr: { proxy-mirror: { timeout: { read: 200ms } } }\n',
  }));
  shadow.behave({ hang: true });
  assert.equal((await request(client, { path: '/json' })).body.toString(), 'primary');
  const { json } = await gateway.settled({ json: 1 });
  assert.deepEqual([json!.total_mirrored, json!.total_errors], [1, 1]);
  const notice = await gateway.waitForLog('config notice');
  assert.match(String(notice.notice), /config\.yaml:1:1: deployment: has no effect/);
});

test('a reload with weights that cannot be put together, or with too many paths, is refused and the gateway goes on', async (t) => {
  const toRoute = (port: number): string =>
    `{ id: a, uri: /a, upstream: { nodes: { "127.0.0.1:${port}": 1 } } }`;
  const { gateway, client, primary } = await openScene(t, ({ primary }) => ({
    'routes.yaml': `routes: [${toRoute(primary.port)}]\n#END\n`,
  }));
  const answer = async (): Promise<string> => (await request(client, { path: '/a' })).body.toString();
  assert.equal(await answer(), 'primary');
  const primes: number[] = [];
  for (let number = 2; primes.length < 60; number++) {
    if (primes.every((prime) => number % prime !== 0)) primes.push(number);
  }
  const head = 'apiVersion: apisix.apache.org/v2\n';
  const upstreams = primes.map(
    (weight, index) =>
      `---\n${head}kind: ApisixUpstream\nmetadata: { name: u${index} }\nspec: { externalNodes: [{ type: Domain, name: h, weight: ${weight} }] }\n`,
  );
  const names = primes.map((_, index) => `{ name: u${index} }`).join(', ');
  const route = `${head}kind: ApisixRoute\nmetadata: { name: r }\nspec: { http: [{ name: r, match: { paths: [/k] }, upstreams: [${names}] }] }\n`;
  const file = join(dirname(gateway.file), 'routes.yaml');
  writeFileSync(file, route + upstreams.join(''));
  await gateway.reload('');
  await gateway.waitForLog('reload refused, the old config stays');
  assert.ok(gateway.lines.some((line) => line.includes('their common multiple is too large')));
  assert.equal(await answer(), 'primary');

  const uris = JSON.stringify(Array.from({ length: 90_000 }, (_, index) => `/${index}`));
  writeFileSync(
    file,
    `routes:\n  - ${toRoute(primary.port)}\n  - { id: b, uris: ${uris}, upstream: { nodes: {} } }\n#END\n`,
  );
  await gateway.reload('');
  assert.ok(gateway.lines.some((line) => line.includes('routes[1].uris: must have 1 to 256 entries')));
  assert.equal(await answer(), 'primary');
});
