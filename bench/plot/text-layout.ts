// How much room text takes, and where labels go so that none covers another.
//
// Nothing here can ask the viewer's font: widths are guesses on the large side, after the widest of the
// usual sans-serif fonts, because a gap in a plot is better than a letter cut off.

const NARROW = /[ijltfrI.,:;'|!()[\]{}/ ·-]/;
const WIDE = /[mwMWQO@%µ—→…]/;

/** What XML 1.0 cannot hold is shown as a replacement character: halves of a pair, control characters. */
export function toShownText(text: string): string {
  return text.toWellFormed().replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
}

/** In pixels, of the text as it is shown. */
export function toTextWidth(text: string, size: number, bold = false): number {
  let ems = 0;
  for (const character of toShownText(text)) {
    if (character.codePointAt(0)! > 0x2fff) ems += 1.15;
    else if (WIDE.test(character)) ems += 0.97;
    else if (NARROW.test(character)) ems += 0.41;
    else if (character >= 'A' && character <= 'Z') ems += 0.74;
    else ems += 0.64;
  }
  return ems * size * (bold ? 1.1 : 1);
}

export function toWidest(texts: readonly string[], size: number): number {
  return texts.reduce((widest, text) => Math.max(widest, toTextWidth(text, size)), 0);
}

/** Lines no wider than `width`. A word that is wider alone is cut. */
export function wrapText(text: string, size: number, width: number, bold = false): string[] {
  const fits = (line: string): boolean => toTextWidth(line, size, bold) <= width;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (fits(longer)) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = '';
    for (const character of word) {
      if (line !== '' && !fits(line + character)) {
        lines.push(line);
        line = '';
      }
      line += character;
    }
  }
  if (line !== '') lines.push(line);
  return lines;
}

/**
 * Moves ascending places apart to at least `gap`, within low and high, as little as possible: what collides
 * is spread around its own middle. Where high - low has no room for all, they run past high.
 */
export function spreadApart(wanted: readonly number[], gap: number, low: number, high: number): number[] {
  // Without the gaps the task is to find the nearest ascending sequence: pool adjacent violators.
  const pools: { sum: number; count: number }[] = [];
  for (const [index, place] of wanted.entries()) {
    let pool = { sum: place - index * gap, count: 1 };
    while (pools.length > 0) {
      const before = pools.at(-1)!;
      if (before.sum / before.count <= pool.sum / pool.count) break;
      pools.pop();
      pool = { sum: before.sum + pool.sum, count: before.count + pool.count };
    }
    pools.push(pool);
  }
  const last = Math.max(low, high - (wanted.length - 1) * gap);
  return pools
    .flatMap(({ sum, count }) => Array<number>(count).fill(Math.min(last, Math.max(low, sum / count))))
    .map((place, index) => place + index * gap);
}
