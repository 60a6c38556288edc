// Resources that APISIX has and umbra does not: there are none of them, and none can be made.
//
// For clients that read all that there is before they write what they have. A write is refused, never taken and forgotten.

import { Refusal } from '../catalog.ts';
import { selectItems } from './filter.ts';
import type { Call, Reply } from './resources.ts';
import type { Shape } from './shape.ts';

const NAMES: ReadonlySet<string> = new Set([
  'consumers',
  'consumer_groups',
  'global_rules',
  'plugin_configs',
  'plugin_metadata',
  'protos',
  'secrets',
  'ssls',
  'stream_routes',
]);

export function isUnsupported(name: string): boolean {
  return NAMES.has(name);
}

export function answerUnsupported(
  method: string,
  { kind, id, query }: Pick<Call, 'id' | 'query'> & { readonly kind: string },
  shape: Shape,
): Reply {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (id === null) return { status: 200, body: shape.toList(kind, selectItems([], query)) };
      throw new Refusal(404, { message: 'Key not found' });
    case 'PUT':
    case 'POST':
    case 'PATCH':
    case 'DELETE':
      throw new Refusal(400, { error_msg: `${kind} are not supported here` });
    default:
      throw new Refusal(404, { error_msg: 'not found' });
  }
}
