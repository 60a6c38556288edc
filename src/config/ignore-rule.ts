// From a field that differs to the rule that lets it differ, as YAML and in an object of the Admin API.
//
// Owns which fields a rule can name. Never changes the object that it is given. Fields come from answers of shadows: their
// text is quoted wherever it is written.

import { isPathProblem, parseJsonPath } from '../core/diff/json-path.ts';
import { isToken } from '../core/headers.ts';
import { UMBRA_COMPARE } from './apisix/plugin-schema.ts';
import { KEY_LENGTH_MAX } from './defaults.ts';
import type { Tree } from './source.ts';
import { Block, Flow, toYamlText } from './umbra/yaml-text.ts';

export interface IgnoreRule {
  readonly key: 'ignore_headers' | 'ignore_json_fields';
  readonly value: string;
}

const HEADER = 'header:';
const BODY = 'body:';

/**
 * The rule that ignores a field of core/diff/answer-diff.ts. Null when there is none: for `status`; for a body as a whole,
 * because that would leave next to nothing to compare, so whoever wants it writes `$` by hand; and for a name that no rule
 * may have.
 */
export function toIgnoreRule(field: string): IgnoreRule | null {
  if (field.startsWith(HEADER)) {
    const value = field.slice(HEADER.length).toLowerCase();
    return isToken(value) && value.length <= KEY_LENGTH_MAX ? { key: 'ignore_headers', value } : null;
  }
  if (!field.startsWith(BODY)) return null;
  const value = field.slice(BODY.length);
  const path = parseJsonPath(value);
  return isPathProblem(path) || path.length === 0 ? null : { key: 'ignore_json_fields', value };
}

/** A line of YAML for a route's `compare`; where the key stands already the entry goes into its list. */
export function toIgnoreLine({ key, value }: IgnoreRule): string {
  return toYamlText(new Block().put(key, new Flow([value]))).trimEnd();
}

/**
 * Why a rule in the umbra-compare plugin of this route of the Admin API would be without effect: only comparing in detail
 * looks at fields. Null when it would have one. Whether to compare, and how, is not decided by ignoring a field.
 */
export function findObstacle(route: Tree, service: Tree | null = null): string | null {
  const plugin = findPlugin(route, service);
  if (plugin === undefined) return `nothing is compared: the route has no plugin ${UMBRA_COMPARE}`;
  const { enabled, disable, _meta, detailed_diff: detailed } = toTree(plugin);
  if (enabled === false || (toTree(_meta).disable ?? disable) === true) {
    return `nothing is compared: the route's plugin ${UMBRA_COMPARE} is switched off`;
  }
  if (detailed === true) return null;
  return `fields are not compared: the route's plugin ${UMBRA_COMPARE} has no detailed_diff: true`;
}

/**
 * A route of the Admin API with the rule in its umbra-compare plugin. A route's plugin takes the place of its service's, so
 * what the service says is taken over into it.
 */
export function withIgnored(route: Tree, { key, value }: IgnoreRule, service: Tree | null = null): Tree {
  const compare = toTree(findPlugin(route, service));
  const list = Array.isArray(compare[key]) ? (compare[key] as readonly unknown[]) : [];
  const isNamed = list.some((item) => isSame(key, item, value));
  const names = isNamed ? list : [...list, value];
  return { ...route, plugins: { ...toTree(route.plugins), [UMBRA_COMPARE]: { ...compare, [key]: names } } };
}

/** Undefined when neither has it. */
function findPlugin(route: Tree, service: Tree | null): unknown {
  return toTree(route.plugins)[UMBRA_COMPARE] ?? toTree(service?.plugins)[UMBRA_COMPARE];
}

/** Headers are named in any case. */
function isSame(key: IgnoreRule['key'], item: unknown, value: string): boolean {
  if (typeof item !== 'string') return false;
  return (key === 'ignore_headers' ? item.toLowerCase() : item) === value;
}

/** Lua's empty table may be written as a list. */
function toTree(value: unknown): Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Tree) : {};
}
