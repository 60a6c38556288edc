// The revision of a route: what a limit counts for, and what tells front ends whether a route has changed.

import { createHash } from 'node:crypto';
import type { Route } from '../core/model.ts';

const REVISION_LENGTH = 16;

/** The route with the hash of all its settings, in the order of the model, whatever order they were written in. */
export function toRevised(route: Omit<Route, 'revision'>): Route {
  const { id, ...rest } = route;
  const revision = createHash('sha256').update(JSON.stringify(route)).digest('hex').slice(0, REVISION_LENGTH);
  return { id, revision, ...rest };
}
