// Bodies must come through whole where sockets are full most of the time: the streaming tests once more, in a network
// of its own where the kernel keeps so little for a socket that a write seldom finds room for all.
//
// Linux's network namespaces (unshare(1), network_namespaces(7)), in which tcp_wmem (tcp(7)) can be set.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { it } from 'node:test';

const STREAM_TEST = new URL('stream.test.ts', import.meta.url).pathname;
/** A write of 64 KiB then finds the socket with a few bytes of room, or with none, thousands of times. */
const SEND_BUFFER_BYTES = 128 * 1024;
const TIMEOUT_MS = 240_000;

function runInNetwork(script: string, ...args: string[]): { status: number | null; output: string } {
  const setUp = `ip link set lo up && echo "4096 16384 ${SEND_BUFFER_BYTES}" > /proc/sys/net/ipv4/tcp_wmem`;
  const env = { ...process.env };
  // The test runner inside is one of its own.
  delete env.NODE_TEST_CONTEXT;
  const run = spawnSync(
    'unshare',
    ['--map-root-user', '--net', 'sh', '-c', `${setUp} && ${script}`, 'sh', ...args],
    {
      env,
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
    },
  );
  return { status: run.status, output: `${run.stdout}${run.stderr}` };
}

const skip =
  runInNetwork('true').status === 0
    ? false
    : 'no network namespace can be made here (unshare, ip, user namespaces)';

it('bodies of 256 MiB through sockets that are full most of the time', { skip }, () => {
  const pattern = ['--test-reporter=tap', '--test-name-pattern=256 MiB'];
  const { status, output } = runInNetwork('exec "$@"', process.execPath, '--test', ...pattern, STREAM_TEST);
  assert.equal(status, 0, output);
  assert.match(output, /^# pass [1-9]/m);
});
