// Opens connections to one origin: TCP or TLS, with a deadline that is precise to the millisecond.
//
// Owns the connections that are not established yet, so that they can be ended at once. Established ones
// belong to whoever asked for them. Never connects to anything but its origin.
//
// undici's own connector is not used because its deadline ticks every half second, it cannot be told to
// end a connection that is being opened, and it derives the TLS server name of an IP origin from `Host`.

import { connect as connectTcp, isIP, type LookupFunction, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import type { BackendTls } from '../core/model.ts';

/** RFC 8305 section 5: how long one address may take before the next one is tried beside it. */
const ADDRESS_ATTEMPT_MS = 250;

/** First TCP keep-alive probe on an idle connection. */
const PROBE_DELAY_MS = 60_000;

export interface ConnectorSettings {
  readonly origin: URL;
  readonly tls: BackendTls | null;
  /** 0 for no deadline. */
  readonly connectMs: number;
  /** Instead of the system's look-up. */
  readonly lookup?: LookupFunction;
}

export interface Connector {
  /** As undici asks for a connection. */
  readonly connect: buildConnector.connector;
  /**
   * Opens a connection; `done` hears of its end once, in a later turn. `onread`: where its bytes go instead of its
   * stream (net.connect()).
   */
  open(onread: OnReadOpts | null, done: (error: Error | null, socket: Socket | null) => void): void;
  /** Ends every connection that is still being opened. */
  destroy(): void;
}

export class ConnectTimeout extends Error {
  readonly code = 'UND_ERR_CONNECT_TIMEOUT';

  constructor(host: string, connectMs: number) {
    super(`no connection to ${host} within ${connectMs} ms`);
  }
}

/** The origin's host name as the system's resolver wants it: IPv6 without brackets. */
export function toHostName(origin: URL): string {
  const name = origin.hostname;
  return name.startsWith('[') ? name.slice(1, -1) : name;
}

export function createConnector(settings: ConnectorSettings): Connector {
  const { origin, tls, connectMs, lookup } = settings;
  const secure = origin.protocol === 'https:';
  const host = toHostName(origin);
  const address = {
    host,
    port: Number(origin.port || (secure ? 443 : 80)),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
    ...(lookup === undefined ? {} : { lookup }),
  };
  const secureContext = secure ? toSecureContext(tls) : null;
  const opening = new Set<Socket>();
  let session: Buffer | null = null;

  function create(onread: OnReadOpts | null): Socket {
    if (secureContext === null) return connectTcp(onread === null ? address : { ...address, onread });
    const socket = connectTls({
      ...address,
      secureContext,
      rejectUnauthorized: tls?.verify ?? true,
      ALPNProtocols: ['http/1.1'],
      // RFC 6066 section 3: no server name for an address. The certificate is then checked against `host`.
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(session === null ? {} : { session }),
    });
    return socket.on('session', (next) => {
      session = next;
    });
  }

  function open(onread: OnReadOpts | null, done: (error: Error | null, socket: Socket | null) => void): void {
    const socket = create(onread).setNoDelay(true).setKeepAlive(true, PROBE_DELAY_MS);
    opening.add(socket);
    const timer = connectMs === 0 ? null : setTimeout(expire, connectMs);

    function settle(): boolean {
      if (timer !== null) clearTimeout(timer);
      return opening.delete(socket);
    }
    function expire(): void {
      socket.destroy(new ConnectTimeout(address.host, connectMs));
    }
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      if (settle()) done(null, socket);
    });
    // Stays for the socket's life: undici takes its own listeners off before a socket is really gone.
    socket.on('error', (error) => {
      if (settle()) done(error, null);
    });
    socket.once('close', () => {
      if (settle()) done(new Error('connection closed while it was being opened'), null);
    });
  }

  function connect(_options: buildConnector.Options, callback: buildConnector.Callback): void {
    open(null, (error, socket) => {
      if (socket === null) callback(error ?? new Error('no connection'), null);
      else callback(null, socket);
    });
  }

  function destroy(): void {
    for (const socket of opening) socket.destroy();
  }

  return { connect, open, destroy };
}

/** Additional authorities are added to the trusted ones of the process, they do not replace them. */
function toSecureContext(tls: BackendTls | null): SecureContext {
  const ca = tls?.ca ?? null;
  return ca === null
    ? createSecureContext()
    : createSecureContext({ ca: [...getCACertificates('default'), ca] });
}
