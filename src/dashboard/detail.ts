// One route in detail: what is asked of the gateway for it, how often, and what the user does with it.
//
// Owns the part of the page below the table while a route is chosen. Asks only when the live figures say that something
// changed, one round at a time, and not while nobody looks.

import { type Api, ApiError, KeyRefused } from './api.ts';
import { make, makeButton, setText } from './dom.ts';
import { createFieldBox } from './fields.ts';
import { createCountBox, createFigureTiles, createShadowBox } from './figures.ts';
import { createMismatchBox } from './mismatches.ts';
import { createHistoryPlot, createLatencyPlot, toSides } from './plots.ts';
import { DISABLED, PAUSED, type RouteLine } from './routes.ts';
import { createRuleBox } from './rule.ts';
import type { Fields, History, Ignored, Latency, MirrorObject, Mismatches, Verdict } from './shapes.ts';
import { createVerdictBox } from './verdict.ts';

const ROUND_MS = 2000;
/** A verdict is a few thousand draws of a bootstrap. */
const VERDICT_MS = 5000;
/** Of the live figures: those since the newest sample of the history, which has one each 10 s, and some more. */
const READINGS_MAX = 30;
/** The examples of groups are shown; single entries are not. */
const ENTRIES_MAX = 1;

export interface DetailOptions {
  readonly api: Api;
  readonly announce: (text: string) => void;
  readonly onClose: () => void;
}

export interface Detail {
  readonly node: DocumentFragment;
  /** With each event. */
  show(line: RouteLine): void;
  close(): void;
}

export function openDetail(id: string, { api, announce, onClose }: DetailOptions): Detail {
  const path = `/mirrors/${encodeURIComponent(id)}`;
  let line: RouteLine | null = null;
  /** Newest last. */
  const readings: RouteLine[] = [];
  let isClosed = false;
  let isAsking = false;
  let asked = '';
  let lastRoundMs = Number.NEGATIVE_INFINITY;
  let lastVerdictMs = Number.NEGATIVE_INFINITY;

  const problem = make('p', { class: 'problem', role: 'alert' });
  const pause = makeButton('', () => act(pause, togglePause));
  const close = makeButton('Close', onClose);
  const title = make('h2', { id: 'detail-title' }, id);
  const head = make('div', { class: 'detail-head' }, title, make('div', { class: 'actions' }, pause, close));
  const tiles = createFigureTiles();
  const verdict = createVerdictBox(() =>
    act(null, () => write('DELETE', '/verdict', 'The verdict begins anew.')),
  );
  const [latencyPlot, historyPlot] = [createLatencyPlot(), createHistoryPlot()];
  const rule = createRuleBox(copy);
  const mismatches = createMismatchBox({
    copy,
    ignore: (field) => act(null, () => ignore(field)),
    clear: () => act(null, () => write('DELETE', '/mismatches', 'The kept mismatches are cleared.')),
  });
  const fields = createFieldBox((field) => act(null, () => ignore(field)));
  const [counts, shadows] = [createCountBox(), createShadowBox()];
  const legend = makeLegend();
  const node = document.createDocumentFragment();
  node.append(
    head,
    problem,
    tiles.node,
    make(
      'div',
      { class: 'columns' },
      verdict.node,
      makeFigure('Latency', latencyPlot.node, legend.node),
      makeFigure('Match rate, last hour', historyPlot.node),
    ),
    rule.node,
    mismatches.node,
    fields.node,
    shadows.node,
    counts.node,
  );
  mismatches.show(null, true);
  verdict.show(null);

  function isLooked(): boolean {
    return !isClosed && document.visibilityState === 'visible';
  }

  /** Asks for whatever is shown, when there is news and the last round is some time ago. */
  async function refresh(): Promise<void> {
    if (line === null || isAsking || !isLooked()) return;
    const news = JSON.stringify(line.figures);
    const now = performance.now();
    const isVerdictDue = line.isCompared && now - lastVerdictMs >= VERDICT_MS;
    if ((news === asked && !isVerdictDue) || now - lastRoundMs < ROUND_MS) return;
    isAsking = true;
    lastRoundMs = now;
    try {
      await readAll(line, isVerdictDue);
      asked = news;
      if (isVerdictDue) lastVerdictMs = now;
      setText(problem, '');
    } catch (error) {
      if (!isClosed && !(error instanceof KeyRefused)) setText(problem, `${toText(error)}. Trying again.`);
    } finally {
      isAsking = false;
    }
  }

  async function readAll({ isCompared, figures }: RouteLine, isVerdictDue: boolean): Promise<void> {
    const isDetailed = figures.comparison === 'detailed';
    const [mirror, latency, history, kept, known, judged] = await Promise.all([
      api.call('GET', path),
      api.call('GET', `${path}/latency`),
      api.call('GET', `${path}/history`),
      isDetailed ? api.call('GET', `${path}/mismatches?limit=${ENTRIES_MAX}`) : null,
      isDetailed ? api.call('GET', `${path}/fields`) : null,
      isCompared && isVerdictDue ? api.call('GET', `${path}/verdict`) : undefined,
    ]);
    if (isClosed) return;
    const sides = toSides(latency as Latency);
    latencyPlot.show(sides);
    legend.show(sides.map(({ name }) => name));
    historyPlot.show(withLive(history as History, readings));
    shadows.show(mirror as MirrorObject, figures.control);
    mismatches.show(kept as Mismatches | null, isDetailed);
    fields.show(known as Fields | null);
    if (judged !== undefined) verdict.show(judged as Verdict);
  }

  /** At once, whatever was asked last: the user has changed something. */
  function refreshNow(): void {
    asked = '';
    lastRoundMs = Number.NEGATIVE_INFINITY;
    lastVerdictMs = Number.NEGATIVE_INFINITY;
    void refresh();
  }

  /** Does what the user asked for, and says what came of it; meanwhile the button rests. */
  async function act(button: HTMLButtonElement | null, action: () => Promise<void>): Promise<void> {
    if (button !== null) button.disabled = true;
    try {
      await action();
      setText(problem, '');
      refreshNow();
    } catch (error) {
      setText(problem, `${toText(error)}.`);
    } finally {
      if (button !== null) button.disabled = false;
    }
  }

  async function write(method: string, below: string, done: string): Promise<void> {
    await api.call(method, `${path}${below}`);
    announce(done);
  }

  async function togglePause(): Promise<void> {
    const isPaused = line?.state === PAUSED;
    const done = isPaused ? `Mirroring of ${id} goes on.` : `Mirroring of ${id} is paused.`;
    await write(isPaused ? 'DELETE' : 'PUT', '/pause', done);
  }

  async function ignore(field: string): Promise<void> {
    try {
      const { rule: text } = (await api.call('POST', `${path}/ignored`, { field })) as Ignored;
      rule.show({ field, rule: text, isApplied: true });
    } catch (error) {
      // A route of a file: the rule is the user's to write.
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
      const { rule: text } = error.body as Ignored;
      rule.show({ field, rule: text, isApplied: false });
    }
  }

  function copy(text: string, what: string): void {
    // Only there where the browser holds the connection for a safe one.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    const copied =
      clipboard === undefined ? Promise.reject(new Error('no clipboard')) : clipboard.writeText(text);
    copied.then(
      () => announce(`${what} is copied.`),
      () => rule.offer(text, what),
    );
  }

  const timer = setInterval(() => void refresh(), ROUND_MS / 2);

  return {
    node,
    show(next) {
      if (line?.atMs !== next.atMs) readings.push(next);
      if (readings.length > READINGS_MAX) readings.shift();
      line = next;
      tiles.show(next);
      counts.show(next.figures);
      setText(pause, next.state === PAUSED ? 'Resume mirroring' : 'Pause mirroring');
      pause.hidden = next.state === DISABLED;
      void refresh();
    },
    close() {
      isClosed = true;
      clearInterval(timer);
      latencyPlot.close();
      historyPlot.close();
    },
  };
}

/** The history, and what the live figures say since its newest sample. */
function withLive({ interval_seconds, samples }: History, readings: readonly RouteLine[]): History {
  const newest = readings.at(-1);
  const sampledMs = (samples.at(-1)?.[0] ?? 0) * 1000;
  const base = readings.findLast(({ atMs }) => atMs <= sampledMs) ?? readings[0];
  if (newest === undefined || base === undefined || newest.atMs <= sampledMs)
    return { interval_seconds, samples };
  const compared = newest.compared - base.compared;
  if (compared <= 0) return { interval_seconds, samples };
  const live = [newest.atMs / 1000, compared, newest.mismatches - base.mismatches, 0, 0] as const;
  return { interval_seconds, samples: [...samples, live] };
}

function toText(error: unknown): string {
  if (error instanceof ApiError || error instanceof KeyRefused) {
    return error.message.charAt(0).toUpperCase() + error.message.slice(1).replace(/\.$/, '');
  }
  return 'The gateway did not answer';
}

function makeFigure(title: string, plot: HTMLElement, aside: HTMLElement | null = null): HTMLElement {
  const head = make('div', { class: 'card-head' }, make('h3', {}, title), ...(aside === null ? [] : [aside]));
  return make('section', { class: 'card figure', 'aria-label': title }, head, plot);
}

function makeLegend() {
  const names = ['primary', 'shadow', 'control'] as const;
  const entries = names.map((name) => make('span', { 'data-side': name }, name));
  return {
    node: make('p', { class: 'legend' }, ...entries),
    show(shown: readonly string[]): void {
      for (const [place, name] of names.entries()) entries[place]!.hidden = !shown.includes(name);
    },
  };
}
