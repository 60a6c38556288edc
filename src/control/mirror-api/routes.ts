// What can be read and done under /mirrors, and /events: one handler for each path (docs/admin.md).
//
// Owns the parameters, the bodies and the statuses. Who may ask is decided before (admin-api/guard.ts).

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import type { LogFields } from '../../core/log.ts';
import { ROLE_CONTROL } from '../../core/model.ts';
import { addPath, sendError } from '../admin-path.ts';
import type { Catalog } from '../catalog.ts';
import type { FindingsStore } from '../findings/findings-store.ts';
import type { RouteFindings } from '../findings/route-findings.ts';
import type { Ledger, LedgerRow } from '../ledger.ts';
import { readMirror, readMirrors } from '../mirrors.ts';
import { EventFeed } from './events.ts';
import { toFieldsView } from './field-view.ts';
import { type History, INTERVAL_MS } from './history.ts';
import { ignoreField } from './ignore.ts';
import { toLatencyView } from './latency-view.ts';
import { LIMIT_DEFAULT, LIMIT_MAX, MismatchAnswers } from './mismatch-answer.ts';
import { setPaused } from './pause.ts';

export interface MirrorApiOptions {
  readonly catalog: Catalog;
  readonly ledger: Ledger;
  readonly findings: FindingsStore;
  readonly history: History;
  readonly clock: Clock;
  /** Told of what somebody did here. */
  readonly onNote: (message: string, fields: LogFields) => void;
}

/** A mirrored route, and what is known of it. */
interface Subject {
  readonly row: LedgerRow;
  readonly findings: RouteFindings;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

type SubjectHandler = (subject: Subject) => Promise<unknown> | unknown;

export function addMirrorApi(app: FastifyInstance, options: MirrorApiOptions): void {
  const { ledger, findings, clock } = options;
  addPath(app, '/mirrors', { GET: async () => readMirrors(ledger, findings, clock()) });
  addPath(app, '/mirrors/:route', {
    GET: async (request, reply) =>
      readMirror(ledger, findings, readRoute(request), clock()) ?? sendUnknown(request, reply),
  });
  addFeed(app, options);
  app.register(async (scope) => {
    addBodies(scope);
    addFindings(scope, options);
    addWrites(scope, options);
  });
}

function addFindings(app: FastifyInstance, options: MirrorApiOptions): void {
  const { findings, history, clock } = options;
  const on = (handler: SubjectHandler) => withSubject(options, handler);
  const answers = new MismatchAnswers();
  addPath(app, '/mirrors/:route/mismatches', {
    GET: on(async ({ row, findings, request, reply }) => {
      const { limit, groups } = request.query as { readonly limit?: unknown; readonly groups?: unknown };
      const [entriesMax, groupsMax] = [parseLimit(limit), parseLimit(groups)];
      if (entriesMax === null || groupsMax === null) {
        const name = entriesMax === null ? 'limit' : 'groups';
        return sendError(reply, 400, `${name}: a whole number from 0 on is wanted, once`);
      }
      reply.type('application/json; charset=utf-8');
      if (request.method === 'HEAD') return reply.send();
      const { socket } = request.raw;
      const isThere = (): boolean => !socket.destroyed;
      const limits = { entries: entriesMax, groups: groupsMax };
      const text = await answers.read(row, findings, limits, isThere);
      return reply.send(text ?? '');
    }),
    DELETE: on(({ row, reply }) => {
      findings.clearMismatches(row.entry.route.id);
      return reply.code(204).send();
    }),
  });
  addPath(app, '/mirrors/:route/fields', {
    GET: on(({ row, findings }) =>
      toFieldsView(
        row.entry.route.id,
        findings.fieldTables,
        row.shadows.some(({ role }) => role === ROLE_CONTROL),
      ),
    ),
  });
  addPath(app, '/mirrors/:route/latency', { GET: on(({ row }) => toLatencyView(row, clock())) });
  addPath(app, '/mirrors/:route/history', {
    GET: on(({ row }) => ({
      interval_seconds: INTERVAL_MS / 1000,
      samples: history.read(row.entry.route.id),
    })),
  });
}

function addWrites(app: FastifyInstance, options: MirrorApiOptions): void {
  const { catalog, onNote } = options;
  const on = (handler: SubjectHandler) => withSubject(options, handler);
  const pause = (isPaused: boolean) =>
    on(({ row }) => {
      const route = row.entry.route.id;
      if (setPaused(row, isPaused)) onNote(isPaused ? 'mirror paused' : 'mirror resumed', { route });
      return { route, paused: isPaused };
    });
  addPath(app, '/mirrors/:route/pause', { PUT: pause(true), DELETE: pause(false) });
  addPath(app, '/mirrors/:route/ignored', {
    POST: on(async ({ row, request, reply }) => {
      const field = parseField(request.body);
      if (field === null) {
        return sendError(
          reply,
          400,
          'the body must be a JSON object with the text "field", and nothing else',
        );
      }
      const { status, body, note } = await ignoreField(catalog, row.entry.route.id, field);
      if (note !== null) onNote('field ignored', { route: row.entry.route.id, ...note });
      return reply.code(status).send(body);
    }),
  });
}

function addFeed(app: FastifyInstance, { ledger, findings, clock }: MirrorApiOptions): void {
  const feed = new EventFeed({ ledger, stored: findings, clock });
  app.addHook('preClose', async () => feed.close());
  addPath(app, '/events', {
    GET: async (request, reply) => {
      if (request.method === 'HEAD') return reply.type('text/event-stream; charset=utf-8').send();
      if (!feed.open(reply.raw, reply.getHeaders())) {
        return sendError(reply, 503, 'there are as many listeners as there may be');
      }
      return reply.hijack();
    },
  });
}

/** JSON whatever the content type says: curl's `-d` calls it a form. */
function addBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(
    '*',
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string | Buffer) => {
      try {
        return JSON.parse(String(text)) as unknown;
      } catch {
        return undefined;
      }
    },
  );
}

function withSubject({ ledger, findings }: MirrorApiOptions, handler: SubjectHandler) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const id = readRoute(request);
    const row = ledger.row(id);
    const known = findings.route(id);
    if (row === undefined || known === undefined) return sendUnknown(request, reply);
    return handler({ row, findings: known, request, reply });
  };
}

function readRoute(request: FastifyRequest): string {
  return (request.params as { readonly route: string }).route;
}

function sendUnknown(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendError(reply, 404, `there is no mirrored route ${JSON.stringify(readRoute(request))}`);
}

/** At most LIMIT_MAX; null when it is none. */
function parseLimit(limit: unknown): number | null {
  if (limit === undefined) return LIMIT_DEFAULT;
  return typeof limit === 'string' && /^\d{1,9}$/.test(limit) ? Math.min(LIMIT_MAX, Number(limit)) : null;
}

function parseField(body: unknown): string | null {
  if (typeof body !== 'object' || body === null) return null;
  const { field, ...others } = body as { readonly field?: unknown };
  return typeof field === 'string' && Object.keys(others).length === 0 ? field : null;
}
