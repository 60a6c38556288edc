// Where a walk through a JSON body is, and the texts of that place, each part of which is formatted once.
//
// Many differences lie beside each other, below the same ancestors: only what changed since the last text is made anew.

import { formatKey, PATH_LENGTH_MAX } from './json-path.ts';

interface LevelText {
  /** As FieldDiff.field and FieldDiff.at. */
  readonly field: string;
  readonly at: string;
  /** Its own text, or that of the one above, would be too long: an ancestor's stands for it. */
  readonly isEnd: boolean;
  /** The field that its elements have in common; null until one has been asked for. */
  elementField: string | null;
}

export class WalkedPlace {
  readonly #steps: (string | number)[] = [];
  /** Of the first steps, as far as they have been asked for and are still those. */
  readonly #texts: LevelText[] = [];
  readonly #root: LevelText = { field: 'body', at: 'body', isEnd: false, elementField: null };

  get level(): number {
    return this.#steps.length;
  }

  push(step: string | number): void {
    this.#steps.push(step);
  }

  pop(): void {
    this.#steps.pop();
    if (this.#texts.length > this.#steps.length) this.#texts.length = this.#steps.length;
  }

  get text(): LevelText {
    let text = this.#texts.at(-1) ?? this.#root;
    for (let level = this.#texts.length; level < this.#steps.length; level++) {
      text = toNext(text, this.#steps[level]!, level === 0);
      this.#texts.push(text);
    }
    return text;
  }
}

const PREFIX = 'body:';

function toNext(above: LevelText, step: string | number, isFirst: boolean): LevelText {
  if (above.isEnd) return above;
  // A key that is too long is not formatted, for it may be as long as the body.
  if (typeof step === 'string' && step.length > PATH_LENGTH_MAX) return { ...above, isEnd: true };
  const start = isFirst ? { field: PREFIX, at: PREFIX } : above;
  let field: string;
  let piece: string;
  if (typeof step === 'number') {
    above.elementField ??= `${start.field}[]`;
    field = above.elementField;
    piece = `[${step}]`;
  } else {
    piece = formatKey(step, isFirst);
    field = start.field + piece;
  }
  if (field.length - PREFIX.length > PATH_LENGTH_MAX) return { ...above, isEnd: true };
  return { field, at: start.at + piece, isEnd: false, elementField: null };
}
