// The page: puts its parts together, follows the address and the live stream, says how the connection is.

import { createApi } from './api.ts';
import { Detail } from './detail.ts';
import { find, make, setAttribute, setText } from './dom.ts';
import { type FeedState, openFeed } from './feed.ts';
import { countOf, formatRate, formatTime } from './format.ts';
import { createKeyDialog } from './key-dialog.ts';
import { createRoutes, parseHash, type RouteLine } from './routes.ts';
import type { MirrorsEvent } from './shapes.ts';
import { RouteTable } from './table.ts';

/** Longer than the second in which the gateway says what changed. */
const REST_MS = 1500;
/** For a screen reader to take note of the text before. */
const ANNOUNCE_MS = 50;
const MIRROR_EXAMPLE = `routes:
  - id: api
    path: /
    path_prefix: true
    backends: [{ url: http://production:9000 }]
    mirror:
      backends: [{ url: http://shadow:9000 }]
      compare: { detailed_diff: true }`;
const COMPARE_EXAMPLE = `    mirror:
      compare: { detailed_diff: true }`;

class Page {
  readonly #connection = find('connection', HTMLElement);
  readonly #retry = find('retry', HTMLButtonElement);
  readonly #notice = find('notice', HTMLElement);
  readonly #announcement = find('announcement', HTMLElement);
  readonly #totals = find('totals', HTMLElement);
  readonly #section = find('routes', HTMLElement);
  readonly #detailSection = find('detail', HTMLElement);
  readonly #routes = createRoutes();
  readonly #api = createApi(createKeyDialog());
  readonly #table = new RouteTable({
    table: find('route-table', HTMLTableElement),
    frame: find('route-frame', HTMLElement),
    filter: find('filter', HTMLInputElement),
    count: find('route-count', HTMLElement),
  });
  #detail: { readonly id: string; readonly part: Detail } | null = null;
  /** Whether an event came since the last rest. */
  #hasNews = false;
  #hasFigures = false;
  #isLive = false;
  /** Of the last event, by this machine's clock. */
  #takenAt = '';
  #noticeShown = '';

  open(): void {
    const feed = openFeed({
      api: this.#api,
      onState: (state) => this.#showState(state),
      onEvent: ({ name, data }) => {
        if (name === 'mirrors') this.#take(JSON.parse(data) as MirrorsEvent);
      },
    });
    this.#retry.addEventListener('click', () => {
      this.#api.permit();
      feed.retry();
    });
    addEventListener('hashchange', () => {
      this.#showNotice();
      this.#follow();
    });
    setInterval(() => this.#rest(), REST_MS);
  }

  #take(event: MirrorsEvent): void {
    this.#hasNews = true;
    this.#hasFigures = true;
    this.#takenAt = new Date().toISOString();
    this.#routes.take(event);
    this.#show();
  }

  #rest(): void {
    if (!this.#hasNews && this.#hasFigures && this.#isLive) {
      this.#routes.rest();
      this.#show();
    }
    this.#hasNews = false;
  }

  #show(): void {
    const lines = this.#routes.lines();
    this.#section.hidden = lines.length === 0;
    this.#table.show(lines);
    setText(this.#totals, toTotals(lines, this.#isLive ? null : this.#takenAt));
    this.#showNotice();
    this.#follow();
  }

  /** Opens, patches or closes the route that the address names. */
  #follow(): void {
    const id = parseHash(location.hash);
    const line = id === null ? undefined : this.#routes.get(id);
    if (this.#detail !== null && (this.#detail.id !== id || line === undefined)) this.#closeDetail();
    this.#table.select(id);
    if (line !== undefined) this.#openDetail(line.id).show(line);
  }

  #openDetail(id: string): Detail {
    if (this.#detail !== null) return this.#detail.part;
    const announce = (text: string): void => this.#announce(text);
    const part = new Detail(id, { api: this.#api, announce, onClose: () => this.#leave() });
    this.#detail = { id, part };
    this.#detailSection.replaceChildren(part.node);
    this.#detailSection.hidden = false;
    document.body.classList.add('has-detail');
    document.title = `${id} – umbra`;
    announce(`Route ${id} is shown in detail below the table.`);
    return part;
  }

  #closeDetail(): void {
    const hadFocus = this.#detailSection.contains(document.activeElement);
    this.#detail?.part.close();
    this.#detail = null;
    this.#detailSection.replaceChildren();
    this.#detailSection.hidden = true;
    document.body.classList.remove('has-detail');
    document.title = 'umbra';
    if (!hadFocus) return;
    // The route has gone, and with it what had the focus.
    if (this.#section.hidden) this.#notice.focus();
    else this.#table.focus();
  }

  /** Back to the table, with the focus on the row that one came from. */
  #leave(): void {
    history.pushState(null, '', location.pathname);
    this.#follow();
    this.#table.focus();
  }

  #announce(text: string): void {
    // The same text again is news as well.
    this.#announcement.textContent = '';
    setTimeout(() => setText(this.#announcement, text), ANNOUNCE_MS);
  }

  #showState(state: FeedState): void {
    setAttribute(this.#connection, 'data-kind', state.kind);
    this.#retry.hidden = state.kind === 'connecting' || state.kind === 'live';
    setText(this.#retry, state.kind === 'locked' ? 'Enter key' : 'Try now');
    setText(this.#connection, toStateText(state));
    if (!this.#hasFigures) this.#showNotice(state);
    const isLive = state.kind === 'live';
    if (isLive === this.#isLive) return;
    this.#isLive = isLive;
    document.body.classList.toggle('is-stale', !isLive && this.#hasFigures);
    // What one does not hear of is not at rest.
    if (!isLive) this.#routes.lose();
    if (this.#hasFigures) this.#show();
  }

  #showNotice(state: FeedState | null = null): void {
    const { key, parts } = toNotice(this.#routes.lines(), this.#hasFigures, state);
    if (key === this.#noticeShown) return;
    this.#noticeShown = key;
    this.#notice.replaceChildren(...parts);
    this.#notice.hidden = parts.length === 0;
  }
}

interface Notice {
  readonly key: string;
  readonly parts: readonly Node[];
}

/** What stands above the table when there is nothing, or not enough, to show. */
function toNotice(lines: readonly RouteLine[], hasFigures: boolean, state: FeedState | null): Notice {
  if (!hasFigures) {
    if (state?.kind === 'locked')
      return toText('locked', 'The figures of this gateway are shown with its key only.');
    if (state?.kind === 'lost')
      return toText('lost', `There is no connection to the gateway: ${state.reason}.`);
    return toText('connecting', 'Connecting to the gateway …');
  }
  const id = parseHash(location.hash);
  if (id !== null && !lines.some((line) => line.id === id)) {
    return toText(`unknown ${id}`, `There is no mirrored route “${id}”.`);
  }
  if (lines.length === 0) {
    const text = 'No route is mirrored yet. A route with a mirror looks like this in the config file:';
    return { key: 'none', parts: [make('p', {}, text), make('pre', {}, MIRROR_EXAMPLE)] };
  }
  if (!lines.some(({ isCompared }) => isCompared)) {
    const text = 'Copies are sent, and answers are not compared. To compare them, add this to a route:';
    return { key: 'uncompared', parts: [make('p', {}, text), make('pre', {}, COMPARE_EXAMPLE)] };
  }
  if (!lines.some(({ figures }) => figures.requests > 0)) {
    return toText('quiet', 'Waiting for traffic: no request came to these routes yet.');
  }
  return { key: '', parts: [] };
}

function toText(key: string, text: string): Notice {
  return { key, parts: [make('p', {}, text)] };
}

function toStateText(state: FeedState): string {
  switch (state.kind) {
    case 'connecting':
      return 'connecting';
    case 'live':
      return 'live';
    case 'locked':
      return 'a key is needed';
    case 'lost':
      return `connection lost: ${state.reason}; trying again in ${Math.ceil(state.retryMs / 1000)} s`;
  }
}

/** `staleAt`: when the figures came, if they are not those of now. */
function toTotals(lines: readonly RouteLine[], staleAt: string | null): string {
  if (lines.length === 0) return '';
  const sum = (read: (line: RouteLine) => number | null): number =>
    lines.reduce((total, line) => total + (read(line) ?? 0), 0);
  const isKnown = lines.some(({ requestRate }) => requestRate !== null);
  const rate = formatRate(isKnown ? sum((line) => line.requestRate) : null);
  const stale = staleAt === null ? '' : `figures of ${formatTime(staleAt)} · `;
  const mismatches = countOf(
    sum((line) => line.mismatches),
    'mismatch',
    'mismatches',
  );
  return `${stale}${rate} requests/s · ${countOf(
    sum((line) => line.compared),
    'comparison',
  )} · ${mismatches}`;
}

new Page().open();
