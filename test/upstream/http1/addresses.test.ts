// Looking names up, with a hosts file of the test's own: in a mount namespace (unshare(1)), where /etc/hosts is ours.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'umbra-hosts-'));
const hosts = join(folder, 'hosts');
const MOVING = new URL('./moving-origin.ts', import.meta.url).pathname;

after(() => rmSync(folder, { recursive: true }));

function runWithHosts(...command: readonly string[]): { status: number | null; output: string } {
  writeFileSync(hosts, '127.0.0.1 localhost\n');
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
  const all = ['--map-root-user', '--mount', 'sh', '-c', script, hosts, ...command];
  const run = spawnSync('unshare', all, { encoding: 'utf8', timeout: 60_000 });
  return { status: run.status, output: `${run.stdout}${run.stderr}` };
}

const skip =
  runWithHosts('true').status === 0
    ? false
    : 'no mount namespace can be made here (unshare, user namespaces)';

test('all addresses of a name are used, and those that have gone are not used again', { skip }, () => {
  const { status, output } = runWithHosts(process.execPath, MOVING, hosts);
  assert.equal(status, 0, output);
});
