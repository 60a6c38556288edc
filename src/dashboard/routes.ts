// Routes as the page shows them, made from what the gateway says.
//
// Rates are differences between two events, divided by the gateway's time between them.

import type { LiveRoute, MirrorsEvent } from './shapes.ts';

export const RUNNING = 'on';
export const PAUSED = 'paused';
export const DISABLED = 'off';
export type MirroringState = typeof RUNNING | typeof PAUSED | typeof DISABLED;

export interface RouteLine {
  readonly id: string;
  /** Of the figures: the gateway's Unix time in milliseconds. */
  readonly atMs: number;
  /** Whether it came with all routes at once, as the first event of a connection does. */
  readonly isFirst: boolean;
  readonly state: MirroringState;
  readonly percentage: number;
  /** Per second; null until there are two readings. */
  readonly requestRate: number | null;
  readonly copyRate: number | null;
  readonly isCompared: boolean;
  /** Null until something was compared. */
  readonly matchRate: number | null;
  readonly compared: number;
  readonly mismatches: number;
  /** Milliseconds; null without samples. */
  readonly primaryP50: number | null;
  readonly primaryP99: number | null;
  readonly shadowP50: number | null;
  readonly shadowP99: number | null;
  readonly breaker: string;
  readonly figures: LiveRoute;
}

const HASH = /^#route=(.+)$/;

/** Where a route is to be found in this page. */
export function toHash(id: string): string {
  return `#route=${encodeURIComponent(id)}`;
}

/** The route that the page's address names; null when it names none. */
export function parseHash(hash: string): string | null {
  const [, text] = HASH.exec(hash) ?? [];
  if (text === undefined) return null;
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** What a second's rate counts beside what was before: rates are for reading, not for jumping about. */
const RATE_WEIGHT = 0.5;
const REST_WEIGHT = 0.75;
const RATE_LEAST = 0.05;
/** The gateway looks each second; it says nothing of seconds without news. */
const LOOK_MS = 1000;
const LOOKS_MISSED_MS = 2500;

export interface Routes {
  /** Takes an event. */
  take(event: MirrorsEvent): void;
  /** To be called about once a second without an event: rates fall to zero. */
  rest(): void;
  /** There is no connection: nobody knows the rates. */
  lose(): void;
  lines(): readonly RouteLine[];
  get(id: string): RouteLine | undefined;
}

export function createRoutes(): Routes {
  const known = new Map<string, RouteLine>();
  let lastAt: number | null = null;

  function take({ at, full, routes, removed }: MirrorsEvent): void {
    const before = new Map(known);
    if (full) known.clear();
    const sinceMs = lastAt === null ? null : at - lastAt;
    const seconds =
      sinceMs === null ? null : (sinceMs > LOOKS_MISSED_MS ? LOOK_MS : Math.max(1, sinceMs)) / 1000;
    for (const [id, figures] of Object.entries(routes)) {
      known.set(id, toLine(id, at, figures, before.get(id), full ? null : seconds, full));
    }
    for (const id of removed) known.delete(id);
    // Of those that are not named nothing has changed.
    if (!full) for (const [id, line] of known) if (!Object.hasOwn(routes, id)) known.set(id, toResting(line));
    lastAt = at;
  }

  return {
    take,
    rest() {
      for (const [id, line] of known) known.set(id, toResting(line));
    },
    lose() {
      for (const [id, line] of known) known.set(id, { ...line, requestRate: null, copyRate: null });
    },
    lines: () => [...known.values()],
    get: (id) => known.get(id),
  };
}

function toLine(
  id: string,
  atMs: number,
  figures: LiveRoute,
  before: RouteLine | undefined,
  seconds: number | null,
  isFirst: boolean,
): RouteLine {
  const compared = figures.total_compared;
  const mismatches = figures.total_mismatches;
  const toState = (): MirroringState => {
    if (!figures.enabled) return DISABLED;
    return figures.paused ? PAUSED : RUNNING;
  };
  return {
    id,
    atMs,
    isFirst,
    state: toState(),
    percentage: figures.percentage,
    requestRate: toRate(before?.requestRate, before?.figures.requests, figures.requests, seconds),
    copyRate: toRate(before?.copyRate, before?.figures.total_mirrored, figures.total_mirrored, seconds),
    isCompared: figures.comparison !== 'none',
    matchRate: compared === 0 ? null : (compared - mismatches) / compared,
    compared,
    mismatches,
    primaryP50: figures.primary_latency_p50_ms,
    primaryP99: figures.primary_latency_p99_ms,
    shadowP50: figures.latency_p50_ms,
    shadowP99: figures.latency_p99_ms,
    breaker: figures.breaker,
    figures,
  };
}

function toRate(
  rate: number | null | undefined,
  countBefore: number | undefined,
  count: number,
  seconds: number | null,
): number | null {
  if (seconds === null || countBefore === undefined) return null;
  // The gateway was started anew.
  if (count < countBefore) return null;
  return settle(rate ?? null, (count - countBefore) / seconds);
}

function settle(rate: number | null, now: number): number {
  const weight = now === 0 ? REST_WEIGHT : RATE_WEIGHT;
  const settled = rate === null ? now : rate + (now - rate) * weight;
  return settled < RATE_LEAST ? 0 : settled;
}

function toResting(line: RouteLine): RouteLine {
  if (line.requestRate === 0 && line.copyRate === 0) return line;
  return { ...line, requestRate: settle(line.requestRate, 0), copyRate: settle(line.copyRate, 0) };
}
