// The generated admin key: made once, kept where its owner alone can read it, used again.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { openAdminKey } from '../../src/control/admin-key.ts';
import { openFolder } from './store-kit.ts';

test('a key is made with 32 random bytes, in a file of mode 0600 and nothing beside it', async (context) => {
  const file = join(openFolder(context), 'data/admin.key');
  const key = await openAdminKey(file);
  assert.match(key, /^[A-Za-z0-9_-]{43}$/);
  assert.equal(readFileSync(file, 'utf8'), `${key}\n`);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dirname(file)), ['admin.key']);
});

test('the key of an existing file is used again', async (context) => {
  const file = join(openFolder(context), 'admin.key');
  const key = await openAdminKey(file);
  assert.equal(await openAdminKey(file), key);
  writeFileSync(file, '  operators-own-key-1\n\n');
  assert.equal(await openAdminKey(file), 'operators-own-key-1');
});

test('gateways that start together make one key', async (context) => {
  const file = join(openFolder(context), 'data/admin.key');
  const keys = await Promise.all(Array.from({ length: 8 }, () => openAdminKey(file)));
  assert.equal(new Set(keys).size, 1);
  assert.deepEqual(readdirSync(dirname(file)), ['admin.key']);
});

test('a file that others may read, or without a sound key, is not used, and the message has no key', async (context) => {
  const file = join(openFolder(context), 'admin.key');
  const key = await openAdminKey(file);
  const isRefused = async (words: RegExp): Promise<void> => {
    await assert.rejects(openAdminKey(file), ({ message }: Error) => {
      assert.match(message, words);
      assert.ok(
        message.startsWith(`${file}: `) && !message.includes(key) && !message.includes('\n'),
        message,
      );
      return true;
    });
  };
  for (const mode of [0o640, 0o604, 0o620, 0o601]) {
    chmodSync(file, mode);
    await isRefused(new RegExp(`mode 0${mode.toString(8)}`));
  }
  chmodSync(file, 0o600);
  assert.equal(await openAdminKey(file), key);
  for (const text of ['', 'short', 'two words that are long', `${'x'.repeat(257)}`, 'kéy-kéy-kéy-kéy-kéy']) {
    writeFileSync(file, text);
    await isRefused(/does not hold a key/);
  }
  writeFileSync(file, 'x'.repeat(5_000));
  await isRefused(/larger than 4096 bytes/);
});

test('where no file can be made, or none can be read, the message says so', async (context) => {
  const folder = openFolder(context);
  writeFileSync(join(folder, 'data'), '');
  await assert.rejects(
    openAdminKey(join(folder, 'data/admin.key')),
    /data\/admin\.key: a part of its path is no folder/,
  );
  mkdirSync(join(folder, 'key'));
  await assert.rejects(openAdminKey(join(folder, 'key')), /it is not a regular file/);
});
