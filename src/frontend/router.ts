// Finds the route of a request: host, then path, then what else a route asks for.
//
// A table is built once, then only read. Search order: an exact host, then the longest `*.suffix` that fits, then
// routes for every host; within a host the exact path, then all other patterns by the length of their text before the
// first `*`, the longest first. Among patterns with the same text: the larger priority, then a pattern with further `*`
// (the longer one first), then a prefix on segment borders, then a prefix of the text, then the order of the file.
// A route whose methods or condition do not fit lets the search go on. A look-up costs as much as the path has
// characters that patterns have too, however many routes there are; only patterns with further `*` are tried one by one
// where their text is the same.

import { PATH_EXACT, PATH_PREFIX, PATH_WILDCARD, type PathPattern } from '../core/model.ts';
import type { ExpressionSubject } from '../core/request-variable.ts';

/** What the router needs to know of a route; a route has one for each of its patterns. */
export interface RoutePattern {
  readonly hosts: readonly string[];
  readonly match: PathPattern['match'];
  readonly path: string;
  readonly methods: readonly string[];
  readonly priority: number;
  /** Whether the route takes a request that fits otherwise; null when it takes all. */
  readonly condition: ((request: ExpressionSubject) => boolean) | null;
}

/** A pattern at its place, and what a path must have behind the place's text. */
interface Candidate<R extends RoutePattern> {
  readonly route: R;
  /** Length of the text up to here if the path must end or go on with a slash behind it, else -1. */
  readonly borderAt: number;
  /** The texts between the `*` behind the place's text, the last one being the path's end; null without further `*`. */
  readonly parts: readonly string[] | null;
}

/** What many patterns' texts have in common, and how they go on. */
class TextNode<R extends RoutePattern> {
  /** From the parent's end to here; empty in a root alone. */
  text: string;
  /** Patterns whose text ends here, in the order in which they are tried. */
  candidates: Candidate<R>[] = [];
  /** By the first character of their text; null without any, as most nodes have none. */
  children: Map<number, TextNode<R>> | null = null;

  constructor(text: string) {
    this.text = text;
  }

  /** The node where `text` ends, which begins where this one's does; made where there is none. */
  open(text: string): TextNode<R> {
    let shared = 0;
    while (shared < this.text.length && this.text.charCodeAt(shared) === text.charCodeAt(shared)) shared++;
    if (shared < this.text.length) this.#split(shared);
    if (shared === text.length) return this;
    const rest = text.slice(shared);
    const child = this.children?.get(rest.charCodeAt(0));
    if (child !== undefined) return child.open(rest);
    const leaf = new TextNode<R>(rest);
    this.children ??= new Map();
    this.children.set(rest.charCodeAt(0), leaf);
    return leaf;
  }

  /** Everything behind that many characters becomes a child. */
  #split(length: number): void {
    const rest = new TextNode<R>(this.text.slice(length));
    rest.candidates = this.candidates;
    rest.children = this.children;
    this.text = this.text.slice(0, length);
    this.candidates = [];
    this.children = new Map([[rest.text.charCodeAt(0), rest]]);
  }
}

class HostTable<R extends RoutePattern> {
  readonly #exact = new Map<string, R[]>();
  #texts: TextNode<R> | null = null;
  readonly #found: Candidate<R>[][] = [];

  add(route: R): void {
    const { match, path } = route;
    if (match === PATH_EXACT) {
      const routes = this.#exact.get(path);
      if (routes === undefined) this.#exact.set(path, [route]);
      else insert(routes, route, (other) => other.priority < route.priority);
      return;
    }
    const [text = '', ...parts] = match === PATH_WILDCARD ? path.split('*') : [path];
    const candidate: Candidate<R> = {
      route,
      borderAt: match === PATH_PREFIX && !path.endsWith('/') ? path.length : -1,
      parts: parts.length === 0 ? null : parts,
    };
    this.#texts ??= new TextNode(text);
    insert(this.#texts.open(text).candidates, candidate, (other) => isBefore(candidate, other));
  }

  find(path: string, method: string, request: ExpressionSubject): R | null {
    const exact = this.#exact.get(path);
    if (exact !== undefined) {
      for (const route of exact) if (takes(route, method, request)) return route;
    }
    return this.#findText(path, method, request);
  }

  /** Walks down the texts, then tries what was passed from the longest up. */
  #findText(path: string, method: string, request: ExpressionSubject): R | null {
    const found = this.#found;
    let node: TextNode<R> | null | undefined = this.#texts;
    let at = 0;
    while (node) {
      const { text } = node;
      let same = 0;
      while (same < text.length && text.charCodeAt(same) === path.charCodeAt(at + same)) same++;
      if (same < text.length) break;
      at += text.length;
      if (node.candidates.length > 0) found.push(node.candidates);
      if (at >= path.length) break;
      node = node.children?.get(path.charCodeAt(at));
    }
    let route: R | null = null;
    while (found.length > 0) {
      const candidates = found.pop()!;
      route ??= pick(candidates, path, method, request);
    }
    return route;
  }
}

/**
 * Puts it in front of the first one that `isAfter` names, and so all behind that; of equals the first stays the first.
 * Searched by halves: thousands of routes may have one pattern.
 */
function insert<T>(list: T[], item: T, isAfter: (other: T) => boolean): void {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isAfter(list[middle]!)) high = middle;
    else low = middle + 1;
  }
  list.splice(low, 0, item);
}

function isBefore<R extends RoutePattern>(one: Candidate<R>, other: Candidate<R>): boolean {
  if (one.route.priority !== other.route.priority) return one.route.priority > other.route.priority;
  const [length, otherLength] = [one.route.path.length, other.route.path.length];
  if (length !== otherLength) return length > otherLength;
  return one.borderAt !== -1 && other.borderAt === -1;
}

function pick<R extends RoutePattern>(
  candidates: readonly Candidate<R>[],
  path: string,
  method: string,
  request: ExpressionSubject,
): R | null {
  for (const { route, borderAt, parts } of candidates) {
    if (borderAt !== -1 && path.length !== borderAt && path.charCodeAt(borderAt) !== 0x2f /* / */) continue;
    if (parts !== null && !fits(path, route.path.indexOf('*'), parts)) continue;
    if (takes(route, method, request)) return route;
  }
  return null;
}

function takes(route: RoutePattern, method: string, request: ExpressionSubject): boolean {
  if (route.methods.length !== 0 && !route.methods.includes(method)) return false;
  return route.condition === null || route.condition(request);
}

/** Whether the path goes on at `start` with any text, the first part, any text, and so on, and ends with the last. */
function fits(path: string, start: number, parts: readonly string[]): boolean {
  let at = start;
  const last = parts.length - 1;
  for (let index = 0; index < last; index++) {
    const part = parts[index]!;
    const found = path.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  const end = parts[last]!;
  return path.length - end.length >= at && path.endsWith(end);
}

export class Router<R extends RoutePattern> {
  readonly #hosts = new Map<string, HostTable<R>>();
  /** Keys are suffixes with their leading dot. */
  readonly #wildcards = new Map<string, HostTable<R>>();
  readonly #everyHost = new HostTable<R>();

  constructor(routes: Iterable<R>) {
    for (const route of routes) {
      if (route.hosts.length === 0) this.#everyHost.add(route);
      for (const host of route.hosts) {
        if (host === '*') this.#everyHost.add(route);
        else if (host.startsWith('*.')) open(this.#wildcards, host.slice(1)).add(route);
        else open(this.#hosts, host).add(route);
      }
    }
  }

  /** Whether find() looks at the host at all. */
  get usesHosts(): boolean {
    return this.#hosts.size > 0 || this.#wildcards.size > 0;
  }

  /** `host` in lower case without port, `path` raw and without query; `request` is for conditions alone. */
  find(host: string, path: string, method: string, request: ExpressionSubject): R | null {
    const exact = this.#hosts.get(host);
    if (exact !== undefined) {
      const route = exact.find(path, method, request);
      if (route !== null) return route;
    }
    if (this.#wildcards.size > 0) {
      // Leftmost dot first: the longest suffix. A wildcard stands for at least one character.
      for (let dot = host.indexOf('.', 1); dot !== -1; dot = host.indexOf('.', dot + 1)) {
        const route = this.#wildcards.get(host.slice(dot))?.find(path, method, request);
        if (route) return route;
      }
    }
    return this.#everyHost.find(path, method, request);
  }
}

function open<R extends RoutePattern>(tables: Map<string, HostTable<R>>, key: string): HostTable<R> {
  let table = tables.get(key);
  if (table === undefined) {
    table = new HostTable();
    tables.set(key, table);
  }
  return table;
}
