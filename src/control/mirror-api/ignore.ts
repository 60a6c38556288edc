// "Ignore this field": writes the rule into a route of the Admin API, or says which line a config file needs.
//
// Goes through the catalog, as every change of a route: checked, stored and in force before it is answered.

import {
  findObstacle,
  type IgnoreRule,
  toIgnoreLine,
  toIgnoreRule,
  withIgnored,
} from '../../config/ignore-rule.ts';
import type { LogFields } from '../../core/log.ts';
import { type Catalog, type CatalogItem, Refusal } from '../catalog.ts';
import type { JsonObject } from '../store/store.ts';

export interface Ignoring {
  readonly status: number;
  readonly body: object;
  /** For the log; null when nothing was changed. */
  readonly note: LogFields | null;
}

export async function ignoreField(catalog: Catalog, route: string, field: string): Promise<Ignoring> {
  const rule = toIgnoreRule(field);
  if (rule === null) {
    const error = `no rule can ignore ${JSON.stringify(field)}: one names a header, or a place in a JSON body`;
    return { status: 400, body: { error }, note: null };
  }
  const line = toIgnoreLine(rule);
  const item = catalog.find('routes', route);
  if (item === undefined || item.isReadOnly) return toFileAnswer(route, line);
  try {
    await catalog.change('routes', route, (current) => edit(catalog, current, rule));
  } catch (error) {
    if (error instanceof InFile) return toFileAnswer(route, line);
    if (error instanceof Idle) {
      return { status: 409, body: { applied: false, rule: line, error: error.message }, note: null };
    }
    if (!(error instanceof Refusal)) throw error;
    const { error_msg } = error.body;
    // Of the Admin API: a route that a file has taken over meanwhile.
    if (error.status === 405) return toFileAnswer(route, line);
    return {
      status: error.status,
      body: { applied: false, rule: line, error: String(error_msg) },
      note: null,
    };
  }
  return { status: 200, body: { applied: true, rule: line }, note: { field } };
}

/** The route is gone, or stands in a file now. */
class InFile extends Error {}

/** The rule would be without effect: nothing is written. */
class Idle extends Error {}

function edit(catalog: Catalog, item: CatalogItem | undefined, rule: IgnoreRule): JsonObject {
  if (item === undefined || item.isReadOnly) throw new InFile();
  const { service_id: serviceId } = item.value;
  const service = isId(serviceId) ? catalog.find('services', String(serviceId)) : undefined;
  const obstacle = findObstacle(item.value, service?.value ?? null);
  if (obstacle !== null) throw new Idle(obstacle);
  return withIgnored(item.value, rule, service?.value ?? null) as JsonObject;
}

function isId(id: unknown): id is string | number {
  return typeof id === 'string' || typeof id === 'number';
}

function toFileAnswer(route: string, line: string): Ignoring {
  return {
    status: 409,
    body: {
      applied: false,
      rule: line,
      error: `route ${JSON.stringify(route)} stands in a config file: put the rule there, under mirror.compare, and reload`,
      place: `routes → id ${JSON.stringify(route)} → mirror → compare`,
    },
    note: null,
  };
}
