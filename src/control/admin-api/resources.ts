// Routes, upstreams and services by the verbs of the Admin API.
//
// Owns what a verb means: ids, times, status. What a value must be like is the catalog's to say; nothing is changed but
// through it, and a change that it refuses has changed nothing.

import type { ResourceKind } from '../../config/apisix/resource.ts';
import { isResourceId } from '../../config/apisix/resource-id.ts';
import { type Catalog, type CatalogItem, Refusal } from '../catalog.ts';
import { BODY_BYTES_MAX } from './body.ts';
import { selectItems } from './filter.ts';
import { isObject, type JsonObject, merge, replaceNode } from './patch.ts';
import { ACTION_CREATE, ACTION_PATCH, ACTION_SET, type Shape } from './shape.ts';
import { findFlaw } from './value.ts';

const ID_FIELD = 'id';
/** The catalog keeps them. */
const TIME_FIELDS = ['create_time', 'update_time'] as const;

/** As APISIX's messages call one of them. */
const NOUNS: Record<ResourceKind, string> = { routes: 'route', upstreams: 'upstream', services: 'service' };

export interface Call {
  readonly kind: ResourceKind;
  readonly id: string | null;
  /** What follows the id. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  /** Parsed; undefined when there was none. */
  readonly body: unknown;
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** Rejects with a Refusal for what the client did wrong. */
export type Operation = (call: Call) => Promise<Reply>;

export function createOperations(catalog: Catalog, shape: Shape): ReadonlyMap<string, Operation> {
  const get: Operation = async ({ kind, id, query }) => {
    if (id === null) {
      return { status: 200, body: shape.toList(kind, selectItems(catalog.list(kind), query)) };
    }
    return { status: 200, body: shape.toOne(toExisting(catalog.find(kind, id))) };
  };

  const put: Operation = async ({ kind, id: given, body }) => {
    const value = toNewValue(body);
    const id = toId(kind, given, value);
    let isNew = true;
    const item = await catalog.change(kind, id, (old) => {
      isNew = old === undefined;
      return withoutOwn(value);
    });
    return { status: isNew ? 201 : 200, body: shape.toWritten(ACTION_SET, toExisting(item)) };
  };

  const post: Operation = async ({ kind, id, body }) => {
    const value = toNewValue(body);
    if (id !== null || Object.hasOwn(value, ID_FIELD)) {
      throw toRefusal(`wrong ${NOUNS[kind]} id, do not need it`);
    }
    const item = await catalog.change(kind, catalog.newId(kind), () => value);
    return { status: 201, body: shape.toWritten(ACTION_CREATE, toExisting(item)) };
  };

  const patch: Operation = async ({ kind, id, path, body }) => {
    if (id === null) throw toRefusal(`missing ${NOUNS[kind]} id`);
    if (body === undefined) throw toRefusal('missing new configuration');
    const edit = toEdit(kind, id, path, body);
    const item = await catalog.change(kind, id, (old) => edit(toExisting(old).value));
    return { status: 200, body: shape.toWritten(ACTION_PATCH, toExisting(item)) };
  };

  const remove: Operation = async ({ kind, id, query }) => {
    if (id === null) throw toRefusal(`missing ${NOUNS[kind]} id`);
    await catalog.change(
      kind,
      id,
      (old) => {
        toExisting(old);
        return null;
      },
      { force: query.get('force') === 'true' },
    );
    return { status: 200, body: shape.toRemoved(kind, id) };
  };

  return new Map([
    ['GET', get],
    ['HEAD', get],
    ['PUT', put],
    ['POST', post],
    ['PATCH', patch],
    ['DELETE', remove],
  ]);
}

function toExisting(item: CatalogItem | undefined | null): CatalogItem {
  if (!item) throw new Refusal(404, { message: 'Key not found' });
  return item;
}

function toNewValue(body: unknown): JsonObject {
  if (body === undefined) throw toRefusal('missing configurations');
  if (!isObject(body)) throw toRefusal('invalid configuration: wrong type: expected an object');
  for (const field of TIME_FIELDS) {
    if (Object.hasOwn(body, field)) throw toRefusal(`the property is forbidden: ${field}`);
  }
  refuseInnerTimes(body);
  return body;
}

function refuseInnerTimes({ upstream }: JsonObject): void {
  if (!isObject(upstream)) return;
  for (const field of TIME_FIELDS) {
    if (Object.hasOwn(upstream, field)) throw toRefusal(`the property is forbidden: upstream.${field}`);
  }
}

/** The id of the path, or of the value; both, when they agree. */
function toId(kind: ResourceKind, given: string | null, value: JsonObject): string {
  const own = value[ID_FIELD];
  if (given === null && own === undefined) throw toRefusal(`missing ${NOUNS[kind]} id`);
  // Before it is compared: only of what may be an id the text is known to be one.
  if (own !== undefined && !isId(own)) throw toIdRefusal();
  if (own !== undefined && given !== null && String(own) !== given) {
    throw toRefusal(`wrong ${NOUNS[kind]} id`);
  }
  const id = given ?? String(own);
  if (!isId(id)) throw toIdRefusal();
  return id;
}

function isId(id: unknown): boolean {
  if (typeof id === 'number') return Number.isSafeInteger(id) && id >= 1;
  return typeof id === 'string' && isResourceId(id);
}

function toEdit(
  kind: ResourceKind,
  id: string,
  path: readonly string[],
  body: unknown,
): (value: JsonObject) => JsonObject {
  if (path.length === 0) {
    if (!isObject(body)) throw toRefusal('invalid configuration: wrong type: expected an object');
    return (value) => toPatched(kind, id, merge(value, body));
  }
  const [first = ''] = path;
  if ((TIME_FIELDS as readonly string[]).includes(first))
    throw toRefusal(`the property is forbidden: ${first}`);
  return (value) => toPatched(kind, id, replaceNode(value, path, body));
}

function toPatched(kind: ResourceKind, id: string, value: JsonObject): JsonObject {
  if (value[ID_FIELD] !== undefined) toId(kind, id, value);
  refuseInnerTimes(value);
  const patched = withoutOwn(value);
  refuseUnsendable(patched);
  return patched;
}

/** Many patches, each within the bounds of a body, must not make what none of them could have sent. */
function refuseUnsendable(value: JsonObject): void {
  const flaw = findFlaw(value);
  if (flaw !== null) throw toRefusal(`invalid configuration: with this patch ${flaw}`);
  const size = Buffer.byteLength(JSON.stringify(value));
  if (size > BODY_BYTES_MAX) {
    throw toRefusal(
      `invalid configuration: with this patch its size ${size} is greater than the maximum size ${BODY_BYTES_MAX} allowed`,
    );
  }
}

/** Without what the catalog adds by itself. */
function withoutOwn(value: JsonObject): JsonObject {
  const own: readonly string[] = [ID_FIELD, ...TIME_FIELDS];
  return Object.fromEntries(Object.entries(value).filter(([key]) => !own.includes(key)));
}

function toIdRefusal(): Refusal {
  return toRefusal(
    'invalid configuration: property "id" validation failed: an id is an integer from 1, or 1 to 64 letters, digits, "-", "_" and ".", and must not be . or ..: they cannot stand in the path of a URL',
  );
}

function toRefusal(message: string): Refusal {
  return new Refusal(400, { error_msg: message });
}
