// Opens the sockets that clients come by. The only file that knows uWebSockets.js.
//
// Nothing that happens behind its callbacks may unwind into native code: each has one border here or in the
// objects it calls. Request and response objects are passed on as the interfaces of head.ts and reply.ts.

import * as uws from 'uWebSockets.js';
import type { TlsFiles } from '../core/model.ts';
import type { ClientRequest } from './head.ts';
import type { ClientResponse } from './reply.ts';

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsFiles | null;
  /** Whether other front ends of this process listen on the same port; foreign ones never may. */
  readonly shared: boolean;
  readonly onRequest: (response: ClientResponse, request: ClientRequest) => void;
  /** +1 with the client's address for a new connection: false closes it. -1 when one has ended. */
  readonly onConnection: (change: number, address: ArrayBuffer | null) => boolean;
  /** What the two have thrown. Must not throw itself. */
  readonly onDefect: (error: unknown) => void;
}

export interface OpenListener {
  readonly port: number;
  /** Accepts no more connections; those that are open stay. */
  stop(): void;
  /** Closes every connection. */
  close(): void;
}

type ListenWithOptions = (
  host: string,
  port: number,
  options: number,
  callback: (socket: uws.us_listen_socket | false) => void,
) => void;

/** What the module has beyond its type declarations. */
interface Undeclared {
  readonly _cfg: (setting: 'silent') => void;
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
}
const undeclared = uws as unknown as Undeclared;
const LISTEN_SHARED = 0;

/** Throws when the address cannot be listened on. */
export function openListener(options: ListenerOptions): OpenListener {
  undeclared._cfg('silent');
  const app = options.tls
    ? uws.SSLApp({ cert_file_name: options.tls.certificateFile, key_file_name: options.tls.keyFile })
    : uws.App();
  const onFilter = (response: uws.HttpResponse, change: number): void => {
    try {
      if (change < 0) options.onConnection(change, null);
      else if (!options.onConnection(change, response.getRemoteAddress())) response.close();
    } catch (error) {
      options.onDefect(error);
      if (change > 0) response.close();
    }
  };
  app.filter(onFilter);
  app.any('/*', (response, request) => {
    try {
      options.onRequest(response, request);
    } catch (error) {
      options.onDefect(error);
    }
  });
  let socket: uws.us_listen_socket | false = false;
  const exclusive = options.shared ? LISTEN_SHARED : undeclared.LIBUS_LISTEN_EXCLUSIVE_PORT;
  (app.listen as unknown as ListenWithOptions).call(app, options.host, options.port, exclusive, (opened) => {
    socket = opened;
  });
  if (socket === false) {
    app.close();
    throw new Error(`cannot listen on ${options.host}:${options.port}`);
  }
  const listening: uws.us_listen_socket = socket;
  let isListening = true;
  const stop = (): void => {
    if (isListening) uws.us_listen_socket_close(listening);
    isListening = false;
  };
  return {
    port: uws.us_socket_local_port(listening as unknown as uws.us_socket),
    stop,
    close: () => {
      stop();
      app.close();
    },
  };
}
