// `npm run bench`: what mirroring costs, whether clients can tell that it is on, and where umbra stands beside others.
//
// Owns the command line, the order of the parts and the exit code. Prints the report to stdout and progress to stderr.
// A bad figure is a result; only a broken guard, or something that could not be measured, ends it with 1.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import {
  ALL_ROWS,
  type Asked,
  COUNTED,
  chooseNamed,
  chooseRows,
  isSmall,
  PACED,
  PROFILED,
  RECOVERING,
} from './choice.ts';
import { CALLGRIND_METHOD, hasCallgrind } from './load/callgrind.ts';
import { findCores } from './load/cores.ts';
import { Findings } from './load/findings.ts';
import { type Guard, judge, parseGuards, toGuardLines } from './load/guards.ts';
import { type InstructionRow, measureInstructions } from './load/instructions.ts';
import { measurePace, type PaceFigures, toPaceTable } from './load/pace.ts';
import { createPerfCounter } from './load/perf.ts';
import { canProfile, measureProfile, type ProfileShares } from './load/profile.ts';
import { measureRecovery, type RecoveryFigures } from './load/recovery.ts';
import { toInstructionTable, toProfileTable, toReport } from './load/report.ts';
import { Rounds, type RowFigures } from './load/rounds.ts';
import type { Row } from './load/rows.ts';
import { Site } from './load/site.ts';
import { Surroundings } from './load/surroundings.ts';
import { hasThreadFigures } from './load/threads.ts';
import { describeMachine, type Machine, readSourceState } from './machine.ts';
import { type MicroRow, measureMicro, toMicroTable } from './micro/micro.ts';
import { PEERS } from './peers/peer.ts';
import { FULL, GUARD, QUICK } from './plan.ts';
import { writeResults } from './results.ts';

const USAGE = `usage: npm run bench -- [--quick | --guard] [--skip PART] [--only PART] [--row TEXT] [--deadline SECONDS]

  --quick             under a minute: fewer rows and rounds, less certain
  --guard             only what bench/guards.yaml names; exit code 1 when a guard is broken
  --only PART         load, instructions, pace, recovery, micro, or profile (not done otherwise); may be repeated
  --skip PART         leaves a part out; may be repeated
  --row TEXT          rows whose name has the text in it, and their baselines; may be repeated
  --deadline SECONDS  gives up after that long
`;

const PARTS = ['load', 'instructions', 'pace', 'recovery', 'micro', 'profile'] as const;
type Part = (typeof PARTS)[number];

const GUARDS_FILE = join(import.meta.dirname, 'guards.yaml');
interface Options extends Asked {
  readonly parts: ReadonlySet<Part>;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function tell(text: string): void {
  process.stderr.write(`${((performance.now() / 1000) | 0).toString().padStart(4)} s  ${text}\n`);
}

interface Measured {
  readonly figures: RowFigures[];
  readonly instructions: InstructionRow[];
  readonly instructionMethod: string | null;
  readonly recoveries: RecoveryFigures[];
  readonly paces: PaceFigures[];
  readonly profiles: ProfileShares[];
  readonly disturbed: number;
  readonly measured: number;
  readonly isPinned: boolean;
  readonly usesWrk: boolean;
}

async function measureLoad(options: Options, missing: readonly string[]): Promise<Measured> {
  const { plan, parts } = options;
  const surroundings = new Surroundings(plan.patienceMs);
  const nothing = {
    figures: [],
    instructions: [],
    instructionMethod: null,
    recoveries: [],
    paces: [],
    profiles: [],
  };
  if (parts.size === 1 && parts.has('micro')) {
    return { ...nothing, disturbed: 0, measured: 0, isPinned: false, usesWrk: false };
  }
  const site = new Site(findCores());
  const freeSite = new Site(null);
  try {
    await site.open();
    const counter = createPerfCounter(site.group);
    const figures: RowFigures[] = [];
    const measure = async (where: Site, what: string, rows: readonly Row[]): Promise<void> => {
      if (rows.length === 0 || !parts.has('load')) return;
      const rounds = new Rounds(where, surroundings, counter, plan.rounds);
      figures.push(
        ...(await rounds.measure(rows, (round) =>
          tell(`${what}, ${rows.length} rows: round ${round + 1} of ${plan.rounds.rounds}`),
        )),
      );
    };
    // What is counted in slow motion needs no load beside it.
    const guards = options.guards.filter(
      ({ figure }) => figure !== 'frontend_instructions' || counter !== null,
    );
    const pinned = chooseRows(ALL_ROWS.pinned, { ...options, guards }, missing);
    await measure(site, 'small requests', pinned.filter(isSmall));
    await measure(
      site,
      'bodies and TLS',
      pinned.filter((row) => !isSmall(row)),
    );
    const free = plan.threads ? chooseRows(ALL_ROWS.free, options, missing) : [];
    if (free.length > 0 && parts.has('load')) await freeSite.open();
    await measure(freeSite, 'front-end threads', free);
    const recoveries: RecoveryFigures[] = [];
    for (const row of plan.recovery && parts.has('recovery') ? RECOVERING : []) {
      const found = ALL_ROWS.pinned.find(({ name, gateway }) => name === row && !missing.includes(gateway));
      if (found === undefined) continue;
      tell(`a shadow that stops and comes back: ${found.title}`);
      recoveries.push(await measureRecovery(site, found));
    }
    const paces: PaceFigures[] = [];
    for (const row of parts.has('pace') && plan.pace !== null ? chooseNamed(PACED, options) : []) {
      tell(`at ${plan.pace!.ratePerSecond} a second: ${row.title}`);
      paces.push(await measurePace(site, row, plan.pace!));
    }
    const countsSlowly = counter === null && hasCallgrind && hasThreadFigures;
    const counted = chooseNamed(COUNTED, options);
    const instructions: InstructionRow[] = [];
    if (countsSlowly && plan.instructions !== null && parts.has('instructions')) {
      tell(`instructions in slow motion: ${counted.map(({ name }) => name).join(', ')}`);
      instructions.push(...(await measureInstructions(site, counted, plan.instructions)));
    }
    const instructionMethod =
      counter !== null ? counter.method : instructions.length > 0 ? CALLGRIND_METHOD : null;
    const profiles: ProfileShares[] = [];
    for (const row of parts.has('profile') && canProfile() ? PROFILED : []) {
      tell(`where the time goes: ${row}`);
      profiles.push(await measureProfile(site, ALL_ROWS.pinned.find(({ name }) => name === row)!));
    }
    const { disturbed, measured } = surroundings;
    const [isPinned, usesWrk] = [site.cores !== null, site.wrk !== null];
    return {
      figures,
      instructions,
      instructionMethod,
      recoveries,
      paces,
      profiles,
      disturbed,
      measured,
      isPinned,
      usesWrk,
    };
  } finally {
    await Promise.all([site.close(), freeSite.close()]);
  }
}

async function run(options: Options): Promise<number> {
  const machine = describeMachine();
  const source = readSourceState();
  const absent = PEERS.flatMap((peer) => {
    const why = peer.findMissing();
    return why === null ? [] : [{ name: peer.name, why }];
  });
  const load = await measureLoad(
    options,
    absent.map(({ name }) => name),
  );
  const findings = new Findings(load.figures, load.instructions);
  say(describe(machine));
  if (load.figures.length === 0) {
    if (load.instructions.length > 0) say(`\n${toInstructionTable(findings, load.instructions)}`);
  } else {
    say(
      `\n${toReport(findings, {
        ...load,
        closedLoop: load.usesWrk ? 'wrk' : 'own client, since wrk is not installed',
        pinning: load.isPinned
          ? 'The gateway has half of the cores, client, primary and shadows the others (taskset); rows of threads are free.'
          : 'Nothing was pinned to cores: that needs taskset and four cores.',
        skipped: absent.map(({ name, why }) => `skipped: ${name}: ${why}`),
      })}`,
    );
  }
  if (load.paces.length > 0) say(`\n${toPaceTable(load.paces)}`);
  if (load.profiles.length > 0) say(`\n${toProfileTable(load.profiles)}`);
  else if (options.parts.has('profile')) say('\nprofile: left out, perf is not here or may not take samples');
  const micro = await measureMicroPart(options);
  if (micro.length > 0) say(`\nMicro-benchmarks\n\n${toMicroTable(micro)}`);
  if (readSourceState() !== source)
    say('\nBeware: files under src changed during the run; these figures mix versions.');
  const written = writeResults({ machine, findings, micro, ...load });
  say(`\n${written.join('\n')}`);
  return sayGuards(options.guards, findings, load.instructionMethod !== null);
}

async function measureMicroPart({ plan, parts }: Options): Promise<MicroRow[]> {
  if (!parts.has('micro') || plan.microMs === 0) return [];
  tell('micro-benchmarks');
  return measureMicro({ timeMs: plan.microMs, iterations: 10, countsInstructions: false });
}

/** 1 when a guard is broken, and when a figure was not measured that every machine has. */
function sayGuards(guards: readonly Guard[], findings: Findings, countsInstructions: boolean): number {
  if (guards.length === 0) return 0;
  say(`\nGuards\n\n${toGuardLines(guards, findings).join('\n')}`);
  const failed = guards.filter((guard) => {
    const { verdict } = judge(guard, findings);
    const isExcused = guard.figure === 'frontend_instructions' && !countsInstructions;
    return verdict === 'broken' || (verdict === 'not measured' && !isExcused);
  });
  return failed.length > 0 ? 1 : 0;
}

function describe(machine: Machine): string {
  return (
    `umbra ${machine.umbra} ${machine.commit}, Node ${machine.node}, ${machine.startedAt}\n` +
    `${machine.processor}, ${machine.cores} cores, ${machine.system}, load average ${machine.loadAverage.toFixed(2)}`
  );
}

function toParts(only: readonly string[], skip: readonly string[]): Set<Part> {
  for (const part of [...only, ...skip]) {
    if (!(PARTS as readonly string[]).includes(part)) {
      throw new UsageError(`no part is named ${part}: ${PARTS.join(', ')}`);
    }
  }
  const usual = PARTS.filter((part) => part !== 'profile');
  return new Set((only.length === 0 ? usual : (only as Part[])).filter((part) => !skip.includes(part)));
}

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      guard: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      skip: { type: 'string', multiple: true, default: [] },
      row: { type: 'string', multiple: true, default: [] },
      deadline: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const names = [...ALL_ROWS.pinned, ...ALL_ROWS.free].map(({ name }) => name);
  const guards = values.guard ? parseGuards(readFileSync(GUARDS_FILE, 'utf8'), names) : [];
  const plan = values.guard ? GUARD : values.quick ? QUICK : FULL;
  const seconds = values.deadline === undefined ? plan.deadlineSeconds : Number(values.deadline);
  if (!(seconds > 0)) throw new UsageError(`--deadline takes seconds, found ${values.deadline}`);
  const parts = toParts(values.only, values.skip);
  if (values.guard && values.only.length + values.skip.length + values.row.length > 0) {
    throw new UsageError('--guard measures what the guards need: it goes with no --only, --skip or --row');
  }
  for (const text of values.row) {
    if (!names.some((name) => name.includes(text))) {
      throw new UsageError(`no row has ${text} in its name: ${names.join(', ')}`);
    }
  }
  if (parts.size === 1 && parts.has('micro') && plan.microMs === 0) {
    throw new UsageError('--quick leaves the micro-benchmarks out');
  }
  const deadline = setTimeout(() => {
    tell(`the benchmark was not through after ${seconds} s`);
    process.exit(1);
  }, seconds * 1000);
  try {
    return await run({ plan, guards, parts, rows: values.row });
  } finally {
    clearTimeout(deadline);
  }
}

let exitCode = 1;
try {
  exitCode = await main();
} catch (error) {
  const isUsage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(isUsage ? `${(error as Error).message}\n\n${USAGE}` : `${(error as Error).stack}\n`);
  exitCode = isUsage ? 2 : 1;
}
// Whatever else may still be open after an error; what was started ends with this process.
process.exit(exitCode);
