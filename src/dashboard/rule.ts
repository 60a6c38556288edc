// What came of "ignore this field", and texts to copy where the browser does not let a page copy by itself.

import { make, makeButton, setHidden, setText } from './dom.ts';

export interface Outcome {
  readonly field: string;
  /** A line of YAML. */
  readonly rule: string;
  /** Whether it is in force already; if not, it is the user's to write. */
  readonly isApplied: boolean;
  /** Why not, for a route that does not stand in a file; null otherwise. */
  readonly reason: string | null;
}

export interface RuleBox {
  readonly node: HTMLElement;
  show(outcome: Outcome): void;
  /** Shows a text chosen whole, ready for the keyboard's copy. */
  offer(text: string, what: string): void;
}

/** `heir` gets the focus when the box goes and what had it before has gone as well. */
export function createRuleBox(copy: (text: string, what: string) => void, heir: HTMLElement): RuleBox {
  let before: Element | null = null;
  const message = make('p', { role: 'status' });
  const line = make('pre', { class: 'mono' });
  const area = make('textarea', { readonly: '', 'aria-label': 'Text to copy', spellcheck: 'false' });
  const copyRule = makeButton('Copy line', () => copy(line.textContent, 'The line'));
  const hide = makeButton('Hide', () => {
    const isThere = before instanceof HTMLElement && before.isConnected && before.checkVisibility();
    setHidden(node, true, isThere ? (before as HTMLElement) : heir);
  });
  const node = make(
    'div',
    { class: 'rule', tabindex: '-1', role: 'group', 'aria-label': 'Rule' },
    message,
    line,
    area,
    make('div', { class: 'actions' }, copyRule, hide),
  );
  node.hidden = true;

  function open(text: string, isRule: boolean): void {
    const { activeElement } = document;
    if (!node.contains(activeElement)) before = activeElement;
    node.hidden = false;
    setText(message, text);
    line.hidden = !isRule;
    copyRule.hidden = !isRule;
    area.hidden = isRule;
    node.scrollIntoView({ block: 'nearest' });
  }

  return {
    node,
    show({ field, rule, isApplied, reason }) {
      setText(line, rule);
      const text = isApplied
        ? `${field} is ignored from now on. The rule is in force and stored with the route:`
        : reason !== null
          ? `${field} is not ignored: ${reason}. The rule that would do it:`
          : `This route stands in a config file, which umbra does not write. To ignore ${field}, put this under mirror.compare of the route there, and reload:`;
      open(text, true);
      node.focus({ preventScroll: true });
    },
    offer(text, what) {
      area.value = text;
      open(`${what} could not be copied by the page. It is chosen below: copy it with the keyboard.`, false);
      area.focus();
      area.select();
    },
  };
}
