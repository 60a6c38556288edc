// The table of routes: filter, order, selection, and the rows that are in sight.
//
// However many routes there are, the document holds the rows in sight and a few around them; the others are two spacers
// as high as they would be. Rows are kept by route id and patched in place.

import { COLUMNS, type Column, ROUTE_COLUMN, toMark, toStateWord } from './columns.ts';
import { createList, type ItemView, make, makeButton, setAttribute, setText, toFrame } from './dom.ts';
import { countOf, formatCount } from './format.ts';
import { type RouteLine, toHash } from './routes.ts';

/** In step with --row in dashboard.css: what is out of sight is reckoned, not measured. */
const ROW_PX = 36;
const ROWS_AROUND = 8;
const PAGE_ROWS = 10;
const ALL_COLUMNS: readonly Column[] = [ROUTE_COLUMN, ...COLUMNS];

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

export class RouteTable {
  readonly #parts: TableParts;
  readonly #order: Order = { column: ROUTE_COLUMN, isDescending: false };
  readonly #body = make('tbody');
  readonly #above = makeSpacer();
  readonly #below = makeSpacer();
  readonly #headers = ALL_COLUMNS.map((column) => makeHeader(column, () => this.#sortBy(column)));
  readonly #rows: ReturnType<typeof createList<RouteLine>>;
  readonly #paint = toFrame(() => this.#paintRows());
  #all: readonly RouteLine[] = [];
  #shown: readonly RouteLine[] = [];
  #selected: string | null = null;
  /** The row that Tab comes to. */
  #active: string | null = null;

  constructor(parts: TableParts) {
    this.#parts = parts;
    const { table, frame, filter } = parts;
    this.#rows = createList<RouteLine>(
      this.#body,
      (line) => line.id,
      (line) => this.#createRow(line),
      frame,
      this.#below,
    );
    this.#body.append(this.#above, this.#below);
    table.append(make('thead', {}, make('tr', {}, ...this.#headers)), this.#body);
    setAttribute(this.#headers[0]!, 'aria-sort', 'ascending');
    // The frame has the focus when the row that had it has left the document.
    frame.addEventListener('keydown', (event) => {
      if (event.target === frame || this.#body.contains(event.target as Node)) this.#onKey(event);
    });
    frame.addEventListener('scroll', this.#paint, { passive: true });
    filter.addEventListener('input', () => {
      frame.scrollTop = 0;
      this.#arrange();
    });
    new ResizeObserver(this.#paint).observe(frame);
  }

  show(lines: readonly RouteLine[]): void {
    this.#all = lines;
    // Rows do not run away from under the pointer.
    if (this.#body.matches(':hover') && this.#keepsOrder(lines)) this.#paint();
    else this.#arrange();
  }

  select(id: string | null): void {
    const isNew = id !== this.#selected;
    this.#selected = id;
    if (id !== null) this.#active = id;
    this.#paint();
    // The table makes room for the route's details first.
    if (isNew)
      requestAnimationFrame(() => this.#bringIntoSight(this.#shown.findIndex((line) => line.id === id)));
  }

  /** Puts the focus on the row that was chosen last, in sight or not yet. */
  focus(): void {
    this.#focusRow(this.#shown.findIndex((line) => line.id === this.#active));
  }

  #paintRows(): void {
    const { table, frame } = this.#parts;
    const shown = this.#shown;
    const first = Math.max(0, Math.floor(frame.scrollTop / ROW_PX) - ROWS_AROUND);
    const last = Math.min(
      shown.length,
      Math.ceil((frame.scrollTop + frame.clientHeight) / ROW_PX) + ROWS_AROUND,
    );
    const visible = shown.slice(first, last);
    setHeight(this.#above, first * ROW_PX);
    setHeight(this.#below, (shown.length - last) * ROW_PX);
    this.#rows.show(visible);
    for (const [index, line] of visible.entries()) {
      // The header is the first row.
      setAttribute(this.#rows.view(line.id)!, 'aria-rowindex', String(first + index + 2));
    }
    setAttribute(table, 'aria-rowcount', String(shown.length + 1));
  }

  #arrange(): void {
    const { filter, count } = this.#parts;
    const wanted = filter.value.trim().toLowerCase();
    const all = this.#all;
    const found = wanted === '' ? [...all] : all.filter((line) => line.id.toLowerCase().includes(wanted));
    this.#shown = sort(found, this.#order);
    if (!found.some((line) => line.id === this.#active)) this.#active = this.#shown[0]?.id ?? null;
    const part = `${formatCount(found.length)} of ${formatCount(all.length)}`;
    setText(count, found.length === all.length ? countOf(all.length, 'route') : part);
    this.#paint();
  }

  /** Takes the new figures in the order that is shown; false when routes came or went. */
  #keepsOrder(lines: readonly RouteLine[]): boolean {
    const shown = this.#shown;
    if (this.#parts.filter.value.trim() !== '' || lines.length !== shown.length) return false;
    const byId = new Map(lines.map((line) => [line.id, line]));
    const kept = shown.flatMap((line) => byId.get(line.id) ?? []);
    if (kept.length !== shown.length) return false;
    this.#shown = kept;
    return true;
  }

  #sortBy(column: Column): void {
    const order = this.#order;
    // Figures are looked at from the largest on, names from the first.
    const isNew = order.column !== column;
    order.isDescending = isNew ? column !== ROUTE_COLUMN && column.key !== 'state' : !order.isDescending;
    order.column = column;
    for (const [index, header] of this.#headers.entries()) {
      const direction = order.isDescending ? 'descending' : 'ascending';
      setAttribute(header, 'aria-sort', ALL_COLUMNS[index] === column ? direction : null);
    }
    this.#arrange();
  }

  #createRow({ id }: RouteLine): ItemView<RouteLine> {
    const link = make('a', { href: toHash(id), title: id }, id);
    const cells = COLUMNS.map((column) => make('td', { 'data-column': column.key }));
    // Where there is no room for their columns.
    const word = make('span', { class: 'state-word' });
    const name = make('div', { class: 'route-cell' }, link, word);
    const node = make(
      'tr',
      {},
      make('th', { scope: 'row', 'data-column': ROUTE_COLUMN.key }, name),
      ...cells,
    );
    return {
      node,
      update: (line) => {
        for (const [index, column] of COLUMNS.entries()) {
          const cell = cells[index]!;
          setText(cell, column.text(line));
          setAttribute(cell, 'data-mark', toMark(column.key, line));
        }
        const [text, mark] = toStateWord(line);
        setText(word, text);
        setAttribute(word, 'data-mark', mark);
        const isSelected = line.id === this.#selected;
        setAttribute(node, 'data-selected', isSelected ? 'true' : null);
        setAttribute(link, 'aria-current', isSelected ? 'true' : null);
        setAttribute(link, 'tabindex', line.id === this.#active ? '0' : '-1');
      },
    };
  }

  #onKey(event: KeyboardEvent): void {
    const at = this.#shown.findIndex((line) => line.id === this.#active);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + PAGE_ROWS,
      PageUp: at - PAGE_ROWS,
      Home: 0,
      End: this.#shown.length - 1,
    };
    const target = event.ctrlKey || event.altKey || event.metaKey ? undefined : steps[event.key];
    if (target === undefined) return;
    event.preventDefault();
    this.#focusRow(target);
  }

  #focusRow(wanted: number): void {
    const index = Math.max(0, Math.min(this.#shown.length - 1, wanted));
    const line = this.#shown[index];
    if (line === undefined) return;
    this.#active = line.id;
    this.#bringIntoSight(index);
    this.#paint();
    // Behind the painting, in the same frame.
    requestAnimationFrame(() => this.#rows.view(line.id)?.querySelector('a')?.focus({ preventScroll: true }));
  }

  #bringIntoSight(index: number): void {
    if (index === -1) return;
    const { frame } = this.#parts;
    const top = index * ROW_PX;
    // The header lies over the first row.
    const room = frame.clientHeight - ROW_PX;
    if (top < frame.scrollTop) frame.scrollTop = top;
    else if (top + ROW_PX > frame.scrollTop + room) frame.scrollTop = top + ROW_PX - room;
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
