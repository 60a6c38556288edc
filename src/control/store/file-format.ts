// How resources are written in a file: JSON with a format number, the store's revision and a SHA-256 of what it holds.
//
// Owns the format. Takes a file whole or not at all: what was cut off, changed or written by somebody else is never guessed at.

import { createHash } from 'node:crypto';
import { RESOURCE_KINDS, type ResourceKind } from '../../config/apisix/resource.ts';
import { type JsonObject, type StoredResource, toKey } from './store.ts';

const FORMAT = 1;
/** A resource a line, so that two files can be compared by eye. */
const SEPARATOR = ',\n';

export interface Snapshot {
  readonly revision: number;
  readonly resources: ReadonlyMap<string, StoredResource>;
}

/** What is wrong with the text, in a few words. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}

/** One resource as its line has it. */
export function toResourceText(resource: StoredResource): string {
  const { kind, id, createdIndex, modifiedIndex, value } = resource;
  return JSON.stringify({ kind, id, createdIndex, modifiedIndex, value });
}

/** `resources` by toResourceText. */
export function toFileText(revision: number, resources: Iterable<string>): string {
  const body = [...resources].join(SEPARATOR);
  const sha256 = toChecksum(revision, body);
  return `{"format":${FORMAT},"revision":${revision},"sha256":"${sha256}","resources":[\n${body}\n]}\n`;
}

function toChecksum(revision: number, body: string): string {
  return createHash('sha256').update(`${revision}\n${body}`).digest('hex');
}

/** Throws FormatError. White space may be another than it was written with; nothing else may. */
export function parseFileText(text: string): Snapshot {
  if (text.trim() === '') throw new FormatError('it is empty');
  const { format, revision, sha256, resources } = parseObject(text);
  if (!isIndex(format)) throw new FormatError('it is not a file with routes of umbra');
  if (format > FORMAT) {
    throw new FormatError(
      `it has format ${format}, and this version of umbra knows ${FORMAT}: it was written by a newer one`,
    );
  }
  if (!isIndex(revision) || !Array.isArray(resources))
    throw new FormatError('it is damaged: parts are missing');
  const body = resources.map((resource) => JSON.stringify(resource)).join(SEPARATOR);
  if (sha256 !== toChecksum(revision, body)) {
    throw new FormatError('it is damaged: its checksum is not that of its content');
  }
  const found = new Map<string, StoredResource>();
  for (const resource of resources.map(toResource)) found.set(toKey(resource.kind, resource.id), resource);
  if (found.size !== resources.length) throw new FormatError('it is damaged: it has a resource twice');
  return { revision, resources: found };
}

function parseObject(text: string): JsonObject {
  let tree: unknown;
  try {
    tree = JSON.parse(text);
  } catch {
    throw new FormatError('it is damaged: it is not valid JSON, or was cut off');
  }
  if (!isObject(tree)) throw new FormatError('it is not a file with routes of umbra');
  return tree;
}

function toResource(tree: unknown): StoredResource {
  if (isObject(tree)) {
    const { kind, id, value, createdIndex, modifiedIndex } = tree;
    const isWhole = isKind(kind) && typeof id === 'string' && isObject(value);
    if (isWhole && isIndex(createdIndex) && isIndex(modifiedIndex)) {
      return { kind, id, value, createdIndex, modifiedIndex };
    }
  }
  throw new FormatError('it is damaged: it has something that is not a resource');
}

function isObject(tree: unknown): tree is JsonObject {
  return typeof tree === 'object' && tree !== null && !Array.isArray(tree);
}

function isKind(tree: unknown): tree is ResourceKind {
  return (RESOURCE_KINDS as readonly unknown[]).includes(tree);
}

function isIndex(tree: unknown): tree is number {
  return Number.isSafeInteger(tree) && (tree as number) >= 0;
}
