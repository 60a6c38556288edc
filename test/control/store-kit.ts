// Folders, hooks and changes for tests of stores and of what is kept beside them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Change, JsonObject, StoreHooks } from '../../src/control/store/store.ts';

/** Of the test alone; gone with it. */
export function openFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-store-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const NO_HOOKS: StoreHooks = {
  onChange: () => {},
  onWarning: () => {},
};

export function put(id: string, value: JsonObject, basis: number | null = null): Change {
  return { kind: 'routes', id, value, basis };
}

export function remove(id: string, basis: number): Change {
  return { kind: 'routes', id, value: null, basis };
}
