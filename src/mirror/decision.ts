// Whether an exchange is mirrored at all: conditions first, then the sample. One decision for all shadows.

import type { SkipReason } from '../core/book.ts';
import { compileExpression } from '../core/expression.ts';
import { findHeader } from '../core/headers.ts';
import {
  CONDITION_ABSENT,
  CONDITION_EQUALS,
  type HeaderCondition,
  METHODS_SAFE,
  type Mirror,
} from '../core/model.ts';
import type { ObservedExchange } from '../core/observer.ts';
import type { ExpressionSubject } from '../core/request-variable.ts';
import { isSampled } from '../core/sampling.ts';

/** RFC 9110 section 9.2.1. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

export class Decision {
  readonly #mirror: Mirror;
  readonly #path: RegExp | null;
  readonly #vars: ((subject: ExpressionSubject) => boolean) | null;

  constructor(mirror: Mirror) {
    this.#mirror = mirror;
    const { pathRegex, vars } = mirror.conditions;
    this.#path = pathRegex === null ? null : new RegExp(pathRegex);
    this.#vars = vars === null ? null : compileExpression(vars);
  }

  /** Why the exchange is skipped, or null when it is to be mirrored. */
  decide(exchange: ObservedExchange): SkipReason | null {
    const mirror = this.#mirror;
    if (!mirror.enabled) return 'disabled';
    if (exchange.marked) return 'loop';
    if (mirror.methods === METHODS_SAFE && !SAFE_METHODS.has(exchange.method)) return 'condition';
    const { methods, headers } = mirror.conditions;
    if (methods.length > 0 && !methods.includes(exchange.method)) return 'condition';
    for (const condition of headers) {
      if (!holds(condition, findHeader(exchange.headers, condition.name))) return 'condition';
    }
    if (this.#path !== null && !this.#path.test(exchange.path)) return 'condition';
    if (this.#vars !== null && !this.#vars(exchange.subject)) return 'condition';
    const { percentage, sampleByHeader } = mirror;
    const key = sampleByHeader === null ? null : findHeader(exchange.headers, sampleByHeader);
    if (!isSampled(percentage, key)) return 'sampled_out';
    return exchange.contentLength > mirror.maxBodyBytes ? 'body_too_large' : null;
  }
}

function holds(condition: HeaderCondition, value: string | null): boolean {
  if (condition.kind === CONDITION_ABSENT) return value === null;
  if (value === null) return false;
  return condition.kind !== CONDITION_EQUALS || value.toLowerCase() === condition.value;
}
