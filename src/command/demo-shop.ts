// The demo's sample service in two versions, and the clients that use it. Real servers and sockets, no gateway in here.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** The next version's mistakes: some prices are rounded, some orders refused, and everything is a bit slower. */
const ROUNDED_EVERY = 20;
const REFUSED_EVERY = 30;
const NEXT_DELAY_MS = 3;
/** Between two requests of one client: a service at work, not a benchmark. */
const PAUSE_MS = 20;
const ORDER_EVERY = 3;

export interface Shop {
  readonly origin: string;
  /** Whether it still has the mistakes. */
  isWrong: boolean;
  close(): void;
}

/** The service's next version is slower than the one of today, and wrong until it is mended. */
export async function openShop(isNext: boolean): Promise<Shop> {
  const shop = { origin: '', isWrong: isNext, close };
  const server = createServer((incoming, response) => {
    incoming.resume();
    incoming.once('end', () => {
      const number = Number(incoming.url!.split('/').at(-1));
      const answer = (): void => answerShop(response, incoming.method!, number, shop.isWrong);
      if (isNext) setTimeout(answer, NEXT_DELAY_MS);
      else answer();
    });
  });
  function close(): void {
    server.closeAllConnections();
    server.close();
  }
  shop.origin = await listen(server);
  return shop;
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Like most services it says when and by what it was answered, which is never the same twice. */
function answerShop(response: ServerResponse, method: string, number: number, isWrong: boolean): void {
  const trace = randomUUID();
  const served = { at: new Date().toISOString(), trace };
  response.setHeader('content-type', 'application/json');
  response.setHeader('x-trace', trace);
  if (method === 'POST') {
    response.statusCode = isWrong && number % REFUSED_EVERY === 0 ? 422 : 201;
    response.end(JSON.stringify({ order: number, accepted: response.statusCode === 201, served }));
    return;
  }
  const amount = (number * 7.35).toFixed(isWrong && number % ROUNDED_EVERY === 0 ? 0 : 2);
  response.end(JSON.stringify({ product: number, price: { amount, currency: 'EUR' }, served }));
}

interface Sample {
  readonly path: string;
  readonly method: 'GET' | 'POST';
}

/** Resolves with the number of requests that were not answered with 200 or 201. */
export async function sendTraffic(url: string, requests: number, clients: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const samples = Array.from({ length: requests }, (_, index): Sample => {
    const number = index + 1;
    const isOrder = number % ORDER_EVERY === 0;
    return { method: isOrder ? 'POST' : 'GET', path: `${isOrder ? '/orders' : '/products'}/${number}` };
  });
  let failures = 0;
  const client = async (): Promise<void> => {
    for (let sample = samples.shift(); sample !== undefined; sample = samples.shift()) {
      const status = await send(url, sample, agent);
      if (status !== 200 && status !== 201) failures++;
      await sleep(PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return failures;
}

function send(url: string, { method, path }: Sample, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}${path}`, { method, agent }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode!));
    });
    outgoing.once('error', reject);
    outgoing.end(method === 'POST' ? '{"amount":1}' : undefined);
  });
}
