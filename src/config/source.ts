// YAML text → plain values, with the place of each.
//
// Owns what a place in the values is in the file. Follows aliases and merge keys and reads the environment; knows nothing of
// what the values mean. Every growth is bounded, because a config may be generated: depth, and what aliases multiply.

import type { Alias, Node, Pair, YAMLMap } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter } from 'yaml';
import { composeDocument, DEPTH_MAX, toPosition } from './document.ts';
import { expandEnvironment, hasReference, toTypedScalar } from './environment.ts';
import type { Path } from './problem.ts';
import { toPathText } from './problem.ts';
import type { Places, Position, Report } from './report.ts';

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

export class Source implements Places {
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #environment: NodeJS.ProcessEnv;
  readonly #expanded = new Map<string, Scalar>();
  readonly #unresolved: Path[] = [];
  readonly #pairs = new Map<YAMLMap, ReadonlyMap<string, Pair>>();
  #targets: ReadonlyMap<Alias, Node> = new Map();
  #root: Node | null = null;
  #values = 0;

  constructor(text: string, environment: NodeJS.ProcessEnv) {
    this.#text = text;
    this.#environment = environment;
  }

  /** Scalars in which the environment had a part. */
  get expanded(): Iterable<Scalar> {
    return this.#expanded.values();
  }

  /** Scalars that the environment could not complete; their values mean nothing. */
  get unresolved(): readonly Path[] {
    return this.#unresolved;
  }

  /** The values, or undefined when the text is so broken that they would mislead; the report says why. */
  read(report: Report): unknown {
    const document = composeDocument(this.#text, this.#lines, report);
    if (document === null) return undefined;
    this.#root = document.root;
    this.#targets = document.targets;
    const tree = this.#toValue(this.#root, [], report);
    if (this.#values <= VALUES_MAX) return tree;
    const message = `must have at most ${VALUES_MAX} values and ${DEPTH_MAX} levels, aliases counted`;
    report.add({ path: [], rule: 'yaml', message });
    return undefined;
  }

  locate(path: Path, atKey: boolean): Position {
    let node = this.#root;
    let at = node?.range?.[0] ?? 0;
    for (const [depth, step] of path.entries()) {
      const pair = isMap(node) ? this.#findPair(node, String(step)) : null;
      const next = this.#resolve(isSeq(node) ? (node.items[Number(step)] as Node) : (pair?.value ?? null));
      const key = pair?.key as Node | undefined;
      if (next === null && key === undefined) break;
      const isKeyWanted = atKey && depth === path.length - 1;
      at = (isKeyWanted ? key?.range?.[0] : next?.range?.[0]) ?? key?.range?.[0] ?? at;
      node = next;
    }
    return toPosition(this.#lines, at);
  }

  findWritten(path: Path): string | null {
    return this.#expanded.get(toPathText(path))?.written ?? null;
  }

  #toValue(node: Node | null, path: Path, report: Report): unknown {
    this.#values++;
    const target = this.#resolve(node);
    // Aliases can nest and multiply without end; past the bounds nothing is read, and read() says so.
    if (this.#values > VALUES_MAX || target === null) return null;
    if (path.length > DEPTH_MAX) {
      this.#values = VALUES_MAX + 1;
      return null;
    }
    if (isMap(target)) return this.#toMapping(target, path, report);
    if (isSeq(target)) {
      return target.items.map((item, index) => this.#toValue(item as Node, [...path, index], report));
    }
    return isScalar(target) ? this.#toScalar(target, path, report) : null;
  }

  #toMapping(map: YAMLMap, path: Path, report: Report): Tree {
    const values: Tree = Object.create(null);
    const merged: Pair[] = [];
    for (const pair of map.items) {
      if (isMerge(pair)) {
        merged.push(pair);
        continue;
      }
      const key = toKey(pair);
      const keyPath = [...path, key];
      if (key in values) {
        const position = toPosition(this.#lines, (pair.key as Node | null)?.range?.[0] ?? 0);
        const message = 'is given twice in the same mapping';
        report.add({ path: keyPath, rule: 'duplicate', message, position });
        continue;
      }
      values[key] = this.#toValue(pair.value as Node | null, keyPath, report);
    }
    for (const pair of merged) this.#merge(pair, values, path, report);
    return values;
  }

  /** https://yaml.org/type/merge.html: own keys win, then the earlier source. */
  #merge(pair: Pair, values: Tree, path: Path, report: Report): void {
    for (const source of this.#listMerged(pair)) {
      if (!isMap(source)) {
        const position = toPosition(this.#lines, (pair.key as Node).range?.[0] ?? 0);
        report.add({ path, rule: 'yaml', message: 'can merge (<<) only mappings', position });
        continue;
      }
      this.#values++;
      if (this.#values > VALUES_MAX || path.length > DEPTH_MAX) {
        this.#values = VALUES_MAX + 1;
        return;
      }
      const inherited = this.#toMapping(source, path, report);
      for (const [key, value] of Object.entries(inherited)) {
        if (!(key in values)) values[key] = value;
      }
    }
  }

  #listMerged(pair: Pair): (Node | null)[] {
    const source = this.#resolve(pair.value as Node | null);
    return isSeq(source) ? source.items.map((item) => this.#resolve(item as Node)) : [source];
  }

  #toScalar(node: Node, path: Path, report: Report): unknown {
    if (!isScalar(node)) return null;
    const written = typeof node.value === 'string' ? node.value : null;
    if (written === null || !hasReference(written)) return node.value;
    const { text, problems } = expandEnvironment(written, this.#environment);
    for (const { at, message } of problems) {
      report.add({ path, rule: 'environment', message, position: this.#locateInside(node, written, at) });
    }
    if (problems.length > 0) this.#unresolved.push(path);
    const quoted = node.type !== 'PLAIN';
    this.#expanded.set(toPathText(path), { path, written, quoted, typed: toTypedScalar(text) });
    return text;
  }

  /** Where the text behind `at` stands in the file; the scalar's start when folding or escapes moved it. */
  #locateInside(node: Node, written: string, at: number): Position {
    const [from, to] = node.range ?? [0, 0];
    const reference = /^\$\{[^}]*\}?/.exec(written.slice(at))?.[0] ?? '';
    // The same reference may stand there several times: take the one with as many before it.
    const before = written.slice(0, at).split(reference).length - 1;
    let found = from;
    for (let count = 0; count <= before; count++) {
      const next = this.#text.indexOf(reference, count === 0 ? found : found + 1);
      if (next === -1 || next >= to) return toPosition(this.#lines, from);
      found = next;
    }
    return toPosition(this.#lines, found);
  }

  /** `depth` ends the search in a mapping that merges itself. */
  #findPair(map: YAMLMap, key: string, depth = 0): Pair | null {
    const own = this.#indexPairs(map).get(key);
    if (own !== undefined) return own;
    if (depth === DEPTH_MAX) return null;
    for (const pair of map.items.filter(isMerge)) {
      for (const source of this.#listMerged(pair)) {
        const inherited = isMap(source) ? this.#findPair(source, key, depth + 1) : null;
        if (inherited !== null) return inherited;
      }
    }
    return null;
  }

  /** A mapping's own pairs by key; of one that is given twice the first. */
  #indexPairs(map: YAMLMap): ReadonlyMap<string, Pair> {
    const known = this.#pairs.get(map);
    if (known !== undefined) return known;
    const pairs = new Map(
      map.items
        .filter((pair) => !isMerge(pair))
        .toReversed()
        .map((pair) => [toKey(pair), pair]),
    );
    this.#pairs.set(map, pairs);
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
