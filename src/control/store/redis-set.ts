// A set of resources as one gateway knows it: in which state, and each resource beside the text that it was read from.
//
// Immutable. Owns the form of a resource's text; an unchanged text is not parsed again. Never leaves a resource out because
// its text was damaged: the last known version stays.

import { RESOURCE_KINDS, type ResourceKind } from '../../config/apisix/resource.ts';
import type { Head } from './redis-script.ts';
import { type JsonObject, type StoredResource, type StoredResources, toKey } from './store.ts';

interface Entry {
  readonly text: string;
  readonly resource: StoredResource;
}

export interface KnownSet {
  readonly head: Head;
  readonly entries: ReadonlyMap<string, Entry>;
  /** Of all texts together. */
  readonly bytes: number;
  /** Texts that could not be read, by field. */
  readonly damaged: ReadonlyMap<string, string>;
}

/** 15 digits are whole numbers still. The scripts in redis-script.ts know this form, too. */
const ENTRY = /^\{"createdIndex":(\d{1,15}),"modifiedIndex":(\d{1,15}),"value":\{/;

function toEntryText(resource: StoredResource): string {
  const { createdIndex, modifiedIndex, value } = resource;
  return `{"createdIndex":${createdIndex},"modifiedIndex":${modifiedIndex},"value":${JSON.stringify(value)}}`;
}

/** Null when it is damaged. */
function parseEntry(field: string, text: string): Entry | null {
  const slash = field.indexOf('/');
  const kind = field.slice(0, Math.max(0, slash));
  const id = field.slice(slash + 1);
  const match = ENTRY.exec(text);
  if (!(RESOURCE_KINDS as readonly string[]).includes(kind) || id === '' || match === null) return null;
  let value: JsonObject;
  try {
    value = (JSON.parse(text) as { readonly value: JsonObject }).value;
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const resource: StoredResource = {
    kind: kind as ResourceKind,
    id,
    value,
    createdIndex: Number(match[1]),
    modifiedIndex: Number(match[2]),
  };
  return { text, resource };
}

/** The form in which a set is kept elsewhere. */
export function toTexts(set: KnownSet): Record<string, string> {
  return Object.fromEntries([...set.entries].map(([field, entry]) => [field, entry.text]));
}

/** What was read, on top of what was known before. */
export function toKnownSet(
  head: Head,
  texts: ReadonlyMap<string, string>,
  before: KnownSet | null,
): KnownSet {
  const entries = new Map<string, Entry>();
  const damaged = new Map<string, string>();
  let bytes = 0;
  for (const [field, text] of texts) {
    const last = before?.entries.get(field);
    const entry = last?.text === text ? last : parseEntry(field, text);
    if (entry === null) damaged.set(field, text);
    const kept = entry ?? last;
    if (kept === undefined) continue;
    entries.set(field, kept);
    bytes += Buffer.byteLength(kept.text);
  }
  return { head, entries, bytes, damaged };
}

/** The set after one's own change. */
export function withChange(
  set: KnownSet,
  head: Head,
  kind: ResourceKind,
  id: string,
  resource: StoredResource | null,
): KnownSet {
  const field = toKey(kind, id);
  const entries = new Map(set.entries);
  const damaged = new Map(set.damaged);
  damaged.delete(field);
  let bytes = set.bytes - Buffer.byteLength(entries.get(field)?.text ?? '');
  if (resource === null) {
    entries.delete(field);
  } else {
    const text = toEntryText(resource);
    entries.set(field, { text, resource });
    bytes += Buffer.byteLength(text);
  }
  return { head, entries, bytes, damaged };
}

export function toResources(set: KnownSet): StoredResources {
  return new Map([...set.entries].map(([field, entry]) => [field, entry.resource]));
}

export function hasSameResources(one: KnownSet, other: KnownSet): boolean {
  if (one.entries.size !== other.entries.size) return false;
  for (const [field, entry] of one.entries) {
    if (other.entries.get(field)?.text !== entry.text) return false;
  }
  return true;
}

/** What an operator should know of when a set takes the place of another. */
export function findTakeoverWarnings(
  before: KnownSet | null,
  next: KnownSet,
): readonly { readonly message: string; readonly fields: Readonly<Record<string, string | number>> }[] {
  const warnings: { message: string; fields: Record<string, string | number> }[] = [];
  if (before !== null && before.head.epoch !== next.head.epoch) {
    const fields = { resources: next.entries.size, revision: next.head.revision, last: before.head.revision };
    warnings.push({ message: 'the store has another set of resources: it is taken over', fields });
  } else if (before !== null && before.head.revision > next.head.revision) {
    const fields = { revision: next.head.revision, last: before.head.revision };
    warnings.push({ message: 'the store went back to older resources: they are taken over', fields });
  }
  for (const [field, text] of next.damaged) {
    if (before?.damaged.get(field) === text) continue;
    const force = next.entries.has(field) ? 'its last known version stays in force' : 'it is left out';
    warnings.push({ message: `a resource in the store is damaged: ${force}`, fields: { field } });
  }
  return warnings;
}
