// `vars` in umbra's own dialect → model.
//
// Reports what core/expression.ts finds wrong, at its place in the file.

import { findExpressionProblem } from '../../core/expression.ts';
import type { Expression } from '../../core/model.ts';
import type { Path } from '../problem.ts';
import type { Translation } from './upstream.ts';

export function toExpression(input: Expression, at: Path, { report }: Translation): Expression {
  // What the environment did not give is missing here, and was told already.
  if (report.hasProblemUnder(at.slice(0, -1), [String(at.at(-1))])) return [];
  const problem = findExpressionProblem(input);
  if (problem === null) return input;
  const found = findShowable(input, problem.path);
  report.add({ path: [...at, ...problem.path], rule: 'format', message: problem.message, found });
  return [];
}

/** What stands there, unless it is what a variable is compared with: that may be a credential. */
function findShowable(expression: Expression, path: readonly number[]): unknown {
  let value: unknown = expression;
  for (const step of path) {
    const list = value as readonly unknown[];
    const isComparison = typeof list[0] === 'string' && !/^!?(?:AND|OR)$/i.test(list[0]);
    if (isComparison && step >= (list[1] === '!' ? 3 : 2)) return undefined;
    value = list[step];
  }
  return value;
}
