// `plugin_attr.proxy-mirror.timeout` of APISIX's static configuration → deadlines.
//
// Owns nginx's durations. Of conf/config.yaml nothing else is read.

import type { Timeouts } from '../../core/model.ts';
import { DEFAULTS, DURATION_MS_MAX } from '../defaults.ts';
import { toDurationText } from '../quantity.ts';
import type { Tree } from '../source.ts';
import { toTimeouts } from '../umbra/upstream.ts';
import type { DocumentTree, Place, RewriteContext } from './resource.ts';

/** https://nginx.org/en/docs/syntax.html, in the order in which they have to stand. */
const UNITS = [
  ['y', 365 * 24 * 3_600_000],
  ['M', 30 * 24 * 3_600_000],
  ['w', 7 * 24 * 3_600_000],
  ['d', 24 * 3_600_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;
const DURATION =
  /^(?:\d+y *)?(?:\d+M *)?(?:\d+w *)?(?:\d+d *)?(?:\d+h *)?(?:\d+m *)?(?:\d+(?:s *|$))?(?:\d+ms)?$/;
const DURATION_LENGTH_MAX = 100;
const WAY = ['plugin_attr', 'proxy-mirror', 'timeout'] as const;

export interface MirrorTimeouts {
  readonly timeouts: Timeouts;
  readonly place: Place;
}

/** Milliseconds, or null when the text is not a duration. A number alone is seconds. */
export function toNginxDurationMs(text: string): number | null {
  if (text === '' || text.length > DURATION_LENGTH_MAX || !DURATION.test(text)) return null;
  let total = 0;
  for (const [, digits, name = ''] of text.matchAll(/(\d+)(ms|[yMwdhms])?/g)) {
    const unit = UNITS.find(([known]) => known === name)?.[1] ?? 1000;
    total += Number(digits) * unit;
  }
  return total;
}

/** Null when the document says nothing about them. */
export function readMirrorTimeouts({ tree, report, path }: DocumentTree): MirrorTimeouts | null {
  let value: unknown = tree;
  for (const step of WAY) {
    if (!isTree(value)) return null;
    value = value[step];
  }
  if (value === undefined) return null;
  const place: Place = { report, path: [...path, ...WAY] };
  if (!isTree(value)) {
    report.add({ ...place, rule: 'type', message: 'must be a mapping', found: value });
    return null;
  }
  const defaults = toTimeouts(undefined, DEFAULTS.apisixMirrorTimeout);
  const read = (key: 'connect' | 'send' | 'read', fallback: number): number => {
    const text = value[key];
    if (text === undefined) return fallback;
    const ms = typeof text === 'string' || typeof text === 'number' ? toNginxDurationMs(String(text)) : null;
    if (ms !== null && ms >= 1 && ms <= DURATION_MS_MAX) return ms;
    const message = `must be a duration from 1ms to ${toDurationText(DURATION_MS_MAX)}, such as 60s, 2000ms or 1m30s`;
    report.add({ path: [...place.path, key], rule: 'format', message, found: text });
    return fallback;
  };
  const timeouts = {
    connectMs: read('connect', defaults.connectMs),
    sendMs: read('send', defaults.sendMs),
    readMs: read('read', defaults.readMs),
  };
  return { timeouts, place };
}

/** conf/config.yaml configures a whole APISIX: one notice says that nearly all of it has no effect. */
export function noticeRest({ tree, report, path }: DocumentTree, context: RewriteContext): void {
  const other = Object.keys(tree).find((key) => key !== WAY[0]);
  if (other === undefined) return;
  const message = `has no effect, nor has the rest of this document: only ${WAY.join('.')} is read from it`;
  context.addNotice({ report, path: [...path, other] }, message);
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
