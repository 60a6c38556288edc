// What stored resources mean: each route translated, with the service and the upstream that it uses.
//
// Owns which routes a change touches, so that only those are translated again. Knows nothing of files, stores or front ends;
// a plan is made first and only then taken over, so that a change that is refused has left nothing behind.

import { checkReferences, checkResource } from '../config/apisix/check.ts';
import { toSentence } from '../config/apisix/remark.ts';
import type { FindResource, ResourceKind } from '../config/apisix/resource.ts';
import { translateRoute } from '../config/apisix/route.ts';
import { PATTERNS_MAX } from '../config/defaults.ts';
import { countPatterns } from '../config/path-pattern.ts';
import type { Route, Timeouts } from '../core/model.ts';
import { Refusal } from './catalog.ts';
import { toOwnValue } from './catalog-item.ts';
import { type JsonObject, type StoredResource, type StoredResources, toKey } from './store/store.ts';

/** What a route has come to. */
export interface Meaning {
  /** Null when the route is switched off, or has a problem. */
  readonly route: Route | null;
  /** Why it cannot be in force, in one line. */
  readonly problem: string | null;
  readonly notices: readonly string[];
}

/** What a change comes to. */
export interface Plan {
  /** Of the routes that it touches, by id; null for one that is gone. */
  readonly meanings: ReadonlyMap<string, Meaning | null>;
  /** What of a changed route is accepted and has no effect, each in one line. */
  readonly notices: readonly string[];
}

/** Every front end keeps them in order, and all of them again at each change. */
const TOO_MANY_PATTERNS = `all routes together must have at most ${PATTERNS_MAX} pairs of a host and a path`;
/** Stands in for an upstream that was removed by force: requests are answered 503, and do not fall to another route. */
const NO_UPSTREAM: JsonObject = { type: 'roundrobin', nodes: {} };

export class RouteSet {
  #resources: Map<string, StoredResource> = new Map();
  #meanings = new Map<string, Meaning>();
  #mirrorTimeouts: Timeouts;

  constructor(mirrorTimeouts: Timeouts) {
    this.#mirrorTimeouts = mirrorTimeouts;
  }

  /** By `routes/ID` and so on, in the order of their creation. */
  get resources(): StoredResources {
    return this.#resources;
  }

  /** Of the stored routes, in the order of their creation, which is that of `resources`. */
  *meanings(): Iterable<readonly [string, Meaning]> {
    for (const { kind, id } of this.#resources.values()) {
      const meaning = kind === 'routes' ? this.#meanings.get(id) : undefined;
      if (meaning !== undefined) yield [id, meaning];
    }
  }

  /** What making this the resource's value, or removing it, would come to. Throws a Refusal of 400 or 507. */
  plan(kind: ResourceKind, id: string, value: JsonObject | null, isForced: boolean): Plan {
    const plan = this.#plan(kind, id, value, isForced);
    let patterns = 0;
    for (const [routeId, known] of this.#meanings) {
      if (!plan.meanings.has(routeId)) patterns += countOf(known);
    }
    for (const meaning of plan.meanings.values()) patterns += countOf(meaning);
    if (patterns <= PATTERNS_MAX) return plan;
    throw new Refusal(507, { error_msg: `${TOO_MANY_PATTERNS}, found ${patterns}` });
  }

  #plan(kind: ResourceKind, id: string, value: JsonObject | null, isForced: boolean): Plan {
    if (value === null) {
      if (!isForced) this.#assertUnused(kind, id);
    } else {
      this.#assertSound(kind, value);
    }
    const find: FindResource = (otherKind, otherId) =>
      otherKind === kind && otherId === id ? (value ?? undefined) : this.#find(otherKind, otherId);
    const meanings = new Map<string, Meaning | null>();
    if (kind === 'routes') {
      const meaning = value === null ? null : this.#translate(id, value, find);
      if (meaning !== null && meaning.problem !== null) throw toRefusal(meaning.problem);
      return { meanings: meanings.set(id, meaning), notices: meaning?.notices ?? [] };
    }
    for (const route of this.#findRoutesUsing(kind, id)) {
      const meaning = this.#translate(route.id, toOwnValue(route.value), find);
      // A route that has had a problem before is no reason to refuse what may be a step towards its repair.
      const isWorse = meaning.problem !== null && this.#meanings.get(route.id)?.problem === null;
      if (isWorse && !isForced) throw toRefusal(`route [${route.id}] uses it: ${meaning.problem}`);
      meanings.set(route.id, meaning);
    }
    return { meanings, notices: [] };
  }

  /** Takes a change over that was stored. */
  adopt(kind: ResourceKind, id: string, stored: StoredResource | null, plan: Plan): void {
    if (stored === null) this.#resources.delete(toKey(kind, id));
    else this.#resources.set(toKey(kind, id), stored);
    for (const [routeId, meaning] of plan.meanings) {
      if (meaning === null) this.#meanings.delete(routeId);
      else this.#meanings.set(routeId, meaning);
    }
  }

  /** Takes over what a store holds, whatever it is: a route that is not right is one with a problem. */
  replace(resources: StoredResources): void {
    const before = this.#resources;
    const sorted = [...resources].sort(([, a], [, b]) => a.createdIndex - b.createdIndex);
    this.#resources = new Map(sorted);
    const keys = new Set([...before.keys(), ...resources.keys()]);
    const isOther = (key: string): boolean =>
      before.get(key)?.modifiedIndex !== resources.get(key)?.modifiedIndex ||
      before.get(key)?.createdIndex !== resources.get(key)?.createdIndex;
    const changed = new Set([...keys].filter(isOther));
    const isTouched = (kind: ResourceKind, id: string | null): boolean => {
      if (id === null || changed.size === 0) return false;
      const key = toKey(kind, id);
      if (changed.has(key)) return true;
      return kind === 'services' && isTouched('upstreams', toReference(this.#find(kind, id), 'upstream_id'));
    };
    const meanings = new Map<string, Meaning>();
    let patterns = 0;
    for (const { kind, id, value } of this.#resources.values()) {
      if (kind !== 'routes') continue;
      const isStale =
        isTouched('routes', id) ||
        isTouched('upstreams', toReference(value, 'upstream_id')) ||
        isTouched('services', toReference(value, 'service_id'));
      const known = isStale ? undefined : this.#meanings.get(id);
      const meaning = known ?? this.#judge(id, value);
      patterns += countOf(meaning);
      meanings.set(id, patterns <= PATTERNS_MAX ? meaning : toProblem(TOO_MANY_PATTERNS));
    }
    this.#meanings = meanings;
  }

  /** Deadlines of mirrors that say none of their own. */
  setMirrorTimeouts(timeouts: Timeouts): void {
    if (JSON.stringify(timeouts) === JSON.stringify(this.#mirrorTimeouts)) return;
    this.#mirrorTimeouts = timeouts;
    this.#meanings.clear();
    this.replace(this.#resources);
  }

  #find(kind: ResourceKind, id: string): JsonObject | undefined {
    const stored = this.#resources.get(toKey(kind, id));
    return stored === undefined ? undefined : toOwnValue(stored.value);
  }

  /** As APISIX says it. */
  #assertSound(kind: ResourceKind, value: JsonObject): void {
    const wrong = checkResource(kind, value);
    if (wrong !== null) throw toRefusal(wrong);
    // Only routes and services refer to others.
    const missing = kind === 'upstreams' ? null : checkReferences(value, (...of) => this.#find(...of));
    if (missing !== null) throw toRefusal(missing);
  }

  #assertUnused(kind: ResourceKind, id: string): void {
    if (kind === 'routes') return;
    const [user] = this.#findUsers(kind, id);
    if (user === undefined) return;
    const what = kind === 'upstreams' ? 'upstream' : 'service directly';
    const by = `${user.kind.slice(0, -1)} [${user.id}]`;
    throw toRefusal(`can not delete this ${what}, ${by} is still using it now`);
  }

  /** Routes first. */
  #findUsers(kind: ResourceKind, id: string): StoredResource[] {
    const field = kind === 'upstreams' ? 'upstream_id' : 'service_id';
    const users = [...this.#resources.values()].filter(
      (resource) => resource.kind !== 'upstreams' && toReference(resource.value, field) === id,
    );
    return [
      ...users.filter((user) => user.kind === 'routes'),
      ...users.filter((user) => user.kind === 'services'),
    ];
  }

  #findRoutesUsing(kind: ResourceKind, id: string): StoredResource[] {
    const users = this.#findUsers(kind, id).flatMap((user) =>
      user.kind === 'services' ? this.#findUsers('services', user.id) : [user],
    );
    return [...new Set(users)];
  }

  /** A stored value may be older than the rules of today, or have come into the store by another door. */
  #judge(id: string, value: JsonObject): Meaning {
    try {
      const own = toOwnValue(value);
      const wrong = checkResource('routes', own);
      if (wrong !== null) return toProblem(wrong);
      return this.#translate(id, own, (kind, otherId) => this.#find(kind, otherId));
    } catch (error) {
      // A defect of ours, and of this route alone: all others must serve, and the gateway start.
      return toProblem(`cannot be understood: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #translate(id: string, value: JsonObject, find: FindResource): Meaning {
    const service = toReference(value, 'service_id');
    const used = service === null ? undefined : find('services', service);
    if (service !== null && used === undefined) return toProblem(`there is no service [${service}]`);
    const wrongPart =
      findProblem('services', service, find) ??
      findProblem('upstreams', toReference(value, 'upstream_id'), find) ??
      findProblem('upstreams', toReference(used, 'upstream_id'), find);
    if (wrongPart !== null) return toProblem(wrongPart);
    const { route, problems, notices } = translateRoute(
      id,
      value,
      (kind, otherId) => find(kind, otherId) ?? (kind === 'upstreams' ? NO_UPSTREAM : undefined),
      { mirrorTimeouts: this.#mirrorTimeouts },
    );
    const [wrong, idle] = [problems, notices].map((remarks) =>
      remarks.map((remark) => toSentence(remark, value)),
    );
    if (wrong!.length === 0) return { route, problem: null, notices: idle! };
    return { route: null, problem: `invalid configuration: ${wrong!.join('; ')}`, notices: idle! };
  }
}

function countOf(meaning: Meaning | null): number {
  return meaning === null || meaning.route === null ? 0 : countPatterns(meaning.route);
}

function toProblem(problem: string): Meaning {
  return { route: null, problem, notices: [] };
}

/** What is wrong with a resource that a route uses; null when nothing is, or there is none. */
function findProblem(kind: ResourceKind, id: string | null, find: FindResource): string | null {
  const value = id === null ? undefined : find(kind, id);
  const wrong = value === undefined ? null : checkResource(kind, value);
  return wrong === null ? null : `${kind.slice(0, -1)} [${id}]: ${wrong}`;
}

function toRefusal(message: string): Refusal {
  return new Refusal(400, { error_msg: message });
}

/** Ids may be written as numbers. */
function toReference(value: JsonObject | undefined, field: string): string | null {
  const id = value?.[field];
  return typeof id === 'string' || typeof id === 'number' ? String(id) : null;
}
