// Compares shadows' answers with the primary's for one rule: in detail or by digest, noise left out, and counts it.
//
// Owns what a rule learns by comparing in this thread: its noise and its findings. Writes the comparing cells of a
// shadow's row and says each mismatch once to the log, which bounds itself. Nothing that an answer holds may end the
// thread.

import { ShadowCell, type UncomparedReason } from '../core/book.ts';
import type { AnswerDiff, NoiseFilter } from '../core/diff/answer-diff.ts';
import type { DiffRules } from '../core/diff/diff-rules.ts';
import { diffAnswers } from '../core/diff/differ.ts';
import { toSignatureFields } from '../core/findings.ts';
import type { LogSink } from '../core/log.ts';
import type { Compare, Mirror, Route } from '../core/model.ts';
import type { Answer } from './answer.ts';
import {
  findBlindness,
  hasNoRoom,
  isOneEmpty,
  isRefused,
  NOTE_NO_ROOM,
  toBlindness,
  toLinelessFilter,
} from './blindness.ts';
import { ControlNotes } from './control-notes.ts';
import { diffDigests } from './digest-diff.ts';
import { compileExampleRules, ExampleDraft, type ExampleRules } from './example.ts';
import type { MirroredExchange } from './exchange.ts';
import type { FindingsPoster, ShadowFindings } from './findings.ts';
import { ExchangeNoise, NoiseProfile, toNoiseFilter } from './noise.ts';
import { isBodyField, type Outcome, toOutcome, toWhole } from './outcome.ts';
import type { PrimaryReading } from './primary.ts';
import { redactTarget } from './redaction.ts';

/** Characters of a log line's list of fields. */
const LOGGED_FIELDS_LENGTH_MAX = 512;
/** A defect of the comparison is told no more often. */
const DEFECT_LOG_MS = 1000;
export const NOTE_INTERNAL = 'internal';

/** What a comparison needs of the thread that it runs in. */
export interface ComparerHost {
  readonly log: LogSink;
  readonly findings: FindingsPoster;
  onLogSuppressed(): void;
}

/** What an answer was, when its body is not looked at any more. */
export interface AnswerFacts {
  readonly status: number;
  readonly latencyMs: number;
}

/** What differs between primary and control, and what else that says. */
interface ControlDiff {
  readonly diff: AnswerDiff;
  readonly notes: ControlNotes;
}

export class RuleComparer {
  readonly route: Route;
  readonly mirror: Mirror;
  readonly compare: Compare;
  readonly host: ComparerHost;
  readonly profile = new NoiseProfile();
  readonly exampleRules: ExampleRules;
  /** Null where only status and digest are compared. */
  readonly #rules: DiffRules | null;
  readonly #diff: typeof diffAnswers;
  #defectToldMs = Number.NEGATIVE_INFINITY;

  /** `diff` is for tests. */
  constructor(
    host: ComparerHost,
    route: Route,
    mirror: Mirror,
    compare: Compare,
    rules: DiffRules | null,
    diff: typeof diffAnswers = diffAnswers,
  ) {
    this.host = host;
    this.route = route;
    this.mirror = mirror;
    this.compare = compare;
    this.exampleRules = compileExampleRules(mirror);
    this.#rules = rules;
    this.#diff = diff;
  }

  get isDetailed(): boolean {
    return this.#rules !== null;
  }

  /** What differs between primary and shadow, noise left out; or why nothing can be said. Never throws. */
  compareShadow(primary: Answer, shadow: Answer, noise: ExchangeNoise | null): AnswerDiff | UncomparedReason {
    const diff = this.#diffDetails(primary, shadow, toNoiseFilter(this.profile, noise));
    const blindness = hasNoRoom(diff) ? 'not_captured' : toBlindness(diff, noise);
    // That there is no body where there should be one can be said all the same.
    if (blindness === null || isOneEmpty(primary, shadow)) return toWhole(diff);
    // An equal body does not count either: where no difference can, a share of mismatches would come out too small.
    const seen = diff.diffs.filter(({ field }) => !isBodyField(field));
    return seen.length === 0 ? blindness : { ...diff, diffs: seen };
  }

  /** What differs between primary and control. Never throws. */
  compareControl(primary: Answer, control: Answer): ControlDiff {
    const notes = new ControlNotes();
    // What the notes cover is lines beyond the first, which is among the differences.
    return { diff: { ...this.#diffDetails(primary, control, notes), noise: [] }, notes };
  }

  /** Why the body says nothing of a shadow, by the control's; null: it does say something. */
  findBlindness({ diff, notes }: ControlDiff, primary: Answer, control: Answer): UncomparedReason | null {
    return this.#rules === null ? null : findBlindness(diff, notes, primary, control, this.#rules);
  }

  get #hasMask(): boolean {
    return this.compare.mask.length > 0 || this.mirror.redact.json.length > 0;
  }

  #diffDetails(primary: Answer, shadow: Answer, filter: NoiseFilter | null): AnswerDiff {
    const rules = this.#rules;
    if (rules === null) return diffDigests(primary, shadow, this.#hasMask, null);
    // A border although it is our own code: what answers hold is not ours, and a body on which the comparison fails would
    // otherwise end the thread, and the next one, as often as somebody asks for it.
    try {
      // Of two bodies of which one is empty every line differs, and that is no noise.
      const used = isOneEmpty(primary, shadow) ? toLinelessFilter(filter) : filter;
      const diff = this.#diff(primary, shadow, rules, used);
      const isRoomless =
        diff.bodyMethod === 'digest' && (isRefused(primary, rules) || isRefused(shadow, rules));
      return isRoomless ? { ...diff, note: NOTE_NO_ROOM } : diff;
    } catch (error) {
      this.#tellDefect(error);
      return diffDigests(primary.toDigested(), shadow.toDigested(), this.#hasMask, NOTE_INTERNAL);
    }
  }

  #tellDefect(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#defectToldMs < DEFECT_LOG_MS) return;
    this.#defectToldMs = nowMs;
    if (!this.host.log('error', 'comparison failed', { route: this.route.id, cause: toTrace(error) })) {
      this.host.onLogSuppressed();
    }
  }
}

/** What it was and where. Not its message, which may show what is masked. */
function toTrace(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^ +at /.test(line));
  return [error.name, ...frames].join('\n');
}

/** A shadow or a control of a rule, as what it answers is counted. */
export class ComparedShadow {
  readonly isControl: boolean;
  readonly comparer: RuleComparer;
  readonly #origin: string;
  readonly #cells: Float64Array;
  readonly #row: number;
  /** Null for a control. */
  readonly #findings: ShadowFindings | null;

  /** `row` is the index of the writer's first cell. */
  constructor(comparer: RuleComparer, origin: string, isControl: boolean, cells: Float64Array, row: number) {
    const { route, host } = comparer;
    this.comparer = comparer;
    this.isControl = isControl;
    this.#origin = origin;
    this.#cells = cells;
    this.#row = row;
    this.#findings = isControl
      ? null
      : host.findings.open({ route: route.id, revision: route.revision, shadow: origin });
  }

  /** There was nothing to compare its answer with. */
  onUncompared(reason: UncomparedReason): void {
    this.count(ShadowCell[`uncompared_${reason}`]);
  }

  /** As a control: whatever differs counts here, and is noise for the shadows. Null: it says nothing of this exchange. */
  onControl(primary: Answer, control: Answer): ExchangeNoise | null {
    const { comparer } = this;
    const compared = comparer.compareControl(primary, control);
    const { diff, notes } = compared;
    // What answers with another status answers something else: an error's body tells nothing of a good one's.
    if (primary.status !== control.status) {
      this.#countOutcome(toOutcome(toWhole(diff)));
      return null;
    }
    const blindness = comparer.findBlindness(compared, primary, control);
    const isSeen = blindness !== 'not_captured' || diff.diffs.some(({ field }) => !isBodyField(field));
    if (isSeen) this.#countOutcome(toOutcome(toWhole(diff)));
    else this.count(ShadowCell.uncompared_not_captured);
    // A control without a body excuses nothing in it: every line would differ.
    const diffs = isOneEmpty(primary, control)
      ? diff.diffs.filter(({ field }) => !isBodyField(field))
      : diff.diffs;
    const noise = new ExchangeNoise(diffs, blindness, notes, diff.isCut);
    comparer.profile.add(noise);
    return noise;
  }

  /** `noise`: what the control's answer said, or null without one. */
  onCompared(
    exchange: MirroredExchange,
    primary: PrimaryReading,
    answer: AnswerFacts,
    diff: AnswerDiff,
    noise: ExchangeNoise | null,
  ): void {
    const outcome = toOutcome(diff);
    this.#countOutcome(outcome);
    const isMismatch = diff.diffs.length > 0;
    const timestampMs = Date.now();
    this.#findings!.add({
      timestampMs,
      primaryLatencyMs: primary.latencyMs,
      shadowLatencyMs: answer.latencyMs,
      diffs: diff.diffs,
      leftOut: diff.noise,
      noise,
      draft: isMismatch ? this.#toDraft(exchange, primary, answer, diff, timestampMs) : null,
    });
    if (isMismatch && this.comparer.compare.logMismatches) this.#log(exchange, primary, answer, outcome);
  }

  /** No comparison follows. */
  close(): void {
    if (this.#findings !== null) this.comparer.host.findings.close(this.#findings);
  }

  /** Adds to a cell of its row. */
  count(cell: number, amount = 1): void {
    this.#cells[this.#row + cell] = this.#cells[this.#row + cell]! + amount;
  }

  #countOutcome({ diff, hasStatus, hasHeader, hasBody }: Outcome): void {
    this.count(ShadowCell.compared);
    if (this.comparer.isDetailed && diff.bodyMethod === 'digest' && diff.note !== null) {
      this.count(ShadowCell.reduced);
    }
    if (diff.noise.length > 0) this.count(ShadowCell.noisy);
    if (diff.diffs.length === 0) return;
    this.count(ShadowCell.mismatched);
    if (hasStatus) this.count(ShadowCell.status_mismatched);
    if (hasHeader) this.count(ShadowCell.header_mismatched);
    if (hasBody) this.count(ShadowCell.body_mismatched);
  }

  #toDraft(
    exchange: MirroredExchange,
    primary: PrimaryReading,
    answer: AnswerFacts,
    { diffs, isCut, bodyMethod, note }: AnswerDiff,
    timestampMs: number,
  ): ExampleDraft {
    const parts = {
      timestampMs,
      primaryStatus: primary.status,
      shadowStatus: answer.status,
      primaryLatencyMs: primary.latencyMs,
      shadowLatencyMs: answer.latencyMs,
      diffs,
      isCut,
      bodyMethod,
      note,
    };
    return new ExampleDraft(this.comparer.exampleRules, parts, exchange.headText, exchange.bodySample);
  }

  #log(exchange: MirroredExchange, primary: PrimaryReading, answer: AnswerFacts, outcome: Outcome): void {
    const { host, route, mirror } = this.comparer;
    const isLogged = host.log('warn', 'mirror mismatch', {
      route: route.id,
      shadow: this.#origin,
      method: exchange.method,
      path: redactTarget(exchange.rawTarget, mirror.redact.query),
      request_id: exchange.requestId,
      primary_status: primary.status,
      shadow_status: answer.status,
      status_match: !outcome.hasStatus,
      body_match: !outcome.hasBody,
      fields: toSignatureFields(outcome.diff.diffs).join(', ').slice(0, LOGGED_FIELDS_LENGTH_MAX),
      primary_latency_ms: roundMs(primary.latencyMs),
      shadow_latency_ms: roundMs(answer.latencyMs),
    });
    if (!isLogged) host.onLogSuppressed();
  }
}

function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
