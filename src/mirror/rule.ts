// A rule at work in a mirror thread: what its jobs need, opened when the rule is learnt and closed when its last copy has ended.

import assert from 'node:assert';
import { type RouteEntry, ShadowBook, ShadowCell } from '../core/book.ts';
import { compileDiffRules } from '../core/diff/diff-rules.ts';
import { LIMIT_LOCAL, type Limit, type Mirror, type Route } from '../core/model.ts';
import type { SpanIds } from '../core/trace-context.ts';
import { LimitWindow } from '../core/window.ts';
import type { CaptureBudget } from './answer.ts';
import type { ShadowClients } from './clients.ts';
import { type ComparerHost, RuleComparer } from './comparer.ts';
import type { ExchangeRule } from './exchange.ts';
import type { Limiter, RedisLimit } from './limiter.ts';
import { JobRedactor } from './redaction.ts';
import { type ShadowHost, ShadowLane } from './shadow.ts';
import type { MirrorRule } from './task.ts';

export interface RuleLane extends ExchangeRule {
  readonly key: number;
  /** Null without rules. */
  readonly redactor: JobRedactor | null;
  readonly limit: { readonly settings: Limit; readonly window: LimitWindow } | null;
  /** One that Redis counts; `limit` is null then. */
  readonly redisLimit: RedisLimit | null;
  /** In the order of the mirror's shadows. */
  readonly shadows: ShadowLane[];
  /** Copies that were received and have not ended. */
  copies: number;
  /** No later record names it. */
  isRetired: boolean;
}

/** What rules need of their thread. */
export interface RuleParts {
  readonly host: ShadowHost & ComparerHost;
  /** How many threads write books. */
  readonly writers: number;
  readonly clients: ShadowClients;
  readonly limiter: Limiter;
  readonly spanIds: SpanIds;
  readonly budget: CaptureBudget;
  /** A copy was skipped or dropped, or its attempt has ended. */
  readonly onCopyEnd: (rule: RuleLane) => void;
}

/** Every rule that was opened is closed. */
export function openRule(parts: RuleParts, { key, entry }: MirrorRule): RuleLane {
  const { host, writers, clients, spanIds } = parts;
  const { route, memory } = entry;
  const { mirror } = route;
  assert(mirror !== null, 'a mirror rule without mirror');
  const [first] = memory.shadows;
  assert(first !== undefined && memory.shadows.length === mirror.shadows.length);
  // The first shadow's book holds what counts for the route as a whole.
  const routeBook = new ShadowBook(first, writers);
  const { cells } = routeBook;
  const row = routeBook.row(host.writer);
  const comparer = openComparer(host, route, mirror);
  const rule: RuleLane = {
    key,
    route,
    mirror,
    spanIds,
    comparer,
    budget: parts.budget.openShare(),
    redactor: openRedactor(host, route, mirror),
    limit: toLimit(mirror, memory.limit),
    redisLimit: openRedisLimit(parts.limiter, entry, cells, row + ShadowCell.limit_errors),
    shadows: [],
    releasedCells: cells,
    releasedAt: row + ShadowCell.released_bytes,
    copies: 0,
    isRetired: false,
  };
  const onCopyEnd = (): void => parts.onCopyEnd(rule);
  mirror.shadows.forEach((shadow, index) => {
    const client = clients.acquire(shadow, mirror.timeouts);
    const book = memory.shadows[index]!;
    const setup = { mirror, shadow, comparer, book, writers, client, onCopyEnd };
    rule.shadows.push(new ShadowLane(host, setup));
  });
  return rule;
}

/** None of its copies is under way. */
export function closeRule({ clients }: RuleParts, rule: RuleLane): void {
  rule.redisLimit?.close();
  for (const shadow of rule.shadows) {
    shadow.close();
    clients.release(shadow.client);
  }
}

function openComparer(host: ComparerHost, route: Route, mirror: Mirror): RuleComparer | null {
  const { compare } = mirror;
  if (compare === null) return null;
  const rules =
    compare.detail === null ? null : compileDiffRules(compare.detail, compare.mask, mirror.redact);
  return new RuleComparer(host, route, mirror, compare, rules);
}

function openRedactor(host: ComparerHost, { id }: Route, { redact }: Mirror): JobRedactor | null {
  const { headers, query, json } = redact;
  return headers.length + query.length + json.length === 0 ? null : new JobRedactor(host, id, redact);
}

function openRedisLimit(
  limiter: Limiter,
  { route, memory }: RouteEntry,
  errorCells: Float64Array,
  errorsAt: number,
): RedisLimit | null {
  const limit = route.mirror?.limit ?? null;
  if (limit === null || memory.limit === null || limit.policy === LIMIT_LOCAL) return null;
  return limiter.open({ route, limit, memory: memory.limit, errorCells, errorsAt });
}

function toLimit(mirror: Mirror, memory: SharedArrayBuffer | null): RuleLane['limit'] {
  if (mirror.limit === null || memory === null || mirror.limit.policy !== LIMIT_LOCAL) return null;
  return { settings: mirror.limit, window: new LimitWindow(memory) };
}
