// A paused mirror: nothing is copied, every shadow counts it, and it goes on where it was when the pause ends.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createLedger } from '../../src/control/ledger.ts';
import { RouteBook, RouteWord, ShadowCell } from '../../src/core/book.ts';
import { createClock } from '../../src/core/clock.ts';
import type { Mirror } from '../../src/core/model.ts';
import { readBatch } from '../../src/mirror/job.ts';
import { Mirroring } from '../../src/mirror/mirroring.ts';
import { toSubject } from '../kit/subject.ts';
import { toMirror, toRoute, toShadow } from './rig.ts';

const WORKER = fileURLToPath(new URL('../../src/mirror/worker.ts', import.meta.url));

interface Rig {
  /** As the control thread does. */
  setPaused(isPaused: boolean): void;
  /** A whole exchange; whether it was tapped. */
  exchange(method?: string): boolean;
  /** Jobs that lie in the outbox now. */
  takeJobs(): number;
  count(cell: keyof typeof ShadowCell): number[];
}

function openRig(t: TestContext, edits: Partial<Mirror> = {}): Rig {
  const writers = { frontends: 1, lanes: 1 };
  const ledger = createLedger(writers);
  const clock = createClock();
  const mirroring = new Mirroring({
    frontend: 0,
    writers,
    processBook: ledger.process.buffer,
    logChannel: 'umbra-pause-test',
    findingsChannel: 'umbra-pause-test-findings',
    workerFile: WORKER,
    clock,
    isOverloaded: () => false,
    onDefect: () => {},
  });
  const shadows = [toShadow('http://127.0.0.1:1'), toShadow('http://127.0.0.1:2')];
  const [entry] = ledger.enter([toRoute('route', toMirror(shadows, edits))]);
  const observation = mirroring.observe(entry!)!;
  const { words } = new RouteBook(entry!.memory.book, 1);
  t.after(() => mirroring.stop(0));
  return {
    setPaused: (isPaused) => Atomics.store(words, RouteWord.paused, isPaused ? 1 : 0),
    exchange(method = 'GET') {
      const headers = ['host', 'a.example'];
      const tap = observation.open(
        {
          method,
          path: '/p',
          target: '/p',
          headers,
          headText: `${method} /p HTTP/1.1\r\nhost: a.example\r\n\r\n`,
          contentLength: 0,
          marked: false,
          subject: toSubject(),
        },
        clock(),
      );
      tap?.onRequestEnd();
      tap?.onAnswerEnd(1);
      return tap !== null;
    },
    takeJobs() {
      let jobs = 0;
      const onOther = (): void => assert.fail('nothing but jobs');
      readBatch(mirroring.lanes[0]!.outbox.take(), {
        onJob: () => jobs++,
        onChunk: onOther,
        onForget: onOther,
      });
      return jobs;
    },
    count: (cell) => ledger.row('route')!.shadows.map(({ book }) => book.sum(ShadowCell[cell])),
  };
}

test('a paused route copies nothing and counts it for every shadow; resumed, it copies again', (t) => {
  const rig = openRig(t);
  assert.ok(rig.exchange());
  rig.setPaused(true);
  for (let sent = 0; sent < 3; sent++) assert.equal(rig.exchange(), false);
  assert.equal(rig.takeJobs(), 1);
  assert.deepEqual(rig.count('skip_paused'), [3, 3]);
  rig.setPaused(false);
  for (let sent = 0; sent < 2; sent++) assert.ok(rig.exchange());
  assert.equal(rig.takeJobs(), 2);
  assert.deepEqual(rig.count('skip_paused'), [3, 3]);
  assert.deepEqual(rig.count('matched'), [6, 6]);
});

test('what a paused route would not have copied anyway keeps its own reason', (t) => {
  const rig = openRig(t, { methods: 'safe' });
  rig.setPaused(true);
  rig.exchange('POST');
  rig.exchange('GET');
  assert.deepEqual(rig.count('skip_condition'), [1, 1]);
  assert.deepEqual(rig.count('skip_paused'), [1, 1]);
  assert.equal(rig.takeJobs(), 0);
});

test('an exchange that was tapped before the pause is copied', (t) => {
  const rig = openRig(t);
  assert.ok(rig.exchange());
  rig.setPaused(true);
  assert.equal(rig.takeJobs(), 1);
});
