// The live events of a gateway, for end-to-end tests: what GET /events has said last, and waiting for it to say more.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { createWaiting } from '../kit/waiting.ts';

export type RouteFigures = Readonly<Record<string, unknown>>;

export interface MirrorEvents {
  /** As it was told last; undefined when it is not there. */
  route(id: string): RouteFigures | undefined;
  /** Resolves as soon as the route is told to be like that. */
  until(id: string, met: (figures: RouteFigures) => boolean): Promise<RouteFigures>;
  close(): void;
}

export async function openMirrorEvents(adminPort: number): Promise<MirrorEvents> {
  const outgoing = request({ agent: false, host: '127.0.0.1', port: adminPort, path: '/events' });
  outgoing.on('error', () => {});
  outgoing.end();
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  assert.equal(answer.statusCode, 200);
  const waiting = createWaiting();
  const routes = new Map<string, RouteFigures>();
  let text = '';
  answer.on('error', () => {});
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data === undefined) continue;
      const event = JSON.parse(data) as {
        readonly full: boolean;
        readonly routes: Record<string, RouteFigures>;
        readonly removed: readonly string[];
      };
      if (event.full) routes.clear();
      for (const [id, figures] of Object.entries(event.routes)) routes.set(id, figures);
      for (const id of event.removed) routes.delete(id);
    }
    waiting.check();
  });
  return {
    route: (id) => routes.get(id),
    async until(id, met) {
      const isMet = () => {
        const figures = routes.get(id);
        return figures !== undefined && met(figures);
      };
      await waiting.until(isMet, () => `${id}: ${JSON.stringify(routes.get(id))}`, 60_000);
      return routes.get(id)!;
    },
    close: () => outgoing.destroy(),
  };
}
