// What the load benchmarks found, for people: the headline, then a table for each kind of load.
//
// Comparisons are ratios within the run. No figure stands here that is not in the JSON.

import { median, type Ratio, toSmallestClaim } from '../statistics.ts';
import { type Column, toFixed, toTable } from '../table.ts';
import type { FigureName, Findings } from './findings.ts';
import type { InstructionRow } from './instructions.ts';
import type { ProfileShares } from './profile.ts';
import { BUSY_CONNECTIONS, CUT_OFF_MS, RATE_CONNECTIONS } from './rounds.ts';
import { JSON_ROWS, type Row, SMALL_ROWS } from './rows.ts';

export interface ReportNotes {
  /** How instructions were counted; null when they were not. */
  readonly instructionMethod: string | null;
  readonly closedLoop: string;
  readonly pinning: string;
  /** What was left out, a line each. */
  readonly skipped: readonly string[];
  readonly disturbed: number;
  readonly measured: number;
}

interface Comparison {
  readonly title: string;
  readonly row: string;
  readonly baseline: string;
}

const COMPARISONS: readonly Comparison[] = [
  { title: 'mirror tax: all mirrored ÷ off', row: 'mirror', baseline: 'off' },
  { title: 'the same, compared ÷ off', row: 'compare', baseline: 'off' },
  { title: 'isolation: shadow hangs ÷ off', row: 'hung', baseline: 'off' },
  { title: 'umbra ÷ nginx', row: 'off', baseline: 'nginx' },
  { title: 'umbra ÷ nginx, all mirrored', row: 'mirror', baseline: 'nginx-mirror' },
  { title: 'own client ÷ undici', row: 'off', baseline: 'undici' },
  { title: 'own client ÷ undici, all mirrored', row: 'mirror', baseline: 'undici-mirror' },
  { title: '2 KiB of JSON: compared by hash ÷ off', row: 'compare-json', baseline: 'off-json' },
  { title: '2 KiB of JSON: in detail ÷ off', row: 'detailed', baseline: 'off-json' },
  { title: 'A/A: off ÷ off', row: 'twin', baseline: 'off' },
];

const HEADLINE_FIGURES: readonly { readonly title: string; readonly name: FigureName }[] = [
  { title: 'p50', name: 'p50' },
  { title: 'p99', name: 'p99' },
  { title: 'CPU', name: 'cpu' },
  { title: 'front-end CPU', name: 'frontend_cpu' },
  { title: 'front-end CPU at rate', name: 'frontend_cpu_at_rate' },
  { title: 'front-end instructions', name: 'frontend_instructions' },
];

export function toReport(findings: Findings, notes: ReportNotes): string {
  return [
    'Headline (ratios within this run; lowest to highest round)',
    toHeadline(findings),
    toTax(findings),
    toClaims(findings),
    `Closed loop, ${BUSY_CONNECTIONS} connections, ${notes.closedLoop}; per request where nothing else is said`,
    toBusyTable(findings),
    `Fixed rate, open loop, ${RATE_CONNECTIONS} connections; µs from client to client`,
    toRateTable(findings),
    toNotes(findings, notes),
  ].join('\n\n');
}

function toHeadline(findings: Findings): string {
  const rows = COMPARISONS.filter(({ row, baseline }) => findings.has(row) && findings.has(baseline));
  return toTable<Comparison>(
    [
      { title: '', cell: ({ title }) => title },
      ...HEADLINE_FIGURES.map(({ title, name }) => ({
        title,
        cell: ({ row, baseline }: Comparison) => toRatioText(findings.ratio(row, baseline, name)),
      })),
    ],
    rows,
  );
}

export function toProfileTable(profiles: readonly ProfileShares[]): string {
  const owners = [...new Set(profiles.flatMap(({ shares }) => Object.keys(shares)))];
  const samples = profiles.map(({ row, samples }) => `${row} ${samples}`).join(', ');
  return [
    'Front-end thread: share of its CPU time, closed loop',
    toTable<string>(
      [
        { title: '', cell: (owner) => owner },
        ...profiles.map(({ row, shares }) => ({
          title: `${row} %`,
          cell: (owner: string) => toFixed((shares[owner] ?? 0) * 100, 1),
        })),
      ],
      owners,
    ),
    `  samples: ${samples}`,
  ].join('\n\n');
}

/** What was counted in slow motion, with the ratio to the same without mirror. */
export function toInstructionTable(findings: Findings, counted: readonly InstructionRow[]): string {
  const baselines = new Map(
    [...SMALL_ROWS, ...JSON_ROWS].map(({ name, baseline }) => [name, baseline] as const),
  );
  return [
    'Instructions of the front-end thread for a request, in user mode: median over segments',
    toTable<InstructionRow>(
      [
        { title: '', cell: ({ row }) => row },
        { title: 'instructions', cell: ({ perRequest }) => toFixed(median(perRequest), 0) },
        {
          title: '×',
          cell: ({ row }) => {
            const baseline = baselines.get(row) ?? row;
            if (baseline === row) return '';
            return toFixed(findings.ratio(row, baseline, 'frontend_instructions').median, 3);
          },
        },
        {
          title: 'segments',
          cell: ({ perRequest }) => perRequest.map((count) => toFixed(count, 0)).join(' '),
        },
        { title: 'copies %', cell: ({ copiesShare }) => toFixed(copiesShare * 100, 1) },
      ],
      counted,
    ),
  ].join('\n\n');
}

/** The same as differences, in their units. */
function toTax(findings: Findings): string {
  const difference = (name: FigureName): number =>
    findings.figure('mirror', name) - findings.figure('off', name);
  return (
    `  Mirroring everything adds, of the front-end thread and per request: ` +
    `${toFixed(difference('frontend_instructions') / 1000, 1)} thousand instructions, ` +
    `${toFixed(difference('frontend_cpu'), 1)} µs of CPU time in the closed loop and ` +
    `${toFixed(difference('frontend_cpu_at_rate'), 1)} at the fixed rate;\n` +
    `  to the client's latency ${toFixed(difference('p50'), 0)} µs at p50 and ${toFixed(difference('p99'), 0)} at p99.`
  );
}

function toClaims(findings: Findings): string {
  const claims = HEADLINE_FIGURES.map(({ title, name }) => {
    const claim = toSmallestClaim(findings.ratio('twin', 'off', name));
    return `${title} ${Number.isNaN(claim) ? '–' : `±${toFixed(claim * 100, 1)} %`}`;
  });
  return (
    '  Smallest difference that this run can claim (the farthest that two identical gateways were apart in a round):\n' +
    `  ${claims.join(', ')}`
  );
}

function toBusyTable(findings: Findings): string {
  const rows = findings.rows.filter(({ weight }) => weight !== 'stalling');
  const columns: Column<Row>[] = [
    { title: '', cell: ({ title }) => title },
    figureColumn(findings, 'requests/s', 'requests_per_second', 0),
    figureColumn(findings, 'CPU µs', 'cpu', 1),
    ratioColumn(findings, 'cpu'),
    figureColumn(findings, 'front end', 'frontend_cpu', 1),
    ratioColumn(findings, 'frontend_cpu'),
    figureColumn(findings, 'instructions: user', 'user_instructions', 0),
    figureColumn(findings, 'kernel', 'kernel_instructions', 0),
    figureColumn(findings, 'front end', 'frontend_instructions', 0),
    ratioColumn(findings, 'frontend_instructions'),
    figureColumn(findings, 'copies %', 'copies', 1, 100),
    figureColumn(findings, 'peak MiB', 'peak_bytes', 0, 1 / 2 ** 20),
  ];
  return toTable(columns, rows);
}

function toRateTable(findings: Findings): string {
  const pooled = (title: string, share: number): Column<Row> => ({
    title,
    cell: ({ name }) => toFixed(findings.latency(name, share), 0),
  });
  const latency = (title: string, name: FigureName): Column<Row> => ({
    title,
    cell: (row) => toFixed(findings.figure(row.name, name), 0),
  });
  return toTable(
    [
      { title: '', cell: ({ title }) => title },
      { title: 'rate/s', cell: ({ load }) => String(load.ratePerSecond) },
      latency('p50', 'p50'),
      ratioColumn(findings, 'p50'),
      latency('p90', 'p90'),
      ratioColumn(findings, 'p90'),
      latency('p99', 'p99'),
      ratioColumn(findings, 'p99'),
      { title: 'requests', cell: ({ name }) => String(findings.latencies(name).length) },
      pooled('all p99', 0.99),
      pooled('all p99.9', 0.999),
      latency('late p99', 'late_p99'),
      figureColumn(findings, 'front-end CPU µs', 'frontend_cpu_at_rate', 1),
      ratioColumn(findings, 'frontend_cpu_at_rate'),
      figureColumn(findings, 'copies %', 'copies_at_rate', 1, 100),
    ],
    findings.rows,
  );
}

function figureColumn(
  findings: Findings,
  title: string,
  name: FigureName,
  digits: number,
  factor = 1,
): Column<Row> {
  return { title, cell: (row) => toFixed(findings.figure(row.name, name) * factor, digits) };
}

/** To the row's own baseline. */
function ratioColumn(findings: Findings, name: FigureName): Column<Row> {
  return {
    title: '×',
    cell: ({ name: row, baseline }) =>
      baseline === null || baseline === row ? '' : toFixed(findings.ratio(row, baseline, name).median, 2),
  };
}

function toNotes(findings: Findings, notes: ReportNotes): string {
  const lines = [
    '× is the ratio to the same without mirror, as the median over rounds of what was measured side by side.',
    'p50 to p99: median over slices and rounds. all p99, all p99.9: of every request in the run. late p99: of the',
    'load client itself, which is not in the figures. copies: of those that were due, how many came to a shadow.',
    'A latency counts from when the load client found the request due; how late it was itself is late p99.',
    'umbra has a second thread for its copies, which may use a second core; nginx has one worker.',
    'Copies to a slow or hung shadow go on after their slice: their share and CPU time there say little.',
    `∞: no answer within ${CUT_OFF_MS / 1000} s. CPU: the threads' own time (schedstat); front end: its thread alone.`,
    notes.instructionMethod === null
      ? 'Instructions were not counted: neither perf with hardware counters nor valgrind is here, or they were left out.'
      : `Instructions: ${notes.instructionMethod}.`,
    notes.pinning,
    ...notes.skipped,
    `${notes.disturbed} of ${notes.measured} slices were disturbed by other processes.`,
  ];
  if (findings.rows.some(({ weight }) => weight === 'stalling')) {
    lines.push(
      'nginx with a slow or hung shadow keeps its clients waiting: one slice a round, no closed loop.',
    );
  }
  return lines.map((line) => `  ${line}`).join('\n');
}

function toRatioText({ median, lowest, highest }: Ratio): string {
  if (Number.isNaN(median)) return '–';
  const [middle, low, high] = [median, lowest, highest].map((value) => toFixed(value, 2));
  return low === high ? middle! : `${middle} (${low}–${high})`;
}
