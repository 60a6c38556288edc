// How much a run measures: all of it in a quarter of an hour, a look in one, or what the guards need.

import type { InstructionSettings } from './load/instructions.ts';
import { PACE, type PaceSettings } from './load/pace.ts';
import type { RoundSettings } from './load/rounds.ts';

export interface Plan {
  /** Names; null for all. */
  readonly rows: readonly string[] | null;
  readonly rounds: RoundSettings;
  /** Whether numbers of front-end threads are compared. */
  readonly threads: boolean;
  readonly recovery: boolean;
  /** Null to leave it out. */
  readonly pace: PaceSettings | null;
  /** Counting in slow motion, where the processor cannot count; null to leave it out. */
  readonly instructions: InstructionSettings | null;
  /** For each micro-benchmark; 0 to leave them out. */
  readonly microMs: number;
  /** How long to wait, all in all, for other processes to be quiet. */
  readonly patienceMs: number;
  readonly deadlineSeconds: number;
}

const WARMUP_REQUESTS = 8_000;
const INSTRUCTIONS: InstructionSettings = { warmup: 80, segments: 7, segment: 4 };

export const FULL: Plan = {
  rows: null,
  rounds: {
    rounds: 5,
    warmupRequests: WARMUP_REQUESTS,
    busyRequests: null,
    rateSlices: { headline: 5, plain: 1, stalling: 1 },
    busySlices: { headline: 1, plain: 1, stalling: 0 },
  },
  threads: true,
  recovery: true,
  pace: PACE,
  instructions: INSTRUCTIONS,
  microMs: 50,
  patienceMs: 30_000,
  deadlineSeconds: 1_800,
};

export const QUICK: Plan = {
  rows: ['off', 'twin', 'mirror', 'hung', 'nginx', 'nginx-mirror'],
  rounds: {
    rounds: 2,
    warmupRequests: WARMUP_REQUESTS,
    busyRequests: null,
    rateSlices: { headline: 5, plain: 2, stalling: 1 },
    busySlices: { headline: 1, plain: 1, stalling: 0 },
  },
  threads: false,
  recovery: false,
  pace: null,
  instructions: null,
  microMs: 0,
  patienceMs: 3_000,
  deadlineSeconds: 120,
};

export const GUARD: Plan = {
  ...FULL,
  rounds: {
    rounds: 7,
    warmupRequests: WARMUP_REQUESTS,
    busyRequests: null,
    rateSlices: { headline: 16, plain: 6, stalling: 1 },
    busySlices: { headline: 1, plain: 1, stalling: 0 },
  },
  threads: false,
  recovery: false,
  pace: null,
  microMs: 0,
};
