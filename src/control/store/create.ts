// Which store a configuration asks for.

import type { StoreSettings } from '../../core/model.ts';
import { createFileStore } from './file.ts';
import { createRedisStore } from './redis.ts';
import type { Store, StoreHooks } from './store.ts';

export function createStore(settings: StoreSettings, hooks: StoreHooks): Store {
  switch (settings.type) {
    case 'file':
      return createFileStore(settings.path, hooks);
    case 'redis':
      return createRedisStore(settings, hooks);
  }
}
