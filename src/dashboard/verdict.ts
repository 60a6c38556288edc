// The verdict box: may one switch to the shadow? In words, with the checks behind it.

import { make, makeConfirmed, setAttribute, setText } from './dom.ts';
import { formatTime, formatWord } from './format.ts';
import type { Check, Verdict } from './shapes.ts';

const WORDS: Readonly<Record<string, string>> = {
  pass: 'Pass',
  fail: 'Fail',
  insufficient: 'Too little data',
};
const CHECK_WORDS: Readonly<Record<string, readonly [text: string, mark: string]>> = {
  pass: ['passes', 'good'],
  fail: ['fails', 'bad'],
  insufficient: ['undecided', 'warn'],
  not_judged: ['not asked', 'none'],
};

export interface VerdictBox {
  readonly node: HTMLElement;
  /** Null of a route that does not compare. */
  show(verdict: Verdict | null): void;
}

export function createVerdictBox(onBegin: () => void): VerdictBox {
  // Read out when it changes, and only then.
  const word = make('p', { class: 'word', role: 'status' });
  const since = make('p', { class: 'quiet' });
  const checks = make('ul', { class: 'checks' });
  const warnings = make('ul', { class: 'quiet warnings' });
  const begin = makeConfirmed('Begin anew', 'Really begin anew?', onBegin, {
    title: 'count the verdict from now on',
  });
  const head = make('div', { class: 'card-head' }, make('h3', {}, 'Verdict'), begin);
  const node = make(
    'section',
    { class: 'card verdict', 'aria-label': 'Verdict' },
    head,
    word,
    since,
    checks,
    warnings,
  );
  let shown = '';

  return {
    node,
    show(verdict) {
      node.hidden = verdict === null;
      const text = JSON.stringify(verdict);
      if (verdict === null || text === shown) return;
      shown = text;
      setAttribute(node, 'data-verdict', verdict.result);
      setText(word, WORDS[verdict.result] ?? formatWord(verdict.result));
      setText(since, `counted since ${formatTime(verdict.since)}`);
      checks.replaceChildren(...verdict.checks.map(makeCheck));
      warnings.replaceChildren(...verdict.warnings.map((warning) => make('li', {}, warning)));
      warnings.hidden = verdict.warnings.length === 0;
    },
  };
}

function makeCheck({ result, text }: Check): HTMLElement {
  const [word, mark] = CHECK_WORDS[result] ?? [formatWord(result), 'none'];
  return make('li', {}, make('span', { class: 'chip', 'data-mark': mark }, word), make('span', {}, text));
}
