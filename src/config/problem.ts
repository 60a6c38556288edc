// What is wrong with a config file, and how an operator is told.
//
// Owns the shape and the text of a problem. Never decides what is a problem, and never prints a secret: whoever
// reports one leaves `found` null where the value may be secret.

/** Keys and indexes from the root of the file. */
export type Path = readonly (string | number)[];

export type Rule =
  | 'file'
  | 'yaml'
  | 'environment'
  | 'unknown_key'
  | 'required'
  | 'type'
  | 'range'
  | 'choice'
  | 'format'
  | 'duplicate'
  | 'conflict'
  | 'not_served';

export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number;
  /** As in `routes[0].mirror.percentage`; empty when the file as a whole is meant. */
  readonly path: string;
  readonly rule: Rule;
  /** What is wrong, without the path and without the value. */
  readonly message: string;
  /** The offending value as it is to be printed, or null when there is none or it may be secret. */
  readonly found: string | null;
  /** The nearest known key or value, for what looks like a typo. */
  readonly suggestion: string | null;
}

const FOUND_LENGTH_MAX = 80;

/** Carries every problem of a file, in the order of their positions. The only error that config/ throws. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** `file:line:column: path: what is wrong, found VALUE, did you mean "KEY"?` */
export function formatProblem(problem: Problem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}: `;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  const found = problem.found === null ? '' : `, found ${problem.found}`;
  const suggestion = problem.suggestion === null ? '' : `, did you mean "${problem.suggestion}"?`;
  return place + path + problem.message + found + suggestion;
}

/** Whether a text may be printed: what has an @ may be a URL with a password, wherever it got lost. */
export function isShowable(value: unknown): boolean {
  return typeof value !== 'string' || !value.includes('@');
}

/** As toPathText, without keys that must not be printed. */
export function toShownPath(path: Path): string {
  return toPathText(path.map((step) => (isShowable(step) ? step : '(hidden)')));
}

export function toPathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[\w*$-]+$/.test(step)) text += `[${toFoundText(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** A value as a problem prints it: one line of bounded length. */
export function toFoundText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) {
    return Object.keys(value).length === 0 ? 'an empty mapping' : 'a mapping';
  }
  if (typeof value !== 'string') return String(value);
  const text = JSON.stringify(value);
  return text.length <= FOUND_LENGTH_MAX ? text : `${text.slice(0, FOUND_LENGTH_MAX)}…"`;
}

/** The known word that a typo was probably meant to be, or null when none is near. */
export function findNearest(word: string, known: readonly string[]): string | null {
  let nearest: string | null = null;
  let nearestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const longest = Math.max(word.length, candidate.length);
    const allowed = Math.max(1, Math.floor(longest / 3));
    // The lengths alone tell that it is too far; this also bounds the work that a huge key can cause.
    if (Math.abs(word.length - candidate.length) > allowed) continue;
    const distance = countEdits(word.toLowerCase(), candidate.toLowerCase());
    if (distance <= allowed && distance < longest && distance < nearestDistance) {
      nearest = candidate;
      nearestDistance = distance;
    }
  }
  return nearest;
}

/** Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours. */
function countEdits(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let edits = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1));
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) edits = Math.min(edits, beforeLast[column - 2]! + 1);
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length]!;
}
