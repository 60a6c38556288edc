// The page: puts its parts together, follows the address and the live stream, says how the connection is.

import { createApi } from './api.ts';
import { type Detail, openDetail } from './detail.ts';
import { find, make, setAttribute, setText } from './dom.ts';
import { type FeedState, openFeed } from './feed.ts';
import { countOf, formatRate } from './format.ts';
import { createKeyDialog } from './key-dialog.ts';
import { createRoutes, parseHash, type RouteLine } from './routes.ts';
import type { MirrorsEvent } from './shapes.ts';
import { createRouteTable } from './table.ts';

/** Longer than the second in which the gateway says what changed. */
const REST_MS = 1500;
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

function openPage(): void {
  const connection = find('connection', HTMLElement);
  const retry = find('retry', HTMLButtonElement);
  const notice = find('notice', HTMLElement);
  const announcement = find('announcement', HTMLElement);
  const totals = find('totals', HTMLElement);
  const section = find('routes', HTMLElement);
  const detailSection = find('detail', HTMLElement);
  const routes = createRoutes();
  const api = createApi(createKeyDialog());
  const table = createRouteTable({
    table: find('route-table', HTMLTableElement),
    frame: find('route-frame', HTMLElement),
    filter: find('filter', HTMLInputElement),
    count: find('route-count', HTMLElement),
  });
  let detail: { readonly id: string; readonly part: Detail } | null = null;
  let hasNews = false;
  let hasFigures = false;
  let noticeShown = '';

  const feed = openFeed({
    api,
    onState: showState,
    onEvent: ({ name, data }) => {
      if (name !== 'mirrors') return;
      hasNews = true;
      hasFigures = true;
      routes.take(JSON.parse(data) as MirrorsEvent);
      show();
    },
  });
  retry.addEventListener('click', feed.retry);
  addEventListener('hashchange', follow);
  setInterval(() => {
    if (!hasNews && hasFigures) {
      routes.rest();
      show();
    }
    hasNews = false;
  }, REST_MS);

  function show(): void {
    const lines = routes.lines();
    section.hidden = lines.length === 0;
    table.show(lines);
    setText(totals, toTotals(lines));
    showNotice(lines);
    follow();
  }

  /** Opens, patches or closes the route that the address names. */
  function follow(): void {
    const id = parseHash(location.hash);
    const line = id === null ? undefined : routes.get(id);
    if (detail !== null && detail.id !== id) closeDetail();
    table.select(id);
    if (id === null || !hasFigures) return;
    if (line === undefined) {
      if (detail !== null) closeDetail();
      return;
    }
    if (detail === null) {
      detail = { id, part: openDetail(id, { api, announce, onClose: leave }) };
      detailSection.replaceChildren(detail.part.node);
      detailSection.hidden = false;
      document.body.classList.add('has-detail');
      document.title = `${id} – umbra`;
      announce(`Route ${id} is shown in detail below the table.`);
    }
    detail.part.show(line);
  }

  function closeDetail(): void {
    detail?.part.close();
    detail = null;
    detailSection.replaceChildren();
    detailSection.hidden = true;
    document.body.classList.remove('has-detail');
    document.title = 'umbra';
  }

  /** Back to the table, with the focus on the row that one came from. */
  function leave(): void {
    history.pushState(null, '', location.pathname);
    follow();
    document.querySelector<HTMLElement>('#route-table a[tabindex="0"]')?.focus();
  }

  function announce(text: string): void {
    // The same text again is news as well.
    announcement.textContent = '';
    setTimeout(() => setText(announcement, text), 50);
  }

  function showState(state: FeedState): void {
    setAttribute(connection, 'data-kind', state.kind);
    retry.hidden = state.kind === 'connecting' || state.kind === 'live';
    setText(retry, state.kind === 'locked' ? 'Enter key' : 'Try now');
    setText(connection, toStateText(state));
    setAttribute(section, 'data-stale', state.kind === 'live' ? null : 'true');
    if (state.kind === 'connecting' || !hasFigures) showNotice(routes.lines(), state);
  }

  function showNotice(lines: readonly RouteLine[], state: FeedState | null = null): void {
    const text = toNotice(lines, hasFigures, state);
    if (text.key === noticeShown) return;
    noticeShown = text.key;
    notice.replaceChildren(...text.parts);
    notice.hidden = text.parts.length === 0;
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

function toTotals(lines: readonly RouteLine[]): string {
  if (lines.length === 0) return '';
  const sum = (read: (line: RouteLine) => number | null): number =>
    lines.reduce((total, line) => total + (read(line) ?? 0), 0);
  const rate = formatRate(sum((line) => line.requestRate));
  const mismatches = countOf(
    sum((line) => line.mismatches),
    'mismatch',
    'mismatches',
  );
  return `${rate} requests/s · ${countOf(
    sum((line) => line.compared),
    'comparison',
  )} · ${mismatches}`;
}

openPage();
