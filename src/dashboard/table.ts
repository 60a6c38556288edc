// The table of routes: filter, order, selection, and the rows that are in sight.
//
// However many routes there are, the document holds the rows in sight and a few around them; the others are two spacers
// as high as they would be. Rows are kept by route id and patched in place.

import { createList, type ItemView, make, makeButton, setAttribute, setText, toFrame } from './dom.ts';
import { formatCount, formatMs, formatPercentage, formatRate, formatShare, formatWord } from './format.ts';
import { type RouteLine, toHash } from './routes.ts';

/** In step with --row in dashboard.css: what is out of sight is reckoned, not measured. */
const ROW_PX = 36;
const ROWS_AROUND = 8;
const PAGE_ROWS = 10;

interface Column {
  readonly key: string;
  readonly title: string;
  /** What the column shows, in words. */
  readonly hint: string;
  /** Null sorts last, whichever way. */
  readonly value: (line: RouteLine) => number | string | null;
  readonly text: (line: RouteLine) => string;
}

const COLUMNS: readonly Column[] = [
  {
    key: 'share',
    title: 'Share',
    hint: 'share of the requests that is mirrored',
    value: (line) => line.percentage,
    text: (line) => formatPercentage(line.percentage),
  },
  {
    key: 'requests',
    title: 'Req/s',
    hint: 'requests a second',
    value: (line) => line.requestRate,
    text: (line) => formatRate(line.requestRate),
  },
  {
    key: 'copies',
    title: 'Copies/s',
    hint: 'copies sent a second, to all shadows',
    value: (line) => line.copyRate,
    text: (line) => formatRate(line.copyRate),
  },
  {
    key: 'match',
    title: 'Match',
    hint: 'share of the compared answers that match, after noise',
    value: (line) => line.matchRate,
    text: (line) => (line.isCompared ? formatShare(line.matchRate) : 'not compared'),
  },
  {
    key: 'compared',
    title: 'Compared',
    hint: 'answers compared with the primary’s',
    value: (line) => line.compared,
    text: (line) => formatCount(line.compared),
  },
  {
    key: 'mismatches',
    title: 'Mismatches',
    hint: 'compared answers that differ, after noise',
    value: (line) => line.mismatches,
    text: (line) => formatCount(line.mismatches),
  },
  {
    key: 'p50',
    title: 'p50 ms',
    hint: 'median latency of primary and shadow, in milliseconds',
    value: (line) => line.shadowP50,
    text: (line) => `${formatMs(line.primaryP50)} / ${formatMs(line.shadowP50)}`,
  },
  {
    key: 'p99',
    title: 'p99 ms',
    hint: '99th percentile of the latency of primary and shadow, in milliseconds',
    value: (line) => line.shadowP99,
    text: (line) => `${formatMs(line.primaryP99)} / ${formatMs(line.shadowP99)}`,
  },
  {
    key: 'breaker',
    title: 'Breaker',
    hint: 'the worst state among the breakers of its shadows',
    value: (line) => line.breaker,
    text: (line) => formatWord(line.breaker),
  },
  {
    key: 'state',
    title: 'Mirroring',
    hint: 'whether requests are mirrored at all',
    value: (line) => line.state,
    text: (line) => line.state,
  },
];

const ROUTE_COLUMN: Column = {
  key: 'route',
  title: 'Route',
  hint: 'id of the route',
  value: (line) => line.id,
  text: (line) => line.id,
};

interface Order {
  column: Column;
  isDescending: boolean;
}

export interface TableParts {
  readonly table: HTMLTableElement;
  /** What scrolls. */
  readonly frame: HTMLElement;
  readonly filter: HTMLInputElement;
  /** Says how many are shown. */
  readonly count: HTMLElement;
}

export interface RouteTable {
  show(lines: readonly RouteLine[]): void;
  select(id: string | null): void;
}

export function createRouteTable({ table, frame, filter, count }: TableParts): RouteTable {
  const order: Order = { column: ROUTE_COLUMN, isDescending: false };
  let all: readonly RouteLine[] = [];
  let shown: readonly RouteLine[] = [];
  let selected: string | null = null;
  /** The row that Tab comes to. */
  let active: string | null = null;
  const body = make('tbody');
  const [above, below] = [makeSpacer(), makeSpacer()];
  body.append(above, below);
  const headers = [ROUTE_COLUMN, ...COLUMNS].map((column) => makeHeader(column, () => sortBy(column)));
  table.append(make('thead', {}, make('tr', {}, ...headers)), body);
  const rows = createList<RouteLine>(body, (line) => line.id, createRow, below);

  const paint = toFrame(() => {
    const height = frame.clientHeight;
    const first = Math.max(0, Math.floor(frame.scrollTop / ROW_PX) - ROWS_AROUND);
    const last = Math.min(shown.length, Math.ceil((frame.scrollTop + height) / ROW_PX) + ROWS_AROUND);
    const visible = shown.slice(first, last);
    setHeight(above, first * ROW_PX);
    setHeight(below, (shown.length - last) * ROW_PX);
    rows.show(visible);
    for (const [index, line] of visible.entries()) {
      // The header is the first row.
      setAttribute(rows.view(line.id)!, 'aria-rowindex', String(first + index + 2));
    }
    setAttribute(table, 'aria-rowcount', String(shown.length + 1));
  });

  function arrange(): void {
    const wanted = filter.value.trim().toLowerCase();
    const found = wanted === '' ? [...all] : all.filter((line) => line.id.toLowerCase().includes(wanted));
    shown = sort(found, order);
    if (active === null || !shown.some((line) => line.id === active)) active = shown[0]?.id ?? null;
    const total = formatCount(all.length);
    setText(
      count,
      shown.length === all.length ? `${total} routes` : `${formatCount(shown.length)} of ${total}`,
    );
    paint();
  }

  function sortBy(column: Column): void {
    // Figures are looked at from the largest on, names from the first.
    const isNew = order.column !== column;
    order.isDescending = isNew ? column !== ROUTE_COLUMN && column.key !== 'state' : !order.isDescending;
    order.column = column;
    for (const [index, header] of headers.entries()) {
      const isSorted = [ROUTE_COLUMN, ...COLUMNS][index] === column;
      const direction = order.isDescending ? 'descending' : 'ascending';
      setAttribute(header, 'aria-sort', isSorted ? direction : null);
    }
    arrange();
  }

  function createRow(first: RouteLine): ItemView<RouteLine> {
    const link = make('a', { href: toHash(first.id), title: first.id }, first.id);
    const cells = COLUMNS.map((column) => make('td', { 'data-column': column.key }));
    const node = make('tr', {}, make('th', { scope: 'row' }, link), ...cells);
    return {
      node,
      update(line) {
        for (const [index, column] of COLUMNS.entries()) {
          const cell = cells[index]!;
          const text = column.text(line);
          setText(cell, text);
          setAttribute(cell, 'data-mark', toMark(column.key, line));
        }
        const isSelected = line.id === selected;
        setAttribute(node, 'data-selected', isSelected ? 'true' : null);
        setAttribute(link, 'aria-current', isSelected ? 'true' : null);
        setAttribute(link, 'tabindex', line.id === active ? '0' : '-1');
      },
    };
  }

  /** Moves the focus to a row, in sight or not yet. */
  function focusRow(index: number): void {
    const line = shown[Math.max(0, Math.min(shown.length - 1, index))];
    if (line === undefined) return;
    active = line.id;
    bringIntoSight(shown.indexOf(line));
    paint();
    requestAnimationFrame(() => rows.view(line.id)?.querySelector('a')?.focus({ preventScroll: true }));
  }

  function bringIntoSight(index: number): void {
    const top = index * ROW_PX;
    // The header lies over the first row.
    const room = frame.clientHeight - ROW_PX;
    if (top < frame.scrollTop) frame.scrollTop = top;
    else if (top + ROW_PX > frame.scrollTop + room) frame.scrollTop = top + ROW_PX - room;
  }

  body.addEventListener('keydown', (event) => {
    const at = shown.findIndex((line) => line.id === active);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + PAGE_ROWS,
      PageUp: at - PAGE_ROWS,
      Home: 0,
      End: shown.length - 1,
    };
    const target = event.ctrlKey || event.altKey || event.metaKey ? undefined : steps[event.key];
    if (target === undefined) return;
    event.preventDefault();
    focusRow(target);
  });
  frame.addEventListener('scroll', paint, { passive: true });
  filter.addEventListener('input', () => {
    frame.scrollTop = 0;
    arrange();
  });
  new ResizeObserver(paint).observe(frame);
  setAttribute(headers[0]!, 'aria-sort', 'ascending');

  return {
    show(lines) {
      all = lines;
      // Rows do not run away from under the pointer.
      if (body.matches(':hover') && keepsOrder(lines)) paint();
      else arrange();
    },
    select(id) {
      selected = id;
      if (id !== null) active = id;
      paint();
    },
  };

  /** Takes the new figures in the order that is shown; false when routes came or went. */
  function keepsOrder(lines: readonly RouteLine[]): boolean {
    const byId = new Map(lines.map((line) => [line.id, line]));
    const kept = shown.flatMap((line) => byId.get(line.id) ?? []);
    if (kept.length !== shown.length || filter.value.trim() !== '' || lines.length !== shown.length)
      return false;
    shown = kept;
    return true;
  }
}

function makeHeader(column: Column, onClick: () => void): HTMLTableCellElement {
  const button = makeButton(column.title, onClick, { title: column.hint });
  return make('th', { scope: 'col', 'data-column': column.key }, button);
}

function makeSpacer(): HTMLTableRowElement {
  const cell = make('td', { colspan: String(COLUMNS.length + 1) });
  return make('tr', { class: 'spacer', 'aria-hidden': 'true' }, cell);
}

function setHeight(spacer: HTMLTableRowElement, px: number): void {
  const height = `${px}px`;
  spacer.hidden = px === 0;
  if (spacer.style.height !== height) spacer.style.height = height;
}

function sort(lines: RouteLine[], { column, isDescending }: Order): RouteLine[] {
  const sign = isDescending ? -1 : 1;
  return lines.sort((left, right) => {
    const [a, b] = [column.value(left), column.value(right)];
    if (a === b) return left.id < right.id ? -1 : 1;
    if (a === null) return 1;
    if (b === null) return -1;
    return a < b ? -sign : sign;
  });
}

/** What is worth a look, for the style; the text says it as well. */
function toMark(column: string, line: RouteLine): string | null {
  if (column === 'breaker') return line.breaker;
  if (column === 'state') return line.state;
  if (column === 'match' && !line.isCompared) return 'none';
  if (column === 'mismatches' || column === 'match') return line.mismatches > 0 ? 'bad' : null;
  return null;
}
