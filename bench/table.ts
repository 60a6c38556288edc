// Plain-text tables for people.

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
}

/** First column to the left, the others to the right. */
export function toTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const grid = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((column) => column.cell(row))),
  ];
  const widths = columns.map((_, index) => Math.max(...grid.map((line) => line[index]!.length)));
  const pad = (text: string, index: number): string =>
    index === 0 ? text.padEnd(widths[index]!) : text.padStart(widths[index]!);
  return grid.map((line) => `  ${line.map(pad).join('  ')}`.trimEnd()).join('\n');
}

/** `–` for what was not measured, `∞` for what never came. */
export function toFixed(value: number, digits: number): string {
  if (value === Number.POSITIVE_INFINITY) return '∞';
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}
