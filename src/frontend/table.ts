// One generation of compiled routes, as a front-end thread uses them.
//
// Built whole, swapped whole, then only read. It counts the exchanges that run on it, so that whatever only an old
// generation needs can be let go when its last exchange has ended.

import { RouteBook, RouteCell, type RouteEntry } from '../core/book.ts';
import { toHostName } from '../core/headers.ts';
import { HistogramWriter } from '../core/histogram.ts';
import { HOST_NODE, HOST_PASS, type Limits, type Route } from '../core/model.ts';
import type { Observation } from '../core/observer.ts';
import type { UpstreamClient } from '../upstream/client.ts';
import { Balancer } from './balancer.ts';
import type { ClientPool } from './clients.ts';
import type { RequestHead } from './head.ts';
import { type RoutePattern, Router } from './router.ts';

/** A route with everything that an exchange needs at hand. */
export class RouteTarget {
  readonly table: RouteTable;
  readonly route: Route;
  readonly balancer: Balancer;
  /** In the order of the backends, as are `hosts`: what `Host` says, or null for the client's own. */
  readonly clients: readonly UpstreamClient[];
  readonly hosts: readonly (string | null)[];
  readonly observation: Observation | null;
  readonly latency: HistogramWriter;
  readonly #cells: Float64Array;
  readonly #row: number;

  constructor(
    table: RouteTable,
    entry: RouteEntry,
    frontend: number,
    frontends: number,
    clients: readonly UpstreamClient[],
    observation: Observation | null,
  ) {
    const { route, memory } = entry;
    this.table = table;
    this.route = route;
    this.balancer = new Balancer(route.backends, memory.cursor);
    this.clients = clients;
    this.hosts = route.backends.map((backend) => toHost(route.hostHeader, backend.authority));
    this.observation = observation;
    const book = new RouteBook(memory.book, frontends);
    this.latency = new HistogramWriter(memory.book, book.histogramAt(frontend));
    this.#cells = book.cells;
    this.#row = book.row(frontend);
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

/** What a table is compiled with. */
export interface TableParts {
  readonly frontend: number;
  readonly frontends: number;
  readonly limits: Limits;
  readonly clients: ClientPool;
  /** Null for a route without mirror. */
  readonly observe: (entry: RouteEntry) => Observation | null;
  /** Called once, when the table was retired and its last exchange has ended. */
  readonly onIdle: (table: RouteTable) => void;
}

interface TargetPattern extends RoutePattern {
  readonly target: RouteTarget;
}

export class RouteTable {
  readonly #targets: readonly RouteTarget[];
  readonly #router: Router<TargetPattern>;
  readonly #onIdle: (table: RouteTable) => void;
  #exchanges = 0;
  #retired = false;

  constructor(entries: readonly RouteEntry[], parts: TableParts) {
    this.#onIdle = parts.onIdle;
    this.#targets = entries.map((entry) => {
      const { backends, timeouts } = entry.route;
      const clients = backends.map(({ origin, tls }) =>
        parts.clients.acquire(this, {
          origin,
          tls,
          timeouts,
          connectionsMax: parts.limits.upstreamConnections,
          queueMax: parts.limits.upstreamQueue,
          queueTimeoutMs: parts.limits.upstreamQueueMs,
        }),
      );
      return new RouteTarget(this, entry, parts.frontend, parts.frontends, clients, parts.observe(entry));
    });
    this.#router = new Router(
      this.#targets.map((target) => {
        const { hosts, path, pathPrefix, methods, priority } = target.route;
        return { hosts, path, pathPrefix, methods, priority, target };
      }),
    );
  }

  find(head: RequestHead): RouteTarget | null {
    const host = this.#router.usesHosts ? toHostName(head.host) : '';
    return this.#router.find(host, head.path, head.method)?.target ?? null;
  }

  enter(): void {
    this.#exchanges++;
  }

  leave(): void {
    this.#exchanges--;
    if (this.#retired && this.#exchanges === 0) this.#end();
  }

  /** Another table has taken its place. */
  retire(): void {
    this.#retired = true;
    if (this.#exchanges === 0) this.#end();
  }

  #end(): void {
    for (const { observation } of this.#targets) observation?.retire();
    this.#onIdle(this);
  }
}
