// The peers written for Node: each a script beside this file, run in one process by the Node that runs the benchmark.
//
// Their packages are no part of umbra: they are listed in bench/package.json, installed apart, and may be absent.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Peer, PeerCommand, PeerSetup } from './peer.ts';

const PACKAGES = join(import.meta.dirname, '../node_modules');

function createNodePeer(name: string, script: string): Peer {
  const manifest = join(PACKAGES, name, 'package.json');
  return {
    name,
    mirrors: false,
    findMissing: () => (existsSync(manifest) ? null : `${name} is missing: run  npm ci --prefix bench`),
    readVersion: () => (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version,
    prepare({ port, primaryPort, shadowPort }: PeerSetup): PeerCommand {
      assert.equal(shadowPort, null, `${name} does not mirror`);
      const parameters = [join(import.meta.dirname, script), String(port), String(primaryPort)];
      return { command: process.execPath, parameters };
    },
  };
}

export const httpProxy: Peer = createNodePeer('http-proxy', 'http-proxy.mjs');
export const fastifyHttpProxy: Peer = createNodePeer('@fastify/http-proxy', 'fastify-http-proxy.mjs');
export const fastProxy: Peer = createNodePeer('fast-proxy', 'fast-proxy.mjs');
