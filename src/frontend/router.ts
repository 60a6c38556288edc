// Finds the route of a request: host, then path, then method.
//
// A table is built once, then only read. Search order: an exact host, then the longest `*.suffix` that fits, then
// routes for every host; within a host the exact path, then prefixes from the longest to the shortest; within one
// path the larger priority, then the order of the file. A route whose methods do not fit lets the search go on.
// A look-up costs as much as the request's path has segments, however many routes there are.

/** What the router needs to know of a route. */
export interface RoutePattern {
  readonly hosts: readonly string[];
  readonly path: string;
  readonly pathPrefix: boolean;
  readonly methods: readonly string[];
  readonly priority: number;
}

/** One segment of prefixes: what ends here, and the segments that follow. */
class PrefixNode<R extends RoutePattern> {
  /** Prefixes that end exactly here: `/api`. */
  readonly routes: R[] = [];
  /** Prefixes that end behind the following slash: `/api/`. They also take everything below it. */
  readonly below: R[] = [];
  readonly children = new Map<string, PrefixNode<R>>();
}

class HostTable<R extends RoutePattern> {
  readonly #exact = new Map<string, R[]>();
  readonly #prefixes = new PrefixNode<R>();
  readonly #found: R[][] = [];

  add(route: R): void {
    if (!route.pathPrefix) {
      const routes = this.#exact.get(route.path);
      if (routes) insert(routes, route);
      else this.#exact.set(route.path, [route]);
      return;
    }
    const slashed = route.path.endsWith('/');
    const segments = (slashed ? route.path.slice(0, -1) : route.path).split('/').slice(1);
    let node = this.#prefixes;
    for (const segment of segments) {
      let child = node.children.get(segment);
      if (child === undefined) {
        child = new PrefixNode();
        node.children.set(segment, child);
      }
      node = child;
    }
    insert(slashed ? node.below : node.routes, route);
  }

  find(path: string, method: string): R | null {
    const exact = this.#exact.get(path);
    if (exact !== undefined) {
      const route = pick(exact, method);
      if (route !== null) return route;
    }
    return this.#findPrefix(path, method);
  }

  /** Walks down the segments, then tries what was passed from the deepest up. */
  #findPrefix(path: string, method: string): R | null {
    const found = this.#found;
    let node: PrefixNode<R> | undefined = this.#prefixes;
    // `at` is the slash that follows what `node` stands for, or the path's end.
    let at = 0;
    while (node !== undefined) {
      if (node.routes.length > 0) found.push(node.routes);
      if (at >= path.length) break;
      if (node.below.length > 0) found.push(node.below);
      if (node.children.size === 0) break;
      const slash = path.indexOf('/', at + 1);
      const end = slash === -1 ? path.length : slash;
      node = node.children.get(path.slice(at + 1, end));
      at = end;
    }
    let route: R | null = null;
    while (found.length > 0) {
      const routes = found.pop()!;
      route ??= pick(routes, method);
    }
    return route;
  }
}

function insert<R extends RoutePattern>(routes: R[], route: R): void {
  const before = routes.findIndex((other) => other.priority < route.priority);
  routes.splice(before === -1 ? routes.length : before, 0, route);
}

function pick<R extends RoutePattern>(routes: readonly R[], method: string): R | null {
  for (const route of routes) {
    if (route.methods.length === 0 || route.methods.includes(method)) return route;
  }
  return null;
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

  /** `host` in lower case without port, `path` raw and without query. */
  find(host: string, path: string, method: string): R | null {
    const exact = this.#hosts.get(host);
    if (exact !== undefined) {
      const route = exact.find(path, method);
      if (route !== null) return route;
    }
    if (this.#wildcards.size > 0) {
      // Leftmost dot first: the longest suffix. A wildcard stands for at least one character.
      for (let dot = host.indexOf('.', 1); dot !== -1; dot = host.indexOf('.', dot + 1)) {
        const route = this.#wildcards.get(host.slice(dot))?.find(path, method);
        if (route) return route;
      }
    }
    return this.#everyHost.find(path, method);
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
