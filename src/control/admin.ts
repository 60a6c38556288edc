// The admin listener: the only door to the control thread, through fastify.
//
// Shows what the ledger holds, and changes routes through the catalog. Never on a request's path, and nothing that a client
// of it sends may reach anything but these handlers: no exception leaves it, no connection of it holds up an exit.

import { isIP, type Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { isLoopback } from '../config/address.ts';
import type { Clock } from '../core/clock.ts';
import type { LogFields } from '../core/log.ts';
import type { AdminSettings } from '../core/model.ts';
import {
  AREA_ADMIN_API,
  AREA_FILES,
  AREA_HEALTH,
  AREA_OTHER,
  type Area,
  createGuard,
  SURFACE_ADMIN_API,
  SURFACE_ALL,
  type Surface,
} from './admin-api/guard.ts';
import { type ParserError, readMalformed, sendMalformed } from './admin-api/malformed.ts';
import { ADMIN_API_PATH, addAdminApi } from './admin-api/routes.ts';
import { createShape, type Shape } from './admin-api/shape.ts';
import { parseQuery } from './admin-api/target.ts';
import { addPath } from './admin-path.ts';
import { addAnswerBounds } from './answer-room.ts';
import type { Catalog } from './catalog.ts';
import { addDashboard, isDashboardPath } from './dashboard.ts';
import type { FindingsStore } from './findings/findings-store.ts';
import type { Ledger } from './ledger.ts';
import type { Metrics } from './metrics.ts';
import type { History } from './mirror-api/history.ts';
import { addMirrorApi } from './mirror-api/routes.ts';
import { addVerdict } from './verdict/path.ts';

const BODY_BYTES_MAX = 64 * 1024;
const HEADER_BYTES_MAX = 16 * 1024;
/** A route id in a path, decoded. */
const ID_LENGTH_MAX = 1024;
const CONNECTIONS_MAX = 256;
const REQUEST_MS = 10_000;
/** A client that takes nothing of its answer for this long is given up. */
const IDLE_MS = 30_000;
/** Longer than the usual scrape interval, so that a scraper keeps its connection. */
const KEEP_ALIVE_MS = 75_000;
/** Answers that wait to be read; a further one that only reads is refused. Together 128 MiB. */
const ANSWER_BYTES_MAX = {
  [SURFACE_ALL]: 96 * 1024 * 1024,
  [SURFACE_ADMIN_API]: 32 * 1024 * 1024,
} as const satisfies Record<Surface, number>;
/** What close() grants to requests that are being answered. */
const CLOSE_MS = 1000;

const HEALTH_PATHS: readonly string[] = ['/livez', '/readyz'];

/** Where the listener behind the listeners for traffic is. */
const INNER_HOST = '127.0.0.1';

export interface AdminOptions {
  readonly settings: AdminSettings;
  /**
   * `all` by default. `admin_api` listens on a port of loopback that the system chooses, for the front ends alone: its
   * clients' addresses are what these append to X-Forwarded-For.
   */
  readonly surface?: Surface;
  readonly catalog: Catalog;
  readonly ledger: Ledger;
  readonly findings: FindingsStore;
  readonly history: History;
  readonly metrics: Metrics;
  /** core/clock.ts's, which the books are written with. */
  readonly clock: Clock;
  /** True from the moment that every listener accepts until the drain begins. */
  readonly isReady: () => boolean;
  /** Answers that wait to be read, without events, which have their own bound. */
  readonly answerBytesMax?: number;
  /** Told of what somebody did here to a mirror. */
  readonly onNote?: (message: string, fields: LogFields) => void;
  /** Told of each answer, and each connection, that was given up because clients do not read. */
  readonly onUnread?: () => void;
  /** Told of what went wrong in here; the client is only told that something did. */
  readonly onError?: (error: Error) => void;
}

export interface AdminAddress {
  readonly host: string;
  readonly port: number;
}

export interface Admin {
  /** Rejects with a message of one line that names the address. */
  listen(): Promise<AdminAddress>;
  /** Resolves within about a second, whatever clients do. */
  close(): Promise<void>;
}

export function createAdmin(options: AdminOptions): Admin {
  const { surface = SURFACE_ALL, onError = () => {}, onNote = () => {} } = options;
  const { key, host, port } = options.settings;
  const isInner = surface === SURFACE_ADMIN_API;
  const shape = createShape(options.settings);
  const door = createDoor(shape, createGuard(options.settings, surface));
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    connectionTimeout: IDLE_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: true,
    http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: REQUEST_MS },
    routerOptions: { maxParamLength: ID_LENGTH_MAX },
    // Of a request that no route is looked for; what it may hear is still the door's to say.
    frameworkErrors: (error, request, reply) =>
      door(request, reply) ?? sendError(reply, error.statusCode ?? 400, error.message, findArea(request)),
    clientErrorHandler: (error, socket) => answerMalformed(error, socket, shape),
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  // Before the door: what waits for its turn costs nothing yet.
  addAnswerBounds(
    app,
    options.answerBytesMax ?? ANSWER_BYTES_MAX[surface],
    (request, message) => toErrorBody(message, findArea(request), null),
    options.onUnread ?? (() => {}),
  );
  app.addHook('onRequest', async (request, reply) => door(request, reply));
  addErrors(app, onError);
  addAdminApi(app, { catalog: options.catalog, shape, onError });
  if (!isInner) {
    addReads(app, options);
    addMirrorApi(app, { ...options, onNote });
    addVerdict(app, options);
    addDashboard(app);
  }
  const address = isInner ? { host: INNER_HOST, port: 0 } : { host, port };
  return {
    listen: () => listen(app, address, Boolean(key)),
    close: () => close(app),
  };
}

/** Sends the answer of a request that may not pass; undefined lets it. */
type Door = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined;

function createDoor(shape: Shape, guard: ReturnType<typeof createGuard>): Door {
  return (request, reply) => {
    const area = findArea(request);
    reply.headers(toCommonHeaders(shape, area));
    const { method, headers, url, raw } = request;
    const address = raw.socket.remoteAddress ?? '';
    // A plus in a key is one, as in a header: APISIX does not decode it there.
    const query = parseQuery(url.replaceAll('+', '%2B'));
    const denial = guard({ area, method, headers, query, address });
    if (denial === null) return undefined;
    if (denial.status === 401) reply.header('www-authenticate', 'ApiKey header="X-API-KEY"');
    return sendError(reply, denial.status, denial.message, area, denial.description);
  };
}

function answerMalformed(error: ParserError, socket: Socket, shape: Shape): void {
  // The client is gone.
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { status, message, target } = readMalformed(error);
  const area = target === null ? AREA_OTHER : toArea(target);
  sendMalformed(socket, status, toCommonHeaders(shape, area), toErrorBody(message, area, null));
}

/** By the route that the request was found to mean, not by its text: that may be written in many ways. */
function findArea(request: FastifyRequest): Area {
  return toArea(request.routeOptions.url ?? request.url);
}

function toArea(target: string): Area {
  const path = target.replace(/\?.*$/s, '');
  if (path === ADMIN_API_PATH || path.startsWith(`${ADMIN_API_PATH}/`)) return AREA_ADMIN_API;
  if (isDashboardPath(path)) return AREA_FILES;
  return HEALTH_PATHS.includes(path) ? AREA_HEALTH : AREA_OTHER;
}

/** Of every answer. */
function toCommonHeaders({ version }: Shape, area: Area): Record<string, string> {
  const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
  return area === AREA_ADMIN_API ? { ...headers, 'x-api-version': version } : headers;
}

function addErrors(app: FastifyInstance, onError: (error: Error) => void): void {
  app.setNotFoundHandler((request, reply) => {
    const area = findArea(request);
    return sendError(
      reply,
      404,
      area === AREA_ADMIN_API ? 'not found' : 'there is nothing at this path',
      area,
    );
  });
  app.setErrorHandler((error: unknown, _request, reply) => {
    const status = (error as { readonly statusCode?: unknown }).statusCode;
    if (typeof status === 'number' && status >= 400 && status < 500) {
      return sendError(reply, status, error instanceof Error ? error.message : 'bad request');
    }
    onError(error instanceof Error ? error : new Error(String(error)));
    return sendError(reply, 500, 'internal error');
  });
}

function addReads(app: FastifyInstance, { metrics, isReady }: AdminOptions): void {
  addPath(app, '/metrics', {
    GET: async (_request, reply) => {
      const text = await metrics.render();
      return reply.type(metrics.contentType).send(text);
    },
  });
  addPath(app, '/livez', {
    GET: async (_request, reply) => reply.type('text/plain; charset=utf-8').send('ok\n'),
  });
  addPath(app, '/readyz', {
    GET: async (_request, reply) => {
      const isOpen = isReady();
      return reply
        .code(isOpen ? 200 : 503)
        .type('text/plain; charset=utf-8')
        .send(isOpen ? 'ok\n' : 'not ready\n');
    },
  });
}

function sendError(
  reply: FastifyReply,
  status: number,
  message: string,
  area: Area = AREA_OTHER,
  description: string | null = null,
): FastifyReply {
  return reply.code(status).send(toErrorBody(message, area, description));
}

/** In the form that clients of the Admin API expect, or in that of everything else. */
function toErrorBody(message: string, area: Area, description: string | null): object {
  if (area !== AREA_ADMIN_API) return { error: message };
  return description === null ? { error_msg: message } : { error_msg: message, description };
}

async function listen(app: FastifyInstance, wanted: AdminAddress, hasKey: boolean): Promise<AdminAddress> {
  const { host } = wanted;
  const address = toAddress(host, wanted.port);
  if (!isLoopback(host) && !hasKey) {
    throw new Error(`admin listener: ${address} is off loopback, which needs admin.key`);
  }
  try {
    await app.listen({ host, port: wanted.port });
  } catch (cause) {
    throw new Error(`admin listener: cannot listen on ${address}: ${toListenProblem(cause)}`, { cause });
  }
  const bound = app.server.address();
  return { host, port: typeof bound === 'object' && bound !== null ? bound.port : wanted.port };
}

function toAddress(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function toListenProblem(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is in use';
    case 'EACCES':
      return 'permission denied';
    case 'EADDRNOTAVAIL':
      return 'no such address on this machine';
    case 'ENOTFOUND':
      return 'the host name is unknown';
    default:
      return message;
  }
}

async function close(app: FastifyInstance): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      app.server.closeAllConnections();
      resolve();
    }, CLOSE_MS);
  });
  try {
    await Promise.race([app.close(), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
