// Which client an origin gets.

import { CLIENT_UNDICI } from '../core/model.ts';
import type { CreateUpstreamClient } from './client.ts';
import { createHttp1Clients } from './http1/client.ts';
import { createUndiciClient } from './undici.ts';

/** Makes the clients of one thread: umbra's own for http:// origins, undici for https:// and where config says so. */
export function createClients(): CreateUpstreamClient {
  const createHttp1Client = createHttp1Clients();
  return (settings) =>
    settings.client === CLIENT_UNDICI || settings.origin.startsWith('https:')
      ? createUndiciClient(settings)
      : createHttp1Client(settings);
}
