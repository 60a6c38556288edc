// The file store: what was acknowledged is in the file whatever happens, and nothing is ever overwritten unread.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createFileStore } from '../../src/control/store/file.ts';
import { type Store, StoreConflict, StoreUnavailable } from '../../src/control/store/store.ts';
import { NO_HOOKS, openFolder, put, remove } from './store-kit.ts';

const WRITER = new URL('./store-writer.ts', import.meta.url).pathname;
const KILLS = 45;
const NOBODY = 65_534;

async function openStore(path: string): Promise<Store> {
  const store = createFileStore(path, NO_HOOKS);
  await store.open();
  return store;
}

async function readVersions(path: string): Promise<Record<string, unknown>> {
  const resources = await createFileStore(path, NO_HOOKS).open();
  return Object.fromEntries(Array.from(resources.values(), ({ id, value }) => [id, value.version]));
}

test('a missing file is an empty store, and the first change makes it, its folder, and nothing else', async (context) => {
  const path = join(openFolder(context), 'a/b/routes.json');
  const store = createFileStore(path, NO_HOOKS);
  assert.equal((await store.open()).size, 0);
  assert.ok(store.isWritable());
  assert.ok(!existsSync(dirname(path)));
  await store.write(put('1', { uri: '/a' }));
  assert.deepEqual(readdirSync(dirname(path)), ['routes.json']);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
});

test('what was written is read again, with its order and its indexes', async (context) => {
  const path = join(openFolder(context), 'routes.json');
  const store = await openStore(path);
  const value = { uri: '/ä\u2028"', deep: { __proto__: null, list: [1.5e300, -0.1, null, true, { a: [] }] } };
  const first = await store.write(put('1', value));
  assert.deepEqual(first, { kind: 'routes', id: '1', value, createdIndex: 1, modifiedIndex: 1 });
  await store.write(put('2', { uri: '/b' }));
  const changed = await store.write(put('1', { uri: '/c' }, 1));
  assert.deepEqual([changed?.createdIndex, changed?.modifiedIndex], [1, 3]);
  assert.equal(await store.write(remove('2', 2)), null);
  await store.write({ kind: 'upstreams', id: '2', value, basis: null });
  const again = createFileStore(path, NO_HOOKS);
  const resources = await again.open();
  assert.deepEqual([...resources.keys()], ['routes/1', 'upstreams/2']);
  assert.deepEqual(resources.get('upstreams/2')?.value, JSON.parse(JSON.stringify(value)));
  // The index of a removed resource is not given out again.
  assert.equal((await again.write(put('3', {})))?.createdIndex, 6);
});

test('a change on something else than what there is is a conflict, and changes nothing', async (context) => {
  const path = join(openFolder(context), 'routes.json');
  const store = await openStore(path);
  await store.write(put('1', { version: 1 }));
  const before = readFileSync(path);
  await assert.rejects(store.write(put('1', { version: 2 })), StoreConflict);
  await assert.rejects(store.write(put('1', { version: 2 }, 7)), StoreConflict);
  await assert.rejects(store.write(remove('9', 1)), StoreConflict);
  assert.deepEqual(readFileSync(path), before);
  await store.write(put('1', { version: 2 }, 1));
  assert.deepEqual(await readVersions(path), { 1: 2 });
});

test('a file that is cut off anywhere, or changed in any place, is refused by name and stays as it is', async (context) => {
  const path = join(openFolder(context), 'routes.json');
  const store = await openStore(path);
  for (const id of ['1', '2']) await store.write(put(id, { uri: `/${id}`, version: 1 }));
  const whole = readFileSync(path, 'utf8');
  const isRefused = async (text: string): Promise<void> => {
    writeFileSync(path, text);
    await assert.rejects(createFileStore(path, NO_HOOKS).open(), (error: Error) => {
      assert.ok(error.message.startsWith(`${path}: `), error.message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
    assert.equal(readFileSync(path, 'utf8'), text);
  };
  // All but the last two characters, which close the object and the line.
  for (let length = 0; length < whole.length - 1; length++) await isRefused(whole.slice(0, length));
  for (let at = 0; at < whole.trimEnd().length; at++) {
    // Between the values white space may be changed.
    if (/\s/.test(whole[at]!)) continue;
    const other = whole[at] === '7' ? '8' : '7';
    await isRefused(`${whole.slice(0, at)}${other}${whole.slice(at + 1)}`);
  }
  writeFileSync(path, whole);
  assert.deepEqual(await readVersions(path), { 1: 1, 2: 1 });
});

test('a file of something else, or of a newer umbra, is refused with the reason', async (context) => {
  const path = join(openFolder(context), 'routes.json');
  const reasons = async (text: string): Promise<string> => {
    writeFileSync(path, text);
    return createFileStore(path, NO_HOOKS)
      .open()
      .then(
        () => 'taken',
        (error: Error) => error.message.slice(path.length),
      );
  };
  const refusal = ': routes cannot be read from it: ';
  assert.equal(await reasons(''), `${refusal}it is empty`);
  assert.equal(
    await reasons('routes: []\n'),
    `${refusal}it is damaged: it is not valid JSON, or was cut off`,
  );
  assert.equal(await reasons('[]'), `${refusal}it is not a file with routes of umbra`);
  assert.equal(await reasons('{"name":"umbra"}'), `${refusal}it is not a file with routes of umbra`);
  assert.match(await reasons('{"format":2}'), /it has format 2, and this version of umbra knows 1/);
  rmSync(path);
  mkdirSync(path);
  await assert.rejects(openStore(path), /it is not a regular file/);
});

test('a file that somebody else has changed, put there or removed is not overwritten', async (context) => {
  const path = join(openFolder(context), 'routes.json');
  const [one, other] = [await openStore(path), await openStore(path)];
  await one.write(put('1', { version: 1 }));
  const isRefused = async (store: Store, words: RegExp, basis: number | null = null): Promise<void> => {
    const before = existsSync(path) ? readFileSync(path, 'utf8') : null;
    await assert.rejects(store.write(put('2', {}, basis)), (error: Error) => {
      assert.ok(error instanceof StoreUnavailable);
      assert.match(error.message, words);
      return true;
    });
    assert.ok(!store.isWritable());
    assert.equal(existsSync(path) ? readFileSync(path, 'utf8') : null, before);
  };
  await isRefused(other, /was changed by somebody else since this gateway read it/);
  // The first one goes on.
  await one.write(put('1', { version: 2 }, 1));
  assert.ok(one.isWritable());
  assert.deepEqual(await readVersions(path), { 1: 2 });
  rmSync(path);
  await isRefused(one, /is gone since this gateway read it/);
  assert.deepEqual(readdirSync(dirname(path)), []);
});

test('two processes that write at the same time never lose what one of them acknowledged', async (context) => {
  const path = join(openFolder(context), 'routes.json');
  const stores = await Promise.all(Array.from({ length: 8 }, () => openStore(path)));
  const results = await Promise.allSettled(
    stores.map((store, index) => store.write(put(`r${index}`, { version: index }))),
  );
  const taken = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
  assert.equal(taken.length, 1);
  assert.deepEqual(await readVersions(path), { [`r${taken[0]}`]: taken[0] });
});

test('a folder that cannot be written to refuses changes, and takes them as soon as it can be', async (context) => {
  const folder = openFolder(context);
  // The file's folder cannot be made where a file has its name.
  const path = join(folder, 'data/routes.json');
  writeFileSync(join(folder, 'data'), '');
  await assert.rejects(openStore(path), /a part of its path is no folder/);
  rmSync(join(folder, 'data'));
  const store = await openStore(path);
  writeFileSync(join(folder, 'data'), '');
  await assert.rejects(store.write(put('1', {})), StoreUnavailable);
  assert.ok(!store.isWritable());
  rmSync(join(folder, 'data'));
  await store.write(put('1', { version: 1 }));
  assert.ok(store.isWritable());
  assert.deepEqual(await readVersions(path), { 1: 1 });
});

/** Runs a change in a process of its own; its output. */
function runChange(path: string, options: { readonly uid?: number; readonly before?: string } = {}): string {
  const kit = new URL('./store-kit.ts', import.meta.url).href;
  const file = new URL('../../src/control/store/file.ts', import.meta.url).href;
  const code = `
    const { createFileStore } = await import(${JSON.stringify(file)});
    const { NO_HOOKS, put } = await import(${JSON.stringify(kit)});
    const store = createFileStore(${JSON.stringify(path)}, NO_HOOKS);
    const size = (await store.open()).size;
    const before = store.isWritable();
    const said = await store.write(put('new', { text: 'x'.repeat(400_000) })).then(() => 'stored', (e) => e.name + ' ' + e.message);
    console.log(size, before, store.isWritable(), said);`;
  const { uid, before = '' } = options;
  const script = `${before}\nexec "$0" --input-type=module -e "$1"`;
  const run = spawnSync('/bin/sh', ['-c', script, process.execPath, code], {
    encoding: 'utf8',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  return `${run.stdout}${run.stderr}`.trim();
}

test('a read-only folder is read from, and refuses changes', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async (context) => {
  const folder = openFolder(context);
  const path = join(folder, 'routes.json');
  const store = await openStore(path);
  await store.write(put('1', { version: 1 }));
  chownSync(path, NOBODY, NOBODY);
  chmodSync(folder, 0o755);
  const said = runChange(path, { uid: NOBODY });
  assert.equal(said, `1 false false StoreUnavailable ${path} cannot be written: permission denied`);
  assert.deepEqual(readdirSync(folder), ['routes.json']);
});

test('a full disk refuses the change and leaves nothing of it', async (context) => {
  const folder = openFolder(context);
  const path = join(folder, 'routes.json');
  const store = await openStore(path);
  await store.write(put('1', { version: 1 }));
  const before = readFileSync(path, 'utf8');
  // The system refuses to let a file of this process grow, as it does on a full disk.
  const said = runChange(path, { before: "trap '' XFSZ; ulimit -f 200" });
  assert.equal(said, `1 true false StoreUnavailable ${path} cannot be written: the file would be too large`);
  assert.equal(readFileSync(path, 'utf8'), before);
  assert.deepEqual(readdirSync(folder), ['routes.json']);
});

test('what killed processes left behind is removed, and their lock holds nobody up', async (context) => {
  const folder = openFolder(context);
  const path = join(folder, 'routes.json');
  await (await openStore(path)).write(put('1', { version: 1 }));
  const ended = spawnSync('/bin/sh', ['-c', 'echo $$'], { encoding: 'utf8' }).stdout.trim();
  writeFileSync(`${path}.${ended}-0123abcd.tmp`, 'half');
  writeFileSync(`${path}.notes`, 'not ours');
  const { hostname } = await import('node:os');
  const lock = (pid: string | number, startedAt: number): void =>
    symlinkSync(`${pid} ${startedAt} ${hostname()}`, `${path}.lock`);
  lock(ended, 1);
  const store = await openStore(path);
  assert.deepEqual(readdirSync(folder).sort(), ['routes.json', 'routes.json.notes']);
  // In a container every process may have the same number.
  lock(process.pid, 1);
  await store.write(put('1', { version: 2 }, 1));
  assert.deepEqual(readdirSync(folder).sort(), ['routes.json', 'routes.json.notes']);
});

interface Writer {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Resolves when it has said that many lines or has ended. */
  said(count: number): Promise<void>;
}

function startWriter(path: string, first: number): Writer {
  const child = spawn(process.execPath, [WRITER, path, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  let wake = (): void => {};
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line);
    wake();
  });
  child.stdout!.once('close', () => wake());
  return {
    child,
    lines,
    said: (count) =>
      new Promise((resolve) => {
        wake = () => {
          if (lines.length >= count || child.stdout!.readableEnded || child.stdout!.destroyed) resolve();
        };
        wake();
      }),
  };
}

type Versions = Record<string, unknown>;

function applyLine(versions: Versions, [verb = '', id = '', version = '']: readonly string[]): Versions {
  const next = { ...versions };
  if (verb === 'put') next[id] = Number(version);
  else delete next[id];
  return next;
}

test(`a writer that is killed ${KILLS} times leaves a file with everything that it acknowledged, and at most the change under way`, async (context) => {
  const folder = openFolder(context);
  const path = join(folder, 'routes.json');
  let versions: Versions = {};
  let acknowledged = 0;
  let next = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, lines, said } = startWriter(path, next);
    const exited = once(child, 'close');
    // Another moment each time: after some lines, and some more turns of the loop.
    await said(2 + ((kill * 7) % 40));
    for (let turn = 0; turn < (kill * 13) % 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGKILL');
    await exited;
    assert.equal(lines[0], 'open');
    let pending: string[] | null = null;
    for (const line of lines.slice(1)) {
      const [state, ...words] = line.split(' ');
      next = Math.max(next, Number(words[1]?.slice(1)) + 1);
      if (state === 'try') pending = words;
      else {
        versions = applyLine(versions, words);
        pending = null;
        acknowledged++;
      }
    }
    const found = await readVersions(path);
    const possible = pending === null ? [versions] : [versions, applyLine(versions, pending)];
    const fits = possible.find((one) => JSON.stringify(sort(one)) === JSON.stringify(sort(found)));
    assert.ok(
      fits !== undefined,
      `kill ${kill}: found ${JSON.stringify(found)}, acknowledged ${JSON.stringify(versions)}`,
    );
    versions = fits;
  }
  assert.ok(acknowledged > KILLS, `only ${acknowledged} changes were acknowledged`);
  await openStore(path);
  assert.deepEqual(readdirSync(folder), ['routes.json']);
});

function sort(versions: Versions): [string, unknown][] {
  return Object.entries(versions).sort(([a], [b]) => a.localeCompare(b));
}

test('ten thousand routes are written and read within seconds', async (context) => {
  const path = join(openFolder(context), 'routes.json');
  const store = await openStore(path);
  const lines = Array.from({ length: 9_990 }, (_, index) => put(`r${index}`, { version: index }));
  // Written by hand, because each change writes the file whole.
  const { toFileText, toResourceText } = await import('../../src/control/store/file-format.ts');
  await store.close();
  const texts = lines.map(({ kind, id, value }, index) =>
    toResourceText({ kind, id, value: value!, createdIndex: index + 1, modifiedIndex: index + 1 }),
  );
  writeFileSync(path, toFileText(9_990, texts));
  const startedAt = performance.now();
  const full = await openStore(path);
  for (let index = 0; index < 10; index++) await full.write(put(`n${index}`, { version: index }));
  const seconds = (performance.now() - startedAt) / 1000;
  assert.equal(Object.keys(await readVersions(path)).length, 10_000);
  assert.ok(seconds < 30, `${seconds} s`);
});
