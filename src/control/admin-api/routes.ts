// APISIX's Admin API as HTTP: one handler for every path below /apisix/admin.
//
// Owns which resource and which verb a request means, and the form of every answer: JSON with X-API-VERSION, errors as
// `error_msg`. Who may ask is decided before (guard.ts). No exception leaves it.

import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RESOURCE_KINDS, type ResourceKind } from '../../config/apisix/resource.ts';
import { type Catalog, Refusal } from '../catalog.ts';
import { BODY_BYTES_MAX, parseBody, type RawBody, readBody } from './body.ts';
import { answerPlugins, answerSchema } from './plugin.ts';
import { createOperations, type Operation, type Reply } from './resources.ts';
import type { Shape } from './shape.ts';
import { parseTarget } from './target.ts';
import { answerUnsupported, isUnsupported } from './unsupported.ts';

export const ADMIN_API_PATH = '/apisix/admin';
/** Of the path, before the resource's name. */
const LEADING_SEGMENTS = 2;
const WRITE_METHODS: readonly string[] = ['PUT', 'POST', 'PATCH'];

export interface AdminApiOptions {
  readonly catalog: Catalog;
  readonly shape: Shape;
  readonly onError: (error: Error) => void;
}

export function addAdminApi(app: FastifyInstance, { catalog, shape, onError }: AdminApiOptions): void {
  const operations = createOperations(catalog, shape);
  app.register(async (scope) => {
    addBodies(scope);
    scope.setErrorHandler((error: unknown, _request, reply) => sendFailure(reply, error, onError));
    const handler = async (request: FastifyRequest, reply: FastifyReply) => {
      // What is left of such a body is not worth reading for the sake of the connection.
      if ((request.body as RawBody | undefined)?.isComplete === false) reply.header('connection', 'close');
      return sendJson(reply, await answerRequest(operations, shape, request));
    };
    for (const url of [ADMIN_API_PATH, `${ADMIN_API_PATH}/*`]) {
      scope.route({ method: scope.supportedMethods, url, bodyLimit: BODY_BYTES_MAX, handler });
    }
  });
}

/** Raw bytes whatever the content type says: curl's `-d` calls them a form, and APISIX does not look. */
function addBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request: FastifyRequest, stream: IncomingMessage) => readBody(stream));
  scope.addHook('onRequest', async (request) => {
    // Fastify refuses some by itself.
    delete request.raw.headers['content-type'];
  });
}

async function answerRequest(
  operations: ReadonlyMap<string, Operation>,
  shape: Shape,
  request: FastifyRequest,
): Promise<Reply> {
  const { path, query } = parseTarget(request.url);
  const { method } = request;
  let segments = path.slice(LEADING_SEGMENTS);
  if (segments.length === 0) {
    if (method === 'HEAD') return { status: 200, body: {} };
    throw toNotFound();
  }
  if (segments[0] === 'schema' && segments[1] === 'plugins') segments = segments.slice(1);
  const [name = '', id = null, ...rest] = segments;
  if (name === 'plugins' && rest.length === 0) return answerPlugins(method, id);
  if (name === 'schema' && rest.length === 0) return answerSchema(method, id);
  if (isUnsupported(name)) return answerUnsupported(method, { kind: name, id, query }, shape);
  if (!isKind(name)) throw new Refusal(404, { error_msg: `Unsupported resource type: ${name}` });
  const operation = operations.get(method);
  // Only PATCH reaches into a resource: a longer path is a mistake that must not replace the whole.
  if (operation === undefined || id === '' || (rest.length > 0 && method !== 'PATCH')) throw toNotFound();
  const body = parseBody(request.body as RawBody | undefined);
  checkLifetime(method, query.get('ttl'));
  return operation({ kind: name, id, path: rest, query, body });
}

function isKind(name: string): name is ResourceKind {
  return (RESOURCE_KINDS as readonly string[]).includes(name);
}

/** A resource that should vanish by itself and does not would be worse than an answer that says so. */
function checkLifetime(method: string, ttl: string | null): void {
  if (ttl === null) return;
  if (ttl.trim() === '' || Number.isNaN(Number(ttl))) {
    throw new Refusal(400, { error_msg: 'invalid argument ttl: should be a number' });
  }
  if (WRITE_METHODS.includes(method)) {
    throw new Refusal(400, { error_msg: 'invalid argument ttl: resources that expire are not supported' });
  }
}

function toNotFound(): Refusal {
  return new Refusal(404, { error_msg: 'not found' });
}

function sendFailure(reply: FastifyReply, error: unknown, onError: (error: Error) => void): FastifyReply {
  if (error instanceof Refusal) return sendJson(reply, error);
  const status = (error as { readonly statusCode?: unknown }).statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    const message = error instanceof Error ? error.message : 'bad request';
    return sendJson(reply, { status, body: { error_msg: message } });
  }
  onError(error instanceof Error ? error : new Error(String(error)));
  return sendJson(reply, { status: 500, body: { error_msg: 'internal error' } });
}

function sendJson(reply: FastifyReply, { status, body }: Reply): FastifyReply {
  return reply.code(status).type('application/json').send(JSON.stringify(body));
}
