// Verdicts for people: a line for each route or shadow, then why, and what to know about the sample.
//
// Plain text without colour, so that it reads the same in a terminal and in a pipeline's log. Ids, addresses and fields are
// not umbra's: nothing in them may move a terminal's cursor.

import type { Result } from '../control/verdict/rules.ts';
import { toCountText, toMsText, toPercentText } from '../control/verdict/text.ts';
import type { Verdict, VerdictFigures } from '../control/verdict/verdict.ts';

const WORDS = {
  pass: 'PASS',
  fail: 'FAIL',
  insufficient: 'TOO LITTLE DATA',
} as const satisfies Record<Result, string>;

const NOISE_FIELDS_MAX = 8;

export function toReport(verdicts: readonly Verdict[], result: Result): string {
  const lines = verdicts.flatMap(toRouteLines);
  lines.push(`verdict: ${result === 'insufficient' ? 'too little data' : result}`);
  return `${lines.map(toPrintable).join('\n')}\n`;
}

function toRouteLines(verdict: Verdict): string[] {
  const shadows = Object.entries(verdict.shadows);
  const head = `${verdict.route}  ${toHeadline(verdict, shadows.length <= 1)}`;
  const since = `counted since ${verdict.since.replace(/\.\d+Z$/, 'Z')}`;
  if (shadows.length <= 1) return [head, ...indent([since, ...toDetails(verdict)])];
  return [
    head,
    ...indent([
      since,
      ...shadows.flatMap(([origin, figures]) => [
        `${origin}  ${toHeadline(figures, true)}`,
        ...indent(toDetails(figures)),
      ]),
    ]),
  ];
}

/** `hasBound`: of the sums of several shadows none was judged, so there is none that decided. */
function toHeadline(figures: VerdictFigures, hasBound: boolean): string {
  const { result, compared, mismatched, errors, latency_ms } = figures;
  const parts = [`${toCountText(compared)} compared`];
  if (compared > 0)
    parts.push(`${toCountText(mismatched)} mismatches${hasBound ? toBoundText(figures) : ''}`);
  const { shadow, primary } = errors;
  if (shadow.share !== null && primary.share !== null) {
    parts.push(`errors ${toPercentText(shadow.share)} (primary ${toPercentText(primary.share)})`);
  }
  const [ours, theirs] = [latency_ms.shadow.p99, latency_ms.primary.p99];
  if (ours !== null && theirs !== null) parts.push(`p99 ${toSignedMs(ours - theirs)}`);
  return `${WORDS[result]}  ${parts.join(', ')}`;
}

/** That by which the check was decided. */
function toBoundText({ checks }: VerdictFigures): string {
  const check = checks.find(({ name }) => name === 'mismatch');
  if (check === undefined || check.bound === null) return '';
  return check.result === 'fail'
    ? ` (more than ${toPercentText(check.bound, -1)})`
    : ` (at most ${toPercentText(check.bound, 1)})`;
}

function toDetails(figures: VerdictFigures): string[] {
  const { checks, noise, skipped, dropped, warnings } = figures;
  const lines = checks
    .filter(({ result }) => result === 'fail' || result === 'insufficient')
    .map(({ result, text }) => `${result === 'fail' ? 'not met' : 'open'}: ${text}`);
  lines.push(...toLatencyLines(figures));
  if (noise.comparisons > 0) {
    const fields = noise.fields.slice(0, NOISE_FIELDS_MAX).join(', ');
    const more = noise.fields.length > NOISE_FIELDS_MAX ? ', …' : '';
    lines.push(`noise left out of ${toCountText(noise.comparisons)} comparisons: ${fields}${more}`);
  }
  for (const [word, counts] of [
    ['skipped', skipped],
    ['dropped', dropped],
  ] as const) {
    const reasons = Object.entries(counts).filter(([, count]) => count > 0);
    if (reasons.length === 0) continue;
    lines.push(`${word}: ${reasons.map(([reason, count]) => `${reason} ${toCountText(count)}`).join(', ')}`);
  }
  return [...lines, ...warnings.map((warning) => `note: ${warning}`)];
}

function toLatencyLines({ latency_ms: { pairs, primary, shadow, difference } }: VerdictFigures): string[] {
  if (pairs === 0) return [];
  const sides = (['p50', 'p95', 'p99'] as const).map(
    (name) => `${name} ${toMsText(shadow[name] ?? 0)} (primary ${toMsText(primary[name] ?? 0)})`,
  );
  const { median, low, high, p99 } = difference;
  return [
    `latency: ${sides.join(', ')}`,
    `same request, shadow minus primary: median ${toSignedMs(median ?? 0)} (${toSignedMs(low ?? 0)} to ${toSignedMs(high ?? 0)}), p99 ${toSignedMs(p99 ?? 0)}, ${toCountText(pairs)} pairs`,
  ];
}

function toSignedMs(ms: number): string {
  return `${ms < 0 ? '-' : '+'}${toMsText(Math.abs(ms))}`;
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** Control characters, line ends and what turns the direction of text, as escapes. */
export function toPrintable(text: string): string {
  return text.replace(
    /[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
