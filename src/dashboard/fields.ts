// What is known of each field: how often it differs, how often it does so by itself, and what that makes of it.

import { createList, make, makeButton, makeHeading, setAttribute, setHidden, setText } from './dom.ts';
import { formatCount, formatShare } from './format.ts';
import type { FieldLine, Fields } from './shapes.ts';
import { makeText } from './text.ts';

const FIELDS_MAX = 100;
const STATES: Readonly<Record<FieldLine['state'], readonly [text: string, mark: string]>> = {
  counted: ['counts', 'bad'],
  noise: ['noise', 'none'],
  proposed: ['perhaps noise', 'warn'],
};
const PROPOSAL =
  'Some fields differ nearly always, each time with new values: times or ids, perhaps. They count until you ignore them, or compare.control says that they differ between two primaries too.';

export interface FieldBox {
  readonly node: HTMLElement;
  show(fields: Fields | null): void;
}

export function createFieldBox(onIgnore: (field: string) => void): FieldBox {
  const titles = ['Field', 'Differs', 'Differs from control', 'State', ''];
  const head = titles.map((title, place) =>
    make(
      'th',
      { scope: 'col', ...(place === 1 || place === 2 ? { class: 'number' } : {}) },
      title || makeUnseen('Rule'),
    ),
  );
  const body = make('tbody');
  let controlled = 0;
  const heading = makeHeading('Fields');
  const proposal = make('p', { class: 'quiet' }, PROPOSAL);
  const node = make(
    'section',
    { class: 'card', 'aria-label': 'Fields' },
    heading,
    proposal,
    make(
      'div',
      { class: 'scroll' },
      make(
        'table',
        { 'aria-label': 'Fields that differed' },
        make('thead', {}, make('tr', {}, ...head)),
        body,
      ),
    ),
  );
  const rows = createList<FieldLine>(
    body,
    (line) => line.field,
    (first) => createRow(first, onIgnore, () => controlled, heading),
    heading,
  );

  return {
    node,
    show(fields) {
      controlled = fields?.controlled ?? 0;
      const lines = fields?.fields.slice(0, FIELDS_MAX) ?? [];
      node.hidden = lines.length === 0;
      proposal.hidden = !lines.some(({ state }) => state === 'proposed');
      rows.show(lines);
    },
  };
}

function createRow(
  { field, rule }: FieldLine,
  onIgnore: (field: string) => void,
  readControlled: () => number,
  heading: HTMLElement,
) {
  const differed = make('td', { class: 'number' });
  const control = make('td', { class: 'number' });
  const state = make('span', { class: 'chip' });
  const button = makeButton('Ignore field', () => onIgnore(field), {
    'aria-label': `Ignore this field: ${field}`,
  });
  const node = make(
    'tr',
    {},
    make('th', { scope: 'row', class: 'mono' }, ...makeText(field)),
    differed,
    control,
    make('td', {}, state),
    make('td', {}, ...(rule === null ? [] : [button])),
  );
  return {
    node,
    update(line: FieldLine) {
      setText(differed, `${formatCount(line.differed)} (${formatShare(line.differed_share)})`);
      setText(control, formatShare(readControlled() === 0 ? null : line.control_share));
      const [text, mark] = STATES[line.state];
      setText(state, text);
      setAttribute(state, 'data-mark', mark);
      setHidden(button, line.state === 'noise', heading);
    },
  };
}

function makeUnseen(text: string): HTMLElement {
  return make('span', { class: 'unseen' }, text);
}
