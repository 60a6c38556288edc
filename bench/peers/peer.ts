// The gateways that umbra is compared with, each behind the same contract: is it there, which version, how to start it.
//
// Only describes them: whoever measures starts the command, watches it and ends it. Each is set up as those who know
// it would for the work that umbra does: one process or worker, connections kept on both sides, the same forwarded
// headers, nothing logged. What a peer does differently for the client is noted at its settings.

import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { fastifyHttpProxy, fastProxy, httpProxy } from './node-peer.ts';

/** Where a peer listens and where it forwards to; everything on 127.0.0.1. */
export interface PeerSetup {
  /** Exists, and is the peer's own. */
  readonly folder: string;
  readonly port: number;
  readonly primaryPort: number;
  /** Null: nothing is mirrored. */
  readonly shadowPort: number | null;
}

export interface PeerCommand {
  readonly command: string;
  readonly parameters: readonly string[];
}

export interface Peer {
  readonly name: string;
  /** Whether it can mirror. */
  readonly mirrors: boolean;
  /** Null when it is installed; otherwise what is missing and how to get it, one line for people. */
  findMissing(): string | null;
  /** Of an installed one: its version alone. */
  readVersion(): string;
  /**
   * Writes its configuration into the folder. The command stays in the foreground and ends at SIGTERM; ended by
   * SIGKILL, it may leave processes of its own behind.
   */
  prepare(setup: PeerSetup): PeerCommand;
}

export const PEERS: readonly Peer[] = [nginx, haproxy, httpProxy, fastifyHttpProxy, fastProxy];
