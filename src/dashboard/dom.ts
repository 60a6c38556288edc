// Builds and patches the page's elements.
//
// Text from the network becomes text nodes and attribute values, never markup: nothing here or elsewhere in the dashboard
// parses HTML.

export type Child = Node | string;

/** An element with attributes and children; attribute names are ours, never the network's. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function makeButton(
  text: string,
  onClick: () => void,
  attributes: Readonly<Record<string, string>> = {},
): HTMLButtonElement {
  const button = make('button', { type: 'button', ...attributes }, text);
  button.addEventListener('click', onClick);
  return button;
}

/** How long a first click waits for the second one. */
const CONFIRM_MS = 6000;

/** A button for what cannot be undone: the first click asks, the second one does it. */
export function makeConfirmed(
  text: string,
  question: string,
  onClick: () => void,
  attributes: Readonly<Record<string, string>> = {},
): HTMLButtonElement {
  let timer = 0;
  const calm = (): void => {
    clearTimeout(timer);
    setText(button, text);
    setAttribute(button, 'data-asks', null);
  };
  const button = make('button', { type: 'button', ...attributes }, text);
  button.addEventListener('click', ({ detail }) => {
    // The second half of a double click is no answer.
    if (detail > 1) return;
    if (button.hasAttribute('data-asks')) {
      calm();
      onClick();
      return;
    }
    setText(button, question);
    setAttribute(button, 'data-asks', 'true');
    timer = setTimeout(calm, CONFIRM_MS);
  });
  // Nor is a key that is held.
  button.addEventListener('keydown', (event) => {
    if (event.repeat && event.key !== 'Tab') event.preventDefault();
    if (event.key === 'Escape') calm();
  });
  button.addEventListener('blur', calm);
  return button;
}

/** Hides what may have the focus; then that goes to `heir`, instead of to nowhere. */
export function setHidden(element: HTMLElement, isHidden: boolean, heir: HTMLElement): void {
  const hadFocus = isHidden && element.contains(document.activeElement);
  element.hidden = isHidden;
  if (hadFocus) heir.focus({ preventScroll: true });
}

/** A heading that can take the focus when what had it has gone. */
export function makeHeading(text: string): HTMLHeadingElement {
  return make('h3', { tabindex: '-1' }, text);
}

/** Writes only what changed, so that a page at rest costs no layout. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** An attribute; null takes it away. */
export function setAttribute(element: Element, name: string, value: string | null): void {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

/** An element of the page's own markup, which is there. */
export function find<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return element;
}

/** One item's part of a list that is patched. */
export interface ItemView<Item> {
  readonly node: HTMLElement;
  update(item: Item): void;
}

/**
 * Keeps a parent's children in step with a list, by key: views of items that stay are patched and keep the focus. Keys
 * are unique. `heir` gets the focus of an item that has gone. `before` ends the part of the children that is kept in step.
 */
export function createList<Item>(
  parent: HTMLElement,
  toKey: (item: Item) => string,
  create: (item: Item) => ItemView<Item>,
  heir: HTMLElement,
  before: Node | null = null,
): { show(items: readonly Item[]): void; view(key: string): HTMLElement | undefined } {
  let views = new Map<string, ItemView<Item>>();

  function show(items: readonly Item[]): void {
    const focused = document.activeElement;
    const next = new Map<string, ItemView<Item>>();
    for (const item of items) {
      const key = toKey(item);
      next.set(key, views.get(key) ?? create(item));
    }
    for (const [key, { node }] of views) if (!next.has(key)) node.remove();
    views = next;
    // From the end, so that each has its successor already.
    let successor = before;
    for (const item of items.toReversed()) {
      const view = views.get(toKey(item))!;
      if (view.node.parentNode !== parent || view.node.nextSibling !== successor) {
        parent.insertBefore(view.node, successor);
      }
      view.update(item);
      successor = view.node;
    }
    // An element that was moved, or has gone, has lost it.
    if (focused instanceof HTMLElement && focused !== document.activeElement) {
      (focused.isConnected ? focused : heir).focus({ preventScroll: true });
    }
  }

  return { show, view: (key) => views.get(key)?.node };
}

/** Calls `action` at most once a frame, however often it is asked for. */
export function toFrame(action: () => void): () => void {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      action();
    });
  };
}
