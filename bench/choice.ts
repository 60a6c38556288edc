// Which rows a run measures, and in which parts: what was asked for, with what it is compared with.
//
// Only names and rows; nothing here starts a process.

import { availableParallelism } from 'node:os';
import type { Guard } from './load/guards.ts';
import { BODY_ROWS, JSON_ROWS, PEER_ROWS, type Row, SMALL_ROWS, toThreadRows } from './load/rows.ts';
import type { Plan } from './plan.ts';

export interface Asked {
  readonly plan: Plan;
  /** Parts of names; empty for all that the plan has. */
  readonly rows: readonly string[];
  readonly guards: readonly Guard[];
}

/** By name: rows whose instructions are counted in slow motion; at a fixed rate; while the shadow stops; sampled. */
export const COUNTED = ['off', 'mirror', 'compare', ...JSON_ROWS.map(({ name }) => name)];
export const PACED = JSON_ROWS.filter(({ mirror }) => mirror !== null).map(({ name }) => name);
export const RECOVERING = ['mirror', 'nginx-mirror'];
export const PROFILED = ['off', 'mirror', 'compare'];

/** Everything that a run may measure on this machine, by the way it is measured. */
export const ALL_ROWS = {
  pinned: [...SMALL_ROWS, ...PEER_ROWS, ...BODY_ROWS, ...JSON_ROWS],
  free: toThreadRows(availableParallelism()),
};

/** The rows that were asked for, with the rows that they are compared with, as far as this machine has their gateways. */
export function chooseRows(
  all: readonly Row[],
  { plan, rows, guards }: Asked,
  missing: readonly string[],
): Row[] {
  const names = new Set<string>();
  if (guards.length > 0) for (const { row, baseline } of guards) names.add(row).add(baseline);
  else {
    for (const { name } of all) {
      const isAsked =
        rows.length === 0 ? (plan.rows?.includes(name) ?? true) : rows.some((text) => name.includes(text));
      if (isAsked) names.add(name);
    }
  }
  for (const { name, baseline } of all) if (names.has(name) && baseline !== null) names.add(baseline);
  if (names.has('off')) names.add('twin');
  return all.filter(({ name, gateway }) => names.has(name) && !missing.includes(gateway));
}

/** Those of the named rows that `--row` asks for or guards name, with their baselines; all where nothing is asked for. */
export function chooseNamed(names: readonly string[], { rows, guards }: Asked): Row[] {
  const all = ALL_ROWS.pinned.filter(({ name }) => names.includes(name));
  if (rows.length === 0 && guards.length === 0) return all;
  const asked = all.filter(
    ({ name }) => guards.some(({ row }) => row === name) || rows.some((text) => name.includes(text)),
  );
  return all.filter((row) => asked.includes(row) || asked.some(({ baseline }) => baseline === row.name));
}

export function isSmall({ name }: Row): boolean {
  return [...SMALL_ROWS, ...PEER_ROWS].some((row) => row.name === name);
}
