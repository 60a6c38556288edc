// Runs a gateway between clients and origins that do everything wrong, for as long as wanted, and holds every answer
// against the plan of its request; at the end nothing may be left.
//
// node test/soak/soak.ts [--seconds N] [--seed S]. The plan of a request is made of the seed and its id (plan.ts).

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { untilIdle, untilMetric } from '../e2e/metric.ts';
import { type FaultExchange, type FaultOrigin, openFaultOrigin } from '../kit/fault-origin.ts';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { runClient, type SoakBooks } from './client.ts';
import { createRandom, playPlan, type Random, toHash, toPlan } from './plan.ts';
import { listConnections, readRssMib } from './process.ts';

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Default 16. */
  readonly clients?: number;
}

export interface SoakReport {
  readonly seed: number;
  /** Requests, outcomes, restarts and the rest. */
  readonly counts: Readonly<Record<string, number>>;
  /** Medians of the last two quarters of the run. */
  readonly rssMib: readonly [third: number, last: number];
}

const CLIENTS = 16;
const FAILURES_MAX = 20;
/** Of the last quarter over the third. */
const GROWTH_MIB_MAX = 64;
/** How long a connection that a restart has reset may still meet a request. */
const AFTERMATH_MS = 500;
const DOWN_MS = 40;
const LET_GO_MS = 20_000;

/** Resolves with what was done, or rejects with all that was wrong. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const soak = new Soak(options);
  try {
    await soak.open();
    await soak.run();
    return await soak.end();
  } finally {
    await soak.close();
  }
}

/** What the primary knows of a request that is under way. */
interface Arrival {
  /** Whether the connection was disturbed behind the answer to an earlier request. */
  readonly isDisturbed: boolean;
}

interface Failure {
  readonly id: string;
  readonly event: string;
}

class Soak implements SoakBooks {
  readonly seed: number;
  isStopping = false;
  private readonly options: SoakOptions;
  private readonly random: Random;
  private readonly counts: Record<string, number> = {};
  private readonly failures: Failure[] = [];
  private readonly arrivals = new Map<string, Arrival[]>();
  /** Connections to the primary on which an answer was followed by what should not, or will be. */
  private readonly disturbed = new Set<number>();
  /** Requests that failed and had never come to the primary. */
  private lost = 0;
  /** Times when the primary was or had just been down. */
  private readonly downs: { readonly fromMs: number; untilMs: number }[] = [];
  private readonly rssMib: number[] = [];
  private readonly startedMs = performance.now();
  private primary!: FaultOrigin;
  private shadow!: FaultOrigin;
  private gateway!: Gateway;
  private percentage = 100;

  constructor(options: SoakOptions) {
    this.options = options;
    this.seed = options.seed;
    this.random = createRandom(toHash(`${options.seed}/soak`));
  }

  get port(): number {
    return this.gateway.port;
  }

  async open(): Promise<void> {
    this.primary = await openFaultOrigin((exchange) => this.answerAsPrimary(exchange));
    this.shadow = await openFaultOrigin((exchange) => this.answerAsShadow(exchange));
    this.gateway = await openGateway({ config: this.toConfig() });
  }

  async run(): Promise<void> {
    const { seconds, clients = CLIENTS } = this.options;
    const endMs = performance.now() + seconds * 1000;
    const running = Array.from({ length: clients }, (_, index) => runClient(this, index + 1));
    const disturbing = this.disturb(endMs);
    while (!this.isStopping && performance.now() < endMs) {
      this.rssMib.push(readRssMib(this.gateway.pid));
      await sleep(Math.min(500, seconds * 20));
    }
    this.isStopping = true;
    await Promise.all([...running, disturbing]);
  }

  /** Restarts of the origins, and new configs. */
  private async disturb(endMs: number): Promise<void> {
    for (;;) {
      await sleep(700 + this.random() * 1500);
      if (this.isStopping || performance.now() > endMs - 500) return;
      const what = this.random();
      if (what < 0.4) await this.restartPrimary();
      else if (what < 0.6) {
        await this.shadow.refuse();
        await sleep(DOWN_MS);
        await this.shadow.open();
        this.count('restarts of the shadow');
      } else {
        this.percentage = 150 - this.percentage;
        await this.gateway.reload(this.toConfig());
        this.count('reloads');
      }
    }
  }

  private async restartPrimary(): Promise<void> {
    const down = { fromMs: performance.now(), untilMs: Number.POSITIVE_INFINITY };
    this.downs.push(down);
    await this.primary.refuse();
    await sleep(DOWN_MS);
    await this.primary.open();
    down.untilMs = performance.now() + AFTERMATH_MS;
    this.count('restarts of the primary');
  }

  /** Nothing is left, and the books balance. */
  async end(): Promise<SoakReport> {
    const { gateway, primary, shadow } = this;
    assert.deepEqual(
      this.failures.map((failure) => this.explain(failure)),
      [],
      this.toTitle(),
    );
    await untilIdle(gateway);
    await untilMetric(gateway, 'umbra_connections', 0).catch((error: Error) => {
      const held = listConnections(gateway.pid, gateway.adminPort);
      assert.fail(`${this.toTitle()}: ${error.message}; it holds ${held.join(', ') || 'none'}`);
    });
    const reports = await gateway.settled();
    for (const route of ['mirrored', 'compared']) {
      const { total_success, total_errors } = reports[route]!;
      this.counts[`${route}: copies answered`] = total_success;
      this.counts[`${route}: copies failed`] = total_errors;
    }
    for (const origin of [primary, shadow]) origin.dropConnections('close');
    await this.untilNoConnection();
    assert.deepEqual([...primary.errors, ...shadow.errors], [], this.toTitle());
    assert.deepEqual(gateway.logs('defect'), [], this.toTitle());
    const strange = gateway.lines.filter((line) => !/^(?:\{|umbra (?:ready|admin key): )/.test(line));
    assert.deepEqual(strange, [], this.toTitle());
    const lostMax = this.disturbed.size;
    assert.ok(
      this.lost <= lostMax,
      `${this.toTitle()}: ${this.lost} requests lost, ${lostMax} connections ended`,
    );
    const rssMib = this.judgeMemory();
    assert.equal(await gateway.stop(), 0, this.toTitle());
    return { seed: this.seed, counts: this.counts, rssMib };
  }

  /** With what the gateway has logged of the request. */
  private explain({ id, event }: Failure): string {
    const logged = this.gateway.logs().filter((each) => each.request_id === id);
    return [event, ...logged.map((each) => JSON.stringify(each))].join('\n    ');
  }

  async close(): Promise<void> {
    this.isStopping = true;
    this.gateway?.signal('SIGKILL');
    await Promise.all([this.primary, this.shadow].map((origin) => origin?.refuse()));
  }

  private async untilNoConnection(): Promise<void> {
    const { pid, adminPort } = this.gateway;
    const giveUpMs = performance.now() + LET_GO_MS;
    for (;;) {
      const held = listConnections(pid, adminPort);
      if (held.length === 0) return;
      assert.ok(performance.now() < giveUpMs, `${this.toTitle()}: left open: ${held.join(', ')}`);
      await sleep(50);
    }
  }

  private judgeMemory(): readonly [number, number] {
    const quarter = Math.floor(this.rssMib.length / 4);
    const third = toMedian(this.rssMib.slice(2 * quarter, 3 * quarter));
    const last = toMedian(this.rssMib.slice(3 * quarter));
    const text = `${this.toTitle()}: memory grew from ${third.toFixed(0)} to ${last.toFixed(0)} MiB`;
    assert.ok(last - third <= GROWTH_MIB_MAX, text);
    return [third, last];
  }

  // For the clients.

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  fail(id: string, event: string): void {
    const atMs = performance.now() - this.startedMs;
    this.failures.push({ id, event: `after ${(atMs / 1000).toFixed(2)} s: request ${id}: ${event}` });
    if (this.failures.length >= FAILURES_MAX) this.isStopping = true;
  }

  forget(id: string): void {
    this.arrivals.delete(id);
  }

  isExcused(id: string, startedMs: number, got: string): boolean {
    const nowMs = performance.now();
    if (this.downs.some(({ fromMs, untilMs }) => fromMs <= nowMs && startedMs <= untilMs)) return true;
    const arrivals = this.arrivals.get(id);
    if (arrivals !== undefined) return arrivals.some(({ isDisturbed }) => isDisturbed);
    if (got !== 'failed' && got !== 'closed') return false;
    this.lost++;
    return true;
  }

  // The origins.

  private async answerAsPrimary(exchange: FaultExchange): Promise<void> {
    const id = exchange.field('x-soak-id') ?? '';
    const plan = toPlan(this.seed, id, toCircumstances(exchange));
    const isDisturbed = this.disturbed.has(exchange.connection);
    const arrivals = this.arrivals.get(id);
    if (arrivals === undefined) this.arrivals.set(id, [{ isDisturbed }]);
    else arrivals.push({ isDisturbed });
    if (plan.disturbs) this.disturbed.add(exchange.connection);
    await playPlan(exchange, id, plan);
  }

  private async answerAsShadow(exchange: FaultExchange): Promise<void> {
    const id = exchange.field('x-soak-id') ?? '';
    const plan = toPlan(this.seed + 1, id, { ...toCircumstances(exchange), isHasty: true });
    await playPlan(exchange, id, plan);
  }

  private toConfig(): string {
    const { primary, shadow, percentage } = this;
    const mirror = (rest: string): string =>
      `mirror: { percentage: ${percentage}, backends: [{ url: '${shadow.url}' }], timeout: { connect: 1s, send: 1s, read: 300ms }, breaker: { failures: 20, open_for: 200ms }${rest} }`;
    const route = (id: string, rest: string): string =>
      `  - { id: ${id}, path: /${id}, path_prefix: true, backends: [{ url: '${primary.url}' }], ${rest} }`;
    return [
      'routes:',
      route('plain', 'retries: 0'),
      route('retried', 'retries: 1'),
      route('mirrored', `retries: 1, ${mirror('')}`),
      route('compared', `retries: 0, ${mirror(', compare: {}')}`),
      route('hasty', 'retries: 0, timeout: { connect: 500ms, send: 500ms, read: 250ms }'),
    ].join('\n');
  }

  private toTitle(): string {
    return `seed ${this.seed}`;
  }
}

function toCircumstances(exchange: FaultExchange): { isHead: boolean; hasBody: boolean; isHasty: boolean } {
  const { method } = exchange;
  const hasBody = method === 'POST' || method === 'PUT';
  return { isHead: method === 'HEAD', hasBody, isHasty: exchange.target.startsWith('/hasty') };
}

function toMedian(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function toReportText({ seed, counts, rssMib }: SoakReport, seconds: number): string {
  const lines = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `soak: ${seconds} s, seed ${seed}: nothing wrong`,
    ...lines.map(([what, count]) => `  ${what.padEnd(32)} ${count}`),
    `  resident memory, MiB             ${rssMib.map((mib) => mib.toFixed(0)).join(' then ')}`,
  ].join('\n');
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '600' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  });
  const options = { seconds: Number(values.seconds), seed: Number(values.seed) };
  console.log(`soak: ${options.seconds} s, --seed ${options.seed}`);
  try {
    console.log(toReportText(await runSoak(options), options.seconds));
    process.exit(0);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}
