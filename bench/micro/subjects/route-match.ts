// Finding the route of a request: the thread's table with few and many routes, and every way to be found in it.
//
// Each call looks for another of the table's routes, with host and path new to the engine as they are in a request.

import assert from 'node:assert/strict';
import { RouteBook } from '../../../src/core/book.ts';
import { HeaderNames } from '../../../src/core/headers.ts';
import type { Route } from '../../../src/core/model.ts';
import { ClientPool } from '../../../src/frontend/clients.ts';
import { RequestHead, RequestIds } from '../../../src/frontend/head.ts';
import { RouteTable } from '../../../src/frontend/table.ts';
import type { UpstreamClient } from '../../../src/upstream/client.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { toRoute } from '../routes.ts';
import { FreshStrings, LIMITS } from '../traffic.ts';

const BATCH = 1_000;
const SIZES = [1, 100, 10_000];

/** A way to be found: what the routes are like, and which request asks for a route; its host and path. */
interface Way {
  readonly name: string;
  readonly toEdits: (index: number) => Partial<Route>;
  readonly toRequest: (index: number) => readonly [host: string, path: string];
  readonly isFound: boolean;
}

const HOST = 'orders.example.com';

const WAYS: readonly Way[] = [
  {
    name: 'exact path',
    toEdits: (index) => ({ paths: [{ match: 'exact', path: `/service-${index}/items` }] }),
    toRequest: (index) => [HOST, `/service-${index}/items`],
    isFound: true,
  },
  {
    name: 'prefix',
    toEdits: (index) => ({ paths: [{ match: 'prefix', path: `/service-${index}/v1` }] }),
    toRequest: (index) => [HOST, `/service-${index}/v1/items/42`],
    isFound: true,
  },
  {
    name: 'text prefix',
    toEdits: (index) => ({ paths: [{ match: 'text_prefix', path: `/service-${index}/v` }] }),
    toRequest: (index) => [HOST, `/service-${index}/v1/items/42`],
    isFound: true,
  },
  {
    name: 'wildcard',
    toEdits: (index) => ({ paths: [{ match: 'wildcard', path: `/service-${index}/*/items/*` }] }),
    toRequest: (index) => [HOST, `/service-${index}/v1/items/42`],
    isFound: true,
  },
  {
    name: 'condition',
    toEdits: (index) => ({
      paths: [{ match: 'exact', path: `/service-${index}/items` }],
      remoteAddrs: ['10.0.0.0/8'],
      vars: [['http_x_tenant', '==', 'blue']],
    }),
    toRequest: (index) => [HOST, `/service-${index}/items`],
    isFound: true,
  },
  {
    name: 'host wildcard',
    toEdits: (index) => ({ hosts: [`*.tenant-${index}.example.com`] }),
    toRequest: (index) => [`api.eu.tenant-${index}.example.com:8443`, '/v1/items/42'],
    isFound: true,
  },
  {
    name: 'miss',
    toEdits: (index) => ({ paths: [{ match: 'prefix', path: `/service-${index}/v1` }] }),
    toRequest: (index) => [HOST, `/service-${index}/v2/items/42`],
    isFound: false,
  },
];

/** None is called: routes are found, not used. */
const CLIENT: UpstreamClient = {
  dispatch: () => assert.fail('no request is sent'),
  active: 0,
  close: async () => {},
  destroy: () => {},
};

/** All routes share the memory that counts them. */
function buildTable(routes: readonly Route[]): RouteTable {
  const memory = {
    book: RouteBook.allocate(1),
    shadows: [],
    limit: null,
    cursor: new SharedArrayBuffer(4),
  };
  const parts = {
    frontend: 0,
    frontends: 1,
    limits: LIMITS,
    clients: new ClientPool(() => CLIENT),
    observe: () => null,
  };
  const ids = routes.map((route) => route.id);
  const entries = routes.map((route) => ({ route, memory }));
  return new RouteTable(new Map()).next(ids, entries, parts);
}

function openWay({ toEdits, toRequest, isFound }: Way, size: number): OpenCase {
  const routes = Array.from({ length: size }, (_, index) => toRoute(`route-${index}`, toEdits(index)));
  const table = buildTable(routes);
  // A step without a common divisor with the sizes: the calls are spread over the table.
  const asked = Array.from({ length: BATCH }, (_, index) => (index * 7_919) % size);
  const expected = asked.map((index) => (isFound ? routes[index]! : null));
  const hosts = new FreshStrings(asked.map((index) => toRequest(index)[0]));
  const paths = new FreshStrings(asked.map((index) => toRequest(index)[1]));
  const head = new RequestHead(new RequestIds(0), new HeaderNames());
  head.method = 'GET';
  head.address = '10.1.2.3';
  head.headers.push('host', HOST, 'accept', '*/*', 'x-tenant', 'blue');
  head.received = head.headers.length;
  function find(index: number): Route | null {
    head.host = hosts.list[index]!;
    head.path = paths.list[index]!;
    return table.find(head)?.route ?? null;
  }
  return repeat(
    () => {
      for (let index = 0; index < BATCH; index++) {
        assert.equal(find(index)?.id ?? null, isFound ? `route-${asked[index]}` : null);
      }
    },
    (index) => find(index) === expected[index],
    () => {
      hosts.refresh();
      paths.refresh();
    },
  );
}

export const routeMatch: readonly MicroCase[] = WAYS.flatMap((way) =>
  SIZES.map((size) => ({
    name: `${way.name} of ${size.toLocaleString('en')}`,
    batch: BATCH,
    open: () => openWay(way, size),
  })),
);
