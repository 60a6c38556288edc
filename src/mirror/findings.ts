// What comparing finds out in one mirror thread, gathered for a while and posted to the control thread.
//
// Owns the reports between two posts and every bound on them. Never posts of a shadow more often than every
// REPORT_MS, and nothing of routes that do not compare. What a report has no room for is counted.

import { BroadcastChannel } from 'node:worker_threads';
import type { FieldDiff } from '../core/diff/answer-diff.ts';
import {
  type FindingsReport,
  type GroupDelta,
  type Mismatch,
  OTHERS,
  toSignatureFields,
} from '../core/findings.ts';
import { ByteBudget } from './budget.ts';
import { FieldSamples } from './field-samples.ts';
import { LatencyPairs } from './latency-pairs.ts';
import { toOwnText } from './memory.ts';
import type { ExchangeNoise } from './noise.ts';

const REPORT_MS = 500;
/** Of one report. */
const MISMATCHES_MAX = 20;
const MISMATCH_BYTES_MAX = 256 * 1024;
const GROUPS_MAX = 200;
/** Of one rule and shadow, for as long as they live: what a field's values were is remembered. */
const FIELDS_MAX = 1000;
/** Of all mismatches and groups that a thread holds between two posts; over it further ones are only counted. */
const THREAD_BYTES_MAX = 16 * 1024 * 1024;
/** Of all fields that a thread remembers; over it further ones are counted as one. */
const THREAD_FIELD_BYTES_MAX = 16 * 1024 * 1024;
/** What a group and a field weigh beyond their names; a field with all the values that are remembered of it. */
const GROUP_BYTES = 256;
const FIELD_BYTES = 1536;

/** A mismatch that may be reported. What it takes to show it is made only then: most are never shown. */
export interface MismatchDraft {
  /** About what it holds and what is made of it, whichever is more. */
  readonly bytes: number;
  toMismatch(): Mismatch;
}

/** Of which rule and shadow a report tells. */
export interface FindingsSubject {
  readonly route: string;
  readonly revision: string;
  readonly shadow: string;
}

/** One comparison, after noise. */
export interface Finding {
  readonly timestampMs: number;
  readonly primaryLatencyMs: number;
  readonly shadowLatencyMs: number;
  readonly diffs: readonly FieldDiff[];
  /** Fields of what was left out as noise, each once. */
  readonly leftOut: readonly string[];
  /** Null where no control's answer took part. */
  readonly noise: ExchangeNoise | null;
  /** Null for a match. */
  readonly draft: MismatchDraft | null;
}

/** Posts what the shadows of one thread have found. */
export class FindingsPoster {
  readonly #channel: BroadcastChannel;
  readonly #dirty = new Set<ShadowFindings>();
  /** For what goes with the next report, and for what stays. */
  readonly reportBytes = new ByteBudget(THREAD_BYTES_MAX);
  readonly fieldBytes = new ByteBudget(THREAD_FIELD_BYTES_MAX);
  #timer: NodeJS.Timeout | null = null;

  constructor(channelName: string) {
    this.#channel = new BroadcastChannel(channelName);
    this.#channel.unref();
  }

  open(subject: FindingsSubject): ShadowFindings {
    return new ShadowFindings(subject, this);
  }

  onDirty(findings: ShadowFindings): void {
    this.#dirty.add(findings);
    // What is found meanwhile goes along. The last of it is posted by flush(), so nothing keeps the thread for it.
    this.#timer ??= setTimeout(() => this.#onTimer(), REPORT_MS).unref();
  }

  /** Posts what the shadow has found since the last report. It finds nothing any more. */
  close(findings: ShadowFindings): void {
    if (this.#dirty.delete(findings)) this.#channel.postMessage(findings.take());
    findings.forget();
  }

  /** Posts everything. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#onTimer();
  }

  #onTimer(): void {
    this.#timer = null;
    for (const findings of this.#dirty) this.#channel.postMessage(findings.take());
    this.#dirty.clear();
  }
}

interface Group {
  readonly fields: readonly string[];
  count: number;
  firstMs: number;
  lastMs: number;
  /** Of its mismatches in the report. */
  kept: number;
}

interface KeptDraft {
  readonly draft: MismatchDraft;
  readonly group: Group;
}

/** What was found of one shadow of a rule since the last report. */
export class ShadowFindings {
  readonly #subject: FindingsSubject;
  readonly #poster: FindingsPoster;
  /** When the first of them was compared. */
  #sinceMs = 0;
  #compared = 0;
  #controlled = 0;
  #noisy = 0;
  #groups = new Map<string, Group>();
  #drafts: KeptDraft[] = [];
  #draftBytes = 0;
  #groupBytes = 0;
  #fieldBytes = 0;
  /** Over all reports; those of this one are in #touched. */
  readonly #fields = new Map<string, FieldSamples>();
  #touched = new Set<FieldSamples>();
  readonly #latencies = new LatencyPairs();

  constructor(subject: FindingsSubject, poster: FindingsPoster) {
    this.#subject = subject;
    this.#poster = poster;
  }

  add(finding: Finding): void {
    if (this.#compared === 0) {
      this.#sinceMs = finding.timestampMs;
      this.#poster.onDirty(this);
    }
    this.#compared++;
    this.#latencies.add(finding.primaryLatencyMs, finding.shadowLatencyMs);
    if (finding.noise !== null) {
      this.#controlled++;
      for (const samples of new Set(this.#samplesOf(finding.noise.fields))) samples.controlDiffered++;
    }
    if (finding.leftOut.length > 0) this.#noisy++;
    if (finding.diffs.length + finding.leftOut.length > 0) this.#addFields(finding);
    if (finding.draft !== null) this.#addMismatch(finding, finding.draft);
  }

  /** The report; the next one begins. */
  take(): FindingsReport {
    const report: FindingsReport = {
      ...this.#subject,
      sinceMs: this.#sinceMs,
      compared: this.#compared,
      controlled: this.#controlled,
      noisy: this.#noisy,
      groups: [...this.#groups.values()].map(toGroupDelta),
      mismatches: this.#drafts.map(({ draft }) => draft.toMismatch()),
      fields: Array.from(this.#touched, (field) => field.take()),
      latencies: this.#latencies.take(),
    };
    this.#poster.reportBytes.give(this.#draftBytes + this.#groupBytes);
    this.#compared = 0;
    this.#controlled = 0;
    this.#noisy = 0;
    this.#groups = new Map();
    this.#drafts = [];
    this.#draftBytes = 0;
    this.#groupBytes = 0;
    this.#touched = new Set();
    return report;
  }

  /** Gives back what it remembers. Nothing is found any more. */
  forget(): void {
    this.#fields.clear();
    this.#poster.fieldBytes.give(this.#fieldBytes);
    this.#fieldBytes = 0;
  }

  /** A field that differs in many places is one field that differs: its first place stands for it. */
  #addFields({ diffs, leftOut }: Finding): void {
    const seen = new Set<FieldSamples>();
    for (const { field, primary, shadow } of diffs) {
      const samples = this.#sampleOf(field);
      if (seen.has(samples)) continue;
      seen.add(samples);
      samples.add(primary, shadow);
    }
    for (const samples of new Set(this.#samplesOf(leftOut))) if (!seen.has(samples)) samples.addNoise();
  }

  *#samplesOf(fields: Iterable<string>): Iterable<FieldSamples> {
    for (const field of fields) yield this.#sampleOf(field);
  }

  #sampleOf(field: string): FieldSamples {
    const samples = this.#fields.get(field) ?? this.#openField(field);
    this.#touched.add(samples);
    return samples;
  }

  /** Fields beyond the bounds are counted as one. */
  #openField(field: string): FieldSamples {
    const others = this.#fields.get(OTHERS);
    const bytes = FIELD_BYTES + field.length * 2;
    const hasRoom = this.#fields.size < FIELDS_MAX - 1 && this.#poster.fieldBytes.take(bytes);
    if (!hasRoom && others !== undefined) return others;
    if (hasRoom) this.#fieldBytes += bytes;
    const name = hasRoom ? toOwnText(field) : OTHERS;
    const samples = new FieldSamples(name);
    this.#fields.set(name, samples);
    return samples;
  }

  #addMismatch({ diffs, timestampMs }: Finding, draft: MismatchDraft): void {
    const fields = toSignatureFields(diffs);
    const group = this.#group(fields, timestampMs);
    group.count++;
    group.lastMs = timestampMs;
    if (draft.bytes > MISMATCH_BYTES_MAX) return;
    while (this.#drafts.length >= MISMATCHES_MAX || this.#draftBytes + draft.bytes > MISMATCH_BYTES_MAX) {
      this.#evict();
    }
    if (!this.#poster.reportBytes.take(draft.bytes)) return;
    this.#draftBytes += draft.bytes;
    this.#drafts.push({ draft, group });
    group.kept++;
  }

  /** The oldest goes whose group has a newer one, so that a rare group keeps its example beside a frequent one. */
  #evict(): void {
    const at = Math.max(
      0,
      this.#drafts.findIndex(({ group }) => group.kept > 1),
    );
    const [evicted] = this.#drafts.splice(at, 1);
    evicted!.group.kept--;
    this.#draftBytes -= evicted!.draft.bytes;
    this.#poster.reportBytes.give(evicted!.draft.bytes);
  }

  #group(fields: readonly string[], nowMs: number): Group {
    const key = fields.join('\n');
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const others = this.#groups.get(OTHERS);
    const bytes = GROUP_BYTES + key.length * 4;
    const hasRoom = this.#groups.size < GROUPS_MAX - 1 && this.#poster.reportBytes.take(bytes);
    if (!hasRoom && others !== undefined) return others;
    if (hasRoom) this.#groupBytes += bytes;
    const group: Group = {
      fields: hasRoom ? fields.map(toOwnText) : [OTHERS],
      ...{ count: 0, firstMs: nowMs, lastMs: nowMs, kept: 0 },
    };
    this.#groups.set(hasRoom ? key : OTHERS, group);
    return group;
  }
}

function toGroupDelta({ fields, count, firstMs, lastMs }: Group): GroupDelta {
  return { fields, count, firstMs, lastMs };
}
