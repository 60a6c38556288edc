// Compares shadows' answers with the primary's for one rule: in detail or by digest, noise left out, and counts it.
//
// Owns what a rule learns by comparing in this thread: its noise and its findings. Writes the comparing cells of a
// shadow's row and says each mismatch once to the log, which bounds itself. Nothing that an answer holds may end the
// thread.

import { ShadowCell } from '../core/book.ts';
import type { AnswerContent, AnswerDiff, FieldDiff } from '../core/diff/answer-diff.ts';
import type { DiffRules } from '../core/diff/diff-rules.ts';
import { diffAnswers } from '../core/diff/differ.ts';
import { toSignatureFields } from '../core/findings.ts';
import type { LogSink } from '../core/log.ts';
import type { Compare, Mirror, Route } from '../core/model.ts';
import type { Answer } from './answer.ts';
import { compileExampleRules, ExampleDraft, type ExampleRules } from './example.ts';
import type { MirroredExchange } from './exchange.ts';
import type { FindingsPoster, ShadowFindings } from './findings.ts';
import { ExchangeNoise, NoiseProfile, subtractNoise } from './noise.ts';
import type { PrimaryReading } from './primary.ts';
import { redactTarget } from './redaction.ts';

/** Characters of a log line's list of fields. */
const LOGGED_FIELDS_LENGTH_MAX = 512;
/** A defect of the comparison is told no more often. */
const DEFECT_LOG_MS = 1000;
export const NOTE_INTERNAL = 'internal';
/** Its route would have kept it, the thread could not (answer.ts). */
const NOTE_NO_ROOM = 'there was no room to keep the bodies';

const HEADER_FIELD = 'header:';
const BODY_FIELD = 'body';
const STATUS_FIELD = 'status';

/** What a comparison needs of the thread that it runs in. */
export interface ComparerHost {
  readonly log: LogSink;
  readonly findings: FindingsPoster;
  onLogSuppressed(): void;
}

/** The differences of two answers, and which of them count. */
interface Verdict {
  readonly diff: AnswerDiff;
  readonly counted: readonly FieldDiff[];
  readonly hasStatus: boolean;
  readonly hasHeader: boolean;
  readonly hasBody: boolean;
}

/** What an answer was, when its body is not looked at any more. */
export interface AnswerFacts {
  readonly status: number;
  readonly latencyMs: number;
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

  /** Never throws. */
  diff(primary: Answer, shadow: Answer): AnswerDiff {
    const rules = this.#rules;
    if (rules === null) return this.#diffDigests(primary, shadow, null);
    // A border although it is our own code: what answers hold is not ours, and a body on which the comparison fails would
    // otherwise end the thread, and the next one, as often as somebody asks for it.
    try {
      const diff = this.#diff(primary, shadow, rules);
      const hasNoRoom =
        diff.bodyMethod === 'digest' && (isRefused(primary, rules) || isRefused(shadow, rules));
      return hasNoRoom ? { ...diff, note: NOTE_NO_ROOM } : diff;
    } catch (error) {
      this.#tellDefect(error);
      return this.#diffDigests(primary.toDigested(), shadow.toDigested(), NOTE_INTERNAL);
    }
  }

  /** By status, number of bytes and digest alone. */
  #diffDigests(primary: AnswerContent, shadow: AnswerContent, note: string | null): AnswerDiff {
    const isStatusEqual = primary.status === shadow.status;
    const isBodyEqual = primary.digest === shadow.digest;
    if (isStatusEqual && isBodyEqual && note === null) return SAME_BY_DIGEST;
    const diffs: FieldDiff[] = [];
    if (!isStatusEqual) {
      const [before, after] = [String(primary.status), String(shadow.status)];
      diffs.push({ field: STATUS_FIELD, at: STATUS_FIELD, kind: 'value', primary: before, shadow: after });
    }
    if (!isBodyEqual) {
      const [before, after] = [this.#toDigestText(primary), this.#toDigestText(shadow)];
      diffs.push({ field: BODY_FIELD, at: BODY_FIELD, kind: 'digest', primary: before, shadow: after });
    }
    return { diffs, isCut: false, bodyMethod: 'digest', note };
  }

  /** Not the digest where places are masked: a short secret could be found by trying. */
  #toDigestText({ bodyBytes, digest }: AnswerContent): string {
    const length = bodyBytes === 1 ? '1 byte' : `${bodyBytes} bytes`;
    if (bodyBytes === 0 || this.compare.mask.length > 0) return length;
    return `${length}, sha256 ${Buffer.from(digest, 'base64').toString('hex')}`;
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

const SAME_BY_DIGEST: AnswerDiff = { diffs: [], isCut: false, bodyMethod: 'digest', note: null };

/** What it was and where. Not its message, which may show what is masked. */
function toTrace(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^ +at /.test(line));
  return [error.name, ...frames].join('\n');
}

function isRefused({ body, bodyBytes }: AnswerContent, { maxBodyCaptureBytes }: DiffRules): boolean {
  return body === null && bodyBytes <= maxBodyCaptureBytes;
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
  onUncompared(primary: PrimaryReading): void {
    this.count(ShadowCell[`uncompared_${primary.uncompared!}`]);
  }

  /** As a control: whatever differs counts here, and is noise for the shadows. */
  onControl(diff: AnswerDiff): ExchangeNoise {
    const noise = new ExchangeNoise(diff);
    this.comparer.profile.add(noise.fields);
    this.#countVerdict(toVerdict(diff, diff.diffs));
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
    const verdict = toVerdict(diff, subtractNoise(diff.diffs, this.comparer.profile, noise));
    this.#countVerdict(verdict);
    const isMismatch = verdict.counted.length > 0;
    const timestampMs = Date.now();
    this.#findings!.add({
      timestampMs,
      primaryLatencyMs: primary.latencyMs,
      shadowLatencyMs: answer.latencyMs,
      diffs: diff.diffs,
      counted: verdict.counted,
      noise,
      draft: isMismatch ? this.#toDraft(exchange, primary, answer, verdict, timestampMs) : null,
    });
    if (isMismatch && this.comparer.compare.logMismatches) this.#log(exchange, primary, answer, verdict);
  }

  /** No comparison follows. */
  close(): void {
    if (this.#findings !== null) this.comparer.host.findings.close(this.#findings);
  }

  /** Adds to a cell of its row. */
  count(cell: number, amount = 1): void {
    this.#cells[this.#row + cell] = this.#cells[this.#row + cell]! + amount;
  }

  #countVerdict({ diff, counted, hasStatus, hasHeader, hasBody }: Verdict): void {
    this.count(ShadowCell.compared);
    if (this.comparer.isDetailed && diff.bodyMethod === 'digest' && diff.note !== null) {
      this.count(ShadowCell.reduced);
    }
    if (counted.length < diff.diffs.length) this.count(ShadowCell.noisy);
    if (counted.length === 0) return;
    this.count(ShadowCell.mismatched);
    if (hasStatus) this.count(ShadowCell.status_mismatched);
    if (hasHeader) this.count(ShadowCell.header_mismatched);
    if (hasBody) this.count(ShadowCell.body_mismatched);
  }

  #toDraft(
    exchange: MirroredExchange,
    primary: PrimaryReading,
    answer: AnswerFacts,
    { diff, counted }: Verdict,
    timestampMs: number,
  ): ExampleDraft {
    const parts = {
      timestampMs,
      primaryStatus: primary.status,
      shadowStatus: answer.status,
      primaryLatencyMs: primary.latencyMs,
      shadowLatencyMs: answer.latencyMs,
      diffs: counted,
      isCut: diff.isCut,
      bodyMethod: diff.bodyMethod,
      note: diff.note,
    };
    return new ExampleDraft(this.comparer.exampleRules, parts, exchange.headText, exchange.bodySample);
  }

  #log(exchange: MirroredExchange, primary: PrimaryReading, answer: AnswerFacts, verdict: Verdict): void {
    const { host, route, mirror } = this.comparer;
    const isLogged = host.log('warn', 'mirror mismatch', {
      route: route.id,
      shadow: this.#origin,
      method: exchange.method,
      path: redactTarget(exchange.rawTarget, mirror.redact.query),
      request_id: exchange.requestId,
      primary_status: primary.status,
      shadow_status: answer.status,
      status_match: !verdict.hasStatus,
      body_match: !verdict.hasBody,
      fields: toSignatureFields(verdict.counted).join(', ').slice(0, LOGGED_FIELDS_LENGTH_MAX),
      primary_latency_ms: roundMs(primary.latencyMs),
      shadow_latency_ms: roundMs(answer.latencyMs),
    });
    if (!isLogged) host.onLogSuppressed();
  }
}

function toVerdict(diff: AnswerDiff, counted: readonly FieldDiff[]): Verdict {
  let hasStatus = false;
  let hasHeader = false;
  let hasBody = false;
  for (const { field } of counted) {
    if (field === STATUS_FIELD) hasStatus = true;
    else if (field.startsWith(HEADER_FIELD)) hasHeader = true;
    else hasBody = true;
  }
  return { diff, counted, hasStatus, hasHeader, hasBody };
}

function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
