// Conditions on requests: operators and logic as lua-resty-expr has them, variables as APISIX fills them, and what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compileExpression,
  EXPRESSION_DEPTH_MAX,
  EXPRESSION_REGEX_MAX,
  EXPRESSION_TERMS_MAX,
  findExpressionProblem,
} from '../../src/core/expression.ts';
import type { ExpressionSubject } from '../../src/core/request-variable.ts';
import { toSubject } from '../kit/subject.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

function holds(expression: readonly unknown[], subject: Partial<ExpressionSubject> = {}): boolean {
  assert.equal(findExpressionProblem(expression), null, JSON.stringify(expression));
  return compileExpression(expression)(toSubject(subject));
}

/** `a` as the argument x: absent when undefined. */
function compares(argument: string | undefined, ...rest: readonly unknown[]): boolean {
  return holds([['arg_x', ...rest]], { target: argument === undefined ? '/' : `/?x=${argument}` });
}

test('operators compare as in lua-resty-expr, missing variables included', () => {
  const table: readonly (readonly [string | undefined, string, unknown, boolean])[] = [
    ['json', '==', 'json', true],
    ['json', '==', 'JSON', false],
    [undefined, '==', 'json', false],
    [undefined, '==', null, true],
    ['', '==', null, false],
    ['10', '==', 10, true],
    ['10.0', '==', 10, true],
    ['0xA', '==', 10, true],
    ['%2010%20', '==', 10, true],
    ['1e1', '==', 10, true],
    ['10a', '==', 10, false],
    ['', '==', 0, false],
    [undefined, '==', 0, false],
    ['10', '==', '10.0', false],
    ['true', '==', true, false],
    ['json', '~=', 'json', false],
    ['xml', '~=', 'json', true],
    [undefined, '~=', 'json', true],
    [undefined, '~=', 10, true],
    ['ten', '~=', 10, true],
    ['10', '~=', 10, false],
    [undefined, '~=', null, false],
    ['', '~=', null, true],
    ['11', '>', 10, true],
    ['9', '>', '10', false],
    ['10', '>', 10, false],
    ['10', '>=', 10, true],
    ['9', '>=', 10, false],
    ['-1', '<', 0, true],
    ['0', '<', 0, false],
    ['0', '<=', '0', true],
    ['1', '<=', 0, false],
    [undefined, '<', 10, false],
    ['nine', '<', 10, false],
    ['9', '<', 'ten', false],
    ['abc', '~~', '^[a-c]+$', true],
    ['ABC', '~~', '^[a-c]+$', false],
    [undefined, '~~', '.*', false],
    ['', '~~', '^$', true],
    ['1', '~~', 1, true],
    ['ABC', '~*', '^[a-c]+$', true],
    ['ABC', '~~', '(?i)^[a-c]+$', true],
    ['b', 'in', ['a', 'b'], true],
    ['c', 'in', ['a', 'b'], false],
    ['1', 'in', [1], false],
    [undefined, 'in', ['a'], false],
    ['a', 'in', 'a', false],
    ['a', 'IN', ['a'], true],
    ['a', 'has', 'a', false],
    ['10.1.2.3', 'ipmatch', '10.0.0.0/8', true],
    ['10.1.2.3', 'ipmatch', ['192.0.2.1', '10.1.2.3'], true],
    ['11.1.2.3', 'ipmatch', ['10.0.0.0/8'], false],
    ['somewhere', 'ipmatch', ['0.0.0.0/0'], false],
    [undefined, 'ipmatch', ['0.0.0.0/0'], false],
  ];
  for (const [argument, operator, value, expected] of table) {
    const what = JSON.stringify([argument, operator, value]);
    assert.equal(compares(argument, operator, value), expected, what);
    assert.equal(compares(argument, '!', operator, value), !expected, `not ${what}`);
  }
});

test('two entries are the short form of ==, which lowers its text', () => {
  assert.ok(compares('json', 'json'));
  assert.ok(compares('json', 'JSON'));
  assert.ok(!compares('JSON', 'JSON'));
  assert.ok(compares(undefined, '=='));
});

test('lists are AND unless they begin with another word, in any case and depth', () => {
  const [yes, no] = [
    ['method', '==', 'GET'],
    ['method', '==', 'PUT'],
  ];
  const table: readonly (readonly [readonly unknown[], boolean])[] = [
    [[], true],
    [[yes], true],
    [[yes, no], false],
    [['AND', yes, yes], true],
    [['and', yes, no], false],
    [['OR', no, yes], true],
    [['or', no, no], false],
    [['!AND', yes, no], true],
    [['!and', yes, yes], false],
    [['!OR', no, no], true],
    [['!or', no, yes], false],
    [[yes, ['OR', no, ['!OR', no, no]]], true],
    [['AND', yes, ['OR', no, ['!AND', yes, yes]]], false],
    [
      [
        [yes, yes],
        ['OR', no, [yes, yes]],
      ],
      true,
    ],
  ];
  for (const [expression, expected] of table) {
    assert.equal(holds(expression), expected, JSON.stringify(expression));
  }
});

test('random logic agrees with a slow evaluation', () => {
  type Tree = boolean | readonly [string, Tree, Tree];
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.boolean(),
      fc.tuple(fc.constantFrom('AND', 'OR', '!AND', '!OR'), tie('tree'), tie('tree')),
    ),
  }));
  const toExpression = (node: Tree): unknown[] =>
    typeof node === 'boolean'
      ? ['scheme', '==', node ? 'http' : 'https']
      : [node[0], toExpression(node[1]), toExpression(node[2])];
  const evaluate = (node: Tree): boolean => {
    if (typeof node === 'boolean') return node;
    const [left, right] = [evaluate(node[1]), evaluate(node[2])];
    const value = node[0].endsWith('AND') ? left && right : left || right;
    return node[0].startsWith('!') ? !value : value;
  };
  fc.assert(
    fc.property(tree, (node) => {
      assert.equal(holds([toExpression(node)]), evaluate(node));
    }),
    { seed, numRuns: 1_000 },
  );
});

test('an argument is the first one of its name, decoded', () => {
  const table: readonly (readonly [string, string, unknown])[] = [
    ['/?x=1&x=2', 'arg_x', '1'],
    ['/?a=b&x=1', 'arg_x', '1'],
    ['/?x=a+b%20c%2Bd', 'arg_x', 'a b c+d'],
    ['/?x=%zz%4', 'arg_x', '%zz%4'],
    ['/?x=%C3%A9', 'arg_x', 'é'],
    ['/?%78=1', 'arg_x', '1'],
    ['/?a%20b=1', 'arg_a b', '1'],
    ['/?X=1', 'arg_x', null],
    ['/?xy=1', 'arg_x', null],
    ['/?x=', 'arg_x', ''],
    ['/?x', 'arg_x', true],
    ['/?&&x=1', 'arg_x', '1'],
    ['/?a=x=1', 'arg_x', null],
    ['/?x=a=b', 'arg_x', 'a=b'],
    ['/?x=a?b', 'arg_x', 'a?b'],
    ['/?', 'arg_x', null],
    ['/', 'arg_x', null],
    [`/?${'a&'.repeat(99)}x=1`, 'arg_x', '1'],
    [`/?${'a&'.repeat(100)}x=1`, 'arg_x', null],
  ];
  for (const [target, name, value] of table) {
    assert.ok(holds([[name, '==', value]], { target }), `${target} ${name} ${String(value)}`);
  }
  assert.ok(holds([['arg_x', '~~', 'true']], { target: '/?x' }));
});

test('a header is found by its name with _ for -, all of its lines in one', () => {
  const headers = ['x-a-b', '1', 'x_c', '2', 'x-d', '3', 'x-d', '4', 'x-forwarded-for', 'never here'];
  const table: readonly (readonly [string, unknown])[] = [
    ['http_x_a_b', '1'],
    ['http_X-A-B', '1'],
    ['http_x_c', '2'],
    ['http_x_d', '3, 4'],
    ['http_x_e', null],
    ['http_host', 'A.Example:8080'],
    ['http_x_forwarded_for', '198.51.100.1'],
  ];
  for (const [name, value] of table) {
    const subject = { headers, host: 'A.Example:8080', forwardedFor: '198.51.100.1' };
    assert.ok(holds([[name, '==', value]], subject), `${name} ${String(value)}`);
  }
  assert.ok(holds([['http_x_forwarded_for', '==', null]], { headers }));
  assert.ok(holds([['http_x_a_b', '==', null]], { headers, received: 2 }), 'added for the primary');
  assert.ok(holds([['http_x_n', '==', 'é']], { headers: ['x-n', Buffer.from('é').toString('latin1')] }));
});

test('a cookie is the last one of its name, raw', () => {
  const table: readonly (readonly [readonly string[], string, unknown])[] = [
    [['a=1; b=2'], 'cookie_b', '2'],
    [['a=1;b=2'], 'cookie_b', '2'],
    [['b=1; b=2'], 'cookie_b', '2'],
    [['b=%20"x"'], 'cookie_b', '%20"x"'],
    [['b=1=2'], 'cookie_b', '1=2'],
    [['b='], 'cookie_b', ''],
    [['b=; a=1'], 'cookie_b', ''],
    [['b'], 'cookie_b', null],
    [['bb=1'], 'cookie_b', null],
    [['B=1'], 'cookie_b', null],
    [['a=1', 'b=2'], 'cookie_b', '2'],
    [[], 'cookie_b', null],
  ];
  for (const [lines, name, value] of table) {
    const headers = lines.flatMap((line) => ['cookie', line]);
    assert.ok(holds([[name, '==', value]], { headers }), JSON.stringify([lines, value]));
  }
});

test('the other variables', () => {
  const subject = {
    method: 'PATCH',
    target: '/A%20b/./c?q=1&r',
    host: 'A.Example:8080',
    address: '2001:db8::1',
    secure: true,
  };
  const table: Record<string, unknown> = {
    method: 'PATCH',
    request_method: 'PATCH',
    uri: '/A%20b/./c',
    request_uri: '/A%20b/./c?q=1&r',
    args: 'q=1&r',
    query_string: 'q=1&r',
    host: 'a.example',
    remote_addr: '2001:db8::1',
    scheme: 'https',
  };
  for (const [name, value] of Object.entries(table)) assert.ok(holds([[name, '==', value]], subject), name);
  assert.ok(holds([['scheme', '==', 'http']]));
  assert.ok(holds([['args', '==', null]], { target: '/' }));
  assert.ok(holds([['args', '==', '']], { target: '/?' }));
});

test('what is wrong is named, with its place', () => {
  const fine = ['arg_a', '==', '1'];
  const deep = (depth: number): unknown[] => (depth === 0 ? fine : [deep(depth - 1)]);
  const table: readonly (readonly [unknown, readonly number[], RegExp])[] = [
    ['text', [], /must be a list/],
    [{ a: 1 }, [], /must be a list/],
    [null, [], /must be a list/],
    [fine, [], /must be a list of lists/],
    [[1], [], /must be a list of lists/],
    [[fine, 'x'], [1], /must be a list: a comparison/],
    [[[]], [0], /must not be empty/],
    [['OR', fine], [], /two conditions or more behind OR/],
    [[['OR', fine]], [0], /two conditions or more/],
    [[['arg_a']], [0], /must be a comparison/],
    [[[1, '==', 1]], [0], /must be a comparison/],
    [[['arg_a', 1, 1]], [0], /must be a comparison/],
    [[['arg_a', '=', '1']], [0, 1], /one of the operators/],
    [[['arg_a', '!', '1']], [0, 1], /one of the operators/],
    [[['arg_a', '!', '=', '1']], [0, 2], /one of the operators/],
    [[['arg_a', 'not', '==', '1']], [0, 1], /must be "!"/],
    [[['arg_a', '!', '==', '1', '2']], [0], /must be \[variable/],
    [[fine, ['server_port', '==', '1']], [1, 0], /umbra knows: arg_NAME.*scheme/],
    [[['arg_', '==', '1']], [0, 0], /umbra knows/],
    [[['graphql_name', '==', '1']], [0, 0], /umbra knows/],
    [[['http_', '==', '1']], [0, 0], /umbra knows/],
    [[['http_a b', '==', '1']], [0, 0], /name of a header/],
    [[['http_upgrade', '==', 'websocket']], [0, 0], /belongs to one connection/],
    [[['http_transfer_encoding', '==', 'chunked']], [0, 0], /belongs to one connection/],
    [[[`arg_${'a'.repeat(253)}`, '==', '1']], [0, 0], /at most 256 characters/],
    [[['arg_a', '~~', '(']], [0, 2], /does not compile: Unterminated group/],
    [[['arg_a', '!', '~*', '(']], [0, 3], /does not compile/],
    [[['arg_a', '~~', '\\Ax']], [0, 2], /has \\A, which means something else/],
    [[['arg_a', '~~', '[[:alpha:]]']], [0, 2], /has \[\[:/],
    [[['arg_a', '~~', ['a']]], [0, 2], /must be text/],
    [[['arg_a', '~~']], [0, 2], /must be text/],
    [[['arg_a', '~~', 'a'.repeat(EXPRESSION_REGEX_MAX + 1)]], [0, 2], /at most 1024 characters/],
    [[['arg_a', '==', 'a'.repeat(8193)]], [0, 2], /at most 8192 characters/],
    [[['arg_a', 'in', ['b', 'a'.repeat(8193)]]], [0, 2, 1], /at most 8192 characters/],
    [[['arg_a', 'in', new Array(1025).fill('a')]], [0, 2], /at most 1024 entries/],
    [[['remote_addr', 'ipmatch', '10.0.0.0/33']], [0, 2], /IPv4 or IPv6/],
    [[['remote_addr', 'ipmatch', ['10.0.0.1', 'x']]], [0, 2, 1], /IPv4 or IPv6/],
    [[['remote_addr', 'ipmatch', []]], [0, 2], /must have an address/],
    [[['remote_addr', 'ipmatch']], [0, 2], /IPv4 or IPv6/],
    [deep(EXPRESSION_DEPTH_MAX + 1), new Array(EXPRESSION_DEPTH_MAX + 1).fill(0), /nested deeper than 16/],
    [new Array(EXPRESSION_TERMS_MAX).fill(fine), [], /at most 256 comparisons/],
  ];
  for (const [value, path, message] of table) {
    const problem = findExpressionProblem(value);
    assert.deepEqual(problem?.path, path, JSON.stringify(value).slice(0, 200));
    assert.match(problem.message, message);
  }
  for (const value of [
    deep(EXPRESSION_DEPTH_MAX),
    new Array(EXPRESSION_TERMS_MAX - 1).fill(fine),
    [['arg_a', '~~', 'a'.repeat(EXPRESSION_REGEX_MAX)]],
    [['arg_a', '~~', '\\\\A']],
  ]) {
    assert.ok(Array.isArray(value));
    assert.equal(holds(value), false);
  }
});

test('whatever is found without problem compiles, and never throws', () => {
  const value = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(fc.string({ maxLength: 4 }), { maxLength: 3 }),
  );
  const operator = fc.constantFrom('==', '~=', '>', '<=', '~~', '~*', 'in', 'has', 'ipmatch', '!', 'x');
  const variable = fc.oneof(
    fc.constantFrom('arg_a', 'http_a', 'cookie_a', 'uri', 'host'),
    fc.string({ maxLength: 8 }),
  );
  const comparison = fc.oneof(
    fc.tuple(variable, operator, value),
    fc.tuple(variable, fc.constant('!'), operator, value),
    fc.array(value, { maxLength: 5 }),
  );
  const expression = fc.oneof(fc.array(comparison, { maxLength: 3 }), fc.anything({ maxDepth: 4 }));
  const text = fc.string({ unit: fc.constantFrom(...'a=&%+?;2 '), maxLength: 20 });
  let compiled = 0;
  fc.assert(
    fc.property(expression, text, (each, query) => {
      if (findExpressionProblem(each) !== null) return;
      compiled++;
      const subject = toSubject({ target: `/?${query}`, headers: ['a', query, 'cookie', query] });
      assert.equal(typeof compileExpression(each as unknown[])(subject), 'boolean');
    }),
    { seed, numRuns: 5_000 },
  );
  assert.ok(compiled > 100, `${compiled} compiled`);
});

test('a regular expression that the engine gives up on does not hold', () => {
  const target = `/?${'a'.repeat(20_000_000)}`;
  assert.throws(() => /^(?:a|b)*$/.test(target.slice(2)), RangeError, 'the engine throws for that');
  assert.equal(holds([['args', '~~', '^(?:a|b)*$']], { target }), false);
});
