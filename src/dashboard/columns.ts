// The columns of the table of routes: what each shows, by what it is ordered, and what in it is worth a look.

import { formatCount, formatMs, formatPercentage, formatRate, formatShare, formatWord } from './format.ts';
import { type RouteLine, RUNNING } from './routes.ts';

export interface Column {
  readonly key: string;
  readonly title: string;
  /** What the column shows, in words. */
  readonly hint: string;
  /** Null sorts last, whichever way. */
  readonly value: (line: RouteLine) => number | string | null;
  readonly text: (line: RouteLine) => string;
}

export const COLUMNS: readonly Column[] = [
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

export const ROUTE_COLUMN: Column = {
  key: 'route',
  title: 'Route',
  hint: 'id of the route',
  value: (line) => line.id,
  text: (line) => line.id,
};

/** The state of mirroring and breaker in a word, when it is not the usual one; and its mark. */
export function toStateWord({ state, breaker }: RouteLine): readonly [text: string, mark: string | null] {
  if (state !== RUNNING) return [state, state];
  return breaker === 'closed' ? ['', null] : [`breaker ${formatWord(breaker)}`, breaker];
}

/** What is worth a look, for the style; the text says it as well. */
export function toMark(column: string, line: RouteLine): string | null {
  if (column === 'breaker') return line.breaker;
  if (column === 'state') return line.state;
  if (column === 'match' && !line.isCompared) return 'none';
  if (column === 'mismatches' || column === 'match') return line.mismatches > 0 ? 'bad' : null;
  return null;
}
