// Collects the problems of one document of a file.
//
// Owns how a place in the values becomes a place in the file. Never throws: reading goes on behind a problem, so that
// all of them are told at once.

import type { Path, Problem, Rule } from './problem.ts';
import { isShowable, toFoundText, toPathText, toShownPath } from './problem.ts';
import type { Scalar } from './source.ts';

/** From 1, both. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where a file's values stand. */
export interface Places {
  /** The value at that path, or its key; of what does not exist, the nearest parent's place. */
  locate(path: Path, atKey: boolean): Position;
  /** The scalar at that path, if the environment had a part in its value. */
  findExpanded(path: Path): Scalar | null;
  /** Whether the environment could not complete the scalar at that path. */
  isUnresolved(path: Path): boolean;
}

export interface Finding {
  readonly path: Path;
  readonly rule: Rule;
  readonly message: string;
  /** The offending value; leave it out where it may be secret. */
  readonly found?: unknown;
  readonly suggestion?: string | null;
  /** Whether the key is at fault, not its value. */
  readonly atKey?: boolean;
  /** Where it is, when it is not where the path says. */
  readonly position?: Position;
}

export class Report {
  readonly file: string;
  readonly #places: Places | null;
  readonly #problems: Problem[] = [];
  /** The paths of all problems, and of what contains them. */
  readonly #touched = new Set<string>();

  /** Without places every problem is at the start of the file. */
  constructor(file: string, places: Places | null) {
    this.file = file;
    this.#places = places;
  }

  add(finding: Finding): void {
    for (let depth = finding.path.length; depth > 0; depth--) {
      this.#touched.add(toPathText(finding.path.slice(0, depth)));
    }
    this.#problems.push(this.describe(finding));
  }

  /** The problem that a finding would be, for notices. */
  describe(finding: Finding): Problem {
    const position = finding.position ?? this.#locate(finding.path, finding.atKey === true);
    return {
      file: this.file,
      line: position.line,
      column: position.column,
      path: toShownPath(finding.path),
      rule: finding.rule,
      message: finding.message,
      found: this.#toFound(finding),
      suggestion: finding.suggestion ?? null,
    };
  }

  /** Whether anything at or below one of these keys of `path` is wrong. */
  hasProblemUnder(path: Path, keys: readonly string[]): boolean {
    return keys.some((key) => this.#touched.has(toPathText([...path, key])));
  }

  /** What the environment made of the scalar at that path; null when it had no part in it. */
  findExpanded(path: Path): Scalar | null {
    return this.#places?.findExpanded(path) ?? null;
  }

  /** Whether the value at that path could not be completed, which was reported. */
  isUnresolved(path: Path): boolean {
    return this.#places?.isUnresolved(path) ?? false;
  }

  /** Another place as it is named in this report: `line 7`, or `other.yaml:7` when it is in another file. */
  name(other: Report, path: Path): string {
    const { line } = other.#locate(path, false);
    return other.file === this.file ? `line ${line}` : `${other.file}:${line}`;
  }

  lineOf(path: Path): number {
    return this.#locate(path, false).line;
  }

  /** In the order of the file. What an alias repeats is told once, under the path where it came first. */
  list(): Problem[] {
    const sorted = this.#problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
    const seen = new Set<string>();
    return sorted.filter((problem) => {
      const { line, column, rule, message, found, path } = problem;
      const key = path.slice(Math.max(path.lastIndexOf('.'), path.lastIndexOf('[')));
      const same = JSON.stringify([line, column, rule, message, found, key]);
      if (seen.has(same)) return false;
      seen.add(same);
      return true;
    });
  }

  #locate(path: Path, atKey: boolean): Position {
    return this.#places?.locate(path, atKey) ?? { line: 1, column: 1 };
  }

  /** What comes from the environment is shown as it is written: it is where secrets come from. */
  #toFound(finding: Finding): string | null {
    if (finding.found === undefined) return null;
    const written = finding.atKey === true ? null : this.#places?.findExpanded(finding.path)?.written;
    const found = written ?? finding.found;
    return isShowable(found) ? toFoundText(found) : null;
  }
}
