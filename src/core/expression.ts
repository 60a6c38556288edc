// APISIX's `vars`: conditions on what a request is made of, checked and compiled.
//
// Owns the form and the operators, as lua-resty-expr has them; the variables are request-variable.ts's. A compiled
// expression makes no closure for a request, and no exception leaves it: whatever cannot be evaluated does not hold.
// A regular expression may take long for a text that was made for it, so its length is bounded here; the edge bounds texts.

import { AddressSet, findAddressProblem } from './address-set.ts';
import type { Expression } from './model.ts';
import {
  type ExpressionSubject,
  findVariableProblem,
  type ReadVariable,
  toBytes,
  toVariable,
  type VariableValue,
} from './request-variable.ts';

export const EXPRESSION_DEPTH_MAX = 16;
/** Comparisons and lists, all in all. */
export const EXPRESSION_TERMS_MAX = 256;
/** Characters of a regular expression. */
export const EXPRESSION_REGEX_MAX = 1024;
/** Characters of any other text. */
const TEXT_LENGTH_MAX = 8192;
/** Entries of the list behind `in` and `ipmatch`. */
const LIST_LENGTH_MAX = 1024;

export interface ExpressionProblem {
  /** From the expression's own root. */
  readonly path: readonly number[];
  /** What is wrong, without the value. */
  readonly message: string;
}

type Test = (subject: ExpressionSubject) => boolean;

interface Comparison {
  readonly variable: string;
  readonly reversed: boolean;
  /** Lower case. */
  readonly operator: string;
  readonly value: unknown;
  /** Where `value` stands. */
  readonly valueAt: number;
}

const LOGIC: ReadonlySet<string> = new Set(['AND', 'OR', '!AND', '!OR']);
const OPERATORS: ReadonlySet<string> = new Set([
  '==',
  '~=',
  '>',
  '>=',
  '<',
  '<=',
  '~~',
  '~*',
  'in',
  'has',
  'ipmatch',
]);
/** What PCRE understands and JavaScript takes for something else. */
const FOREIGN_REGEX = /\\[AzZGKQRXhHN]|\[\[:|\[\^\[:/;
const INLINE_CASE = '(?i)';

/** The first problem of what is meant to be an expression; null when it can be compiled. */
export function findExpressionProblem(value: unknown): ExpressionProblem | null {
  if (!Array.isArray(value)) return { path: [], message: 'must be a list of comparisons' };
  if (value.length === 0) return null;
  if (!Array.isArray(value[0]) && !isLogic(value[0])) {
    const message =
      'must be a list of lists, such as [["arg_name", "==", "json"]], or begin with AND, OR, !AND or !OR';
    return { path: [], message };
  }
  return findListProblem(value, [], { terms: 0 });
}

/** For an expression without problem. */
export function compileExpression(expression: Expression): Test {
  if (expression.length === 0) return () => true;
  const test = compileList(expression);
  return (subject) => {
    try {
      return test(subject);
    } catch {
      // The engine gives up on some regular expressions by throwing.
      return false;
    }
  };
}

function findListProblem(
  list: readonly unknown[],
  path: readonly number[],
  count: { terms: number },
): ExpressionProblem | null {
  if (++count.terms > EXPRESSION_TERMS_MAX) {
    return { path: [], message: `must have at most ${EXPRESSION_TERMS_MAX} comparisons and lists` };
  }
  if (path.length > EXPRESSION_DEPTH_MAX) {
    return { path, message: `must not be nested deeper than ${EXPRESSION_DEPTH_MAX} lists` };
  }
  if (list.length === 0) return { path, message: 'must not be empty' };
  const isLed = isLogic(list[0]);
  if (!isLed && !Array.isArray(list[0])) return findComparisonProblem(list, path);
  if (isLed && list.length < 3) {
    return { path, message: `must have two conditions or more behind ${String(list[0])}` };
  }
  for (let at = isLed ? 1 : 0; at < list.length; at++) {
    const entry: unknown = list[at];
    if (!Array.isArray(entry))
      return { path: [...path, at], message: 'must be a list: a comparison, or several' };
    const problem = findListProblem(entry, [...path, at], count);
    if (problem !== null) return problem;
  }
  return null;
}

function findComparisonProblem(list: readonly unknown[], path: readonly number[]): ExpressionProblem | null {
  if (list.length > 4)
    return {
      path,
      message: 'must be [variable, operator, value], with "!" before the operator to negate it',
    };
  if (list.length === 4 && list[1] !== '!') {
    return { path: [...path, 1], message: 'must be "!", since four entries are a negated comparison' };
  }
  const comparison = readComparison(list);
  if (comparison === null) {
    return { path, message: 'must be a comparison: [variable, operator, value]' };
  }
  const wrongVariable = findVariableProblem(comparison.variable);
  if (wrongVariable !== null) return { path: [...path, 0], message: wrongVariable };
  if (!OPERATORS.has(comparison.operator)) {
    const known = [...OPERATORS].join(' ');
    return { path: [...path, comparison.valueAt - 1], message: `must be one of the operators ${known}` };
  }
  return findValueProblem(comparison, path);
}

function findValueProblem(
  { operator, value, valueAt }: Comparison,
  path: readonly number[],
): ExpressionProblem | null {
  const at = [...path, valueAt];
  if (operator === '~~' || operator === '~*') {
    const message = findRegexProblem(value);
    return message === null ? null : { path: at, message };
  }
  const entries: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (entries.length > LIST_LENGTH_MAX)
    return { path: at, message: `must have at most ${LIST_LENGTH_MAX} entries` };
  const long = entries.findIndex((entry) => typeof entry === 'string' && entry.length > TEXT_LENGTH_MAX);
  if (long !== -1) {
    return {
      path: Array.isArray(value) ? [...at, long] : at,
      message: `must have at most ${TEXT_LENGTH_MAX} characters`,
    };
  }
  if (operator !== 'ipmatch') return null;
  if (entries.length === 0) return { path: at, message: 'must have an address' };
  for (const [index, entry] of entries.entries()) {
    const message = typeof entry === 'string' ? findAddressProblem(entry) : findAddressProblem('');
    if (message !== null) return { path: Array.isArray(value) ? [...at, index] : at, message };
  }
  return null;
}

function findRegexProblem(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number') return 'must be text: a regular expression';
  const source = String(value);
  if (source.length > EXPRESSION_REGEX_MAX) {
    return `must be a regular expression of at most ${EXPRESSION_REGEX_MAX} characters`;
  }
  // A backslash that is itself escaped says nothing about what follows.
  const foreign = FOREIGN_REGEX.exec(source.replaceAll('\\\\', '__'));
  if (foreign !== null)
    return `has ${foreign[0]}, which means something else in JavaScript's regular expressions`;
  try {
    toRegex(source, false);
    return null;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return `does not compile: ${message.slice(message.lastIndexOf(': ') + 2)}`;
  }
}

/** Case-insensitive also by the one option that people write at the start of a PCRE expression. */
function toRegex(source: string, ignoresCase: boolean): RegExp {
  const isInline = source.startsWith(INLINE_CASE);
  const body = isInline ? source.slice(INLINE_CASE.length) : source;
  return new RegExp(toBytes(body), ignoresCase || isInline ? 'i' : '');
}

function isLogic(value: unknown): value is string {
  return typeof value === 'string' && LOGIC.has(value.toUpperCase());
}

/** Null when it has not even a variable and something to compare with. */
function readComparison(list: readonly unknown[]): Comparison | null {
  const [variable, second] = list;
  if (typeof variable !== 'string') return null;
  const reversed = list.length === 4;
  const operator = reversed ? list[2] : second;
  if (
    !reversed &&
    list.length === 2 &&
    !(typeof second === 'string' && OPERATORS.has(second.toLowerCase()))
  ) {
    // The short form of ==; lua-resty-expr lowers the text, as it would an operator.
    if (typeof second !== 'string' && typeof second !== 'number') return null;
    return { variable, reversed: false, operator: '==', value: String(second).toLowerCase(), valueAt: 1 };
  }
  if (typeof operator !== 'string') return null;
  const valueAt = reversed ? 3 : 2;
  return { variable, reversed, operator: operator.toLowerCase(), value: list[valueAt] ?? null, valueAt };
}

function compileList(list: Expression): Test {
  const [first] = list;
  if (!Array.isArray(first) && !isLogic(first)) return compileComparison(readComparison(list)!);
  const logic = isLogic(first) ? first.toUpperCase() : 'AND';
  const tests = (isLogic(first) ? list.slice(1) : list).map((entry) => compileList(entry as Expression));
  switch (logic) {
    case 'AND':
      return (subject) => tests.every((test) => test(subject));
    case 'OR':
      return (subject) => tests.some((test) => test(subject));
    case '!AND':
      return (subject) => !tests.every((test) => test(subject));
    default:
      return (subject) => !tests.some((test) => test(subject));
  }
}

function compileComparison({ variable, reversed, operator, value }: Comparison): Test {
  const read: ReadVariable = toVariable(variable);
  const compare = compileOperator(operator, value);
  return (subject) => compare(read(subject)) !== reversed;
}

function compileOperator(operator: string, value: unknown): (left: VariableValue) => boolean {
  switch (operator) {
    case '==':
      return compileEquality(value);
    case '~=': {
      const isEqual = compileEquality(value);
      return (left) => !isEqual(left);
    }
    case '~~':
    case '~*': {
      const regex = toRegex(String(value), operator === '~*');
      return (left) => left !== null && regex.test(String(left));
    }
    case 'in': {
      const texts = new Set(Array.isArray(value) ? value.map(toComparable) : []);
      return (left) => left !== null && texts.has(left);
    }
    case 'ipmatch': {
      const addresses = new AddressSet((Array.isArray(value) ? value : [value]) as string[]);
      return (left) => typeof left === 'string' && addresses.has(left);
    }
    case 'has':
      // No variable of a request is a list.
      return () => false;
    default:
      return compileOrder(operator, toNumber(value));
  }
}

/** A number is compared as a number, all else as it is; null is what a missing variable equals. */
function compileEquality(value: unknown): (left: VariableValue) => boolean {
  if (typeof value === 'number') return (left) => toNumber(left) === value;
  const right = toComparable(value);
  return (left) => left === right;
}

function compileOrder(operator: string, right: number | null): (left: VariableValue) => boolean {
  if (right === null) return () => false;
  return (left) => {
    const number = toNumber(left);
    if (number === null) return false;
    if (operator === '>') return number > right;
    if (operator === '>=') return number >= right;
    return operator === '<' ? number < right : number <= right;
  };
}

function toComparable(value: unknown): unknown {
  return typeof value === 'string' ? toBytes(value) : value;
}

/** As Lua's tonumber(): decimal or hexadecimal, with white space around it; null for anything else. */
function toNumber(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return null;
  const text = value.trim();
  if (/^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(text)) return Number(text);
  const hex = /^([+-]?)0[xX]([0-9A-Fa-f]+)$/.exec(text);
  if (hex === null) return null;
  const magnitude = Number.parseInt(hex[2]!, 16);
  return hex[1] === '-' ? -magnitude : magnitude;
}
