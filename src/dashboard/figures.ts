// The figures of one route: key figures, what became of the copies, and each shadow beside the control.

import { createList, make, makeHeading, setAttribute, setText } from './dom.ts';
import {
  ABSENT,
  formatCount,
  formatMs,
  formatPercentage,
  formatRate,
  formatShare,
  formatWord,
} from './format.ts';
import type { RouteLine } from './routes.ts';
import type { Comparison, Counts, Figures, MirrorObject } from './shapes.ts';

export interface FigureTiles {
  readonly node: HTMLElement;
  show(line: RouteLine): void;
}

interface Tile {
  readonly title: string;
  readonly text: (line: RouteLine) => string;
  readonly aside: (line: RouteLine) => string;
}

const TILES: readonly Tile[] = [
  { title: 'Mirrored', text: (line) => formatPercentage(line.percentage), aside: (line) => line.state },
  { title: 'Requests', text: (line) => formatRate(line.requestRate), aside: () => 'a second' },
  { title: 'Copies', text: (line) => formatRate(line.copyRate), aside: () => 'a second' },
  {
    title: 'Compared',
    text: (line) => formatCount(line.compared),
    aside: ({ figures }) => WAYS[figures.comparison],
  },
  {
    title: 'Match rate',
    text: (line) => formatShare(line.matchRate),
    aside: (line) => (line.isCompared ? 'after noise' : ''),
  },
  {
    title: 'Mismatches',
    text: (line) => formatCount(line.mismatches),
    aside: ({ figures, isCompared }) => (isCompared ? `noise in ${formatCount(figures.noisy)}` : ''),
  },
  {
    title: 'p50 ms',
    text: (line) => `${formatMs(line.primaryP50)} / ${formatMs(line.shadowP50)}`,
    aside: () => 'primary / shadow',
  },
  {
    title: 'p99 ms',
    text: (line) => `${formatMs(line.primaryP99)} / ${formatMs(line.shadowP99)}`,
    aside: () => 'primary / shadow',
  },
];

const WAYS: Readonly<Record<Comparison, string>> = {
  none: 'not compared',
  digest: 'status and hash',
  detailed: 'field by field',
};

export function createFigureTiles(): FigureTiles {
  const parts = TILES.map((tile) => {
    const [text, aside] = [make('span'), make('small')];
    const node = make('div', {}, make('dt', {}, tile.title), make('dd', {}, text, aside));
    return { tile, text, aside, node };
  });
  return {
    node: make('dl', { class: 'tiles' }, ...parts.map(({ node }) => node)),
    show(line) {
      for (const { tile, text, aside } of parts) {
        setText(text, tile.text(line));
        setText(aside, tile.aside(line));
      }
    },
  };
}

interface CountLine {
  readonly reason: string;
  readonly count: number;
}

export interface CountBox {
  readonly node: HTMLElement;
  show(figures: Figures): void;
}

/** What became of the copies; reasons that never happened are left out. */
export function createCountBox(): CountBox {
  const heading = makeHeading('What became of the copies');
  const blocks = BLOCKS.map(({ title, read }) => {
    const total = make('td', { class: 'number' });
    const head = make('tr', {}, make('th', { scope: 'row' }, make('strong', {}, title)), total);
    const body = make('tbody', {}, head);
    const lines = createList<CountLine>(body, ({ reason }) => reason, createCountLine, heading);
    return { node: make('table', { 'aria-label': title }, body), total, lines, read };
  });
  const node = make(
    'section',
    { class: 'card', 'aria-label': 'Copies' },
    heading,
    make('div', { class: 'blocks' }, ...blocks.map((block) => block.node)),
  );
  return {
    node,
    show(figures) {
      for (const { total, lines, read } of blocks) {
        const { sum, parts } = read(figures);
        setText(total, formatCount(sum));
        lines.show(parts);
      }
    },
  };
}

interface Block {
  readonly title: string;
  readonly read: (figures: Figures) => { readonly sum: number; readonly parts: readonly CountLine[] };
}

const BLOCKS: readonly Block[] = [
  {
    title: 'Sent',
    read: (figures) => ({
      sum: figures.total_mirrored,
      parts: [
        { reason: 'of those due', count: figures.matched },
        { reason: 'answered', count: figures.total_success },
        { reason: 'in flight', count: figures.in_flight },
      ],
    }),
  },
  { title: 'Skipped', read: ({ skipped }) => toBlock(skipped) },
  { title: 'Dropped', read: ({ dropped }) => toBlock(dropped) },
  { title: 'Failed', read: ({ errors }) => toBlock(errors) },
  {
    title: 'Compared',
    read: ({ total_compared, total_mismatches, noisy, reduced }) => ({
      sum: total_compared,
      parts: toLines({
        'differ, after noise': total_mismatches,
        'with noise left out': noisy,
        'bodies by hash alone, too long or too much work': reduced,
      }),
    }),
  },
  { title: 'Not compared', read: ({ uncompared }) => toBlock(uncompared) },
  {
    title: 'Primary failed',
    read: ({ primary_errors }) => ({ sum: primary_errors, parts: [] }),
  },
];

function toBlock(counts: Counts): ReturnType<Block['read']> {
  const parts = toLines(counts);
  return { sum: parts.reduce((sum, { count }) => sum + count, 0), parts };
}

function toLines(counts: Counts): CountLine[] {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => ({ reason, count }))
    .sort((one, other) => other.count - one.count);
}

function createCountLine({ reason }: CountLine) {
  const cell = make('td', { class: 'number' });
  const node = make('tr', {}, make('th', { scope: 'row', class: 'quiet' }, formatWord(reason)), cell);
  return { node, update: ({ count }: CountLine) => setText(cell, formatCount(count)) };
}

/** How many; and why, when there are any: `3 (primary failed 2, not captured 1)`. */
function toReasons(counts: Counts): string {
  const { sum, parts } = toBlock(counts);
  if (sum === 0) return '0';
  const reasons = parts.map(({ reason, count }) => `${formatWord(reason)} ${formatCount(count)}`);
  return `${formatCount(sum)} (${reasons.join(', ')})`;
}

interface ShadowLine {
  readonly origin: string;
  readonly role: string;
  readonly figures: Figures;
}

export interface ShadowBox {
  readonly node: HTMLElement;
  show(mirror: MirrorObject, control: string | null): void;
}

export function createShadowBox(): ShadowBox {
  const titles = [
    'Origin',
    'Role',
    'Breaker',
    'Sent',
    'Errors',
    '5xx',
    'Mismatches',
    'Not compared',
    'p50 ms',
    'p99 ms',
  ];
  const heading = makeHeading('Shadows');
  const head = titles.map((title, place) =>
    make('th', { scope: 'col', ...(place > 2 ? { class: 'number' } : {}) }, title),
  );
  const body = make('tbody');
  const rows = createList<ShadowLine>(
    body,
    ({ role, origin }) => `${role} ${origin}`,
    createShadowRow,
    heading,
  );
  const table = make('table', { 'aria-label': 'Shadows' }, make('thead', {}, make('tr', {}, ...head)), body);
  const node = make(
    'section',
    { class: 'card', 'aria-label': 'Shadows' },
    heading,
    make('div', { class: 'scroll' }, table),
  );
  return {
    node,
    show({ shadows, control: figures }, control) {
      const lines = Object.entries(shadows).map(([origin, of]) => ({ origin, role: 'shadow', figures: of }));
      if (figures !== null) lines.push({ origin: control ?? ABSENT, role: 'control', figures });
      rows.show(lines);
    },
  };
}

function createShadowRow({ origin, role }: ShadowLine) {
  const breaker = make('span', { class: 'state' });
  const cells = Array.from({ length: 7 }, () => make('td', { class: 'number' }));
  const node = make(
    'tr',
    {},
    make('th', { scope: 'row', class: 'mono' }, origin),
    make('td', {}, role),
    make('td', {}, breaker),
    ...cells,
  );
  return {
    node,
    update({ figures }: ShadowLine) {
      setText(breaker, formatWord(figures.breaker));
      setAttribute(breaker, 'data-state', figures.breaker);
      setAttribute(breaker, 'data-mark', figures.breaker);
      const texts = [
        formatCount(figures.total_mirrored),
        formatCount(figures.total_errors),
        formatCount(figures.answered_5xx),
        role === 'control' ? ABSENT : formatCount(figures.total_mismatches),
        toReasons(figures.uncompared),
        formatMs(figures.latency_p50_ms),
        formatMs(figures.latency_p99_ms),
      ];
      for (const [place, text] of texts.entries()) setText(cells[place]!, text);
    },
  };
}
