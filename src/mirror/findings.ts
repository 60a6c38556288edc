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
import { FieldSamples } from './field-samples.ts';
import { LatencyPairs } from './latency-pairs.ts';
import type { ExchangeNoise } from './noise.ts';

const REPORT_MS = 500;
/** Of one report. */
const MISMATCHES_MAX = 20;
const MISMATCH_BYTES_MAX = 256 * 1024;
const GROUPS_MAX = 200;
/** Of one rule and shadow, for as long as they live: what a field's values were is remembered. */
const FIELDS_MAX = 1000;
/** Of all mismatches that a thread holds between two posts; over it further ones are only counted. */
const THREAD_BYTES_MAX = 16 * 1024 * 1024;

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
  /** Of `diffs`: not noise. */
  readonly counted: readonly FieldDiff[];
  /** Null where no control's answer took part. */
  readonly noise: ExchangeNoise | null;
  /** Null for a match. */
  readonly draft: MismatchDraft | null;
}

/** Posts what the shadows of one thread have found. */
export class FindingsPoster {
  readonly #channel: BroadcastChannel;
  readonly #dirty = new Set<ShadowFindings>();
  #timer: NodeJS.Timeout | null = null;
  #heldBytes = 0;

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

  /** Takes so many more bytes of mismatches, or gives them back when negative. False: no room. */
  hold(bytes: number): boolean {
    if (bytes > 0 && this.#heldBytes + bytes > THREAD_BYTES_MAX) return false;
    this.#heldBytes += bytes;
    return true;
  }

  /** Posts what the shadow has found since the last report. It finds nothing any more. */
  close(findings: ShadowFindings): void {
    if (this.#dirty.delete(findings)) this.#channel.postMessage(findings.take());
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
  #compared = 0;
  #controlled = 0;
  #groups = new Map<string, Group>();
  #drafts: KeptDraft[] = [];
  #draftBytes = 0;
  /** Over all reports; those of this one are in #touched. */
  readonly #fields = new Map<string, FieldSamples>();
  #touched = new Set<FieldSamples>();
  readonly #latencies = new LatencyPairs();

  constructor(subject: FindingsSubject, poster: FindingsPoster) {
    this.#subject = subject;
    this.#poster = poster;
  }

  add(finding: Finding): void {
    if (this.#compared === 0) this.#poster.onDirty(this);
    this.#compared++;
    this.#latencies.add(finding.primaryLatencyMs, finding.shadowLatencyMs);
    if (finding.noise !== null) {
      this.#controlled++;
      for (const field of new Set(this.#samplesOf(finding.noise.fields))) field.controlDiffered++;
    }
    if (finding.diffs.length > 0) this.#addFields(finding);
    if (finding.draft !== null) this.#addMismatch(finding, finding.draft);
  }

  /** The report; the next one begins. */
  take(): FindingsReport {
    const report: FindingsReport = {
      ...this.#subject,
      compared: this.#compared,
      controlled: this.#controlled,
      groups: [...this.#groups.values()].map(toGroupDelta),
      mismatches: this.#drafts.map(({ draft }) => draft.toMismatch()),
      fields: Array.from(this.#touched, (field) => field.take()),
      latencies: this.#latencies.take(),
    };
    this.#poster.hold(-this.#draftBytes);
    this.#compared = 0;
    this.#controlled = 0;
    this.#groups = new Map();
    this.#drafts = [];
    this.#draftBytes = 0;
    this.#touched = new Set();
    return report;
  }

  /** A field that differs in many places is one field that differs: its first place stands for it. */
  #addFields({ diffs, counted }: Finding): void {
    const countedFields =
      counted === diffs ? null : new Set(this.#samplesOf(counted.map(({ field }) => field)));
    const seen = new Set<FieldSamples>();
    for (const { field, primary, shadow } of diffs) {
      const samples = this.#sampleOf(field);
      if (seen.has(samples)) continue;
      seen.add(samples);
      const isCounted = countedFields === null || countedFields.has(samples);
      samples.add(primary, shadow, isCounted);
    }
  }

  *#samplesOf(fields: Iterable<string>): Iterable<FieldSamples> {
    for (const field of fields) yield this.#sampleOf(field);
  }

  /** Fields beyond the bound are counted as one. */
  #sampleOf(field: string): FieldSamples {
    let samples = this.#fields.get(field);
    if (samples === undefined) {
      const name = this.#fields.size < FIELDS_MAX - 1 ? field : OTHERS;
      samples = this.#fields.get(name);
      if (samples === undefined) {
        samples = new FieldSamples(name);
        this.#fields.set(name, samples);
      }
    }
    this.#touched.add(samples);
    return samples;
  }

  #addMismatch({ counted, timestampMs }: Finding, draft: MismatchDraft): void {
    const fields = toSignatureFields(counted);
    const group = this.#group(fields, timestampMs);
    group.count++;
    group.lastMs = timestampMs;
    if (draft.bytes > MISMATCH_BYTES_MAX) return;
    while (this.#drafts.length >= MISMATCHES_MAX || this.#draftBytes + draft.bytes > MISMATCH_BYTES_MAX) {
      this.#evict();
    }
    if (!this.#poster.hold(draft.bytes)) return;
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
    this.#poster.hold(-evicted!.draft.bytes);
  }

  #group(fields: readonly string[], nowMs: number): Group {
    const key = fields.join('\n');
    let group = this.#groups.get(key);
    if (group !== undefined) return group;
    const isFull = this.#groups.size >= GROUPS_MAX - 1;
    if (isFull) {
      group = this.#groups.get(OTHERS);
      if (group !== undefined) return group;
    }
    group = { fields: isFull ? [OTHERS] : fields, count: 0, firstMs: nowMs, lastMs: nowMs, kept: 0 };
    this.#groups.set(isFull ? OTHERS : key, group);
    return group;
  }
}

function toGroupDelta({ fields, count, firstMs, lastMs }: Group): GroupDelta {
  return { fields, count, firstMs, lastMs };
}
