// The mismatches that were kept: groups of those that differ in the same fields, and an example of the chosen one.

import { createList, make, makeButton, setAttribute, setText } from './dom.ts';
import { type ExampleActions, makeExample } from './example.ts';
import { countOf, formatCount, formatTime } from './format.ts';
import type { Comparison, Group, Mismatches } from './shapes.ts';

/** More are not shown; the gateway names the most frequent first. */
const GROUPS_MAX = 50;
const FIELDS_SHOWN_MAX = 6;

export interface MismatchActions extends ExampleActions {
  clear(): void;
}

export interface MismatchBox {
  readonly node: HTMLElement;
  /** Null before the first answer. */
  show(mismatches: Mismatches | null, comparison: Comparison): void;
}

export function createMismatchBox(actions: MismatchActions): MismatchBox {
  let groups: readonly Group[] = [];
  let chosen: string | null = null;
  let example = '';
  const clear = makeButton('Clear', actions.clear, { title: 'forget what is kept; totals stay' });
  const summary = make('p', { class: 'quiet' });
  const body = make('tbody');
  const titles = ['Differing fields', 'Count', 'First seen', 'Last seen'];
  const head = titles.map((title, place) =>
    make('th', { scope: 'col', ...(place === 1 ? { class: 'number' } : {}) }, title),
  );
  const table = make(
    'table',
    { class: 'groups', 'aria-label': 'Mismatch groups' },
    make('thead', {}, make('tr', {}, ...head)),
    body,
  );
  const frame = make('div', { class: 'scroll' }, table);
  const place = make('div');
  const node = make(
    'section',
    { class: 'card', 'aria-label': 'Mismatches' },
    make('div', { class: 'card-head' }, make('h3', {}, 'Mismatches'), clear),
    summary,
    frame,
    place,
  );
  const rows = createList<Group>(body, (group) => group.signature, createRow);

  function createRow(first: Group) {
    const fields = first.fields
      .slice(0, FIELDS_SHOWN_MAX)
      .map((field) => make('span', { class: 'field mono' }, field));
    const more = first.fields.length - fields.length;
    if (more > 0) fields.push(make('span', { class: 'quiet' }, `and ${more} more`));
    const button = makeButton('', () => choose(first.signature), {
      class: 'group-button',
      'aria-pressed': 'false',
    });
    button.append(make('span', { class: 'fields' }, ...fields));
    const cells = [make('td', { class: 'number' }), make('td'), make('td')] as const;
    const row = make('tr', {}, make('td', {}, button), ...cells);
    return {
      node: row,
      update({ signature, count, first_seen, last_seen }: Group) {
        setText(cells[0], formatCount(count));
        setText(cells[1], formatTime(first_seen));
        setText(cells[2], formatTime(last_seen));
        const isChosen = signature === chosen;
        setAttribute(row, 'data-selected', isChosen ? 'true' : null);
        setAttribute(button, 'aria-pressed', String(isChosen));
      },
    };
  }

  function choose(signature: string): void {
    chosen = signature;
    showGroups();
  }

  function showGroups(): void {
    rows.show(groups);
    const group = groups.find(({ signature }) => signature === chosen);
    // The example of a group stays while one looks at it, though newer ones come.
    const wanted = group === undefined || group.example === null ? '' : group.signature;
    if (wanted === example) return;
    example = wanted;
    place.replaceChildren(...(group?.example ? [makeExample(group.example, actions)] : []));
  }

  return {
    node,
    show(mismatches, comparison) {
      groups = mismatches?.groups.slice(0, GROUPS_MAX) ?? [];
      if (!groups.some(({ signature }) => signature === chosen)) chosen = groups[0]?.signature ?? null;
      setText(summary, toSummary(mismatches, comparison));
      frame.hidden = groups.length === 0;
      clear.hidden = mismatches === null || (groups.length === 0 && mismatches.stored_count === 0);
      showGroups();
    },
  };
}

function toSummary(mismatches: Mismatches | null, comparison: Comparison): string {
  if (comparison === 'none') {
    return 'Answers of this route are not compared. With compare.detailed_diff: true, the fields that differ are shown here.';
  }
  if (comparison === 'digest') {
    return 'This route compares status and hash alone. With compare.detailed_diff: true, the fields that differ are shown here.';
  }
  if (mismatches === null) return 'loading …';
  const { total_mismatches, stored_count, capacity, groups } = mismatches;
  if (total_mismatches === 0) return 'None so far.';
  const kept = `${countOf(total_mismatches, 'mismatch', 'mismatches')} so far; the newest ${formatCount(stored_count)} are kept, of at most ${formatCount(capacity)}.`;
  return groups.length > GROUPS_MAX ? `${kept} The ${GROUPS_MAX} most frequent groups are shown.` : kept;
}
