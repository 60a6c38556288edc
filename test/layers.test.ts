// Holds the sources to the architecture's rules: who may import whom, who alone knows which library, no cycles.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const SRC = new URL('../src', import.meta.url).pathname;
const SHARED_FILES: readonly string[] = [
  'mirror/job.ts',
  'mirror/task.ts',
  'mirror/ring.ts',
  'mirror/breaker.ts',
];

/** Parts of src; mirror/ has the front end's side, the mirror thread's side, and what both share. */
const MAY_IMPORT = {
  core: ['core'],
  config: ['core', 'config'],
  redis: ['core', 'redis'],
  upstream: ['core', 'upstream'],
  mirrorShared: ['core', 'mirrorShared'],
  mirrorFront: ['core', 'mirrorShared', 'mirrorFront'],
  mirrorWorker: ['core', 'redis', 'upstream', 'mirrorShared', 'mirrorWorker'],
  frontend: ['core', 'upstream', 'mirrorFront', 'frontend'],
  control: ['core', 'config', 'redis', 'control'],
  dashboard: ['dashboard'],
  command: ['core', 'config', 'control', 'command'],
  entry: ['core', 'config', 'upstream', 'mirrorFront', 'frontend', 'control', 'command', 'entry'],
} as const satisfies Record<string, readonly string[]>;
type Part = keyof typeof MAY_IMPORT;

/** Who alone may know a library. */
const OWNERS: Record<string, readonly Part[]> = {
  'uWebSockets.js': ['frontend'],
  undici: ['upstream'],
  ioredis: ['redis'],
  'node:net': ['upstream', 'control', 'config', 'command', 'entry'],
  piscina: ['mirrorFront'],
  yaml: ['config'],
  ajv: ['config'],
  typebox: ['config'],
  fastify: ['control'],
  pino: ['control'],
  'prom-client': ['control'],
  uplot: ['dashboard'],
};

const FORBIDDEN_NAMES = /^(utils?|helpers?|common|types|misc|index)\.ts$/;

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort();
const imports = new Map(files.map((file) => [file, readImports(file)]));

function readImports(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  return [
    ...text.matchAll(
      /^\s*(?:import|export)\b[^;]*?\bfrom '([^']+)'|\bimport\('([^']+)'\)|^import '([^']+)'/gm,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3]!);
}

function localImports(file: string): string[] {
  return imports
    .get(file)!
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(SRC, join(SRC, dirname(file), name)));
}

/** Everything of mirror/ that the mirror thread's entry reaches. */
function findWorkerFiles(): Set<string> {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file) || !file.startsWith('mirror/') || SHARED_FILES.includes(file)) return;
    reached.add(file);
    for (const target of localImports(file)) visit(target);
  };
  visit('mirror/worker.ts');
  return reached;
}

const workerFiles = findWorkerFiles();

function toPart(file: string): Part {
  // upstream/http1 is a part of upstream.
  const [folder = ''] = dirname(file).split('/');
  if (folder === '.') return 'entry';
  if (folder !== 'mirror') return folder as Part;
  if (SHARED_FILES.includes(file)) return 'mirrorShared';
  return workerFiles.has(file) ? 'mirrorWorker' : 'mirrorFront';
}

test('every file imports only what its folder may import', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const part = toPart(file);
    assert.ok(part in MAY_IMPORT, `${file}: unknown folder`);
    for (const target of localImports(file)) {
      if (!(MAY_IMPORT[part] as readonly string[]).includes(toPart(target)))
        wrong.push(`${file} (${part}) → ${target} (${toPart(target)})`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every library is known to its owner alone', () => {
  const wrong: string[] = [];
  for (const [file, names] of imports) {
    for (const name of names) {
      const owners = OWNERS[name];
      if (owners !== undefined && !owners.includes(toPart(file))) wrong.push(`${file} → ${name}`);
      if (owners === undefined && !name.startsWith('.') && !name.startsWith('node:'))
        wrong.push(`${file} → ${name}: no owner is named`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('uWebSockets.js is known to the listener alone', () => {
  const users = files.filter((file) => imports.get(file)!.includes('uWebSockets.js'));
  assert.deepEqual(users, ['frontend/listener.ts']);
});

test('no import cycle', () => {
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(file), `cycle: ${[...trail, file].join(' → ')}`);
    if (done.has(file)) return;
    for (const target of localValueImports(file)) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

/** Imports that exist at run time; types may refer to each other. */
function localValueImports(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  return [...text.matchAll(/^(?:import|export) (?!type\b)[^;]*?\bfrom '(\.[^']+)'/gm)].map((match) =>
    relative(SRC, join(SRC, dirname(file), match[1]!)),
  );
}

test('no default export, no barrel, no catch-all name', () => {
  for (const file of files) {
    const text = readFileSync(join(SRC, file), 'utf8');
    assert.doesNotMatch(text, /^export default/m, file);
    assert.doesNotMatch(text, /^export \* from/m, file);
    assert.doesNotMatch(file.split('/').at(-1)!, FORBIDDEN_NAMES, file);
  }
});
