// What the Admin API tells about itself: which plugins there are, and the schemas of these and of resources.
//
// For clients that ask before they write. The schemas are config/'s, and so is what is checked when they write.

import {
  PROXY_MIRROR,
  ProxyMirrorSchema,
  UMBRA_COMPARE,
  UmbraCompareSchema,
} from '../../config/apisix/plugin-schema.ts';
import type { ResourceKind } from '../../config/apisix/resource.ts';
import { RESOURCE_SCHEMAS } from '../../config/apisix/schema.ts';
import { Refusal } from '../catalog.ts';
import type { Reply } from './resources.ts';

const PLUGINS: ReadonlyMap<string, object> = new Map<string, object>([
  [PROXY_MIRROR, ProxyMirrorSchema],
  [UMBRA_COMPARE, UmbraCompareSchema],
]);
/** As schemas are asked for. */
const KINDS: ReadonlyMap<string, ResourceKind> = new Map([
  ['route', 'routes'],
  ['upstream', 'upstreams'],
  ['service', 'services'],
]);

/** `/plugins/list`, `/plugins/reload` and `/plugins/NAME`. */
export function answerPlugins(method: string, name: string | null): Reply {
  if (name === 'reload') {
    // There is nothing to load anew: clients only want to hear that it is done.
    if (method === 'PUT') return { status: 200, body: 'done' };
    throw new Refusal(405, { error_msg: `plugins are reloaded by PUT, not by ${method}` });
  }
  assertRead(method);
  if (name === 'list') return { status: 200, body: [...PLUGINS.keys()] };
  if (name === null) throw new Refusal(400, { error_msg: 'not found plugin name' });
  const schema = PLUGINS.get(name);
  if (schema === undefined) throw new Refusal(404, { error_msg: `plugin not found: ${name}` });
  return { status: 200, body: toPlainSchema(schema) };
}

/** `/schema/route`, `/schema/upstream` and `/schema/service`. */
export function answerSchema(method: string, name: string | null): Reply {
  assertRead(method);
  const kind = KINDS.get(name ?? '');
  if (kind === undefined) throw new Refusal(400, { error_msg: `not found schema: ${name ?? ''}` });
  return { status: 200, body: toPlainSchema(RESOURCE_SCHEMAS[kind]) };
}

function assertRead(method: string): void {
  if (method !== 'GET' && method !== 'HEAD') throw new Refusal(404, { error_msg: 'not found' });
}

/** Without the keywords that only the check here knows. */
function toPlainSchema(schema: object): unknown {
  const isOwn = (key: string) => key === 'errorMessage' || key.startsWith('x-');
  return JSON.parse(JSON.stringify(schema, (key, value: unknown) => (isOwn(key) ? undefined : value)));
}
