// `vars` in umbra's own dialect → model.
//
// Reports what core/expression.ts finds wrong, at its place in the file.

import { findExpressionProblem } from '../core/expression.ts';
import type { Expression } from '../core/model.ts';
import type { Path } from './problem.ts';
import type { Translation } from './umbra-upstream.ts';

export function toExpression(input: Expression, at: Path, { report }: Translation): Expression {
  // What the environment did not give is missing here, and was told already.
  if (report.hasProblemUnder(at.slice(0, -1), [String(at.at(-1))])) return [];
  const problem = findExpressionProblem(input);
  if (problem === null) return input;
  const found = problem.path.reduce<unknown>((value, step) => (value as readonly unknown[])[step], input);
  report.add({ path: [...at, ...problem.path], rule: 'format', message: problem.message, found });
  return [];
}
