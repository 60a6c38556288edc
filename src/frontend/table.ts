// The routes of a front-end thread: what an exchange needs of each at hand, and the table that finds them.
//
// A table is built whole, swapped whole, then only read. Routes that did not change are the same objects in the next
// table; one that is gone counts its exchanges, so that what only it needed is let go when the last of them ends.

import assert from 'node:assert/strict';
import { AddressSet } from '../core/address-set.ts';
import { RouteBook, RouteCell, type RouteEntry } from '../core/book.ts';
import { compileExpression } from '../core/expression.ts';
import { toHostName } from '../core/headers.ts';
import { HistogramWriter } from '../core/histogram.ts';
import { HOST_NODE, HOST_PASS, type Limits, type Route } from '../core/model.ts';
import type { Observation } from '../core/observer.ts';
import type { ExpressionSubject } from '../core/request-variable.ts';
import type { UpstreamClient } from '../upstream/client.ts';
import { Balancer } from './balancer.ts';
import type { ClientPool } from './clients.ts';
import type { RequestHead } from './head.ts';
import { type RoutePattern, Router } from './router.ts';

/** What routes are compiled with. */
export interface RouteParts {
  readonly frontend: number;
  readonly frontends: number;
  readonly limits: Limits;
  readonly clients: ClientPool;
  /** Null for a route without mirror. */
  readonly observe: (entry: RouteEntry) => Observation | null;
}

/** A route with everything that an exchange needs at hand. */
export class RouteTarget {
  readonly route: Route;
  readonly balancer: Balancer;
  /** In the order of the backends, as are `hosts`: what `Host` says, or null for the client's own. */
  readonly clients: readonly UpstreamClient[];
  readonly hosts: readonly (string | null)[];
  readonly observation: Observation | null;
  /** Of its client addresses and `vars`; null without any. */
  readonly condition: ((request: ExpressionSubject) => boolean) | null;
  readonly latency: HistogramWriter;
  readonly #pool: ClientPool;
  readonly #cells: Float64Array;
  readonly #row: number;
  #exchanges = 0;
  #retired = false;

  constructor(entry: RouteEntry, parts: RouteParts) {
    const { route, memory } = entry;
    this.route = route;
    this.balancer = new Balancer(route.backends, memory.cursor);
    this.hosts = route.backends.map((backend) => toHost(route.hostHeader, backend.authority));
    // What nobody could be asked for is not mirrored either.
    this.observation = this.balancer.isEmpty ? null : parts.observe(entry);
    this.condition = toCondition(route);
    const book = new RouteBook(memory.book, parts.frontends);
    this.latency = new HistogramWriter(memory.book, book.histogramAt(parts.frontend));
    this.#cells = book.cells;
    this.#row = book.row(parts.frontend);
    this.#pool = parts.clients;
    this.clients = route.backends.map(({ origin, tls, client }) =>
      parts.clients.acquire(this, {
        origin,
        tls,
        client,
        timeouts: route.timeouts,
        connectionsMax: parts.limits.upstreamConnections,
        queueMax: parts.limits.upstreamQueue,
        queueTimeoutMs: parts.limits.upstreamQueueMs,
      }),
    );
  }

  /** An exchange begins on it. */
  enter(): void {
    this.#exchanges++;
  }

  leave(): void {
    this.#exchanges--;
    if (this.#retired && this.#exchanges === 0) this.#end();
  }

  /** No exchange begins on it any more. */
  retire(): void {
    this.#retired = true;
    if (this.#exchanges === 0) this.#end();
  }

  #end(): void {
    this.observation?.retire();
    this.#pool.release(this);
  }

  add(cell: number): void {
    const at = this.#row + cell;
    this.#cells[at] = this.#cells[at]! + 1;
  }

  /** Counts an exchange by the status that its client was given. */
  addAnswer(status: number): void {
    this.add(RouteCell.requests);
    const cell = RouteCell.status_1xx - 1 + Math.floor(status / 100);
    if (cell >= RouteCell.status_1xx && cell <= RouteCell.status_5xx) this.add(cell);
  }
}

function toHost(rule: string, authority: string): string | null {
  if (rule === HOST_PASS) return null;
  return rule === HOST_NODE ? authority : rule;
}

function toCondition({ remoteAddrs, vars }: Route): ((request: ExpressionSubject) => boolean) | null {
  const holds = vars === null ? null : compileExpression(vars);
  if (remoteAddrs.length === 0) return holds;
  const addresses = new AddressSet(remoteAddrs);
  if (holds === null) return (request) => addresses.has(request.address);
  return (request) => addresses.has(request.address) && holds(request);
}

interface TargetPattern extends RoutePattern {
  readonly target: RouteTarget;
}

export class RouteTable {
  readonly #targets: ReadonlyMap<string, RouteTarget>;
  readonly #router: Router<TargetPattern>;

  /** By route id, in the order of the config. */
  constructor(targets: ReadonlyMap<string, RouteTarget>) {
    this.#targets = targets;
    this.#router = new Router(
      Array.from(targets.values()).flatMap((target) => {
        const { hosts, paths, methods, priority } = target.route;
        const { condition } = target;
        return paths.map(({ match, path }) => ({ hosts, match, path, methods, priority, condition, target }));
      }),
    );
  }

  find(head: RequestHead): RouteTarget | null {
    const host = this.#router.usesHosts ? toHostName(head.host) : '';
    return this.#router.find(host, head.path, head.method, head)?.target ?? null;
  }

  /**
   * The next table: routes of these ids in this order. Those in `changed` are compiled; the others are here already
   * and are taken over. What is not taken over is retired.
   */
  next(ids: readonly string[], changed: readonly RouteEntry[], parts: RouteParts): RouteTable {
    const compiled = new Map(changed.map((entry) => [entry.route.id, new RouteTarget(entry, parts)]));
    const targets = new Map<string, RouteTarget>();
    for (const id of ids) {
      const target = compiled.get(id) ?? this.#targets.get(id);
      assert(target !== undefined, `route ${id} was never sent`);
      targets.set(id, target);
    }
    const table = new RouteTable(targets);
    for (const [id, target] of this.#targets) if (targets.get(id) !== target) target.retire();
    return table;
  }
}
