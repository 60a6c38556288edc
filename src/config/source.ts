// YAML text → plain values of each of its documents, with the place of each.
//
// Owns what a place in the values is in the file. Follows aliases and merge keys and reads the environment; knows nothing of
// what the values mean. Every growth is bounded, because a config may be generated: depth, and what aliases multiply.

import type { Alias, Node, Pair, YAMLMap, Scalar as YamlScalar } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter } from 'yaml';
import { type ComposedDocument, composeDocuments, DEPTH_MAX, toPosition } from './document.ts';
import { expandEnvironment, hasReference, type Syntax, toTypedScalar } from './environment.ts';
import type { Path } from './problem.ts';
import { toPathText } from './problem.ts';
import { type Places, type Position, Report } from './report.ts';

const VALUES_MAX = 1_000_000;

/** Mappings have no prototype, so that a key such as `__proto__` is a key. */
export type Tree = { [key: string]: unknown };

export interface Scalar {
  readonly path: Path;
  /** As it stands in the file. */
  readonly written: string;
  readonly quoted: boolean;
  /** What it would be if it were not text, for keys that want a number or a truth value. */
  readonly typed: string | number | boolean;
}

/** A document of a file: what it says, and whatever is said about it. */
export interface ReadDocument {
  readonly source: Source;
  readonly report: Report;
  readonly tree: unknown;
}

/** What is common to the documents of a text. */
interface Text {
  readonly text: string;
  readonly lines: LineCounter;
  readonly environment: NodeJS.ProcessEnv;
  /** So far, in all documents. */
  values: number;
}

/** What is wrong with the text as such, or too much in it, goes to `report`; then there are no documents. */
export function readDocuments(
  text: string,
  environment: NodeJS.ProcessEnv,
  report: Report,
): readonly ReadDocument[] {
  const whole: Text = { text, lines: new LineCounter(), environment, values: 0 };
  const documents: ReadDocument[] = [];
  for (const document of composeDocuments(text, whole.lines, report)) {
    const source = new Source(whole, document);
    const own = new Report(report.file, source);
    documents.push({ source, report: own, tree: source.read(own) });
    if (whole.values <= VALUES_MAX) continue;
    const message = `must have at most ${VALUES_MAX} values and ${DEPTH_MAX} levels, aliases counted`;
    report.add({ path: [], rule: 'yaml', message });
    return [];
  }
  return documents;
}

export class Source implements Places {
  readonly #whole: Text;
  readonly #expanded = new Map<string, Scalar>();
  /** By their paths' texts. */
  readonly #unresolved = new Map<string, Path>();
  readonly #references: (readonly [Path, Node])[] = [];
  readonly #pairs = new Map<YAMLMap, Map<string, Pair>>();
  readonly #targets: ReadonlyMap<Alias, Node>;
  readonly #root: Node;

  constructor(whole: Text, { root, targets }: ComposedDocument) {
    this.#whole = whole;
    this.#root = root;
    this.#targets = targets;
  }

  /** Scalars in which the environment had a part. */
  get expanded(): Iterable<Scalar> {
    return this.#expanded.values();
  }

  /** Scalars that the environment could not complete; their values mean nothing. */
  get unresolved(): readonly Path[] {
    return [...this.#unresolved.values()];
  }

  /** The values, as they are written. They mean nothing when the text has more of them than it may. */
  read(report: Report): unknown {
    return this.#toValue(this.#root, [], report);
  }

  /** Reads the environment for the values of `tree`, which was read here, and changes it: only where `isRead` says so. */
  expand(tree: unknown, syntax: Syntax, isRead: (path: Path) => boolean, report: Report): void {
    for (const [path, node] of this.#references) {
      if (path.length === 0 || !isRead(path)) continue;
      const text = this.#expand(path, node, syntax, report);
      if (text === null) continue;
      const parent = path.slice(0, -1).reduce((value, step) => (value as Tree)[step], tree);
      (parent as Tree)[path.at(-1)!] = text;
    }
  }

  /** The scalar at that path, if the environment had a part in it. */
  findExpanded(path: Path): Scalar | null {
    return this.#expanded.size === 0 ? null : (this.#expanded.get(toPathText(path)) ?? null);
  }

  isUnresolved(path: Path): boolean {
    return this.#unresolved.size > 0 && this.#unresolved.has(toPathText(path));
  }

  locate(path: Path, atKey: boolean): Position {
    let parent: Node | null = this.#root;
    let at = parent.range?.[0] ?? 0;
    for (const [depth, step] of path.entries()) {
      const pair = isMap(parent) ? this.#listPairs(parent).get(String(step)) : undefined;
      const value = isSeq(parent) ? parent.items[Number(step)] : pair?.value;
      const key = pair?.key as Node | undefined;
      const node: Node | null | undefined = value as Node | null | undefined;
      const isKeyWanted = atKey && depth === path.length - 1;
      at = (isKeyWanted ? key?.range?.[0] : node?.range?.[0]) ?? key?.range?.[0] ?? at;
      parent = this.#resolve(node ?? null);
    }
    return toPosition(this.#whole.lines, at);
  }

  #toValue(node: Node | null, path: Path, report: Report): unknown {
    this.#whole.values++;
    const target = this.#resolve(node);
    // Aliases can nest and multiply without end; past the bounds nothing is read, and readDocuments() says so.
    if (this.#whole.values > VALUES_MAX || target === null) return null;
    if (path.length > DEPTH_MAX) {
      this.#whole.values = VALUES_MAX + 1;
      return null;
    }
    if (isMap(target)) return this.#toMapping(target, path, report);
    if (isSeq(target)) {
      return target.items.map((item, index) => this.#toValue(item as Node, [...path, index], report));
    }
    return isScalar(target) ? this.#toScalar(target, path) : null;
  }

  #toMapping(map: YAMLMap, path: Path, report: Report): Tree {
    const own = new Set<string>();
    for (const pair of map.items) {
      const position = toPosition(this.#whole.lines, (pair.key as Node | null)?.range?.[0] ?? 0);
      const key = toKey(pair);
      if (isMerge(pair)) {
        if (this.#listMerged(pair).every((source) => isMap(source))) continue;
        report.add({ path, rule: 'yaml', message: 'can merge (<<) only mappings', position });
      } else if (own.has(key)) {
        const message = 'is given twice in the same mapping';
        report.add({ path: [...path, key], rule: 'duplicate', message, position });
      }
      own.add(key);
    }
    const values: Tree = Object.create(null);
    for (const [key, pair] of this.#listPairs(map)) {
      values[key] = this.#toValue(pair.value as Node | null, [...path, key], report);
    }
    return values;
  }

  #listMerged(pair: Pair): (Node | null)[] {
    const source = this.#resolve(pair.value as Node | null);
    return isSeq(source) ? source.items.map((item) => this.#resolve(item as Node)) : [source];
  }

  #toScalar(node: Node, path: Path): unknown {
    if (!isScalar(node)) return null;
    if (typeof node.value === 'string' && hasReference(node.value)) this.#references.push([path, node]);
    return node.value;
  }

  /** Null when it has no reference. */
  #expand(path: Path, node: Node, syntax: Syntax, report: Report): string | null {
    const written = String((node as YamlScalar).value);
    const expansion = expandEnvironment(written, this.#whole.environment, syntax);
    if (expansion === null) return null;
    const { text, problems } = expansion;
    for (const { at, message } of problems) {
      report.add({ path, rule: 'environment', message, position: this.#locateInside(node, written, at) });
    }
    if (problems.length > 0) this.#unresolved.set(toPathText(path), path);
    const quoted = (node as YamlScalar).type !== 'PLAIN';
    this.#expanded.set(toPathText(path), { path, written, quoted, typed: toTypedScalar(text) });
    return text;
  }

  /** Where the text behind `at` stands in the file; the scalar's start when folding or escapes moved it. */
  #locateInside(node: Node, written: string, at: number): Position {
    const [from, to] = node.range ?? [0, 0];
    const reference = /^\$\{[^}]{0,256}\}?/.exec(written.slice(at, at + 300))?.[0] ?? '';
    // The same reference may stand there several times: take the one with as many before it.
    const before = written.slice(0, at).split(reference).length - 1;
    let found = from;
    for (let count = 0; count <= before; count++) {
      const next = this.#whole.text.indexOf(reference, count === 0 ? found : found + 1);
      if (next === -1 || next >= to) return toPosition(this.#whole.lines, from);
      found = next;
    }
    return toPosition(this.#whole.lines, found);
  }

  /** Own pairs, the first of a key that is given twice, then merged ones: https://yaml.org/type/merge.html. */
  #listPairs(map: YAMLMap): ReadonlyMap<string, Pair> {
    const known = this.#pairs.get(map);
    if (known !== undefined) return known;
    const pairs = new Map<string, Pair>();
    // Known from here on, so that a mapping that merges itself comes to an end.
    this.#pairs.set(map, pairs);
    for (const pair of map.items) {
      if (!isMerge(pair) && !pairs.has(toKey(pair))) pairs.set(toKey(pair), pair);
    }
    for (const source of map.items.filter(isMerge).flatMap((pair) => this.#listMerged(pair))) {
      for (const [key, pair] of isMap(source) ? this.#listPairs(source) : []) {
        if (!pairs.has(key)) pairs.set(key, pair);
      }
    }
    return pairs;
  }

  #resolve(node: Node | null): Node | null {
    let target = node;
    while (isAlias(target)) target = this.#targets.get(target) ?? null;
    return target;
  }
}

function isMerge(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.type === 'PLAIN' && pair.key.value === '<<';
}

function toKey(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : '';
}
