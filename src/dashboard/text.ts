// Text that others wrote, as nodes: what cannot be seen in it stands there by name.

import { type Child, make } from './dom.ts';
import { type Parts, toPieces } from './marks.ts';

export function makeText(text: string): Child[] {
  return toPieces(text).map(({ text: piece, isName }) =>
    isName ? make('span', { class: 'sign' }, piece) : piece,
  );
}

/** With the middle marked. */
export function makeMarked({ before, middle, after }: Parts): Child[] {
  return [
    ...makeText(before),
    ...(middle === '' ? [] : [make('mark', {}, ...makeText(middle))]),
    ...makeText(after),
  ];
}
