// haproxy as a peer: one process with one thread. It forwards only.
//
// Reads and writes nothing outside the folder it is given, and needs no root.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findExecutable, readExecutableVersion } from './executable.ts';
import type { Peer, PeerCommand, PeerSetup } from './peer.ts';

export const haproxy: Peer = {
  name: 'haproxy',
  mirrors: false,
  findMissing: () =>
    findExecutable('haproxy') === null
      ? 'haproxy is missing: run  bash scripts/install-tools.sh  (package haproxy)'
      : null,
  readVersion: () => readExecutableVersion(findHaproxy(), '-v'),
  prepare(setup: PeerSetup): PeerCommand {
    assert.equal(setup.shadowPort, null, 'haproxy does not mirror');
    const file = join(setup.folder, 'haproxy.cfg');
    writeFileSync(file, toConfigText(setup));
    // -db: in the foreground, whatever the configuration says.
    return { command: findHaproxy(), parameters: ['-db', '-f', file] };
  },
};

function findHaproxy(): string {
  const file = findExecutable('haproxy');
  assert.ok(file !== null, 'haproxy is not installed');
  return file;
}

function toConfigText({ port, primaryPort }: PeerSetup): string {
  return [
    'global',
    '  nbthread 1',
    '  maxconn 8192',
    // A small limit of open files must not keep it from starting.
    '  no strict-limits',
    '',
    'defaults',
    '  mode http',
    '  timeout connect 5s',
    '  timeout client 75s',
    '  timeout server 75s',
    '  timeout http-request 30s',
    '  timeout http-keep-alive 75s',
    '  option http-keep-alive',
    '  option forwardfor',
    '  http-reuse always',
    '',
    'frontend edge',
    `  bind 127.0.0.1:${port}`,
    // Both are kept when the request has them, as umbra does.
    '  http-request set-header X-Forwarded-Proto http unless { req.hdr(X-Forwarded-Proto) -m found }',
    '  http-request set-header X-Forwarded-Host %[req.hdr(Host)] unless { req.hdr(X-Forwarded-Host) -m found }',
    '  default_backend primary',
    '',
    'backend primary',
    `  server primary 127.0.0.1:${primaryPort}`,
    '',
  ].join('\n');
}
