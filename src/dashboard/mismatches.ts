// The mismatches that were kept: groups of those that differ in the same fields, and an example of the chosen one.

import {
  createList,
  make,
  makeButton,
  makeConfirmed,
  makeHeading,
  setAttribute,
  setHidden,
  setText,
} from './dom.ts';
import { type ExampleActions, makeExample } from './example.ts';
import { countOf, formatCount, formatTime, formatWord } from './format.ts';
import type { Counts, Group, LiveRoute, Mismatches } from './shapes.ts';
import { makeText } from './text.ts';

/** What is asked for: the most frequent ones. */
export const GROUPS_MAX = 50;
const FIELDS_SHOWN_MAX = 6;
const NO_EXAMPLE = 'No example of this group was kept: there was no room for it.';
/** Why there was nothing to compare with; other reasons are shown as they are called. */
const UNCOMPARED: Readonly<Record<string, string>> = {
  primary_failed: 'the primary gave no answer',
  primary_incomplete: 'the primary’s answer was cut short',
  not_captured: 'an answer could not be kept to be compared, for it was too large or there was no room',
  body_is_noise: 'the control’s body differs from the primary’s as a whole',
};

export interface MismatchActions extends ExampleActions {
  clear(): void;
}

export interface MismatchBox {
  readonly node: HTMLElement;
  /** Null before the first answer. */
  show(mismatches: Mismatches | null, figures: LiveRoute | null): void;
}

export function createMismatchBox(actions: MismatchActions): MismatchBox {
  let groups: readonly Group[] = [];
  let chosen: string | null = null;
  let example = '';
  const heading = makeHeading('Mismatches');
  const clear = makeConfirmed('Clear', 'Really clear?', actions.clear, {
    title: 'forget what is kept; totals stay',
  });
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
    make('div', { class: 'card-head' }, heading, clear),
    summary,
    frame,
    place,
  );
  const rows = createList<Group>(body, (group) => group.signature, createRow, heading);

  function createRow(first: Group) {
    const fields = first.fields
      .slice(0, FIELDS_SHOWN_MAX)
      .map((field) => make('span', { class: 'field mono' }, ...makeText(field)));
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
    const wanted = group === undefined ? '' : `${group.signature} ${group.example === null}`;
    if (wanted === example) return;
    example = wanted;
    const hadFocus = place.contains(document.activeElement);
    place.replaceChildren(...toExample(group, actions));
    if (hadFocus) heading.focus({ preventScroll: true });
  }

  return {
    node,
    show(mismatches, figures) {
      groups = mismatches?.groups.slice(0, GROUPS_MAX) ?? [];
      if (!groups.some(({ signature }) => signature === chosen)) chosen = groups[0]?.signature ?? null;
      setText(summary, toSummary(mismatches, figures));
      frame.hidden = groups.length === 0;
      const isEmpty = mismatches === null || (groups.length === 0 && mismatches.stored_count === 0);
      setHidden(clear, isEmpty, heading);
      showGroups();
    },
  };
}

function toExample(group: Group | undefined, actions: ExampleActions): HTMLElement[] {
  if (group === undefined) return [];
  if (group.example === null) return [make('p', { class: 'example quiet' }, NO_EXAMPLE)];
  return [makeExample(group.example, actions)];
}

function toSummary(mismatches: Mismatches | null, figures: LiveRoute | null): string {
  if (figures?.comparison === 'none') {
    return 'Answers of this route are not compared. With compare.detailed_diff: true, the fields that differ are shown here.';
  }
  if (figures?.comparison === 'digest') {
    return 'This route compares status and hash alone. With compare.detailed_diff: true, the fields that differ are shown here.';
  }
  if (mismatches === null || figures === null) return 'loading …';
  const uncompared = toReasons(figures.uncompared);
  if (figures.total_compared === 0) {
    return uncompared === '' ? 'Nothing was compared so far.' : `Nothing could be compared: ${uncompared}.`;
  }
  const besides = uncompared === '' ? '' : ` Not compared: ${uncompared}.`;
  const { total_mismatches, stored_count, capacity, left_out } = mismatches;
  if (total_mismatches === 0) return `None so far.${besides}`;
  const are = stored_count === 1 ? 'is' : 'are';
  const kept = `${countOf(total_mismatches, 'mismatch', 'mismatches')} so far; ${formatCount(stored_count)} ${are} kept, of at most ${formatCount(capacity)}.`;
  const others =
    left_out.groups === 0
      ? ''
      : ` The most frequent groups are shown; ${countOf(left_out.groups, 'other is', 'others are')} left out.`;
  return `${kept}${others}${besides}`;
}

/** The most frequent first: `the primary gave no answer (12)`. */
function toReasons(counts: Counts): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one)
    .map(([reason, count]) => `${UNCOMPARED[reason] ?? formatWord(reason)} (${formatCount(count)})`)
    .join('; ');
}
