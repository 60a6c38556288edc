// Which store a configuration asks for.

import type { StoreSettings } from '../../core/model.ts';
import { createFileStore } from './file.ts';
import type { Store, StoreHooks } from './store.ts';

export async function createStore(settings: StoreSettings, hooks: StoreHooks): Promise<Store> {
  if (settings.type === 'file') return createFileStore(settings.path, hooks);
  // Only here: the client library takes 60 ms and 8 MiB of heap, which a gateway without Redis does not need.
  const { createRedisStore } = await import('./redis.ts');
  return createRedisStore(settings, hooks);
}
