// Colours and dashes of the plots.
//
// The colours are Okabe and Ito's, which colour-blind readers can tell apart, with shades of the same hue
// around them. Colour must never be the only difference between two things: a dash or a place goes with it.

export const BACKGROUND = '#ffffff';
export const INK = '#1f2328';
export const MUTED = '#57606a';
export const AXIS = '#8c959f';
export const GRID = '#e4e7ea';

/** One row for each group; its shades stand at least 3 to 1 against the background. */
const FAMILIES = [
  ['#0072b2', '#00426b', '#2f8fd0', '#5a80a8'],
  ['#d55e00', '#7a2c00', '#b5651d', '#e0681a'],
  ['#009e73', '#00553e', '#3a8f78', '#2e9e5b'],
  ['#b8578d', '#6b2c52', '#c765a0', '#96608a'],
] as const;

const DASHES = ['', '8 4', '2 3', '11 3 2 3', '16 4', '5 2 1 2 1 2', '4 6', '1 5'] as const;

/** For areas: fill, and the colour of text that lies on it. */
const FILLS = [
  { fill: '#0072b2', ink: '#ffffff' },
  { fill: '#e69f00', ink: INK },
  { fill: '#009e73', ink: INK },
  { fill: '#cc79a7', ink: INK },
  { fill: '#56b4e9', ink: INK },
  { fill: '#d55e00', ink: INK },
] as const;

/** For bars that are not divided, where others are. */
export const WHOLE_FILL = { fill: '#7d8590', ink: BACKGROUND } as const;
export const REST_FILL = { fill: '#d0d7de', ink: INK } as const;

export interface Stroke {
  readonly stroke: string;
  readonly 'stroke-width': number;
  /** Empty for a solid line. */
  readonly 'stroke-dasharray': string;
}

export interface Fill {
  readonly fill: string;
  readonly ink: string;
}

/** The group decides the hue; the name decides shade and dash, so that one name looks alike in every group. */
export function toStrokes(series: readonly { readonly name: string; readonly group: string }[]): Stroke[] {
  const groups = [...new Set(series.map(({ group }) => group))];
  const names = [...new Set(series.map(({ name }) => name))];
  return series.map(({ name, group }) => {
    const family = FAMILIES[groups.indexOf(group) % FAMILIES.length]!;
    const rank = names.indexOf(name);
    return {
      stroke: family[rank % family.length]!,
      // The solid line lies below the dashed ones: a little wider, it still shows where they cover it.
      'stroke-width': rank === 0 ? 2.6 : 2,
      'stroke-dasharray': DASHES[rank % DASHES.length]!,
    };
  });
}

export function toFill(rank: number): Fill {
  return FILLS[rank % FILLS.length]!;
}
