// Which items of a list a request asks for: by name, path, label and reference, and then one page of them.
//
// Throws a Refusal for a parameter that makes no sense; one that it does not know is not looked at, as in APISIX.

import { type CatalogItem, Refusal } from '../catalog.ts';
import { isObject } from './patch.ts';
import { search } from './search.ts';

const PAGE_SIZE_MIN = 10;
const PAGE_SIZE_MAX = 500;
/** What `filter=` compares. */
const REFERENCES = ['service_id', 'upstream_id'] as const;

export interface Selection {
  readonly items: readonly CatalogItem[];
  /** How many there are on all pages together. */
  readonly total: number;
}

export function selectItems(all: readonly CatalogItem[], query: URLSearchParams): Selection {
  let items = searchItems(all, 'name', query, ({ name }) => [name]);
  items = searchItems(items, 'uri', query, ({ uri, uris }) => [uri, ...(Array.isArray(uris) ? uris : [])]);
  const label = query.get('label');
  if (label !== null) items = items.filter(({ value }) => hasLabel(value.labels, label));
  const wanted = new URLSearchParams(query.get('filter') ?? '');
  for (const reference of REFERENCES) {
    const id = wanted.get(reference);
    if (id !== null) items = items.filter(({ value }) => String(value[reference] ?? '') === id);
  }
  return { items: findPage(items, query), total: items.length };
}

function searchItems(
  items: readonly CatalogItem[],
  parameter: string,
  query: URLSearchParams,
  findTexts: (value: CatalogItem['value']) => readonly unknown[],
): readonly CatalogItem[] {
  const pattern = query.get(parameter);
  if (pattern === null) return items;
  const groups = items.map(({ value }) => findTexts(value).filter((text) => typeof text === 'string'));
  const isFound = search(parameter, pattern, groups);
  return items.filter((_item, index) => isFound[index]);
}

/** The label's key, or its key and value with a colon between them. */
function hasLabel(labels: unknown, wanted: string): boolean {
  if (!isObject(labels)) return false;
  return Object.entries(labels).some(
    ([key, value]) => key === wanted || `${key}:${String(value)}` === wanted,
  );
}

function findPage(items: readonly CatalogItem[], query: URLSearchParams): readonly CatalogItem[] {
  const text = query.get('page_size');
  if (text === null) return items;
  const size = toInteger(text);
  if (!(size >= PAGE_SIZE_MIN && size <= PAGE_SIZE_MAX)) {
    throw new Refusal(400, { error_msg: `page_size must be between ${PAGE_SIZE_MIN} and ${PAGE_SIZE_MAX}` });
  }
  const page = toInteger(query.get('page') ?? '');
  const start = page >= 1 ? (page - 1) * size : 0;
  return items.toSorted((a, b) => a.createdIndex - b.createdIndex).slice(start, start + size);
}

/** NaN when it is not one; any length, as a page far behind the last is an empty one. */
function toInteger(text: string): number {
  return /^-?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
}
