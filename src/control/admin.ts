// The admin listener: the only door to the control thread, through fastify.
//
// Shows what the ledger holds; changes nothing. Never on a request's path, and nothing that a client of it sends
// may reach anything but these handlers: no exception leaves it, no connection of it holds up an exit.

import { createHash, timingSafeEqual } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Clock } from '../core/clock.ts';
import type { AdminSettings } from '../core/model.ts';
import type { Ledger } from './ledger.ts';
import type { Metrics } from './metrics.ts';
import { readMirror, readMirrors } from './mirrors.ts';

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
/** What close() grants to requests that are being answered. */
const CLOSE_MS = 1000;

const HEALTH_PATHS: readonly string[] = ['/livez', '/readyz'];
const READ_METHODS = 'GET, HEAD';

export interface AdminOptions {
  readonly settings: AdminSettings;
  readonly ledger: Ledger;
  readonly metrics: Metrics;
  /** core/clock.ts's, which the books are written with. */
  readonly clock: Clock;
  /** True from the moment that every listener accepts until the drain begins. */
  readonly isReady: () => boolean;
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
  const { settings } = options;
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
    frameworkErrors: (error, _request, reply) => sendError(reply, error.statusCode ?? 400, error.message),
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  guard(app, settings);
  addErrors(app, options);
  addReads(app, options);
  return {
    listen: () => listen(app, settings),
    close: () => close(app),
  };
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  const family = isIP(host);
  if (family === 0) return false;
  const loopback = new BlockList();
  loopback.addSubnet('127.0.0.0', 8, 'ipv4');
  loopback.addAddress('::1', 'ipv6');
  return loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Off loopback everything but health needs the key. On loopback nothing here does; but a page in a browser on this
 * machine must not read it through a name that it let point here, so there the Host must be an address or a name
 * of this machine.
 */
function guard(app: FastifyInstance, settings: AdminSettings): void {
  const isKeyNeeded = !isLoopback(settings.host);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    reply.header('x-content-type-options', 'nosniff');
    if (HEALTH_PATHS.includes(request.routeOptions.url ?? '')) return;
    if (hasKey(request, settings.key)) return;
    if (isKeyNeeded) {
      reply.header('www-authenticate', 'ApiKey header="X-API-KEY"');
      return sendError(reply, 401, 'the X-API-KEY header is missing or wrong');
    }
    if (isOwnHost(request.headers.host, settings.host)) return;
    return sendError(reply, 421, 'the Host header names neither an address nor this machine');
  });
}

function hasKey(request: FastifyRequest, key: string | null): boolean {
  const given = request.headers['x-api-key'];
  if (key === null || key === '' || typeof given !== 'string') return false;
  // Hashes, because timingSafeEqual wants equal lengths and the length of the key is a secret as well.
  return timingSafeEqual(toDigest(given), toDigest(key));
}

function toDigest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function isOwnHost(header: string | undefined, host: string): boolean {
  // HTTP/1.0 may leave it out; no browser does.
  if (header === undefined) return true;
  const name = header
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  return (
    isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || name === host.toLowerCase()
  );
}

function addErrors(app: FastifyInstance, options: AdminOptions): void {
  app.setNotFoundHandler((_request, reply) => sendError(reply, 404, 'there is nothing at this path'));
  app.setErrorHandler((error: unknown, _request, reply) => {
    const status = (error as { readonly statusCode?: unknown }).statusCode;
    if (typeof status === 'number' && status >= 400 && status < 500) {
      return sendError(reply, status, error instanceof Error ? error.message : 'bad request');
    }
    options.onError?.(error instanceof Error ? error : new Error(String(error)));
    return sendError(reply, 500, 'internal error');
  });
}

function addReads(app: FastifyInstance, { ledger, metrics, clock, isReady }: AdminOptions): void {
  addRead(app, '/mirrors', async () => readMirrors(ledger, clock()));
  addRead(app, '/mirrors/:route', async (request, reply) => {
    const { route } = request.params as { readonly route: string };
    const report = readMirror(ledger, route, clock());
    return report ?? sendError(reply, 404, `there is no mirrored route ${JSON.stringify(route)}`);
  });
  addRead(app, '/metrics', async (_request, reply) => {
    const text = await metrics.render();
    return reply.type(metrics.contentType).send(text);
  });
  addRead(app, '/livez', async (_request, reply) => reply.type('text/plain; charset=utf-8').send('ok\n'));
  addRead(app, '/readyz', async (_request, reply) => {
    const isOpen = isReady();
    return reply
      .code(isOpen ? 200 : 503)
      .type('text/plain; charset=utf-8')
      .send(isOpen ? 'ok\n' : 'not ready\n');
  });
}

type ReadHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** GET and HEAD; every other method is refused before its body is looked at. */
function addRead(app: FastifyInstance, url: string, handler: ReadHandler): void {
  app.get(url, handler);
  const refuse = async (_request: FastifyRequest, reply: FastifyReply) => {
    reply.header('allow', READ_METHODS);
    return sendError(reply, 405, `this path takes ${READ_METHODS}`);
  };
  const others = app.supportedMethods.filter((method) => method !== 'GET' && method !== 'HEAD');
  app.route({ method: others, url, onRequest: refuse, handler: refuse });
}

function sendError(reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).send({ error });
}

async function listen(app: FastifyInstance, settings: AdminSettings): Promise<AdminAddress> {
  const address = toAddress(settings.host, settings.port);
  if (!isLoopback(settings.host) && !settings.key) {
    throw new Error(`admin listener: ${address} is off loopback, which needs admin.key`);
  }
  try {
    await app.listen({ host: settings.host, port: settings.port });
  } catch (cause) {
    throw new Error(`admin listener: cannot listen on ${address}: ${toListenProblem(cause)}`, { cause });
  }
  const bound = app.server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : settings.port;
  return { host: settings.host, port };
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
