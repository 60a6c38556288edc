// Whether a value is a resource as APISIX would take it, in APISIX's own words.
//
// Owns the order in which APISIX looks, and what it says about whole resources and plugins. Never changes the value.

import type { ValidateFunction } from 'ajv';
import { findExpressionProblem } from '../../core/expression.ts';
import { createShape } from '../shape.ts';
import type { Tree } from '../source.ts';
import { listMisfits, type Misfit } from './misfit.ts';
import type { FindResource, ResourceKind } from './resource.ts';
import { RESOURCE_SCHEMAS } from './schema.ts';

const PLUGINS = 'plugins';
const MISFITS_MAX = 20;
const TEXT_LENGTH_MAX = 8192;

export const RESOURCE_SHAPES: Readonly<Record<ResourceKind, ValidateFunction>> = {
  routes: createShape(RESOURCE_SCHEMAS.routes),
  upstreams: createShape(RESOURCE_SCHEMAS.upstreams),
  services: createShape(RESOURCE_SCHEMAS.services),
};

/**
 * What APISIX says about a value that it would refuse, without the `error_msg` around it; null when it is right.
 * References are not looked up, and what umbra does not serve is right here: translateRoute says so.
 */
export function checkResource(kind: ResourceKind, value: unknown): string | null {
  const misfits = listMisfits(RESOURCE_SHAPES[kind], value);
  if (isTree(value) && kind === 'routes') {
    if ('host' in value && 'hosts' in value) return 'only one of host or hosts is allowed';
    if ('remote_addr' in value && 'remote_addrs' in value) {
      return 'only one of remote_addr or remote_addrs is allowed';
    }
  }
  const [ofPlugins, own] = [true, false].map((is) =>
    misfits.filter((misfit) => isAboutPlugins(misfit) === is),
  );
  if (own!.length > 0) return toList('invalid configuration: ', own!, (misfit) => misfit.toText(0));
  const resource = value as Tree;
  const upstream = kind === 'upstreams' ? resource : resource.upstream;
  const upstreamProblem = isTree(upstream) ? findUpstreamProblem(upstream) : null;
  if (upstreamProblem !== null) return upstreamProblem;
  if (ofPlugins!.length > 0) return toList('', ofPlugins!, (misfit) => toPluginText(misfit, resource));
  return findVarsProblem(resource);
}

/** A client may send what has any number of misfits, and texts of any length. */
function toList(head: string, misfits: readonly Misfit[], toText: (misfit: Misfit) => string): string {
  const text = head + misfits.slice(0, MISFITS_MAX).map(toText).join('; ');
  const cut = text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text;
  return misfits.length > MISFITS_MAX ? `${cut}; … and ${misfits.length - MISFITS_MAX} more` : cut;
}

/** What APISIX says about a reference that leads nowhere. */
export function checkReferences(value: Tree, find: FindResource): string | null {
  for (const [key, kind, name] of [
    ['upstream_id', 'upstreams', 'upstream'],
    ['service_id', 'services', 'service'],
  ] as const) {
    const id = value[key];
    if (id === undefined || find(kind, String(id)) !== undefined) continue;
    return `failed to fetch ${name} info by ${name} id [${id}], response code: 404`;
  }
  return null;
}

/** What stands in a resource's plugins, not whether they are a mapping. */
function isAboutPlugins({ path, unknownKey }: Misfit): boolean {
  return path[0] === PLUGINS && (path.length > 1 || unknownKey !== null);
}

function toPluginText(misfit: Misfit, { plugins }: Tree): string {
  const name = misfit.path[1];
  if (name === undefined) return `unknown plugin [${misfit.unknownKey}]`;
  const config = (plugins as Tree)[name];
  if (typeof config !== 'object' || config === null) {
    return `invalid plugin conf ${JSON.stringify(config)} for plugin [${name}]`;
  }
  return `failed to check the configuration of plugin ${name} err: ${misfit.toText(2)}`;
}

function findUpstreamProblem(upstream: Tree): string | null {
  const { pass_host: passHost, upstream_host: host, type, hash_on: hashOn, key } = upstream;
  if (passHost === 'rewrite' && (host === undefined || host === '')) {
    return "`upstream_host` can't be empty when `pass_host` is `rewrite`";
  }
  if (type === 'chash' && hashOn !== 'consumer' && key === undefined) return 'missing key';
  return null;
}

/** The conditions under which plugins are used, then the route's: so APISIX looks. */
function findVarsProblem({ vars, plugins }: Tree): string | null {
  for (const [name, config] of isTree(plugins) ? Object.entries(plugins) : []) {
    const problem = toVarsProblem(toFilter(config));
    if (problem !== null) return `failed to check the configuration of plugin ${name} err: ${problem}`;
  }
  return toVarsProblem(vars);
}

function toVarsProblem(expression: unknown): string | null {
  // Lua's empty table may be written as `{}`.
  if (!Array.isArray(expression)) return null;
  const problem = findExpressionProblem(expression);
  return problem === null ? null : `failed to validate the 'vars' expression: ${problem.message}`;
}

function toFilter(config: unknown): unknown {
  const meta = isTree(config) ? config._meta : undefined;
  return isTree(meta) ? meta.filter : undefined;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
