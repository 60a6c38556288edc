// Which form a document of a file is written in, told by its keys alone.
//
// Owns the marks of each form. Never guesses: a document that could be two things, or none, is a problem that names them all.

import { isKubernetes, isReadManifest } from './apisix/kubernetes.ts';
import { RESOURCE_KINDS } from './apisix/resource.ts';
import { STANDALONE_KEYS } from './apisix/standalone.ts';
import { findNearest, type Path } from './problem.ts';
import type { Tree } from './source.ts';
import { UmbraSchema } from './umbra/schema.ts';

export const FORM_UMBRA = 'umbra';
/** One route of APISIX's Admin API. */
export const FORM_ROUTE = 'route';
export const FORM_STANDALONE = 'standalone';
/** APISIX's conf/config.yaml. */
export const FORM_STATIC = 'static';
export const FORM_ADC = 'adc';
export const FORM_KUBERNETES = 'kubernetes';

export type Form =
  | typeof FORM_UMBRA
  | typeof FORM_ROUTE
  | typeof FORM_STANDALONE
  | typeof FORM_STATIC
  | typeof FORM_ADC
  | typeof FORM_KUBERNETES;

/** What is wrong with a document as a whole. */
export interface Unrecognized {
  readonly path: Path;
  readonly message: string;
  readonly found?: unknown;
}

const UMBRA_KEYS = Object.keys(UmbraSchema.properties);
const UMBRA_SETTINGS = UMBRA_KEYS.filter((key) => key !== 'routes');
const UMBRA_ROUTE_KEYS = ['path', 'path_prefix', 'backends', 'host_header', 'mirror'];
const APISIX_ROUTE_KEYS = [
  'uri',
  'upstream',
  'upstream_id',
  'service_id',
  'plugins',
  'plugin_config_id',
  'status',
];
/** Of conf/config.yaml beside `plugin_attr`. */
const STATIC_KEYS = [
  'apisix',
  'deployment',
  'nginx_config',
  'etcd',
  'discovery',
  'ext-plugin',
  'stream_plugins',
  'wasm',
];
const FORMS =
  "umbra's own keys, a route object of APISIX (uri or uris), APISIX standalone (routes, upstreams, services), APISIX's config.yaml (plugin_attr), ADC (services with routes) or Kubernetes (apiVersion and kind)";

/** `hasEnd` is whether the file ends as APISIX's standalone files do. */
export function recognizeForm(tree: unknown, hasEnd: boolean): Form | Unrecognized {
  if (!isTree(tree)) return { path: [], message: 'must be a mapping', found: tree };
  if (isKubernetes(tree)) return FORM_KUBERNETES;
  const found = new Map<Form, Path>();
  const mark = (form: Form, path: Path | undefined): void => {
    if (path !== undefined && !found.has(form)) found.set(form, path);
  };
  mark(FORM_UMBRA, findKey(tree, UMBRA_SETTINGS) ?? findItemKey(tree, 'routes', UMBRA_ROUTE_KEYS));
  mark(FORM_ROUTE, findKey(tree, ['uri', 'uris']));
  mark(FORM_ADC, findItemKey(tree, 'services', ['routes']));
  const isAdc = found.has(FORM_ADC);
  mark(
    FORM_STANDALONE,
    findItemKey(tree, 'routes', APISIX_ROUTE_KEYS) ??
      findKey(tree, ['upstreams']) ??
      (isAdc ? undefined : findKey(tree, ['services'])),
  );
  const isStandalone = found.has(FORM_STANDALONE);
  mark(
    FORM_STATIC,
    findKey(tree, STATIC_KEYS) ??
      (isStandalone || 'routes' in tree ? undefined : findKey(tree, ['plugin_attr'])),
  );
  const [first, second] = found;
  if (second !== undefined) return toAmbiguous(first![1], second[1]);
  return first?.[0] ?? (hasEnd ? FORM_STANDALONE : recognizeRest(tree));
}

/** Whether what stands there means anything: what does not may hold any text, such as a script. */
export function isReadIn(form: Form, tree: Tree, path: Path): boolean {
  const key = String(path[0]);
  switch (form) {
    case FORM_KUBERNETES:
      return isReadManifest(tree, path);
    case FORM_STATIC:
      return key === 'plugin_attr' && path[1] === 'proxy-mirror';
    case FORM_STANDALONE:
      if (key === 'plugin_attr') return path[1] === 'proxy-mirror';
      return (RESOURCE_KINDS as readonly string[]).includes(key);
    case FORM_ADC:
      return key === 'services';
    default:
      return true;
  }
}

/** Of documents without any mark. */
function recognizeRest(tree: Tree): Form | Unrecognized {
  const keys = Object.keys(tree);
  if (keys.some((key) => key !== 'routes' && STANDALONE_KEYS.includes(key))) return FORM_STANDALONE;
  // Routes that say nothing of either kind are told what umbra's own need.
  if ('routes' in tree || keys.length === 0) return FORM_UMBRA;
  // A typo is a typo in umbra's own form.
  if (keys.some((key) => findNearest(key, UMBRA_KEYS) !== null)) return FORM_UMBRA;
  return { path: [keys[0]!], message: `belongs to no form that is known; there are ${FORMS}` };
}

function toAmbiguous(path: Path, other: Path): Unrecognized {
  const [one, two] = [path, other].map((steps) => String(steps.at(-1)));
  const message = `cannot stand in one document with ${one}: they belong to different forms (${FORMS}); divide them by a line ---`;
  return { path: other, message: one === two ? `belongs to different forms: ${FORMS}` : message };
}

function findKey(tree: Tree, keys: readonly string[]): Path | undefined {
  const key = keys.find((name) => name in tree);
  return key === undefined ? undefined : [key];
}

/** The first entry of that list that has one of these keys. */
function findItemKey(tree: Tree, list: string, keys: readonly string[]): Path | undefined {
  const items = tree[list];
  if (!Array.isArray(items)) return undefined;
  for (const [index, item] of items.entries()) {
    const path = isTree(item) ? findKey(item, keys) : undefined;
    if (path !== undefined) return [list, index, ...path];
  }
  return undefined;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
