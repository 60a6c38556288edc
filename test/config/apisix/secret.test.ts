// What is never printed: texts that may hold a password, and what credentials are compared with.
//
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are among what is tested.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toSentence } from '../../../src/config/apisix/remark.ts';
import { translateRoute } from '../../../src/config/apisix/route.ts';
import { convert } from '../../../src/config/convert.ts';
import { toTimeouts } from '../../../src/config/umbra/upstream.ts';
import { listLines, mirrorYaml, parse, routeYaml } from '../kit.ts';

const SECRET = 's3cret';

test('a text with an @ is named by its place alone', () => {
  const texts = [
    `upstream: { nodes: { "bob:${SECRET}@h:80": 1 } }`,
    `upstream: { nodes: [{ host: "bob:${SECRET}@h", port: 80, weight: 1 }] }`,
    `plugins: { proxy-mirror: { host: "http://bob:${SECRET}@h" } }`,
    `plugins: { proxy-mirror: { host: "http://h", enable_limit_count: true, policy: redis, redis_host: "redis://:${SECRET}@h" } }`,
    `plugins: { proxy-mirror: { host: "http://h", enable_limit_count: true, policy: redis-cluster, redis_cluster_name: c, redis_cluster_nodes: ["h:1", "redis://:${SECRET}@h:1"] } }`,
  ];
  for (const text of texts) {
    const lines = listLines(`id: a\nuri: /a\n${text}\n`);
    assert.equal(lines.length, 1, text);
    assert.ok(!lines[0]!.includes(SECRET), lines[0]);
  }
  const value = { uri: '/a', upstream: { nodes: { [`bob:${SECRET}@h:80`]: 1 } } };
  const mirrorTimeouts = toTimeouts(undefined, { connect: '1s', send: '1s', read: '1s' });
  const { problems } = translateRoute('a', value, () => undefined, { mirrorTimeouts });
  assert.deepEqual(
    problems.map((problem) => toSentence(problem, value)),
    ['upstream.nodes["(hidden)"]: must be a name or an address, with a port from 1 to 65535 or without one'],
  );
});

test('what a variable is compared with is not printed, in no form', () => {
  const wrong = `[[arg_a, "==", 1], [OR, [http_authorization, "~~", "${SECRET}("], [arg_b, "==", 1]]]`;
  const texts = [
    `routes:\n${routeYaml(`vars: ${wrong}`)}`,
    mirrorYaml(`conditions: { vars: ${wrong} }`),
    `id: a\nuri: /a\nupstream: { nodes: {} }\nvars: ${wrong}\n`,
    `routes:\n${routeYaml(`vars: [[http_x, "!", ipmatch, [${SECRET}]]]`)}`,
  ];
  for (const text of texts) {
    const lines = listLines(text);
    assert.equal(lines.length, 1, text);
    assert.ok(!lines[0]!.includes(SECRET), lines[0]);
  }
  assert.match(listLines(`routes:\n${routeYaml('vars: [[arg_a, "!", "=", 1]]')}`)[0]!, /, found "="$/);
});

test('what credentials are compared with becomes a reference, and means the same', () => {
  const names = ['auth', 'x-auth', 'api-key', 'apikey', 'token', 'x-secret', 'session', 'authorization'];
  for (const name of names) {
    const variable = name.replaceAll('-', '_');
    const config = parse(
      `routes:
${routeYaml(`vars: [[http_${variable}, "==", ${SECRET}], [OR, [cookie_${variable}, "!", in, [${SECRET}, other]], [arg_a, "==", shown]]]
mirror:
  backends: [{ url: "http://s", headers: { set: { ${name}: ${SECRET} } } }]
  conditions: { headers: { ${name}: ${SECRET}, x-other: shown }, vars: [[http_${variable}, "~~", "^${SECRET}$"]] }`)}`,
    );
    const { text, environment } = convert(config, 'test.yaml', () => []);
    assert.ok(!text.includes(SECRET), text);
    assert.equal(text.split('shown').length, 3, text);
    assert.deepEqual(parse(text, environment as Record<string, string>), config);
  }
});

test('what no credential is compared with stays', () => {
  const config = parse(`routes:\n${routeYaml('vars: [[http_author, "==", a], [uri, "==", /token]]')}`);
  assert.deepEqual(convert(config, 'test.yaml', () => []).environment, {});
});
