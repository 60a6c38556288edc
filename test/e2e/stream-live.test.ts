// What comes bit by bit goes on bit by bit: each piece is sent only when the one before has come through.
//
// A gateway that kept a piece back would bring these tests to a standstill.

import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, toRequestBytes } from '../kit/raw.ts';
import { createWaiting, type Waiting } from '../kit/waiting.ts';
import { untilIdle } from './metric.ts';

const EVENTS = 50;

/** Text that has come by a socket so far. */
class Reading {
  text = '';
  private readonly waiting: Waiting = createWaiting();

  constructor(socket: Socket) {
    socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1');
      this.waiting.check();
    });
    socket.on('error', () => undefined);
  }

  until(part: string): Promise<void> {
    return this.waiting.until(
      () => this.text.includes(part),
      () => `${part} in ${this.text}`,
    );
  }
}

describe('what comes bit by bit', () => {
  let server: Server;
  let shadow: Origin;
  let gateway: Gateway;
  let onSocket: (socket: Socket) => void = () => undefined;
  const sockets = new Set<Socket>();

  before(async () => {
    server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      onSocket(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    shadow = await openOrigin();
    const backends = `backends: [{ url: 'http://127.0.0.1:${(server.address() as AddressInfo).port}' }]`;
    const mirror = `mirror: { backends: [{ url: '${shadow.url}' }], compare: { enabled: true } }`;
    gateway = await openGateway({
      config: `
routes:
  - { id: plain, path: /plain, ${backends} }
  - { id: compared, path: /compared, ${backends}, ${mirror} }
`,
    });
  });

  after(async () => {
    await gateway?.stop({ balanced: false });
    for (const socket of sockets) socket.destroy();
    server?.close();
    await shadow?.close();
  });

  /** Opens a client by that request and gives both ends, when the primary has got its head. */
  async function open(bytes: string | Uint8Array) {
    const primary = new Promise<Socket>((resolve) => {
      onSocket = resolve;
    });
    const client = await openRaw(gateway.port);
    const atClient = new Reading(client.socket);
    await client.send(bytes);
    const socket = await primary;
    const atPrimary = new Reading(socket);
    await atPrimary.until('\r\n\r\n');
    return { client, atClient, socket, atPrimary };
  }

  const framings = {
    chunked: {
      head: 'Transfer-Encoding: chunked',
      frame: (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`,
      end: '0\r\n\r\n',
    },
    'of known length': { head: `Content-Length: ${EVENTS * 16}`, frame: (text: string) => text, end: '' },
    'ended by close': { head: 'Connection: close', frame: (text: string) => text, end: null },
  };

  for (const path of ['/plain', '/compared']) {
    for (const [name, { head, frame, end }] of Object.entries(framings)) {
      it(`each event of an answer ${name} comes at once: ${path}`, async () => {
        const { client, atClient, socket } = await open(toRequestBytes({ path }));
        socket.write(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${head}\r\n\r\n`);
        // The head of a body of unknown length goes out together with its first byte.
        if (name === 'of known length') await atClient.until('\r\n\r\n');
        for (let event = 0; event < EVENTS; event++) {
          const text = `data: event ${String(event).padStart(2, '0')}\n\n`;
          assert.equal(text.length, 16);
          socket.write(frame(text));
          await atClient.until(text);
        }
        if (end === null) socket.end();
        else socket.write(end);
        const [answer] = await client.read();
        assert.equal(answer?.body.length, EVENTS * 16);
        client.close();
        socket.destroy();
      });
    }

    for (const name of ['chunked', 'of known length'] as const) {
      it(`each piece of a request ${name} comes at once: ${path}`, async () => {
        const { head, frame, end } = framings[name];
        const first = 'data: piece --\n\n';
        const bytes = toRequestBytes({ path, method: 'POST', fields: [head], body: frame(first) });
        const { client, socket, atPrimary } = await open(bytes);
        await atPrimary.until(first);
        for (let piece = 1; piece < EVENTS; piece++) {
          const text = `data: piece ${String(piece).padStart(2, '0')}\n\n`;
          await client.send(frame(text));
          await atPrimary.until(text);
        }
        await client.send(end);
        if (name === 'chunked') await atPrimary.until('\r\n0\r\n\r\n');
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone');
        const [answer] = await client.read();
        assert.equal(answer?.body.toString(), 'done');
        client.close();
        socket.destroy();
      });
    }
  }

  it('both directions run at the same time', async () => {
    const fields = ['Transfer-Encoding: chunked'];
    const { client, atClient, socket, atPrimary } = await open(
      toRequestBytes({ path: '/plain', method: 'POST', fields, body: '6\r\nhello?\r\n' }),
    );
    await atPrimary.until('hello?');
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello!\r\n');
    await atClient.until('hello!');
    for (let turn = 10; turn < 30; turn++) {
      await client.send(`6\r\nping${turn}\r\n`);
      await atPrimary.until(`ping${turn}`);
      socket.write(`6\r\npong${turn}\r\n`);
      await atClient.until(`pong${turn}`);
    }
    client.close();
    socket.destroy();
  });

  it('nothing is left', async () => {
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.equal(await gateway.stop(), 0);
  });
});
