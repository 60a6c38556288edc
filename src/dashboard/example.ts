// One mismatch, side by side: what the primary answered, what the shadow answered, where they part.
//
// Everything shown was written by others, the shadow above all: it goes into text nodes.

import { type Child, make, makeButton } from './dom.ts';
import { formatMs, formatTime, formatWord } from './format.ts';
import { splitDifference } from './marks.ts';
import type { Entry } from './shapes.ts';
import { makeMarked, makeText } from './text.ts';

export interface ExampleActions {
  copy(text: string, what: string): void;
  ignore(field: string): void;
}

interface Difference {
  readonly name: string;
  readonly kind: string;
  readonly primary: string | null;
  readonly shadow: string | null;
  /** What a rule would name; null when no rule can. */
  readonly field: string | null;
}

const NAMES: Readonly<Record<string, string>> = {
  missing: 'only the primary has it',
  extra: 'only the shadow has it',
  type: 'another type',
  value: 'another value',
  length: 'another length',
  order: 'another order',
  text: 'another text',
  digest: 'another content',
};

export function makeExample(entry: Entry, { copy, ignore }: ExampleActions): HTMLElement {
  const { method, path, backend, timestamp, request_id, latency_ms, detail, curl, request_note } = entry;
  const facts = [
    formatTime(timestamp),
    `shadow ${backend}`,
    `primary ${formatMs(latency_ms.primary)} ms, shadow ${formatMs(latency_ms.mirror)} ms`,
    ...(request_id === null ? [] : [`request id ${request_id}`]),
  ];
  const notes = [
    ...(request_note === null ? [] : [`The commands lack the request's body: ${request_note}.`]),
    ...(detail.note === null ? [] : [`Bodies were compared by ${detail.body_method}: ${detail.note}.`]),
    ...(detail.is_cut ? ['There may be more differences: the comparison was cut short.'] : []),
  ];
  return make(
    'div',
    { class: 'example' },
    make(
      'div',
      { class: 'card-head' },
      make('h3', {}, 'Example'),
      make('div', { class: 'actions' }, ...makeCopies(curl, copy)),
    ),
    make('p', { class: 'request-line mono' }, make('strong', {}, method), ' ', ...makeText(path)),
    make('p', { class: 'quiet' }, facts.join(' · ')),
    makeSides(toDifferences(entry), ignore),
    ...notes.map((note) => make('p', { class: 'quiet' }, note)),
  );
}

function makeCopies(curl: Entry['curl'], copy: ExampleActions['copy']): HTMLElement[] {
  const sides = [
    ['primary', curl.primary],
    ['shadow', curl.mirror],
  ] as const;
  return sides.flatMap(([side, command]) =>
    command === null
      ? []
      : [makeButton(`Copy curl for ${side}`, () => copy(command, `The command for the ${side}`))],
  );
}

function toDifferences({ detail, fields }: Entry): Difference[] {
  const { status_diff, header_diffs, body_diffs } = detail;
  const differences: Difference[] = [];
  if (status_diff !== null) {
    const [primary, shadow] = [String(status_diff.primary), String(status_diff.mirror)];
    differences.push({ name: 'status', kind: 'value', primary, shadow, field: null });
  }
  for (const { header, kind, primary, mirror } of header_diffs) {
    differences.push({ name: `header ${header}`, kind, primary, shadow: mirror, field: `header:${header}` });
  }
  for (const { path, kind, primary, mirror } of body_diffs) {
    const field = toField(path, fields);
    const name = path === '$' ? 'body' : path;
    differences.push({ name, kind, primary, shadow: mirror, field });
  }
  return differences;
}

/** `items[3].id` → `body:items[].id`, when the exchange has that field. */
function toField(path: string, fields: readonly string[]): string | null {
  const field = `body:${path.replace(/^body:/, '').replace(/\[\d+\]/g, '[]')}`;
  return fields.includes(field) ? field : null;
}

function makeSides(differences: readonly Difference[], ignore: ExampleActions['ignore']): HTMLElement {
  const head = ['Field', 'Primary', 'Shadow'].map((title) => make('th', { scope: 'col' }, title));
  const actions = make(
    'th',
    { scope: 'col', class: 'row-actions' },
    make('span', { class: 'unseen' }, 'Rule'),
  );
  const rows = differences.map((difference) => makeRow(difference, ignore));
  const table = make(
    'table',
    { class: 'sides' },
    make('caption', { class: 'unseen' }, 'What the two answers differ in'),
    make('thead', {}, make('tr', {}, ...head, actions)),
    make('tbody', {}, ...rows),
  );
  return make('div', { class: 'scroll' }, table);
}

function makeRow(
  { name, kind, primary, shadow, field }: Difference,
  ignore: ExampleActions['ignore'],
): HTMLElement {
  const [left, right] = markDifference(primary, shadow);
  const button =
    field === null
      ? []
      : [makeButton('Ignore field', () => ignore(field), { 'aria-label': `Ignore this field: ${field}` })];
  return make(
    'tr',
    {},
    make(
      'th',
      { scope: 'row' },
      make('span', { class: 'mono' }, ...makeText(name)),
      make('br'),
      make('span', { class: 'quiet' }, NAMES[kind] ?? formatWord(kind)),
    ),
    make('td', { class: 'value mono', 'data-side': 'primary' }, ...left),
    make('td', { class: 'value mono', 'data-side': 'shadow' }, ...right),
    make('td', { class: 'row-actions' }, ...button),
  );
}

/** Both texts, with what differs marked. */
function markDifference(primary: string | null, shadow: string | null): [Child[], Child[]] {
  if (primary === null || shadow === null) return [[toWhole(primary)], [toWhole(shadow)]];
  const [left, right] = splitDifference(primary, shadow);
  return [makeMarked(left), makeMarked(right)];
}

function toWhole(text: string | null): Child {
  return text === null ? make('span', { class: 'absent' }, 'not there') : make('mark', {}, ...makeText(text));
}
