// How the admin listener answers at one path: its methods, what it says to the others, and the form of its errors.
//
// For everything outside of the Admin API, whose answers have APISIX's form.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export type PathHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** By method. HEAD is answered wherever GET is. */
export interface PathHandlers {
  readonly GET?: PathHandler;
  readonly PUT?: PathHandler;
  readonly POST?: PathHandler;
  readonly DELETE?: PathHandler;
}

/** Every other method is refused before its body is looked at. */
export function addPath(app: FastifyInstance, url: string, handlers: PathHandlers): void {
  const methods: string[] = [];
  for (const [method, handler] of Object.entries(handlers) as [string, PathHandler][]) {
    app.route({ method, url, handler });
    methods.push(method);
    if (method === 'GET') methods.push('HEAD');
  }
  const allowed = methods.join(', ');
  const refuse: PathHandler = async (_request, reply) => {
    reply.header('allow', allowed);
    return sendError(reply, 405, `this path takes ${allowed}`);
  };
  const others = app.supportedMethods.filter((method) => !methods.includes(method));
  app.route({ method: others, url, onRequest: refuse, handler: refuse });
}

export function sendError(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.code(status).send({ error: message });
}
