// One route in detail: what is asked of the gateway for it, how often, and what the user does with it.
//
// Owns the part of the page below the table while a route is chosen. Asks only when the live figures say that something
// changed, one round at a time, and not while nobody looks.

import { type Api, ApiError, KeyRefused } from './api.ts';
import { make, makeButton, setHidden, setText } from './dom.ts';
import { createFieldBox } from './fields.ts';
import { createCountBox, createFigureTiles, createShadowBox } from './figures.ts';
import { createMismatchBox, GROUPS_MAX } from './mismatches.ts';
import { createHistoryPlot, createLatencyPlot, toSides } from './plots.ts';
import { Readings } from './readings.ts';
import { DISABLED, PAUSED, type RouteLine } from './routes.ts';
import { createRuleBox } from './rule.ts';
import type { Fields, History, Ignored, Latency, MirrorObject, Mismatches, Verdict } from './shapes.ts';
import { createVerdictBox } from './verdict.ts';

const ROUND_MS = 2000;
/** A verdict is a few thousand draws of a bootstrap. */
const VERDICT_MS = 5000;
/** The examples of groups are shown; single entries are not. */
const ENTRIES_MAX = 1;

export interface DetailOptions {
  readonly api: Api;
  readonly announce: (text: string) => void;
  readonly onClose: () => void;
}

export class Detail {
  readonly node = document.createDocumentFragment();
  readonly #id: string;
  readonly #path: string;
  readonly #options: DetailOptions;
  readonly #problem = make('p', { class: 'problem', role: 'alert' });
  readonly #title = make('h2', { id: 'detail-title', tabindex: '-1' });
  /** After a refusal nothing is read until it is used, or something is written. */
  readonly #unlock = makeButton('Enter key', () => this.#act(async () => this.#options.api.permit()), {
    class: 'unlock',
  });
  readonly #pause = makeButton('', () => this.#act(() => this.#togglePause()));
  readonly #tiles = createFigureTiles();
  readonly #verdict = createVerdictBox(() =>
    this.#act(() => this.#write('DELETE', '/verdict', 'The verdict begins anew.')),
  );
  readonly #latency = createLatencyPlot();
  readonly #legend = makeLegend();
  readonly #history = createHistoryPlot();
  readonly #rule = createRuleBox((text, what) => this.#copy(text, what), this.#title);
  readonly #mismatches = createMismatchBox({
    copy: (text, what) => this.#copy(text, what),
    ignore: (field) => this.#act(() => this.#ignore(field)),
    clear: () => this.#act(() => this.#write('DELETE', '/mismatches', 'The kept mismatches are cleared.')),
  });
  readonly #fields = createFieldBox((field) => this.#act(() => this.#ignore(field)));
  readonly #shadows = createShadowBox();
  readonly #counts = createCountBox();
  readonly #timer = setInterval(() => void this.#refresh(), ROUND_MS / 2);
  readonly #readings = new Readings();
  /** How far the gateway's clock is ahead of this one. */
  #aheadMs = 0;
  #line: RouteLine | null = null;
  #isClosed = false;
  #isAsking = false;
  /** The figures that were shown when the last round was asked for; empty when everything is to be asked for again. */
  #asked = '';
  #lastRoundMs = Number.NEGATIVE_INFINITY;
  #lastVerdictMs = Number.NEGATIVE_INFINITY;
  #isRoundProblem = false;

  constructor(id: string, options: DetailOptions) {
    this.#id = id;
    this.#path = `/mirrors/${encodeURIComponent(id)}`;
    this.#options = options;
    setText(this.#title, id);
    this.#unlock.hidden = true;
    const actions = make('div', { class: 'actions' }, this.#pause, makeButton('Close', options.onClose));
    const plots = make(
      'div',
      { class: 'columns' },
      this.#verdict.node,
      makeFigure('Latency', this.#latency.node, this.#legend.node),
      makeFigure('Match rate, last hour', this.#history.node, this.#history.aside),
    );
    this.node.append(
      make('div', { class: 'detail-head' }, this.#title, actions),
      this.#problem,
      this.#unlock,
      this.#tiles.node,
      plots,
      this.#rule.node,
      this.#mismatches.node,
      this.#fields.node,
      this.#shadows.node,
      this.#counts.node,
    );
    this.#mismatches.show(null, null);
    this.#verdict.show(null);
  }

  /** With each event. */
  show(line: RouteLine): void {
    if (this.#line?.atMs !== line.atMs) {
      this.#aheadMs = line.atMs - Date.now();
      // A new connection has a key that is good.
      if (line.isFirst) setHidden(this.#unlock, true, this.#title);
    }
    this.#readings.take(line);
    this.#line = line;
    this.#tiles.show(line);
    this.#counts.show(line.figures);
    setText(this.#pause, line.state === PAUSED ? 'Resume mirroring' : 'Pause mirroring');
    this.#pause.hidden = line.state === DISABLED;
    void this.#refresh();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#latency.close();
    this.#history.close();
  }

  /** Asks for whatever is shown, when there is news and the last round is some time ago. */
  async #refresh(): Promise<void> {
    const line = this.#line;
    const isLooked = !this.#isClosed && document.visibilityState === 'visible';
    if (line === null || this.#isAsking || !isLooked || !this.#unlock.hidden) return;
    const news = JSON.stringify(line.figures);
    const now = performance.now();
    const isVerdictDue = line.isCompared && now - this.#lastVerdictMs >= VERDICT_MS;
    if ((news === this.#asked && !isVerdictDue) || now - this.#lastRoundMs < ROUND_MS) return;
    this.#isAsking = true;
    this.#asked = news;
    this.#lastRoundMs = now;
    if (isVerdictDue) this.#lastVerdictMs = now;
    try {
      await this.#readAll(line, isVerdictDue);
      this.#showRoundProblem('');
    } catch (error) {
      this.#asked = '';
      const isRefused = error instanceof KeyRefused;
      this.#unlock.hidden = !isRefused;
      this.#showRoundProblem(isRefused ? 'A key is needed to read this.' : `${toText(error)}. Trying again.`);
    } finally {
      this.#isAsking = false;
    }
    // The user has changed something meanwhile.
    if (this.#asked === '' && this.#lastRoundMs < now) await this.#refresh();
  }

  async #readAll({ isCompared, figures }: RouteLine, isVerdictDue: boolean): Promise<void> {
    const isDetailed = figures.comparison === 'detailed';
    const read = (below: string): Promise<unknown> => this.#options.api.call('GET', `${this.#path}${below}`);
    const [mirror, latency, history, mismatches, fields, verdict] = await Promise.all([
      read(''),
      read('/latency'),
      read('/history'),
      isDetailed ? read(`/mismatches?limit=${ENTRIES_MAX}&groups=${GROUPS_MAX}`) : null,
      isDetailed ? read('/fields') : null,
      isCompared && isVerdictDue ? read('/verdict') : undefined,
    ]);
    if (this.#isClosed) return;
    const sides = toSides(latency as Latency);
    this.#latency.show(sides);
    this.#legend.show(sides.map(({ name }) => name));
    this.#history.show({
      history: this.#readings.addTo(history as History),
      nowSeconds: (Date.now() + this.#aheadMs) / 1000,
    });
    this.#shadows.show(mirror as MirrorObject, figures.control);
    this.#mismatches.show(mismatches as Mismatches | null, figures);
    this.#fields.show(fields as Fields | null);
    if (verdict !== undefined) this.#verdict.show(verdict as Verdict);
    else if (!isCompared) this.#verdict.show(null);
  }

  /** What went wrong with something that the user asked for stays until the next such thing. */
  #showRoundProblem(text: string): void {
    if (text === '' && !this.#isRoundProblem) return;
    this.#isRoundProblem = text !== '';
    setText(this.#problem, text);
  }

  /** Does what the user asked for, and says what came of it. */
  async #act(action: () => Promise<void>): Promise<void> {
    this.#isRoundProblem = false;
    try {
      await action();
      setText(this.#problem, '');
    } catch (error) {
      setText(this.#problem, `${toText(error)}.`);
      return;
    }
    setHidden(this.#unlock, true, this.#title);
    // At once, whatever was asked last.
    this.#asked = '';
    this.#lastRoundMs = Number.NEGATIVE_INFINITY;
    this.#lastVerdictMs = Number.NEGATIVE_INFINITY;
    void this.#refresh();
  }

  async #write(method: string, below: string, done: string): Promise<void> {
    await this.#options.api.call(method, `${this.#path}${below}`);
    this.#options.announce(done);
  }

  async #togglePause(): Promise<void> {
    const isPaused = this.#line?.state === PAUSED;
    const done = `Mirroring of ${this.#id} ${isPaused ? 'goes on' : 'is paused'}.`;
    // Not `disabled`, which would take the focus away.
    if (this.#pause.ariaDisabled === 'true') return;
    this.#pause.ariaDisabled = 'true';
    try {
      await this.#write(isPaused ? 'DELETE' : 'PUT', '/pause', done);
    } finally {
      this.#pause.ariaDisabled = null;
    }
  }

  async #ignore(field: string): Promise<void> {
    try {
      const answer = await this.#options.api.call('POST', `${this.#path}/ignored`, { field });
      this.#rule.show({ field, rule: (answer as Ignored).rule, isApplied: true, reason: null });
    } catch (error) {
      // A route of a file, or one whose fields are not compared: the rule is the user's to write.
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
      const { rule, place } = error.body as Ignored;
      const reason = place === undefined ? error.message : null;
      this.#rule.show({ field, rule, isApplied: false, reason });
    }
  }

  #copy(text: string, what: string): void {
    // Only there where the browser holds the connection for a safe one.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    const copied =
      clipboard === undefined ? Promise.reject(new Error('no clipboard')) : clipboard.writeText(text);
    copied.then(
      () => this.#options.announce(`${what} is copied.`),
      () => this.#rule.offer(text, what),
    );
  }
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
