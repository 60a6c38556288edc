// Kubernetes manifests as documents: which are read, what is said of the others, lists, namespaces, references.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readValue, rewriteManifests } from './rewriting.ts';

const examples = new URL('../../../config/examples/', import.meta.url);

/** The manifests of the APISIX manual, whose indentation it lost. */
function readExample(name: string): string {
  return readFileSync(new URL(name, examples), 'utf8');
}

const SERVICE = 'apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { ports: [{ port: 80 }] }\n';
const route = (backend: string, metadata = '{ name: r }'): string =>
  `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: ${metadata}
spec:
  rules:
    - backendRefs:
        - ${backend}
`;

const EXAMPLE = {
  plugins: { 'proxy-mirror': { host: 'http://nginx.aic.svc', sample_ratio: 0.5 } },
  upstream: { nodes: [{ host: 'httpbin.org', port: 80, weight: 1 }] },
};

test("the manual's manifests work as Gateway API", () => {
  const rewritten = rewriteManifests(readExample('kubernetes-gateway.yaml'));
  assert.deepEqual([rewritten.problems, rewritten.notices], [[], []]);
  assert.deepEqual(
    rewritten.resources.map(({ kind, id }) => [kind, id]),
    [['routes', 'aic_traffic-mirror-route_0']],
  );
  assert.deepEqual(readValue(rewritten, 'aic_traffic-mirror-route_0'), {
    uris: ['/get'],
    priority: 2048,
    ...EXAMPLE,
  });
});

test("the manual's manifests work as custom resources", () => {
  const rewritten = rewriteManifests(readExample('kubernetes-crd.yaml'));
  assert.deepEqual([rewritten.problems, rewritten.notices], [[], []]);
  const id = 'aic_traffic-mirror-route_traffic-mirror-route';
  assert.deepEqual(readValue(rewritten, id), { uris: ['/get'], ...EXAMPLE });
});

test('the order of documents, and in which file they stand, means nothing', () => {
  for (const name of ['kubernetes-gateway.yaml', 'kubernetes-crd.yaml']) {
    const documents = readExample(name).split('\n---\n');
    const straight = rewriteManifests(readExample(name)).resources;
    const turned = rewriteManifests(documents.toReversed().join('\n---\n'));
    const apart = rewriteManifests(documents.toReversed());
    assert.deepEqual([turned.problems, apart.problems], [[], []]);
    assert.equal(JSON.stringify(turned.resources), JSON.stringify(straight));
    assert.equal(JSON.stringify(apart.resources), JSON.stringify(straight));
  }
});

test('a List holds documents, of any depth, and problems in it have their place', () => {
  const item = (text: string, depth: number): string =>
    text
      .trimEnd()
      .split('\n')
      .map((line, index) => `${' '.repeat(depth)}${index === 0 ? '- ' : '  '}${line}`)
      .join('\n');
  const list = `apiVersion: v1\nkind: List\nitems:\n${item(SERVICE, 2)}\n`;
  const inner = `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRouteList\nitems:\n${item(route('{ name: s, port: 80 }'), 0)}`;
  const whole = rewriteManifests(`${list}${item(inner, 2)}\n`);
  assert.deepEqual(whole.problems, []);
  assert.equal(whole.resources.length, 1);
  assert.deepEqual(rewriteManifests(`${list}${item(route('{ name: t, port: 80, nmae: x }'), 2)}`).problems, [
    'test.yaml:14:23: items[1].spec.rules[0].backendRefs[0].name: refers to Service default/t, which is in none of the files, for HTTPRoute default/r, found "t"',
    'test.yaml:14:36: items[1].spec.rules[0].backendRefs[0].nmae: is not a known key, found "nmae", did you mean "name"?',
  ]);
  assert.deepEqual(rewriteManifests('apiVersion: v1\nkind: List\nitems: {}').problems, [
    'test.yaml:3:8: items: must be a list, found an empty mapping',
  ]);
  assert.deepEqual(rewriteManifests('apiVersion: v1\nkind: List\nitems: [x]').problems, [
    'test.yaml:3:9: items[0]: must be a mapping, found "x"',
  ]);
});

test('a reference that leads nowhere names both ends', () => {
  assert.deepEqual(rewriteManifests(`${SERVICE}---\n${route('{ name: gone, port: 80 }')}`).problems, [
    'test.yaml:12:19: spec.rules[0].backendRefs[0].name: refers to Service default/gone, which is in none of the files, for HTTPRoute default/r, found "gone"',
  ]);
});

test('names are found in their own namespace, which is `default` unless it is said', () => {
  const explicit = route('{ name: s, port: 80 }', '{ name: r, namespace: default }');
  assert.deepEqual(rewriteManifests(`${SERVICE}---\n${explicit}`).problems, []);
  const foreign = route('{ name: s, port: 80 }', '{ name: r, namespace: other }');
  const [problem] = rewriteManifests(`${SERVICE}---\n${foreign}`).problems;
  assert.match(
    problem ?? '',
    /refers to Service other\/s, which is in none of the files, for HTTPRoute other\/r/,
  );
  const across = route('{ name: s, namespace: default, port: 80 }', '{ name: r, namespace: other }');
  const rewritten = rewriteManifests(`${SERVICE}---\n${across}`);
  assert.deepEqual(rewritten.problems, []);
  assert.deepEqual((readValue(rewritten, 'other_r_0') as { upstream: unknown }).upstream, {
    nodes: [{ host: 's.default.svc', port: 80, weight: 1 }],
  });
});

test('the same object twice is a problem, the same name in another namespace is not', () => {
  const other = SERVICE.replace('{ name: s }', '{ name: s, namespace: other }');
  assert.deepEqual(rewriteManifests(`${SERVICE}---\n${other}`).problems, []);
  assert.deepEqual(rewriteManifests([SERVICE, SERVICE]).problems, [
    'test-1.yaml:3:19: metadata.name: names a second Service default/s: an object stands in one document only, found "s"',
  ]);
});

test('ports are found by number or name, and a headless Service by its target port', () => {
  const node = (service: string, port: string): unknown => {
    const rewritten = rewriteManifests(
      `apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: ${service}\n---\n` +
        `apiVersion: apisix.apache.org/v2\nkind: ApisixRoute\nmetadata: { name: r }\nspec: { http: [{ name: a, match: { paths: [/] }, backends: [{ serviceName: s, servicePort: ${port} }] }] }`,
    );
    if (rewritten.problems.length > 0) return rewritten.problems;
    const { upstream } = readValue(rewritten, 'default_r_a') as { upstream: { nodes: unknown[] } };
    return upstream.nodes[0];
  };
  const ports =
    'ports: [{ name: web, port: 80, targetPort: 8080 }, { name: admin, port: 81, targetPort: http }]';
  assert.deepEqual(node(`{ ${ports} }`, '80'), { host: 's.default.svc', port: 80, weight: 1 });
  assert.deepEqual(node(`{ ${ports} }`, 'admin'), { host: 's.default.svc', port: 81, weight: 1 });
  assert.deepEqual(node(`{ clusterIP: None, ${ports} }`, 'web'), {
    host: 's.default.svc',
    port: 8080,
    weight: 1,
  });
  assert.deepEqual(node(`{ clusterIP: None, ${ports} }`, 'admin'), {
    host: 's.default.svc',
    port: 81,
    weight: 1,
  });
  assert.deepEqual(node('{ type: ExternalName, externalName: example.com }', '443'), {
    host: 'example.com',
    port: 443,
    weight: 1,
  });
  assert.deepEqual(node(`{ ${ports} }`, '82'), [
    'test.yaml:9:92: spec.http[0].backends[0].servicePort: is not a port of Service default/s, found 82',
  ]);
  assert.deepEqual(node('{ type: ExternalName, externalName: example.com }', 'web'), [
    'test.yaml:9:92: spec.http[0].backends[0].servicePort: is not a port of Service default/s, found "web"',
  ]);
});

test('other kinds are passed over with a notice, and one that guards something says so', () => {
  const kinds = [
    'apps/v1 Deployment',
    'v1 Namespace',
    'gateway.networking.k8s.io/v1 Gateway',
    'v1 ConfigMap',
  ];
  const guards = [
    'v1 Secret',
    'apisix.apache.org/v2 ApisixTls',
    'apisix.apache.org/v2 ApisixConsumer',
    'x/v1 SecurityPolicy',
  ];
  const document = (kind: string): string => {
    const [apiVersion, name] = kind.split(' ');
    return `apiVersion: ${apiVersion}\nkind: ${name}\nmetadata: { name: x }\nwhatever: 1\n`;
  };
  const plain = rewriteManifests(kinds.map(document).join('---\n'));
  assert.deepEqual([plain.resources, plain.problems], [[], []]);
  assert.deepEqual(plain.notices, [
    'test.yaml:2:7: kind: Deployment has no effect here',
    'test.yaml:7:7: kind: Namespace has no effect here',
    'test.yaml:12:7: kind: Gateway has no effect here',
    'test.yaml:17:7: kind: ConfigMap has no effect here',
  ]);
  const guarding = rewriteManifests(guards.map(document).join('---\n'));
  assert.deepEqual(guarding.problems, []);
  assert.equal(guarding.notices.length, 4);
  for (const notice of guarding.notices)
    assert.match(notice, /: whatever it protects elsewhere is not protected by umbra$/);
});

test('a kind of another group is another kind, and another version of a known kind is not served', () => {
  const knative = SERVICE.replace('apiVersion: v1', 'apiVersion: serving.knative.dev/v1');
  assert.deepEqual(rewriteManifests(knative).notices, ['test.yaml:2:7: kind: Service has no effect here']);
  const old = 'apiVersion: apisix.apache.org/v2beta3\nkind: ApisixRoute\nmetadata: { name: r }\nspec: {}';
  assert.deepEqual(rewriteManifests(old).problems, [
    'test.yaml:1:13: apiVersion: is not served: ApisixRoute is read in apisix.apache.org/v2, found "apisix.apache.org/v2beta3"',
  ]);
  assert.deepEqual(rewriteManifests('kind: Service').problems, ['test.yaml:1:1: apiVersion: is missing']);
  assert.deepEqual(rewriteManifests('apiVersion: v1\nkind: 5').problems, [
    'test.yaml:2:7: kind: must be text, found 5',
  ]);
});

test('what the API server would refuse is a problem with its place; status, labels and annotations are not looked at', () => {
  const lines = (text: string): readonly string[] => rewriteManifests(text).problems;
  assert.deepEqual(lines(SERVICE.replace('name: s', 'name: S_1')), [
    'test.yaml:3:19: metadata.name: must be the name of an object: lower-case letters, digits, "-" and ".", found "S_1"',
  ]);
  assert.deepEqual(lines(SERVICE.replace('{ name: s }', '{ namespace: a.b }')), [
    'test.yaml:3:11: metadata.name: is missing',
    'test.yaml:3:24: metadata.namespace: must be the name of a namespace: at most 63 lower-case letters, digits and "-", found "a.b"',
  ]);
  const rich = SERVICE.replace('{ name: s }', '{ name: s, labels: { a: b }, annotations: { c: d } }');
  assert.deepEqual(lines(`${rich}status: { loadBalancer: {} }`), []);
  assert.deepEqual(lines(`${SERVICE}---\n${route('{ name: s }')}`), [
    'test.yaml:12:11: spec.rules[0].backendRefs[0].port: is missing',
  ]);
  assert.deepEqual(lines(`${SERVICE}---\n${route('{ name: s, port: "80" }')}`), [
    'test.yaml:12:28: spec.rules[0].backendRefs[0].port: must be a whole number from 1 to 65535, found "80"',
  ]);
});

test('numbers may come from the environment', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text that is meant.
  const block = `${SERVICE}---\n${route('name: s\n          port: ${{PORT}}')}`;
  const rewritten = rewriteManifests(block, { PORT: '80' });
  assert.deepEqual(rewritten.problems, []);
  assert.deepEqual((readValue(rewritten, 'default_r_0') as { upstream: unknown }).upstream, {
    nodes: [{ host: 's.default.svc', port: 80, weight: 1 }],
  });
});
