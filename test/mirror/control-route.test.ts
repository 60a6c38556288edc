// What a front end does for a route with a control: it gets a copy only beside one for a shadow.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createLedger } from '../../src/control/ledger.ts';
import { BreakerState, type ShadowBook, ShadowCell, ShadowWord } from '../../src/core/book.ts';
import { createClock } from '../../src/core/clock.ts';
import { readBatch } from '../../src/mirror/job.ts';
import { Mirroring } from '../../src/mirror/mirroring.ts';
import { toSubject } from '../kit/subject.ts';
import { toControl, toDetail, toMirror, toRoute, toShadow } from './rig.ts';

const WORKER = fileURLToPath(new URL('../../src/mirror/worker.ts', import.meta.url));

interface Rig {
  readonly books: readonly ShadowBook[];
  setOpen(shadow: number, isOpen: boolean): void;
  /** Sends an exchange through; the shadows that its job names, or null without a job. */
  exchange(): number | null;
}

/** Two shadows, then the control. */
function openRig(t: TestContext): Rig {
  const writers = { frontends: 1, lanes: 1 };
  const ledger = createLedger(writers);
  const clock = createClock();
  const mirroring = new Mirroring({
    frontend: 0,
    writers,
    processBook: ledger.process.buffer,
    logChannel: 'umbra-control-route-test',
    findingsChannel: 'umbra-control-route-test-findings',
    workerFile: WORKER,
    clock,
    isOverloaded: () => false,
    onDefect: () => {},
  });
  const origins = ['http://127.0.0.1:1', 'http://127.0.0.1:2'].map((origin) => toShadow(origin));
  const mirror = toMirror([...origins, toControl('http://127.0.0.1:3')], { compare: toDetail() });
  const [entry] = ledger.enter([toRoute('route', mirror)]);
  const observation = mirroring.observe(entry!)!;
  const books = ledger.row('route')!.shadows.map(({ book }) => book);
  t.after(() => mirroring.stop(0));
  return {
    books,
    setOpen(shadow, isOpen) {
      books[shadow]!.openUntil[0] = clock() + 60_000;
      const state = isOpen ? BreakerState.open : BreakerState.closed;
      Atomics.store(books[shadow]!.words, ShadowWord.breaker_state, state);
    },
    exchange() {
      const tap = observation.open(
        {
          method: 'GET',
          path: '/p',
          target: '/p',
          headers: ['host', 'a.example'],
          headText: 'GET /p HTTP/1.1\r\nhost: a.example\r\n\r\n',
          contentLength: 0,
          marked: false,
          subject: toSubject(),
        },
        clock(),
      );
      tap?.onRequestEnd();
      tap?.onAnswerHead(200, '');
      tap?.onAnswerEnd(1);
      const named: number[] = [];
      const onOther = (): void => assert.fail('nothing but jobs');
      readBatch(mirroring.lanes[0]!.outbox.take(), {
        onJob: ({ shadows }) => named.push(shadows),
        onChunk: onOther,
        onForget: onOther,
      });
      assert.equal(named.length, tap === null ? 0 : 1);
      return named[0] ?? null;
    },
  };
}

test('the control gets a copy beside every shadow whose breaker is closed, and none alone', (t) => {
  const rig = openRig(t);
  const counts = (cell: keyof typeof ShadowCell): number[] =>
    rig.books.map((book) => book.sum(ShadowCell[cell]));
  assert.equal(rig.exchange(), 0b111);
  rig.setOpen(0, true);
  assert.equal(rig.exchange(), 0b110);
  assert.deepEqual(counts('drop_breaker_open'), [1, 0, 0]);
  rig.setOpen(1, true);
  assert.equal(rig.exchange(), null);
  assert.deepEqual(counts('drop_breaker_open'), [2, 1, 1]);
  rig.setOpen(2, true);
  assert.equal(rig.exchange(), null);
  assert.deepEqual(counts('drop_breaker_open'), [3, 2, 2]);
  rig.setOpen(0, false);
  assert.equal(rig.exchange(), 0b001);
  assert.deepEqual(counts('drop_breaker_open'), [3, 3, 3]);
  assert.deepEqual(counts('matched'), [5, 5, 5]);
});
