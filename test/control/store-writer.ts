// A process that writes routes into a file store as fast as it can, until it is killed: one new route, then that route
// changed, then the one before removed, and so on. Says on stdout what was acknowledged, a line each.

import { writeSync } from 'node:fs';
import { createFileStore } from '../../src/control/store/file.ts';
import { toKey } from '../../src/control/store/store.ts';
import { NO_HOOKS, put, remove } from './store-kit.ts';

const [path = '', first = '0'] = process.argv.slice(2);
const PADDING = 'x'.repeat(2_000);

const store = createFileStore(path, NO_HOOKS);
const resources = new Map(await store.open());
const say = (line: string): void => void writeSync(1, `${line}\n`);
say('open');
for (let index = Number(first); ; index++) {
  const id = `r${index}`;
  say(`try put ${id} 1`);
  const made = await store.write(put(id, { id, version: 1, PADDING }));
  say(`done put ${id} 1`);
  say(`try put ${id} 2`);
  const changed = await store.write(put(id, { id, version: 2, PADDING }, made!.modifiedIndex));
  resources.set(toKey('routes', id), changed!);
  say(`done put ${id} 2`);
  const before = index % 3 === 0 ? undefined : resources.get(toKey('routes', `r${index - 1}`));
  if (before === undefined) continue;
  say(`try remove ${before.id}`);
  await store.write(remove(before.id, before.modifiedIndex));
  say(`done remove ${before.id}`);
}
