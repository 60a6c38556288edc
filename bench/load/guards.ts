// Guards: ratios of one run that must not be worse than bench/guards.yaml says.
//
// A guard whose figure was not measured is named, never taken as held.

import { isMap, isSeq, LineCounter, parseDocument } from 'yaml';
import { toFixed } from '../table.ts';
import { FIGURE_NAMES, type FigureName, type Findings } from './findings.ts';

export interface Guard {
  readonly figure: FigureName;
  readonly row: string;
  readonly baseline: string;
  /** The ratio row ÷ baseline may be this at most. */
  readonly max: number;
}

export type Verdict = 'held' | 'broken' | 'not measured';

const KEYS = ['figure', 'row', 'baseline', 'max'];

/** Throws with every problem, each with its line. `rows` are the names that a guard may use. */
export function parseGuards(text: string, rows: readonly string[]): Guard[] {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  const problems = document.errors.map(({ message }) => message);
  const guards: Guard[] = [];
  const list = document.get('guards');
  if (!isSeq(list) || list.items.length === 0)
    problems.push('guards: a list with at least one guard is missing');
  for (const item of isSeq(list) ? list.items : []) {
    const at = isMap(item) && item.range ? counter.linePos(item.range[0]).line : 0;
    const entry: unknown = isMap(item) ? item.toJSON() : null;
    const found = toProblems(entry, rows);
    problems.push(...found.map((problem) => `line ${at}: ${problem}`));
    if (found.length === 0) guards.push(entry as Guard);
  }
  if (problems.length > 0) throw new Error(`bench/guards.yaml:\n  ${problems.join('\n  ')}`);
  return guards;
}

function toProblems(entry: unknown, rows: readonly string[]): string[] {
  if (typeof entry !== 'object' || entry === null)
    return ['a guard is a map of figure, row, baseline and max'];
  const { figure, row, baseline, max } = entry as Record<string, unknown>;
  const problems = Object.keys(entry)
    .filter((key) => !KEYS.includes(key))
    .map((key) => `${key}: unknown key; a guard has ${KEYS.join(', ')}`);
  if (!FIGURE_NAMES.includes(figure as string)) {
    problems.push(`figure: one of ${FIGURE_NAMES.join(', ')}, found ${JSON.stringify(figure)}`);
  }
  for (const [key, value] of [
    ['row', row],
    ['baseline', baseline],
  ] as const) {
    if (!rows.includes(value as string)) {
      problems.push(`${key}: one of ${rows.join(', ')}, found ${JSON.stringify(value)}`);
    }
  }
  if (typeof max !== 'number' || !(max > 0))
    problems.push(`max: a number above 0, found ${JSON.stringify(max)}`);
  return problems;
}

export function judge(
  guard: Guard,
  findings: Findings,
): { readonly verdict: Verdict; readonly reached: number } {
  const reached = findings.ratio(guard.row, guard.baseline, guard.figure).median;
  if (Number.isNaN(reached)) return { verdict: 'not measured', reached };
  return { verdict: reached <= guard.max ? 'held' : 'broken', reached };
}

/** A line for each guard. */
export function toGuardLines(guards: readonly Guard[], findings: Findings): string[] {
  return guards.map((guard) => {
    const { verdict, reached } = judge(guard, findings);
    const ratio = Number.isNaN(reached) ? '–' : toFixed(reached, 3);
    return `${verdict}: ${guard.figure} of ${guard.row} ÷ ${guard.baseline} is ${ratio}, at most ${toFixed(guard.max, 2)}`;
  });
}
