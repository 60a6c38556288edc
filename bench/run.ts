// `npm run bench`: what mirroring costs and whether clients can tell that it is on.
//
// Owns the command line, the order of the parts and the results file. Prints a table for people, writes JSON for
// machines. Fails only when something could not be measured: a bad figure is a result.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import {
  BURST_REQUESTS,
  createInstructionCounter,
  type InstructionRow,
  type InstructionSettings,
  measureInstructions,
} from './load/instructions.ts';
import { LoadReport } from './load/report.ts';
import { measureRounds, type RoundSettings } from './load/rounds.ts';
import { Site } from './load/site.ts';
import { Surroundings } from './load/surroundings.ts';
import { COMPARE, HUNG, MIRROR, OFF, TWIN, type Variant } from './load/variants.ts';
import { describeMachine, type Machine, readSourceState } from './machine.ts';

const USAGE = `usage: npm run bench -- [--quick] [--skip instructions] [--deadline SECONDS]

  --quick               under a minute, less certain: fewer rounds and variants
  --skip instructions   latency and CPU time only
  --deadline SECONDS    give up after that long
`;

const RESULTS_FOLDER = join(import.meta.dirname, 'results');

interface Plan {
  readonly variants: readonly Variant[];
  readonly rounds: RoundSettings;
  /** Variants whose instructions are counted. */
  readonly counted: readonly Variant[];
  readonly instructions: InstructionSettings;
  /** Whether to count in slow motion too, which takes most of a minute for each variant. */
  readonly countsSlowly: boolean;
  /** How long to wait, all in all, for other processes to be quiet. */
  readonly patienceMs: number;
  readonly deadlineSeconds: number;
}

const LOAD = {
  ratePerSecond: 2_000,
  rateConnections: 4,
  rateSliceRequests: 500,
  busyConnections: 64,
} as const;

const FULL: Plan = {
  variants: [OFF, TWIN, MIRROR, COMPARE, HUNG],
  rounds: {
    ...LOAD,
    rounds: 5,
    warmupRequests: 10_000,
    rateSlices: 12,
    busySlices: 5,
    busySliceRequests: 5_000,
  },
  counted: [OFF, MIRROR, COMPARE, TWIN],
  instructions: {
    warmupRequests: 48 * BURST_REQUESTS,
    segments: 3,
    segmentRequests: 6 * BURST_REQUESTS,
    connections: [LOAD.busyConnections, LOAD.rateConnections],
  },
  countsSlowly: true,
  patienceMs: 120_000,
  deadlineSeconds: 900,
};

const QUICK: Plan = {
  variants: [OFF, TWIN, MIRROR, HUNG],
  rounds: {
    ...LOAD,
    rounds: 2,
    warmupRequests: 6_000,
    rateSlices: 7,
    busySlices: 2,
    busySliceRequests: 3_000,
  },
  counted: [OFF, MIRROR],
  instructions: {
    warmupRequests: 48 * BURST_REQUESTS,
    segments: 3,
    segmentRequests: 4 * BURST_REQUESTS,
    connections: [LOAD.busyConnections],
  },
  countsSlowly: false,
  patienceMs: 5_000,
  deadlineSeconds: 240,
};

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Progress goes to stderr, so that stdout is the report. */
function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function measure(plan: Plan, skipsInstructions: boolean): Promise<void> {
  const machine = describeMachine();
  const source = readSourceState();
  const site = new Site();
  try {
    await site.open();
    const surroundings = new Surroundings(site.group, plan.patienceMs);
    const figures = await measureRounds(site, surroundings, plan.variants, plan.rounds, (round) =>
      tell(`latency and CPU time: round ${round + 1} of ${plan.rounds.rounds}`),
    );
    const counter = createInstructionCounter(site);
    const isSlow = counter?.launcher.isSlowed === true;
    const instructions: InstructionRow[] = [];
    if (counter !== null && !skipsInstructions && (plan.countsSlowly || !isSlow)) {
      for (const variant of plan.counted) {
        tell(`instructions: ${variant.title}`);
        instructions.push(...(await measureInstructions(site, counter, variant, plan.instructions)));
      }
    }
    const { disturbed, measured } = surroundings;
    const instructionMethod = counter?.method ?? null;
    const results = {
      ...plan.rounds,
      variants: plan.variants,
      figures,
      instructions,
      instructionMethod,
      disturbed,
      measured,
    };
    say(`umbra ${machine.umbra} ${machine.commit}, Node ${machine.node}, ${machine.startedAt}`);
    say(
      `${machine.processor}, ${machine.cores} cores, ${machine.system}, load average ${machine.loadAverage.toFixed(2)}\n`,
    );
    say(new LoadReport(results).toText());
    if (readSourceState() !== source)
      say('\nBeware: files under src changed during the run; these figures mix versions.');
    say(`\n${relative(process.cwd(), writeResults({ machine, plan, ...results }))}`);
  } finally {
    await site.close();
  }
}

/** Latencies are left out: percentiles by slice are there, and the whole is many megabytes. */
function writeResults(results: { readonly machine: Machine; readonly [part: string]: unknown }): string {
  mkdirSync(RESULTS_FOLDER, { recursive: true });
  const file = join(RESULTS_FOLDER, `load-${results.machine.startedAt.replace(/[:.]/g, '-')}.json`);
  const text = JSON.stringify(
    results,
    (key, value: unknown) => (key === 'latenciesUs' ? undefined : value),
    2,
  );
  writeFileSync(file, `${text}\n`);
  return file;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      skip: { type: 'string', multiple: true, default: [] },
      deadline: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return say(USAGE);
  const plan = values.quick ? QUICK : FULL;
  const seconds = values.deadline === undefined ? plan.deadlineSeconds : Number(values.deadline);
  const deadline = setTimeout(() => {
    tell(`the benchmark was not through after ${seconds} s`);
    process.exit(1);
  }, seconds * 1000);
  await measure(plan, values.skip.includes('instructions'));
  clearTimeout(deadline);
}

await main();
