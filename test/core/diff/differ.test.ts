// Whole answers: status, headers, the way their bodies are compared, masking, and bodies made to do harm.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { type AnswerContent, MASKED, NO_DIFF, VALUE_LENGTH_MAX } from '../../../src/core/diff/answer-diff.ts';
import { HEADER_DIFFS_MAX } from '../../../src/core/diff/diff-list.ts';
import { diffAnswers } from '../../../src/core/diff/differ.ts';
import { isWholeZstdFrame } from '../../../src/core/diff/zstd-frame.ts';
import {
  CAPTURE_BYTES,
  diffJsonTexts,
  JSON_TYPE,
  type RuleEdits,
  toAnswer,
  toLines,
  toRules,
} from './answers.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

const TEXT_TYPE = ['Content-Type', 'text/plain'];

function find(primary: AnswerContent, shadow: AnswerContent, edits: RuleEdits = {}): string[] {
  return toLines(diffAnswers(primary, shadow, toRules(edits)).diffs);
}

function findInHeads(primary: readonly string[], shadow: readonly string[], edits: RuleEdits = {}): string[] {
  return find(toAnswer('', primary), toAnswer('', shadow), edits);
}

/** Method and note of the comparison, and its differences. */
function compare(primary: AnswerContent, shadow: AnswerContent, edits: RuleEdits = {}): readonly unknown[] {
  const { bodyMethod, note, diffs } = diffAnswers(primary, shadow, toRules(edits));
  return [bodyMethod, note, ...toLines(diffs)];
}

function toDigestText(body: string | Uint8Array): string {
  const bytes = Buffer.from(body);
  return `${bytes.length} bytes, sha256 ${createHash('sha256').update(bytes).digest('hex')}`;
}

test('answers that are the same make no object', () => {
  const head = ['Content-Type', 'text/plain', 'X-A', '1'];
  assert.equal(diffAnswers(toAnswer('abc', head), toAnswer('abc', head), toRules()), NO_DIFF);
  const rules = toRules({ ignoreHeaders: ['x-a'] });
  assert.equal(
    diffAnswers(toAnswer('abc', head), toAnswer('abc', [...TEXT_TYPE, 'x-a', '2']), rules),
    NO_DIFF,
  );
  assert.throws(() => (NO_DIFF.diffs as unknown[]).push(1));
});

test('a different status is one difference, beside those of the body', () => {
  assert.deepEqual(compare(toAnswer('{"a":1}', JSON_TYPE, 200), toAnswer('{"a":2}', JSON_TYPE, 503)), [
    'json',
    null,
    'value status: 200 → 503',
    'value body:a: 1 → 2',
  ]);
  assert.deepEqual(compare(toAnswer('', [], 204), toAnswer('', [], 200)), [
    'bytes',
    null,
    'value status: 204 → 200',
  ]);
});

test('headers are compared by name without case, and as lists of lines', () => {
  const table: readonly (readonly [readonly string[], readonly string[], readonly string[]])[] = [
    [['X-A', '1', 'X-B', '2'], ['x-b', '2', 'x-a', '1'], []],
    [['X-A', '1'], ['X-A', '2'], ['value header:x-a: 1 → 2']],
    [['X-A', '1'], [], ['missing header:x-a: 1 → nothing']],
    [[], ['X-A', ''], ['extra header:x-a: nothing → ']],
    [['Vary', 'a', 'Vary', 'b'], ['Vary', 'b', 'Vary', 'a'], ['value header:vary: a\nb → b\na']],
    [['Vary', 'a', 'Vary', 'b'], ['Vary', 'a'], ['value header:vary: a\nb → a']],
    [['Vary', 'a', 'Vary', 'b'], ['Vary', 'a, b'], []],
    [['Vary', 'a, b', 'Vary', 'c'], ['Vary', 'a', 'Vary', 'b, c'], []],
    [['Vary', 'a', 'Vary', 'b'], ['Vary', 'b, a'], ['value header:vary: a\nb → b, a']],
    [
      ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'],
      ['Set-Cookie', 'a=1, b=2'],
      ['value header:set-cookie: (masked) → (masked)'],
    ],
    [['X-A', 'v  '], ['X-A', 'v'], []],
    [
      ['__proto__', '1'],
      ['constructor', '1'],
      ['missing header:__proto__: 1 → nothing', 'extra header:constructor: nothing → 1'],
    ],
  ];
  for (const [primary, shadow, lines] of table)
    assert.deepEqual(findInHeads(primary, shadow), lines, primary.join());
});

test('date, what belongs to the connection, and what a rule names are not compared', () => {
  const names = [
    'Date',
    'Connection',
    'Keep-Alive',
    'Transfer-Encoding',
    'Upgrade',
    'Content-Length',
    'X-Id',
  ];
  for (const name of names) {
    assert.deepEqual(findInHeads([name, '1'], [name, '2'], { ignoreHeaders: ['x-id'] }), [], name);
    assert.deepEqual(findInHeads([name, '1'], [], { ignoreHeaders: ['x-id'] }), [], name);
  }
  assert.equal(findInHeads(['X-Id', '1'], ['X-Id', '2']).length, 1);
});

test('values of credentials are compared and not shown', () => {
  for (const name of [
    'set-cookie',
    'authorization',
    'www-authenticate',
    'proxy-authenticate',
    'x-api-key',
    'x-auth-token',
    'x-csrf-token',
  ]) {
    assert.deepEqual(findInHeads([name, 'secret-1'], [name, 'secret-2']), [
      `value header:${name}: ${MASKED} → ${MASKED}`,
    ]);
    assert.deepEqual(findInHeads([name, 'secret-1'], []), [`missing header:${name}: ${MASKED} → nothing`]);
    assert.deepEqual(findInHeads([name, 'secret-1'], [name, 'secret-1']), []);
  }
});

test('so many headers, names and values as a head may have are cut', () => {
  const many = Array.from({ length: 400 }, (_, at) => [`x-${at}`, 'v'.repeat(1_000)]).flat();
  const diff = diffAnswers(
    toAnswer('{"a":1}', JSON_TYPE),
    toAnswer('{"a":2}', [...JSON_TYPE, ...many]),
    toRules(),
  );
  assert.equal(diff.isCut, true);
  assert.equal(diff.diffs.length, HEADER_DIFFS_MAX + 1);
  assert.equal(diff.diffs.at(-1)!.field, 'body:a');
  assert.ok(diff.diffs.every(({ shadow }) => shadow!.length <= VALUE_LENGTH_MAX));
  const [long] = diffAnswers(toAnswer(''), toAnswer('', ['x'.repeat(60_000), '1']), toRules()).diffs;
  assert.ok(long!.field.length < 300);
});

test('the media type decides how bodies are compared', () => {
  const table: readonly (readonly [string, string])[] = [
    ['application/json', 'json'],
    ['Application/JSON; charset=UTF-8', 'json'],
    ['application/problem+json', 'json'],
    ['text/json', 'json'],
    ['text/html;charset=utf-8', 'text'],
    ['application/xml', 'text'],
    ['image/svg+xml', 'text'],
    ['application/javascript', 'text'],
    ['application/x-www-form-urlencoded', 'text'],
    ['image/png', 'digest'],
    ['application/octet-stream', 'digest'],
    ['', 'digest'],
  ];
  for (const [type, method] of table) {
    const head = type === '' ? [] : ['Content-Type', type];
    assert.equal(compare(toAnswer('[1,2]', head), toAnswer('[1,3]', head))[0], method, type);
    assert.equal(compare(toAnswer('[1,2]', head), toAnswer('[1,2]', [...head, 'x', '1']))[0], 'bytes', type);
  }
});

test('bodies of different media types are compared by their bytes', () => {
  assert.deepEqual(compare(toAnswer('[1]', JSON_TYPE), toAnswer('[1]', TEXT_TYPE)), [
    'bytes',
    null,
    'value header:content-type: application/json; charset=utf-8 → text/plain',
  ]);
  assert.deepEqual(compare(toAnswer('[1]', JSON_TYPE), toAnswer('[1] ', TEXT_TYPE)).slice(0, 2), [
    'digest',
    'the media types differ',
  ]);
  // Parameters are no part of the type.
  assert.equal(
    compare(toAnswer('[1]', JSON_TYPE), toAnswer('[1] ', ['Content-Type', 'application/json']))[0],
    'json',
  );
});

test('what is no JSON on one side, or not in a charset that is known, is compared by digest', () => {
  const json = (body: string | Uint8Array) => toAnswer(body, JSON_TYPE);
  assert.deepEqual(compare(json('{"a":1}'), json('<html>')), [
    'digest',
    "the shadow's body is not valid JSON",
    `digest body: ${toDigestText('{"a":1}')} → ${toDigestText('<html>')}`,
  ]);
  assert.equal(compare(json('{'), json('<html>'))[1], "the primary's body is not valid JSON");
  assert.deepEqual(compare(json(''), json('{}')), [
    'digest',
    "the primary's body is not valid JSON",
    `digest body: 0 bytes → ${toDigestText('{}')}`,
  ]);
  assert.equal(
    compare(json(Buffer.from([0x22, 0xff, 0x22])), json('""'))[1],
    "the primary's body is not valid JSON",
  );
  assert.deepEqual(compare(json('\ufeff{"a":1}'), json('{"a":1}')), ['json', null]);
  const text = (charset: string, body: Uint8Array) =>
    toAnswer(body, ['Content-Type', `text/plain; charset="${charset}"`]);
  const [latin1, utf8] = [Buffer.from('caf\xe9', 'latin1'), Buffer.from('café')];
  assert.equal(
    compare(text('utf-8', latin1), text('utf-8', utf8))[1],
    "the primary's text is in no charset that is known",
  );
  assert.equal(compare(text('utf-16', utf8), text('utf-8', latin1))[0], 'digest');
  assert.deepEqual(compare(text('ISO-8859-1', latin1), text('UTF-8', utf8)), [
    'text',
    null,
    'value header:content-type: text/plain; charset="ISO-8859-1" → text/plain; charset="UTF-8"',
  ]);
});

const CODINGS: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: (body) => zlib.gzipSync(body),
  'x-gzip': (body) => zlib.gzipSync(body, { level: 1 }),
  deflate: (body) => zlib.deflateSync(body),
  br: (body) => zlib.brotliCompressSync(body),
  zstd: (body) => zlib.zstdCompressSync(body),
  identity: (body) => body,
};

function toCoded(body: string, ...codings: readonly string[]): AnswerContent {
  const coded = codings.reduce<Buffer>((bytes, coding) => CODINGS[coding]!(bytes), Buffer.from(body));
  return toAnswer(coded, [...JSON_TYPE, 'Content-Encoding', codings.join(', ')]);
}

test('bodies are compared without the codings that they came in', () => {
  const plain = toAnswer('{"a":1}', JSON_TYPE);
  for (const coding of Object.keys(CODINGS)) {
    assert.deepEqual(compare(plain, toCoded('{"a":1}', coding)), ['bytes', null], coding);
    assert.deepEqual(
      compare(toCoded('{"a":1}', coding), toCoded('{"a":2}', 'gzip')),
      ['json', null, 'value body:a: 1 → 2'],
      coding,
    );
  }
  assert.deepEqual(compare(plain, toCoded('{ "a":1}', 'gzip', 'br')), ['json', null]);
  const raw = toAnswer(zlib.deflateRawSync('{"a":2}'), [...JSON_TYPE, 'content-encoding', 'Deflate']);
  assert.deepEqual(compare(plain, raw), ['json', null, 'value body:a: 1 → 2']);
  // Several lines are one list.
  const lines = [...JSON_TYPE, 'content-encoding', 'gzip', 'content-encoding', 'br'];
  assert.deepEqual(compare(plain, toAnswer(zlib.brotliCompressSync(zlib.gzipSync('{"a":1}')), lines)), [
    'bytes',
    null,
  ]);
  // Of other types too.
  const png = (body: Uint8Array, ...head: string[]) => toAnswer(body, ['content-type', 'image/png', ...head]);
  assert.deepEqual(compare(png(Buffer.from('x')), png(zlib.gzipSync('x'), 'content-encoding', 'gzip')), [
    'bytes',
    null,
  ]);
});

test('what is one whole frame of Zstandard is seen for every shape of it', () => {
  const { ZSTD_c_checksumFlag: checksum, ZSTD_c_contentSizeFlag: size } = zlib.constants;
  for (const text of ['', 'x', 'x'.repeat(300), 'x'.repeat(400_000), randomBytes(200_000).toString('hex')]) {
    for (const flags of [0, 1, 2, 3]) {
      const params = { [checksum]: flags & 1, [size]: flags >> 1 };
      const frame = zlib.zstdCompressSync(text, { params });
      assert.equal(isWholeZstdFrame(frame), true, `${text.length} ${flags}`);
      for (const cut of [1, 2, 4, frame.length - 5])
        assert.equal(
          isWholeZstdFrame(frame.subarray(0, frame.length - cut)),
          false,
          `${text.length} ${flags} ${cut}`,
        );
      assert.equal(isWholeZstdFrame(Buffer.concat([frame, Buffer.from([0])])), false);
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (noise) => !isWholeZstdFrame(noise)),
    { seed },
  );
});

test('the same bytes under another coding are another answer', () => {
  const body = zlib.gzipSync('{"a":1}');
  assert.deepEqual(
    compare(toAnswer(body, [...JSON_TYPE, 'content-encoding', 'gzip']), toAnswer(body, JSON_TYPE)),
    [
      'digest',
      "the shadow's body is not valid JSON",
      `digest body: ${toDigestText('{"a":1}')} → ${toDigestText(body)}`,
    ],
  );
  // An answer to HEAD, or 304, may have a coding and has no body that was packed in it.
  const [packed, bare] = [toAnswer('', ['content-encoding', 'gzip']), toAnswer('', ['x-a', '1'])];
  assert.deepEqual(compare(packed, bare), ['bytes', null, 'extra header:x-a: nothing → 1']);
  assert.deepEqual(compare(bare, packed), ['bytes', null, 'missing header:x-a: 1 → nothing']);
});

test('what cannot be decoded, or becomes too long, is compared as it came', () => {
  const plain = toAnswer('{"a":1}', JSON_TYPE);
  const coded = (body: Uint8Array, coding: string) =>
    toAnswer(body, [...JSON_TYPE, 'content-encoding', coding]);
  const whole = zlib.gzipSync('{"a":1}');
  const table: readonly (readonly [AnswerContent, string])[] = [
    [coded(whole.subarray(0, -5), 'gzip'), "the shadow's body cannot be decoded"],
    [coded(Buffer.from('not gzip'), 'gzip'), "the shadow's body cannot be decoded"],
    [coded(whole, 'br'), "the shadow's body cannot be decoded"],
    [coded(whole, 'deflate'), "the shadow's body cannot be decoded"],
    [coded(zlib.deflateSync('{"a":1}x').subarray(0, -1), 'deflate'), "the shadow's body cannot be decoded"],
    [
      coded(Buffer.concat([zlib.deflateSync('{"a":1}'), Buffer.from('x')]), 'deflate'),
      "the shadow's body cannot be decoded",
    ],
    [
      coded(Buffer.concat([zlib.deflateRawSync('{"a":1}'), Buffer.from('x')]), 'deflate'),
      "the shadow's body cannot be decoded",
    ],
    [
      coded(Buffer.concat([zlib.brotliCompressSync('{"a":1}'), Buffer.from('x')]), 'br'),
      "the shadow's body cannot be decoded",
    ],
    [coded(whole, 'aws-chunked'), "the shadow's body has a content-encoding that is not known"],
    [
      coded(whole, 'gzip, gzip, gzip, gzip, gzip'),
      "the shadow's body has a content-encoding that is not known",
    ],
  ];
  for (const [shadow, note] of table) {
    const [method, found, ...lines] = compare(plain, shadow);
    assert.deepEqual([method, found], ['digest', note]);
    assert.equal(lines.length, 2);
    assert.match(String(lines[0]), /^extra header:content-encoding/);
    assert.match(String(lines[1]), new RegExp(`^digest body: 7 bytes, .* ${shadow.bodyBytes} bytes, `));
  }
  // Cut anywhere, on both sides alike or not: half of a body is never taken for a body.
  const long = JSON.stringify(Array.from({ length: 40_000 }, (_, at) => at * 7_919));
  for (const coding of ['gzip', 'deflate', 'br', 'zstd']) {
    const { body } = toCoded(long, coding);
    for (const cut of [1, 4, 5, 100, body!.length - 3]) {
      const note = "the primary's body cannot be decoded";
      const [one, two] = [coded(body!.subarray(0, -cut), coding), coded(body!.subarray(0, -cut - 1), coding)];
      assert.deepEqual(compare(one, two).slice(0, 2), ['digest', note], `${coding} ${cut}`);
      assert.equal(compare(one, two).length, 3);
    }
  }
  const twice = coded(Buffer.concat([zlib.zstdCompressSync('{"a":1}'), zlib.zstdCompressSync(' ')]), 'zstd');
  assert.equal(compare(plain, twice)[1], "the shadow's body cannot be decoded");
  const bomb = (length: number) => `[${'1'.repeat(length - 2)}]`;
  for (const coding of ['gzip', 'deflate', 'br', 'zstd']) {
    const [fits, over] = [toCoded(bomb(CAPTURE_BYTES), coding), toCoded(bomb(CAPTURE_BYTES + 1), coding)];
    assert.equal(compare(plain, fits)[0], 'json', coding);
    assert.equal(
      compare(plain, over)[1],
      "the shadow's body is longer than max_body_capture when it is decoded",
      coding,
    );
  }
});

test('bodies over the capture bound are compared by the digests that were made of them', () => {
  const long = (digest: string, bodyBytes = 5_000_000): AnswerContent => ({
    status: 200,
    lines: 'content-type: application/json\r\n',
    body: null,
    bodyBytes,
    digest: createHash('sha256').update(digest).digest('base64'),
  });
  const hex = (digest: string) => createHash('sha256').update(digest).digest('hex');
  const note = 'both bodies are longer than max_body_capture';
  assert.deepEqual(compare(long('a'), long('a')), ['digest', note]);
  assert.deepEqual(compare(long('a'), long('b')), [
    'digest',
    note,
    `digest body: 5000000 bytes, sha256 ${hex('a')} → 5000000 bytes, sha256 ${hex('b')}`,
  ]);
  const short = toAnswer('[1]', ['content-type', 'application/json']);
  assert.deepEqual(compare(short, long('a')), [
    'digest',
    "the shadow's body is longer than max_body_capture",
    `digest body: ${toDigestText('[1]')} → 5000000 bytes, sha256 ${hex('a')}`,
  ]);
  // The same body, once kept and once not.
  assert.deepEqual(compare(short, long('[1]', 3)).slice(2), []);
  assert.deepEqual(compare(long('a'), long('b'), { mask: ['x'] }).slice(2), [
    'digest body: 5000000 bytes → 5000000 bytes',
  ]);
});

test('a rule that ignores `$` leaves the body out, whatever it is', () => {
  for (const type of [JSON_TYPE, TEXT_TYPE, []]) {
    const rules = toRules({ ignoreJsonFields: ['$'] });
    assert.equal(diffAnswers(toAnswer('1', type), toAnswer('2', type), rules), NO_DIFF);
  }
});

test('at and below a masked place no value is shown, nor in what surrounds it', () => {
  const mask = ['user.token', 'list[].pin', 'deep'];
  const table: readonly (readonly [string, string, readonly string[]])[] = [
    ['{"user":{"token":"s1"}}', '{"user":{"token":"s2"}}', ['value body:user.token: (masked) → (masked)']],
    ['{"user":{"token":"s1"}}', '{"user":{}}', ['missing body:user.token: (masked) → nothing']],
    ['{"user":{"token":"s1"}}', '{"user":{"token":1}}', ['type body:user.token: (masked) → (masked)']],
    ['{"user":{"token":"s1"}}', '{}', ['missing body:user: (masked) → nothing']],
    ['{"user":"s1"}', '{"user":{"token":"s1","n":2}}', ['type body:user: (masked) → (masked)']],
    ['{"user":1}', '{"user":"2"}', ['type body:user: 1 → "2"']],
    ['{"a":[{"n":"s1"}]}', '{"a":[]}', ['length body:a: 1 element → 0 elements']],
    ['{}', '{"text":"{\\"n\\":1}"}', ['extra body:text: nothing → "{\\"n\\":1}"']],
    // Moved by the shadow to where no path leads.
    ['{"user":{"token":"s1"}}', '{"user":[{"token":"s1"}]}', ['type body:user: (masked) → (masked)']],
    [
      '{"user":{"token":"s1"}}',
      '{"data":{"user":{"token":"s1"}}}',
      ['missing body:user: (masked) → nothing', 'extra body:data: nothing → (masked)'],
    ],
    ['{"data":{"token":"s1"}}', '{"data":{"token":"s2"}}', ['value body:data.token: (masked) → (masked)']],
    [
      '{"pin":{"a":["s1"]}}',
      '{"pin":{"a":["s2"]}}',
      ['value body:pin.a[0] (body:pin.a[]): (masked) → (masked)'],
    ],
    ['{}', '{"pin":"s1","n":2}', ['extra body:pin: nothing → (masked)', 'extra body:n: nothing → 2']],
    [
      '{"deep":{"a":[1,{"b":"s1"}]}}',
      '{"deep":{"a":[1,{"b":"s2"}]}}',
      ['value body:deep.a[1].b (body:deep.a[].b): (masked) → (masked)'],
    ],
    ['{"deep":[1]}', '{"deep":[1,2]}', ['length body:deep: (masked) → (masked)']],
    ['{"deep":[1,2]}', '{"deep":[2,1]}', ['order body:deep: (masked) → (masked)']],
    [
      '{"list":[{"pin":1},{"pin":2}]}',
      '{"list":[{"pin":2},{"pin":1}]}',
      ['order body:list: (masked) → (masked)'],
    ],
  ];
  for (const [primary, shadow, lines] of table) {
    assert.deepEqual(toLines(diffJsonTexts(primary, shadow, { mask }).diffs), lines, primary);
  }
});

test('with a mask, bodies that are not compared as JSON are shown by their lengths alone', () => {
  const rules = { mask: ['pin'] };
  assert.deepEqual(
    compare(toAnswer('{"pin":1}', JSON_TYPE), toAnswer('{"pin":2', JSON_TYPE), rules).slice(2),
    ['digest body: 9 bytes → 8 bytes'],
  );
  assert.deepEqual(
    compare(toAnswer('pin=1\nx', TEXT_TYPE), toAnswer('pin=2\ny\nz', TEXT_TYPE), rules).slice(2),
    [1, 2]
      .map((line) => `text body:line ${line} (body): (masked) → (masked)`)
      .concat('text body:after line 2 (body): nothing → (masked)'),
  );
});

/** Every text that a comparison gives out. */
function toOutput(primary: AnswerContent, shadow: AnswerContent, edits: RuleEdits): string {
  return JSON.stringify(diffAnswers(primary, shadow, toRules(edits)));
}

test('no masked text is in any output, whatever else differs', () => {
  let count = 0;
  const leaf = fc.constant(null).map(() => `leaf-${++count}-`);
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('tree'), { maxKeys: 3, noNullPrototype: true }),
    ),
  }));
  const paths = fc.array(fc.constantFrom('a', 'b', 'a.b', 'a[]', '*.c', '[]', '[].a', '*[].b', '$'), {
    minLength: 1,
    maxLength: 3,
  });
  const order = fc.subarray(['a', 'b', '[]', '$', '*[]']);
  const masked = (value: unknown, path: readonly string[]): string[] => {
    const [step, ...rest] = path;
    if (step === undefined) return JSON.stringify(value).match(/leaf-\d+-/g) ?? [];
    if (value === null || typeof value !== 'object' || Array.isArray(value) !== (step === '[]')) return [];
    return Object.entries(value).flatMap(([key, child]) =>
      step === '[]' || step === '*' || step === key ? masked(child, rest) : [],
    );
  };
  fc.assert(
    fc.property(
      tree,
      tree,
      paths,
      order,
      fc.constantFrom(JSON_TYPE, TEXT_TYPE, []),
      (first, second, mask, unordered, type) => {
        const [one, two] = [JSON.stringify(first), JSON.stringify(second)];
        const output = toOutput(toAnswer(one, type), toAnswer(two, type), { mask, unordered });
        for (const path of mask) {
          const steps =
            path === '$'
              ? []
              : path
                  .replaceAll('[]', '.[]')
                  .split('.')
                  .filter((step) => step !== '');
          for (const word of [...masked(first, steps), ...masked(second, steps)])
            assert.ok(!output.includes(word), `${path} ${one} ${two} ${output}`);
        }
      },
    ),
    { seed, numRuns: 2_000 },
  );
});

const heads = fc.constantFrom<readonly string[]>(
  JSON_TYPE,
  TEXT_TYPE,
  [],
  ...['gzip', 'deflate', 'br', 'zstd', 'gzip, br'].map((coding) => [
    ...JSON_TYPE,
    'content-encoding',
    coding,
  ]),
);
const document = '{"a":[1,{"b":"x"}],"c":"äöü😀","d":12345678901234567890}';
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.nat({ max: 100 }).map((at) => Buffer.from(document).subarray(0, at)),
  fc
    .tuple(fc.constantFrom('gzip', 'deflate', 'br', 'zstd'), fc.nat({ max: 200 }), fc.nat({ max: 255 }))
    .map(([coding, at, byte]) => {
      const body = Buffer.from(CODINGS[coding]!(Buffer.from(document)));
      if (at < body.length) body[at] = byte;
      return at % 3 === 0 ? body.subarray(0, at) : body;
    }),
);

test('whatever the bytes are, nothing is thrown, and what is given out is bounded', () => {
  fc.assert(
    fc.property(bytes, bytes, heads, heads, (first, second, one, two) => {
      const rules = toRules({ unordered: ['a'], mask: ['c'], ignoreJsonFields: ['a[].b'] });
      const diff = diffAnswers(toAnswer(first, one), toAnswer(second, two), rules);
      for (const { primary, shadow } of diff.diffs) {
        assert.ok((primary?.length ?? 0) <= VALUE_LENGTH_MAX && (shadow?.length ?? 0) <= VALUE_LENGTH_MAX);
        assert.ok(primary !== null || shadow !== null);
      }
      assert.deepEqual(diffAnswers(toAnswer(first, one), toAnswer(first, one), rules), NO_DIFF);
    }),
    { seed, numRuns: 3_000 },
  );
});

test('bodies of a megabyte that were made to do harm are compared within their bounds', () => {
  const megabyte = 1 << 20;
  const open = '['.repeat(megabyte);
  const half = megabyte / 2 - 1;
  const wide = (value: number) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: 60_000 }, (_, at) => [`k${at}`, value])));
  const bodies: readonly (readonly [string, string])[] = [
    [open, `${open.slice(1)} `],
    ['['.repeat(half) + ']'.repeat(half), `${'['.repeat(half)}1${']'.repeat(half)}`],
    ['{"a":'.repeat(150_000) + 1 + '}'.repeat(150_000), '{"a":'.repeat(150_000) + 2 + '}'.repeat(150_000)],
    [`[${'1,'.repeat(half)}1]`, `[${'1,'.repeat(half)}2]`],
    [`"${'\\u0000'.repeat(170_000)}"`, `"${'\\u0000'.repeat(170_000)}x"`],
    [wide(1), wide(2)],
    [`[${'9'.repeat(megabyte - 2)}]`, `[${'9'.repeat(megabyte - 3)}8]`],
    [`[1e${'9'.repeat(megabyte - 4)}]`, `[1e${'9'.repeat(megabyte - 5)}8]`],
    ['\n'.repeat(megabyte), '\r'.repeat(megabyte)],
    ['ab\n'.repeat(300_000), 'ba\n'.repeat(300_000)],
    ['\0'.repeat(megabyte), '\0'.repeat(megabyte - 1)],
  ];
  for (const [primary, shadow] of bodies) {
    for (const type of [JSON_TYPE, TEXT_TYPE]) {
      for (const unordered of [[], ['$', '*', '[]']]) {
        const diff = diffAnswers(toAnswer(primary, type), toAnswer(shadow, type), toRules({ unordered }));
        assert.ok(diff.diffs.length > 0, primary.slice(0, 10));
        assert.ok(JSON.stringify(diff).length < 400_000, primary.slice(0, 10));
      }
    }
  }
});
