// Random routes of the model, within what umbra's own dialect can say.
//
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are among what is tested.

import fc from 'fast-check';
import { toOrigin } from '../../src/config/address.ts';
import { toRevised } from '../../src/config/revision.ts';
import type {
  Backend,
  Compare,
  Conditions,
  Limit,
  Mirror,
  PathPattern,
  Route,
  Shadow,
  Timeouts,
} from '../../src/core/model.ts';
import { randomCompare, randomRedaction } from './random-compare.ts';

const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

/** Texts that YAML, or the reading of the environment, would take for something else. */
const AWKWARD = [
  '${X}',
  '$${X}',
  '${',
  'true',
  'null',
  '~',
  '5',
  '1e3',
  '0x1f',
  'a: b',
  'a #b',
  '- a',
  '? a',
  '!a',
  '&a',
  '*a',
  '%a',
  '@a',
  '`a',
  '"',
  "'",
  '[a',
  '{a',
  ', a',
  '|',
  '>',
  '---',
  '...',
  '<<',
  '=',
  ':',
  'a:',
  '.nan',
  '2001-01-01',
];

/** Visible ASCII with spaces inside. */
const asciiText = fc.oneof(
  fc.constantFrom(...AWKWARD),
  fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }).map((text) => text.trim()),
);
const anyText = fc.oneof(asciiText, fc.string({ unit: 'binary', maxLength: 8 }), fc.constant('a\nb\r\n\tc'));
const durationMs = fc.oneof(
  fc.integer({ min: 1, max: DAY_MS }),
  fc.constantFrom(1, 1000, 5000, 60_000, 3_600_000, DAY_MS),
);
const timeouts: fc.Arbitrary<Timeouts> = fc.record({
  connectMs: durationMs,
  sendMs: durationMs,
  readMs: durationMs,
});
const host = fc.constantFrom(
  'a',
  'a.example.com',
  'a_b',
  '10.0.0.1',
  '[::1]',
  '[2001:db8::1]',
  '1e3.example',
  'null',
);
const hostHeader = fc.constantFrom(
  'pass',
  'node',
  'inner.example.com',
  'inner:8080',
  'null',
  'true',
  '[::1]:80',
);
const segment = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'azAZ09-._~!$&\'()+,;=:@%{}[]|^`"<>\\'), maxLength: 6 }),
  fc.constantFrom('${X}', 'null', '...'),
);
const rawPath = fc.array(segment, { maxLength: 3 }).map((segments) => `/${segments.join('/')}`);
const methods = fc.uniqueArray(fc.constantFrom('GET', 'POST', 'PURGE', 'M-SEARCH', 'NULL'), { maxLength: 3 });
// No whole numbers: a mapping of the platform's puts those first, whatever their order in the file.
const headerName = fc.constantFrom(
  'x-a',
  'x-b',
  'authorization',
  'cookie',
  'true',
  'null',

  "!#$%&'*+-.^_`|~",
  '~',
  '1e3',
);

const uri: fc.Arbitrary<PathPattern> = fc.oneof(
  rawPath.map((path): PathPattern => ({ match: 'exact', path })),
  rawPath.map((path): PathPattern => ({ match: 'text_prefix', path })),
  rawPath.map((path): PathPattern => ({ match: 'wildcard', path: `/*${path}` })),
);
const paths: fc.Arbitrary<readonly PathPattern[]> = fc.oneof(
  rawPath.map((path): PathPattern[] => [{ match: 'prefix', path }]),
  rawPath.map((path): PathPattern[] => [{ match: 'exact', path: `${path}/*` }]),
  fc.uniqueArray(uri, {
    minLength: 1,
    maxLength: 3,
    selector: ({ match, path }) => `${path}${match === 'text_prefix' ? '*' : ''}`,
  }),
);

const backend: fc.Arbitrary<Backend> = fc
  .record({
    scheme: fc.constantFrom('http', 'https'),
    host,
    port: fc.option(fc.integer({ min: 1, max: 65_535 })),
    verify: fc.boolean(),
    client: fc.constantFrom('auto', 'undici'),
  })
  .map(({ scheme, host, port, verify, client }): Backend => {
    const { origin, authority } = toOrigin(`${scheme}://${host}${port === null ? '' : `:${port}`}`).value!;
    return { origin, authority, tls: scheme === 'https' ? { verify, ca: null } : null, client };
  });

const expression = fc.array(
  fc.oneof(
    fc.tuple(fc.constantFrom('arg_a', 'http_x_a', 'uri'), fc.constantFrom('==', '~=', 'has'), anyText),
    fc.tuple(
      fc.constant('arg_a'),
      fc.constant('!'),
      fc.constant('in'),
      fc.array(anyText, { minLength: 1, maxLength: 3 }),
    ),
    fc.tuple(fc.constant('arg_n'), fc.constantFrom('>', '<='), fc.integer()),
    fc.tuple(
      fc.constant('OR'),
      fc.tuple(fc.constant('arg_b'), fc.constant('=='), anyText),
      fc.tuple(fc.constant('arg_c'), fc.constant('~~'), fc.constant('^[a, b]: #')),
    ),
  ),
  { minLength: 1, maxLength: 3 },
);

const headerCondition = fc.record({
  name: headerName,
  kind: fc.constantFrom('present' as const, 'absent' as const, 'equals' as const),
  value: asciiText.map((text) => text.toLowerCase()).filter((text) => text !== 'true' && text !== 'false'),
});

const conditions: fc.Arbitrary<Conditions> = fc.record({
  methods,
  headers: fc
    .uniqueArray(headerCondition, { maxLength: 3, selector: ({ name }) => name })
    .map((list) =>
      list.map(({ name, kind, value }) => ({ name, kind, value: kind === 'equals' ? value : '' })),
    ),
  pathRegex: fc.option(fc.constantFrom('^/api/', '\\.json$', 'a: b', '[#]', '\\$\\{')),
  vars: fc.option(expression),
});

const limit: fc.Arbitrary<Limit> = fc
  .record({
    count: fc.integer({ min: 1, max: 16_777_215 }),
    seconds: fc.integer({ min: 1, max: 31_536_000 }),
    policy: fc.constantFrom('local' as const, 'redis' as const, 'redis-cluster' as const),
    ports: fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { minLength: 2, maxLength: 4 }),
    host: fc.constantFrom('redis', '127.0.0.1', '::1', 'null.example'),
    password: fc.option(
      fc
        .oneof(asciiText, fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }))
        .filter((text) => text !== ''),
    ),
    database: fc.integer({ min: 0, max: 15 }),
    timeoutMs: durationMs,
  })
  .map(({ count, seconds, policy, ports, host, password, database, timeoutMs }): Limit => {
    const isCluster = policy === 'redis-cluster';
    const nodes = (isCluster ? ports : ports.slice(0, 1)).map((port) => ({ host, port }));
    const redis = {
      nodes,
      isCluster,
      username: null,
      password,
      database: isCluster ? 0 : database,
      tls: false,
      timeoutMs,
    };
    return { count, windowMs: seconds * 1000, policy, redis: policy === 'local' ? null : redis };
  });

const edits = fc
  .uniqueArray(fc.tuple(headerName, asciiText, fc.boolean()), { maxLength: 3, selector: ([name]) => name })
  .map((list) => ({
    set: list.filter(([, , isSet]) => isSet).map(([name, value]) => [name, value] as const),
    remove: list.filter(([, , isSet]) => !isSet).map(([name]) => name),
  }));

/** The last one as a control, where there may be one. */
function toControlled(shadows: readonly Shadow[], compare: Compare | null): readonly Shadow[] {
  if (compare === null || compare.detail === null || shadows.length < 2) return shadows;
  return shadows.map((shadow, index) =>
    index === shadows.length - 1 ? { ...shadow, role: 'control' } : shadow,
  );
}

const settings: fc.Arbitrary<Mirror> = fc.record({
  enabled: fc.boolean(),
  percentage: fc.oneof(fc.constantFrom(0, 100), fc.double({ min: 0, max: 100, noNaN: true })),
  sampleByHeader: fc.option(headerName),
  methods: fc.constantFrom('all' as const, 'safe' as const),
  shadows: fc.uniqueArray(
    fc.record({ backend, headers: edits, hostHeader }).map((parts) => ({
      ...parts.backend,
      headers: parts.headers,
      hostHeader: parts.hostHeader,
      role: 'shadow' as const,
    })),
    { minLength: 1, maxLength: 3, selector: ({ origin }) => origin },
  ),
  conditions,
  path: fc.option(rawPath),
  pathConcatMode: fc.constantFrom('replace' as const, 'prefix' as const),
  timeouts,
  limit: fc.option(limit),
  maxBodyBytes: fc.oneof(fc.integer({ min: 0, max: 1024 * MIB }), fc.constantFrom(0, 1024, MIB, 8 * MIB)),
  maxAnswerBytes: fc.oneof(fc.integer({ min: 1, max: 1024 * MIB }), fc.constantFrom(1024 * MIB, MIB)),
  redact: randomRedaction,
  idempotencyKey: fc.boolean(),
  maxInFlight: fc.integer({ min: 1, max: 65_535 }),
  maxQueuedBytes: fc.oneof(fc.integer({ min: 1, max: 4096 * MIB }), fc.constantFrom(MIB, 64 * MIB)),
  breaker: fc.record({ failures: fc.integer({ min: 1, max: 1_000_000 }), openForMs: durationMs }),
  compare: fc.option(randomCompare),
});

const mirror = fc.tuple(settings, fc.boolean()).map(
  ([settings, isControlled]): Mirror => ({
    ...settings,
    shadows: isControlled ? toControlled(settings.shadows, settings.compare) : settings.shadows,
  }),
);

const route: fc.Arbitrary<Route> = fc
  .record({
    id: fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9._-]{1,12}$/).filter((id) => id !== '.' && id !== '..'),
      fc.constantFrom('5', 'null', 'true', '1e3', '-', '...', '0x1'),
    ),
    hosts: fc.uniqueArray(fc.oneof(host, fc.constant('*.example.org')), { maxLength: 3 }),
    paths,
    methods,
    remoteAddrs: fc.uniqueArray(fc.constantFrom('10.0.0.0/8', '127.0.0.1', '::1', '2001:db8::/32'), {
      maxLength: 2,
    }),
    vars: fc.option(expression),
    priority: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    backends: fc
      .array(
        fc.record({
          backend,
          weight: fc.integer({ min: 0, max: 100 }),
          priority: fc.integer({ min: -1, max: 1 }),
        }),
        { minLength: 1, maxLength: 3 },
      )
      .filter((list) => list.some(({ weight }) => weight > 0))
      .map((list) =>
        list.map((parts) => ({ ...parts.backend, weight: parts.weight, priority: parts.priority })),
      ),
    hostHeader,
    retries: fc.integer({ min: 0, max: 10 }),
    retryTimeoutMs: fc.option(durationMs),
    timeouts,
    mirror: fc.option(mirror),
  })
  // Objects like those of the translation, which have prototypes.
  .map((settings) => toRevised(JSON.parse(JSON.stringify(settings)) as typeof settings));

/** No two have one id, or match exactly the same requests. */
export const randomRoutes: fc.Arbitrary<readonly Route[]> = fc.uniqueArray(route, {
  minLength: 1,
  maxLength: 3,
  comparator: (a, b) => a.id === b.id || a.priority === b.priority,
});
