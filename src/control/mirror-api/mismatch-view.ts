// The form of what GET /mirrors/{route}/mismatches answers (docs/admin.md), part by part.
//
// Only reads. What answers said is only ever a string in here; who shows it has to treat it as one.

import { createHash } from 'node:crypto';
import { ShadowCell } from '../../core/book.ts';
import type { DiffKind, FieldDiff } from '../../core/diff/answer-diff.ts';
import { ROLE_SHADOW, type Route } from '../../core/model.ts';
import type { KeptGroup, KeptMismatch, MismatchStore } from '../findings/mismatch-store.ts';
import type { LedgerRow } from '../ledger.ts';
import { findBodyNote, toPrimaryCurl, toShadowCurl } from './curl.ts';

const SIGNATURE_LENGTH = 16;
const HEADER = 'header:';
const BODY = 'body:';
/** The body as a whole, in the form of core/diff/json-path.ts. */
const ROOT = '$';

/** `primary` and `mirror`: null when that side has nothing there. The other two say the same as text, which may be empty. */
interface SidesView {
  readonly kind: DiffKind;
  readonly primary: string | null;
  readonly mirror: string | null;
}

export interface HeaderDiffView extends SidesView {
  readonly header: string;
  readonly primary_value: string;
  readonly mirror_value: string;
}

export interface BodyDiffView extends SidesView {
  /** With array indices. */
  readonly path: string;
  readonly type: 'json_field_diff' | 'content_diff' | 'hash_mismatch';
  readonly details: { readonly field: string; readonly primary_value: string; readonly mirror_value: string };
}

export interface EntryView {
  readonly timestamp: string;
  readonly method: string;
  readonly path: string;
  /** Origin of the shadow. */
  readonly backend: string;
  readonly request_id: string | null;
  readonly diff_types: readonly ('status' | 'headers' | 'body')[];
  readonly detail: {
    readonly status_diff: {
      readonly primary: number;
      readonly mirror: number;
      readonly primary_status: number;
      readonly mirror_status: number;
    } | null;
    readonly header_diffs: readonly HeaderDiffView[];
    readonly body_diffs: readonly BodyDiffView[];
    readonly body_method: string;
    readonly note: string | null;
    readonly is_cut: boolean;
  };
  readonly status: { readonly primary: number; readonly mirror: number };
  readonly latency_ms: { readonly primary: number; readonly mirror: number };
  readonly fields: readonly string[];
  readonly curl: { readonly primary: string | null; readonly mirror: string | null };
  /** Why the commands lack the request's body; null when they do not. */
  readonly request_note: string | null;
}

export interface GroupView {
  readonly signature: string;
  readonly fields: readonly string[];
  readonly count: number;
  readonly first_seen: string;
  readonly last_seen: string;
  readonly example: EntryView | null;
}

export interface MismatchesView {
  readonly route: string;
  /** Of all time, as in GET /mirrors. */
  readonly total_mismatches: number;
  readonly stored_count: number;
  readonly capacity: number;
  readonly stored_bytes: number;
  /** What is kept besides, beyond the limits or the bytes of an answer. */
  readonly left_out: { readonly groups: number; readonly entries: number };
  readonly groups: readonly GroupView[];
  readonly entries: readonly EntryView[];
}

export type MismatchesHead = Omit<MismatchesView, 'left_out' | 'groups' | 'entries'>;

/** `store` null while nothing was found. */
export function toMismatchesHead(row: LedgerRow, store: MismatchStore | null): MismatchesHead {
  const { route } = row.entry;
  const shadows = row.shadows.filter(({ role }) => role === ROLE_SHADOW);
  return {
    route: route.id,
    total_mismatches: shadows.reduce((total, { book }) => total + book.sum(ShadowCell.mismatched), 0),
    stored_count: store?.count ?? 0,
    capacity: route.mirror?.compare?.maxMismatches ?? 0,
    stored_bytes: store?.ringBytes ?? 0,
  };
}

export function toGroupHead({ fields, count, firstMs, lastMs }: KeptGroup): Omit<GroupView, 'example'> {
  return {
    signature: createHash('sha256').update(JSON.stringify(fields)).digest('hex').slice(0, SIGNATURE_LENGTH),
    fields,
    count,
    first_seen: toTimestamp(firstMs),
    last_seen: toTimestamp(lastMs),
  };
}

export function toEntryView(route: Route, { mismatch, shadow, fields }: KeptMismatch): EntryView {
  const { diffs, primaryStatus, shadowStatus } = mismatch;
  const isStatus = diffs.some(({ field }) => field === 'status');
  const headerDiffs = diffs.filter(({ field }) => field.startsWith(HEADER)).map(toHeaderView);
  const bodyDiffs = diffs.filter(({ field }) => isBody(field)).map(toBodyView);
  return {
    timestamp: toTimestamp(mismatch.timestampMs),
    method: mismatch.method,
    path: mismatch.target,
    backend: shadow,
    request_id: mismatch.requestId,
    diff_types: [
      ...(isStatus ? (['status'] as const) : []),
      ...(headerDiffs.length > 0 ? (['headers'] as const) : []),
      ...(bodyDiffs.length > 0 ? (['body'] as const) : []),
    ],
    detail: {
      status_diff: isStatus
        ? {
            primary: primaryStatus,
            mirror: shadowStatus,
            primary_status: primaryStatus,
            mirror_status: shadowStatus,
          }
        : null,
      header_diffs: headerDiffs,
      body_diffs: bodyDiffs,
      body_method: mismatch.bodyMethod,
      note: mismatch.note,
      is_cut: mismatch.isCut,
    },
    status: { primary: primaryStatus, mirror: shadowStatus },
    latency_ms: { primary: roundMs(mismatch.primaryLatencyMs), mirror: roundMs(mismatch.shadowLatencyMs) },
    fields,
    curl: { primary: toPrimaryCurl(route, mismatch), mirror: toShadowCurl(route, shadow, mismatch) },
    request_note: findBodyNote(mismatch),
  };
}

function isBody(field: string): boolean {
  return field === 'body' || field.startsWith(BODY);
}

function toSides({ kind, primary, shadow }: FieldDiff): SidesView {
  return { kind, primary, mirror: shadow };
}

function toValues({ primary, shadow }: FieldDiff): {
  readonly primary_value: string;
  readonly mirror_value: string;
} {
  return { primary_value: primary ?? '', mirror_value: shadow ?? '' };
}

function toHeaderView(diff: FieldDiff): HeaderDiffView {
  return { header: diff.field.slice(HEADER.length), ...toSides(diff), ...toValues(diff) };
}

function toBodyView(diff: FieldDiff): BodyDiffView {
  const path = diff.at.startsWith(BODY) ? diff.at.slice(BODY.length) : ROOT;
  return { path, ...toSides(diff), type: toType(diff), details: { field: path, ...toValues(diff) } };
}

function toType({ kind, field }: FieldDiff): BodyDiffView['type'] {
  if (kind === 'digest') return 'hash_mismatch';
  return field === 'body' ? 'content_diff' : 'json_field_diff';
}

function toTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}

function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
