// The load client: a process of its own that sends requests in phases, over connections that it keeps.
//
// Open loop: requests fall due by the clock, whatever became of those before them, and a latency counts from
// the moment when its request could have been sent, so a gateway that stalls is charged for all that it kept
// waiting (no coordinated omission). What the client itself woke up late is reported beside it, not charged.
// Closed loop: every connection sends its next request when its last one is answered.

import { connect, type Socket } from 'node:net';
import process from 'node:process';
import { connect as connectTls } from 'node:tls';
import { AnswerReader } from './answer.ts';
import { type ClientOptions, INTERVAL_MS, type Phase, type PhaseResult } from './phase.ts';

interface Lane {
  readonly socket: Socket;
  readonly reader: AnswerReader;
  /** When its request could have been sent, in ms; -1 while idle. */
  dueMs: number;
}

/** One phase's books. Sizes are known beforehand, so that nothing grows while latencies are taken. */
class Run {
  readonly phase: Phase;
  readonly latenciesUs: Float64Array;
  readonly lateUs: Float64Array;
  /** By request: when the client found it due. Those from `sent` to `due` wait for an idle connection. */
  readonly dueMs: Float64Array;
  readonly startedMs = performance.now();
  due = 0;
  sent = 0;
  answered = 0;
  refused = 0;
  readonly answeredBy: number[] = [];

  constructor(phase: Phase) {
    const size = Number.isFinite(phase.requests) ? phase.requests : 0;
    this.phase = phase;
    this.latenciesUs = new Float64Array(size);
    this.lateUs = new Float64Array(size);
    this.dueMs = new Float64Array(size);
  }

  count(nowMs: number, dueMs: number, status: number): void {
    // Beyond its end, the array takes nothing.
    this.latenciesUs[this.answered++] = (nowMs - dueMs) * 1000;
    if (status !== 200) this.refused++;
    const interval = Math.floor((nowMs - this.startedMs) / INTERVAL_MS);
    while (this.answeredBy.length <= interval) this.answeredBy.push(0);
    this.answeredBy[interval]!++;
  }

  toResult(): PhaseResult {
    const { latenciesUs, lateUs, refused, answered, answeredBy } = this;
    latenciesUs.fill(Number.POSITIVE_INFINITY, answered);
    const seconds = (performance.now() - this.startedMs) / 1000;
    return { latenciesUs, lateUs, refused, answered, seconds, answeredBy };
  }

  /** Notes what has fallen due by now; true when something is still to come. */
  advance(): boolean {
    const { requests, ratePerSecond } = this.phase;
    const nowMs = performance.now();
    const elapsedMs = nowMs - this.startedMs;
    const due = Math.min(requests, Math.floor((elapsedMs * ratePerSecond) / 1000) + 1);
    for (; this.due < due; this.due++) {
      this.dueMs[this.due] = nowMs;
      this.lateUs[this.due] = (elapsedMs - (this.due * 1000) / ratePerSecond) * 1000;
    }
    return this.due < requests;
  }
}

class Client {
  readonly #options: ClientOptions;
  readonly #request: Buffer;
  #lanes: Lane[] = [];
  #idle: Lane[] = [];
  #run: Run | null = null;
  #finish: (result: PhaseResult) => void = () => {};

  constructor(options: ClientOptions) {
    this.#options = options;
    const body = Buffer.alloc(options.requestBytes, 'x');
    const length = body.length === 0 ? '' : `Content-Length: ${body.length}\r\n`;
    // About the head of a call between services: eight lines, 300 bytes.
    const head =
      `${body.length === 0 ? 'GET' : 'POST'} ${options.path} HTTP/1.1\r\nHost: 127.0.0.1:${options.port}\r\n` +
      'User-Agent: umbra-bench/1.0\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n' +
      'Authorization: Bearer 0123456789abcdef0123456789abcdef\r\nX-Request-Id: 0123456789abcdef\r\n' +
      `Cookie: session=0123456789abcdef0123456789abcdef\r\n${length}\r\n`;
    this.#request = Buffer.concat([Buffer.from(head, 'latin1'), body]);
  }

  async run(phase: Phase): Promise<PhaseResult> {
    while (this.#lanes.length < phase.connections) this.#lanes.push(await this.#openLane());
    this.#idle = this.#lanes.slice(0, phase.connections);
    const { promise, resolve } = Promise.withResolvers<PhaseResult>();
    this.#finish = resolve;
    const run = new Run(phase);
    this.#run = run;
    if (Number.isFinite(phase.cutOffMs)) setTimeout(() => this.#cutOff(run), phase.cutOffMs);
    if (phase.ratePerSecond > 0) this.#tick(run);
    else for (const lane of this.#idle.splice(0)) this.#continue(run, lane);
    return promise;
  }

  close(): void {
    for (const lane of this.#lanes) lane.socket.destroy();
  }

  #openLane(): Promise<Lane> {
    const { promise, resolve, reject } = Promise.withResolvers<Lane>();
    const socket = this.#connect((bytes) => {
      if (lane.reader.push(bytes)) this.#onAnswer(lane);
    });
    const lane: Lane = { socket, reader: new AnswerReader(), dueMs: -1 };
    socket.once(this.#options.tls ? 'secureConnect' : 'connect', () => resolve(lane));
    socket.once('error', reject);
    // Between phases the gateway may close what is idle; a request in flight it must answer.
    socket.once('close', () => {
      if (lane.dueMs >= 0) throw new Error('the gateway closed a connection with a request in flight');
      this.#lanes = this.#lanes.filter((other) => other !== lane);
      this.#idle = this.#idle.filter((other) => other !== lane);
    });
    return promise;
  }

  #connect(onBytes: (bytes: Buffer) => void): Socket {
    const { port, tls } = this.#options;
    if (tls) {
      // The certificate was made for this run.
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false });
      return socket.setNoDelay().on('data', onBytes);
    }
    return connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      // One buffer for good: the client's own garbage collection must not show in the tail.
      onread: {
        buffer: Buffer.alloc(64 * 1024),
        callback: (bytes, memory) => {
          onBytes(Buffer.from(memory.buffer, memory.byteOffset, bytes));
          return true;
        },
      },
    });
  }

  /** Ends a phase with whatever has been answered; connections that still wait for an answer are given up. */
  #cutOff(run: Run): void {
    if (run !== this.#run) return;
    this.#run = null;
    for (const lane of this.#lanes.filter(({ dueMs }) => dueMs >= 0)) {
      lane.dueMs = -1;
      lane.socket.destroy();
    }
    this.#finish(run.toResult());
  }

  /** Sends what has fallen due, oldest first, and comes back in a millisecond. */
  #tick(run: Run): void {
    if (run !== this.#run) return;
    if (run.advance()) setTimeout(() => this.#tick(run), 1);
    while (run.sent < run.due) {
      const lane = this.#idle.shift();
      if (lane === undefined) return;
      this.#send(lane, run.dueMs[run.sent++]!);
    }
  }

  #send(lane: Lane, dueMs: number): void {
    lane.dueMs = dueMs;
    lane.socket.write(this.#request);
  }

  #continue(run: Run, lane: Lane): void {
    if (run.phase.ratePerSecond > 0 && run.sent < run.due) {
      this.#send(lane, run.dueMs[run.sent++]!);
    } else if (run.phase.ratePerSecond === 0 && run.sent < run.phase.requests) {
      run.sent++;
      this.#send(lane, performance.now());
    } else {
      lane.dueMs = -1;
      this.#idle.push(lane);
    }
  }

  #onAnswer(lane: Lane): void {
    const run = this.#run;
    if (run === null) throw new Error('an answer that nobody asked for');
    run.count(performance.now(), lane.dueMs, lane.reader.status);
    this.#continue(run, lane);
    if (run.answered < run.phase.requests) return;
    this.#run = null;
    this.#finish(run.toResult());
  }
}

const client = new Client(JSON.parse(process.argv[2]!) as ClientOptions);
process.on('message', async (phase: Phase) => {
  const result = await client.run(phase);
  process.send!(result);
});
process.once('disconnect', () => client.close());
