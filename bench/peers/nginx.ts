// nginx as a peer, the one that mirrors too: a master that sleeps and one worker.
//
// Reads and writes nothing outside the folder it is given, and needs no root. Mirrors as its manual shows it
// (ngx_http_mirror_module): a client's next request on a connection waits until the shadow has answered the copy,
// and the shadow's connection is used again only when that answer had no body.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { findExecutable, readExecutableVersion } from './executable.ts';
import type { Peer, PeerCommand, PeerSetup } from './peer.ts';

/** The first that takes the error log's place from the command line, and so never opens the system's. */
const VERSION_MIN: readonly number[] = [1, 19, 5];
const TEMPORARY_KINDS = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'] as const;

export const nginx: Peer = {
  name: 'nginx',
  mirrors: true,
  findMissing() {
    const file = findExecutable('nginx');
    if (file === null) return 'nginx is missing: run  bash scripts/install-tools.sh  (package nginx)';
    const version = readExecutableVersion(file, '-v');
    return isRecent(version)
      ? null
      : `nginx ${version} is too old: ${VERSION_MIN.join('.')} or later is needed`;
  },
  readVersion: () => readExecutableVersion(findNginx(), '-v'),
  prepare(setup: PeerSetup): PeerCommand {
    const { folder } = setup;
    const file = join(folder, 'nginx.conf');
    mkdirSync(join(folder, 'temporary'));
    writeFileSync(file, toConfigText(setup));
    return { command: findNginx(), parameters: ['-p', folder, '-e', join(folder, 'error.log'), '-c', file] };
  },
};

function findNginx(): string {
  const file = findExecutable('nginx');
  assert.ok(file !== null, 'nginx is not installed');
  return file;
}

function isRecent(version: string): boolean {
  const parts = version.split('.').map(Number);
  for (const [index, least] of VERSION_MIN.entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}

/** Relative paths lie in the folder, by `-p`. */
function toConfigText({ port, primaryPort, shadowPort }: PeerSetup): string {
  return [
    // A worker that gave root up could not write into a folder that is root's own.
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'daemon off;',
    'worker_processes 1;',
    'worker_rlimit_nofile 16384;',
    'pid nginx.pid;',
    'error_log error.log warn;',
    'events { worker_connections 4096; }',
    'http {',
    '  access_log off;',
    ...TEMPORARY_KINDS.map((kind) => `  ${kind}_temp_path temporary/${kind};`),
    '  client_max_body_size 0;',
    '  keepalive_timeout 75s;',
    '  keepalive_requests 1000000000;',
    // Both are kept when the request has them, as umbra does.
    "  map $http_x_forwarded_proto $forwarded_proto { default $http_x_forwarded_proto; '' $scheme; }",
    "  map $http_x_forwarded_host $forwarded_host { default $http_x_forwarded_host; '' $http_host; }",
    '  proxy_http_version 1.1;',
    '  proxy_set_header Connection "";',
    '  proxy_set_header Host $http_host;',
    '  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
    '  proxy_set_header X-Forwarded-Proto $forwarded_proto;',
    '  proxy_set_header X-Forwarded-Host $forwarded_host;',
    ...toUpstreamLines('primary', primaryPort),
    ...(shadowPort === null ? [] : toUpstreamLines('shadow', shadowPort)),
    '  server {',
    `    listen 127.0.0.1:${port};`,
    '    location / {',
    ...(shadowPort === null ? [] : ['      mirror /mirror;']),
    '      proxy_pass http://primary;',
    '    }',
    ...(shadowPort === null
      ? []
      : [
          '    location = /mirror {',
          '      internal;',
          '      proxy_pass http://shadow$request_uri;',
          '    }',
        ]),
    '  }',
    '}',
    '',
  ].join('\n');
}

function toUpstreamLines(name: string, port: number): string[] {
  return [
    `  upstream ${name} {`,
    `    server 127.0.0.1:${port};`,
    '    keepalive 64;',
    '    keepalive_requests 1000000000;',
    '    keepalive_timeout 60s;',
    '  }',
  ];
}
