// The path /mirrors/{route}/verdict of the admin listener.
//
// Owns its parameters and which status each answer has. A threshold that is not understood is refused, never left out: who
// mistypes one must not be told that the shadow passes.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  overrideThresholds,
  parseThreshold,
  THRESHOLD_NAMES,
  type ThresholdName,
  toThresholdForm,
} from '../../config/threshold.ts';
import type { Thresholds } from '../../core/model.ts';
import { parseQuery } from '../admin-api/target.ts';
import { addPath, sendError } from '../admin-path.ts';
import type { FindingsStore } from '../findings/findings-store.ts';
import type { Ledger } from '../ledger.ts';
import { toVerdict, type Verdict } from './verdict.ts';

/** May be given as a parameter as well (admin-api/auth.ts). */
const KEY_PARAMETER = 'api_key';
const FOUND_LENGTH_MAX = 100;

export interface VerdictOptions {
  readonly ledger: Ledger;
  readonly findings: FindingsStore;
}

/** Why there is no verdict. */
export class VerdictProblem extends Error {
  readonly status: 400 | 404 | 409;

  constructor(status: 400 | 404 | 409, message: string) {
    super(message);
    this.status = status;
  }
}

export function addVerdict(app: FastifyInstance, options: VerdictOptions): void {
  const { findings } = options;
  addPath(app, '/mirrors/:route/verdict', {
    GET: async (request, reply) => {
      try {
        return readVerdict(options, toRouteId(request), parseQuery(request.url));
      } catch (error) {
        if (error instanceof VerdictProblem) return sendError(reply, error.status, error.message);
        throw error;
      }
    },
    DELETE: async (request, reply) => {
      const id = toRouteId(request);
      if (findings.route(id) === undefined) return sendError(reply, 404, toUnknown(id));
      findings.resetVerdict(id);
      return reply.code(204).send();
    },
  });
}

/** Throws a VerdictProblem. */
export function readVerdict(
  { ledger, findings }: VerdictOptions,
  id: string,
  query: URLSearchParams,
): Verdict {
  const row = ledger.row(id);
  const known = findings.route(id);
  const mirror = row?.entry.route.mirror ?? null;
  if (row === undefined || mirror === null || known === undefined)
    throw new VerdictProblem(404, toUnknown(id));
  if (mirror.compare === null) {
    const message = `the route ${JSON.stringify(id)} does not compare: its mirror needs compare.enabled`;
    throw new VerdictProblem(409, message);
  }
  return toVerdict(row, mirror, known, parseThresholds(query, mirror.compare.thresholds));
}

function parseThresholds(query: URLSearchParams, thresholds: Thresholds): Thresholds {
  const given = new Map<ThresholdName, number>();
  for (const [key, text] of query) {
    // An empty part between two ampersands.
    if (key === KEY_PARAMETER || (key === '' && text === '')) continue;
    const name = THRESHOLD_NAMES.find((known) => known === key);
    if (name === undefined) {
      const known = THRESHOLD_NAMES.join(', ');
      throw new VerdictProblem(400, `there is no parameter ${toFound(key)}; there are ${known}`);
    }
    if (given.has(name)) throw new VerdictProblem(400, `${name} is given twice`);
    const value = parseThreshold(name, text);
    if (value === null) {
      throw new VerdictProblem(400, `${name} must be ${toThresholdForm(name)}, found ${toFound(text)}`);
    }
    given.set(name, value);
  }
  return overrideThresholds(thresholds, given);
}

function toFound(text: string): string {
  return JSON.stringify(text.length > FOUND_LENGTH_MAX ? `${text.slice(0, FOUND_LENGTH_MAX)}…` : text);
}

function toUnknown(id: string): string {
  return `there is no mirrored route ${JSON.stringify(id)}`;
}

function toRouteId(request: FastifyRequest): string {
  return (request.params as { readonly route: string }).route;
}
