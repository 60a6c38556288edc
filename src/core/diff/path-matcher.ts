// A set of JSON paths, compiled to be followed in step with a JSON value: a step makes no string and compares no text twice.
//
// Several paths may be under way at once (`*.id` and `user.*`), so a state stands for all of them. States are made when
// they are first reached and kept up to a bound; beyond it they are made again each time, so that no body fills memory.

import assert from 'node:assert';
import { isPathProblem, type JsonPath, parseJsonPath } from './json-path.ts';

/** States that one set of paths keeps. */
const STATES_MAX = 4_096;

interface TrieNode<T> {
  readonly keys: Map<string, TrieNode<T>>;
  anyKey: TrieNode<T> | null;
  element: TrieNode<T> | null;
  /** Of the path that ends here. */
  value: T | null;
}

function createNode<T>(): TrieNode<T> {
  return { keys: new Map(), anyKey: null, element: null, value: null };
}

type Merge<T> = (first: T, second: T) => T;

/** What all states of a set have in common. */
class StateMaker<T> {
  readonly #merge: Merge<T>;
  #room = STATES_MAX;

  constructor(merge: Merge<T>) {
    this.#merge = merge;
  }

  make(nodes: readonly TrieNode<T>[]): PathState<T> | null {
    if (nodes.length === 0) return null;
    let value: T | null = null;
    for (const node of nodes) {
      if (node.value === null) continue;
      value = value === null ? node.value : this.#merge(value, node.value);
    }
    return new PathState(nodes, value, this);
  }

  /** Whether one more may be kept. */
  takeRoom(): boolean {
    if (this.#room === 0) return false;
    this.#room--;
    return true;
  }
}

/** A place, as the set sees it: some path ends here, or may end below. Null stands for places that no path leads to. */
export class PathState<T> {
  /** Of the paths that end exactly here; null when none does. */
  readonly value: T | null;
  readonly #nodes: readonly TrieNode<T>[];
  readonly #maker: StateMaker<T>;
  /** By the keys that paths name here; undefined until it is reached. */
  readonly #named = new Map<string, PathState<T> | null | undefined>();
  #unnamed: PathState<T> | null | undefined = undefined;
  #element: PathState<T> | null | undefined = undefined;

  constructor(nodes: readonly TrieNode<T>[], value: T | null, maker: StateMaker<T>) {
    this.value = value;
    this.#nodes = nodes;
    this.#maker = maker;
    for (const node of nodes) for (const key of node.keys.keys()) this.#named.set(key, undefined);
  }

  stepKey(key: string): PathState<T> | null {
    const known = this.#named.get(key);
    if (known !== undefined) return known;
    if (this.#named.has(key)) {
      const state = this.#maker.make(this.#nodes.flatMap((node) => toNextNodes(node, key)));
      if (this.#maker.takeRoom()) this.#named.set(key, state);
      return state;
    }
    if (this.#unnamed !== undefined) return this.#unnamed;
    const state = this.#maker.make(this.#nodes.flatMap(({ anyKey }) => (anyKey === null ? [] : [anyKey])));
    if (state === null || this.#maker.takeRoom()) this.#unnamed = state;
    return state;
  }

  stepElement(): PathState<T> | null {
    if (this.#element !== undefined) return this.#element;
    const state = this.#maker.make(this.#nodes.flatMap(({ element }) => (element === null ? [] : [element])));
    if (state === null || this.#maker.takeRoom()) this.#element = state;
    return state;
  }
}

function toNextNodes<T>(node: TrieNode<T>, key: string): TrieNode<T>[] {
  const next: TrieNode<T>[] = [];
  const named = node.keys.get(key);
  if (named !== undefined) next.push(named);
  if (node.anyKey !== null) next.push(node.anyKey);
  return next;
}

function insertPath<T>(root: TrieNode<T>, path: JsonPath, value: T, merge: Merge<T>): void {
  let node = root;
  for (const step of path) {
    if (step.kind === 'element') {
      node.element ??= createNode();
      node = node.element;
    } else if (step.kind === 'any_key') {
      node.anyKey ??= createNode();
      node = node.anyKey;
    } else {
      let next = node.keys.get(step.key);
      if (next === undefined) {
        next = createNode();
        node.keys.set(step.key, next);
      }
      node = next;
    }
  }
  node.value = node.value === null ? value : merge(node.value, value);
}

/** The state at the root of a body; null without paths. The paths must be valid: config has checked them. */
export function compilePathValues<T>(
  entries: readonly (readonly [string, T])[],
  merge: Merge<T>,
): PathState<T> | null {
  if (entries.length === 0) return null;
  const root = createNode<T>();
  for (const [text, value] of entries) {
    const path = parseJsonPath(text);
    assert(!isPathProblem(path), 'a JSON path that is not valid has come past the config');
    insertPath(root, path, value, merge);
  }
  return new StateMaker(merge).make([root]);
}

/** A set of places, each with everything below it: a place is covered where a state has a value. */
export type PathMatcher = PathState<true> | null;

export function compilePaths(paths: readonly string[]): PathMatcher {
  return compilePathValues(
    paths.map((path) => [path, true] as const),
    () => true,
  );
}
