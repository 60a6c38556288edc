// The log: the shape of a line, and that lines of other threads arrive.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { BroadcastChannel, Worker } from 'node:worker_threads';
import { createLogs, type Logs, type LogsOptions } from '../../src/control/logs.ts';
import { openLogSink } from '../../src/core/log.ts';

type Line = Record<string, unknown>;

interface Recorder {
  readonly logs: Logs;
  readonly lines: Line[];
  /** Resolves when there are this many lines. */
  wait(count: number): Promise<void>;
}

let channels = 0;

function openChannelName(): string {
  return `logs-test-${process.pid}-${channels++}`;
}

function openRecorder(channelName: string, options: Partial<LogsOptions> = {}): Recorder {
  const lines: Line[] = [];
  let wake = () => {};
  const stream = {
    write(text: string) {
      assert.match(text, /^[^\n]+\n$/, 'one line at a time');
      lines.push(JSON.parse(text) as Line);
      wake();
    },
  };
  return {
    logs: createLogs({ channelName, stream, ...options }),
    lines,
    async wait(count) {
      while (lines.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** Keeps the loop alive: the log's own channel does not. */
async function alive<Result>(work: Promise<Result>): Promise<Result> {
  const timer = setTimeout(() => {}, 10_000);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

test('a line carries level as a word, time in ISO 8601, the fields and the message, and nothing else', async () => {
  const { logs, lines } = openRecorder(openChannelName());
  const before = Date.now();
  logs.warn('config refused', { file: 'a.yaml', problems: 3, reload: true, line: null });
  const { time, ...rest } = lines[0]!;
  assert.deepEqual(rest, {
    level: 'warn',
    msg: 'config refused',
    file: 'a.yaml',
    problems: 3,
    reload: true,
    line: null,
  });
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Date.parse(String(time)) >= before && Date.parse(String(time)) <= Date.now());
  await logs.close();
});

test('events below the level are not written', async () => {
  const { logs, lines } = openRecorder(openChannelName(), { level: 'warn' });
  logs.info('no');
  logs.warn('yes');
  logs.error('yes as well');
  assert.deepEqual(
    lines.map((line) => line.level),
    ['warn', 'error'],
  );
  await logs.close();
});

test('events of other threads are written', async () => {
  const channelName = openChannelName();
  const { logs, lines, wait } = openRecorder(channelName);
  const worker = new Worker(
    `const { workerData } = require('node:worker_threads');
     import(workerData.module).then(({ openLogSink }) => {
       const sink = openLogSink(workerData.channelName);
       sink('info', 'from a thread', { thread: 3 });
       sink('error', 'again', {});
     });`,
    {
      eval: true,
      workerData: { module: new URL('../../src/core/log.ts', import.meta.url).href, channelName },
    },
  );
  await alive(wait(2));
  assert.deepEqual(
    lines.map(({ level, msg, thread }) => [level, msg, thread]),
    [
      ['info', 'from a thread', 3],
      ['error', 'again', undefined],
    ],
  );
  await worker.terminate();
  await logs.close();
});

test('close takes what was posted before it, and nothing after', async () => {
  const channelName = openChannelName();
  const { logs, lines } = openRecorder(channelName);
  const sink = openLogSink(channelName);
  for (let event = 0; event < 50; event++) sink('info', 'posted', { event });
  await logs.close();
  assert.equal(lines.length, 50);
  sink('info', 'too late', {});
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(lines.length, 50);
  await logs.close();
});

test('what is not a log event is ignored', async () => {
  const channelName = openChannelName();
  const { logs, lines, wait } = openRecorder(channelName);
  const channel = new BroadcastChannel(channelName);
  const bad: unknown[] = [
    null,
    'text',
    {},
    { level: 'fatal', message: 'x', fields: {} },
    { level: 'info', message: 1, fields: {} },
    { level: 'info', message: 'x', fields: 'x' },
    { level: 'info', message: 'x', fields: null },
  ];
  for (const event of bad) channel.postMessage(event);
  channel.postMessage({ level: 'info', message: 'good', fields: {} });
  await alive(wait(1));
  assert.deepEqual(
    lines.map((line) => line.msg),
    ['good'],
  );
  channel.close();
  await logs.close();
});

/** Runs a program that logs `count` lines to its stdout and closes the log. */
function spawnLogger(count: number) {
  const module = new URL('../../src/control/logs.ts', import.meta.url).href;
  const program = `
    import { createLogs } from ${JSON.stringify(module)};
    const logs = createLogs({ channelName: 'logs-test-child' });
    for (let line = 0; line < ${count}; line++) logs.info('line', { line });
    await logs.close();
    process.stderr.write('closed');`;
  return spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

test('close has written every line to stdout, and the log alone keeps no process alive', async () => {
  const child = spawnLogger(5000);
  let text = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk;
  const lines = text.trimEnd().split('\n');
  assert.equal(lines.length, 5000);
  assert.equal((JSON.parse(lines.at(-1)!) as Line).line, 4999);
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  assert.equal(code, 0);
});

test('a reader of the log that goes away does not end the process', async () => {
  const child = spawnLogger(5000);
  child.stdout.destroy();
  let said = '';
  for await (const chunk of child.stderr.setEncoding('utf8')) said += chunk;
  assert.equal(said, 'closed');
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  assert.equal(code, 0);
});

test('close does not wait for a reader of the log that takes nothing', async () => {
  const child = spawnLogger(5000);
  child.stdout.pause();
  const [said] = await once(child.stderr.setEncoding('utf8'), 'data');
  assert.equal(said, 'closed');
  child.stdout.resume();
  if (child.exitCode === null) await once(child, 'exit');
});
