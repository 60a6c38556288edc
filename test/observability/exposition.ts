// Reads the text of GET /metrics: which metrics there are, of what type, and with which labels.
//
// Knows of histograms that their series are called _bucket, _sum and _count, and count up.

import assert from 'node:assert/strict';

export type Labels = Readonly<Record<string, string>>;

export interface Series {
  readonly type: 'counter' | 'gauge';
  /** Label sets of the samples, in the order of the text. */
  readonly samples: readonly Labels[];
}

/** By the name of the series. A metric without a sample is not there. */
export type Exposition = ReadonlyMap<string, Series>;

export function readExposition(text: string): Exposition {
  const types = new Map<string, string>();
  const series = new Map<string, { type: Series['type']; samples: Labels[] }>();
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) types.set(type[1]!, type[2]!);
    const sample = /^([a-z_:0-9]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (sample === null) continue;
    const [, name = '', labels = ''] = sample;
    const own = types.get(name);
    const base = own ?? types.get(name.replace(/_(bucket|sum|count)$/, ''));
    assert.ok(base !== undefined, `no type of ${name}`);
    const entry = series.get(name) ?? {
      type: own === 'gauge' ? ('gauge' as const) : ('counter' as const),
      samples: [],
    };
    series.set(name, entry);
    entry.samples.push(
      Object.fromEntries([...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map((pair) => [pair[1]!, pair[2]!])),
    );
  }
  return series;
}
