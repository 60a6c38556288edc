// A verdict as JUnit XML: one test suite, one test case for each route, shadow and check.
//
// Follows what Jenkins and GitLab read. Ids and texts may hold anything: what XML 1.0 has no place for is replaced, and
// insufficient data is an error there, because a skipped test would look like one that is well.

import type { Check } from '../control/verdict/rules.ts';
import type { Verdict } from '../control/verdict/verdict.ts';

interface TestCase {
  readonly className: string;
  readonly name: string;
  /** Empty for a test that passed. */
  readonly outcome: '' | 'failure' | 'error' | 'skipped';
  readonly type: string;
  readonly text: string;
  /** Lines to know beside the outcome. */
  readonly notes?: readonly string[];
}

const OUTCOMES = {
  pass: '',
  fail: 'failure',
  insufficient: 'error',
  not_judged: 'skipped',
} as const satisfies Record<Check['result'], TestCase['outcome']>;

/** `problem` is why there is no verdict, or null. */
export function toJunit(
  verdicts: readonly Verdict[],
  problem: string | null,
  startedMs: number,
  seconds: number,
): string {
  const cases = verdicts.flatMap(toCases);
  if (problem !== null) {
    cases.push({ className: 'umbra', name: 'verdict', outcome: 'error', type: 'problem', text: problem });
  }
  const countOf = (outcome: TestCase['outcome']): number =>
    cases.filter((each) => each.outcome === outcome).length;
  const totals = toAttributes({
    name: 'umbra verdict',
    tests: cases.length,
    failures: countOf('failure'),
    errors: countOf('error'),
    skipped: countOf('skipped'),
    time: seconds.toFixed(3),
  });
  const timestamp = new Date(startedMs).toISOString().replace(/\.\d+Z$/, '');
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${totals}>`,
    `  <testsuite${totals}${toAttributes({ timestamp })}>`,
    ...cases.map(toElement),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function toCases({ route, shadows }: Verdict): TestCase[] {
  return Object.entries(shadows).flatMap(([origin, { checks, warnings }]) =>
    checks.map(
      (check): TestCase => ({
        className: `umbra.${route}`,
        name: `${origin} ${check.name}`,
        outcome: OUTCOMES[check.result] ?? 'error',
        type: check.name,
        text: check.text,
        // They are about the sample; once is enough.
        notes: check.name === 'sample' ? warnings : [],
      }),
    ),
  );
}

function toElement({ className, name, outcome, type, text, notes = [] }: TestCase): string {
  const attributes = toAttributes({ classname: className, name, time: '0' });
  const why = toAttributes(outcome === 'skipped' ? { message: text } : { message: text, type });
  const children = [
    outcome === '' ? '' : `<${outcome}${why}/>`,
    notes.length === 0 ? '' : `<system-out>${toXmlText(notes.join('\n'))}</system-out>`,
  ].join('');
  return children === ''
    ? `    <testcase${attributes}/>`
    : `    <testcase${attributes}>${children}</testcase>`;
}

function toAttributes(attributes: Record<string, string | number>): string {
  return Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${toXmlText(String(value))}"`)
    .join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  // Else a reader makes a space of them.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** Characters of XML 1.0 (section 2.2), escaped; anything else is U+FFFD. */
function toXmlText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"'\t\n\r]/g, (character) => ENTITIES[character]!);
}
