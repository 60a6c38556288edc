// What the documents of one or several files say together → Config.
//
// Owns the rules between documents: settings are given once, ids are taken once, and what refers to something finds it.

import type { Config, Route } from '../core/model.ts';
import type { Remark } from './apisix/remark.ts';
import type { FindResource, Place, Resource, ResourceKind } from './apisix/resource.ts';
import { findPlace } from './apisix/resource-shape.ts';
import { translateRoute, translateUnused } from './apisix/route.ts';
import type { Bundle, BundledFile, UmbraDocument } from './bundle.ts';
import { DEFAULTS, PATTERNS_MAX } from './defaults.ts';
import { countPatterns } from './path-pattern.ts';
import type { Loose } from './shape.ts';
import type { Tree } from './source.ts';
import { toConfig } from './umbra/config.ts';
import { toRoutes } from './umbra/route.ts';
import type { UmbraInput } from './umbra/schema.ts';
import { type Translation, toTimeouts } from './umbra/upstream.ts';

type Section = keyof Loose<UmbraInput>;

/**
 * The config of `files`, which are some or all of the bundle's; what they refer to may be in any of it. It is worth nothing
 * when the files have problems after this.
 */
export function assemble(bundle: Bundle, files: readonly BundledFile[]): Config {
  const documents = files.flatMap((file) => file.umbra);
  const resources = files.flatMap((file) => file.resources);
  const config = toSettings(documents, files);
  const own = toRoutes(
    documents.map(({ input, translation }) => ({ inputs: input.routes ?? [], translation })),
  );
  checkIds(documents, resources, bundle);
  const timeouts = toMirrorTimeouts(files);
  const translated = toApisixRoutes(resources, timeouts, bundle);
  const routes = [...own, ...translated];
  checkPatterns(routes, files);
  return {
    ...config,
    routes,
    apisixMirrorTimeouts: timeouts,
    notices: files.flatMap((file) => file.notices),
  };
}

/** The sections of all documents as if they stood in one. */
function toSettings(documents: readonly UmbraDocument[], files: readonly BundledFile[]): Config {
  const owners = new Map<Section, Translation>();
  const merged: Record<string, unknown> = {};
  for (const { input, translation } of documents) {
    for (const section of Object.keys(input) as Section[]) {
      if (section === 'routes') continue;
      const other = owners.get(section);
      if (other === undefined) {
        owners.set(section, translation);
        merged[section] = input[section];
        continue;
      }
      const { report } = translation;
      const message = `is given twice: it stands in ${report.name(other.report, [section])} too`;
      report.add({ path: [section], rule: 'duplicate', message, atKey: true });
    }
  }
  const [first] = files;
  const fallback = documents[0]?.translation ?? { report: first!.reports[0]!, folder: first!.folder };
  return toConfig(merged as Loose<UmbraInput>, (section) => owners.get(section) ?? fallback);
}

function checkPatterns(routes: readonly Route[], files: readonly BundledFile[]): void {
  const patterns = routes.reduce((sum, route) => sum + countPatterns(route), 0);
  if (patterns <= PATTERNS_MAX) return;
  const message = `must have at most ${PATTERNS_MAX} pairs of a host and a path in all routes together`;
  files[0]!.reports[0]!.add({ path: ['routes'], rule: 'range', message, found: patterns });
}

function checkIds(documents: readonly UmbraDocument[], resources: readonly Resource[], bundle: Bundle): void {
  const taken = new Map<string, Place>();
  const take = (kind: ResourceKind, id: string, place: Place): void => {
    const key = `${kind}/${id}`;
    const other = taken.get(key);
    if (other === undefined) {
      taken.set(key, place);
      return;
    }
    const { report, path } = place;
    const where = report.name(other.report, other.path);
    const message = `is the id of another ${kind.slice(0, -1)} too, in ${where}`;
    report.add({ path, rule: 'duplicate', message, found: id });
  };
  for (const { input, translation } of documents) {
    for (const [index, route] of (input.routes ?? []).entries()) {
      if (route?.id === undefined) continue;
      take('routes', route.id, { report: translation.report, path: ['routes', index, 'id'] });
    }
  }
  for (const { kind, id, value } of resources) {
    take(kind, id, findPlace(value, value.id === undefined ? [] : ['id'], bundle.places));
  }
}

function toMirrorTimeouts(files: readonly BundledFile[]): Config['apisixMirrorTimeouts'] {
  const [first, ...more] = files.flatMap((file) => file.timeouts);
  for (const { place } of more) {
    const { report, path } = place;
    const where = report.name(first!.place.report, first!.place.path);
    const message = `is given twice: it stands in ${where} too`;
    report.add({ path, rule: 'duplicate', message, atKey: true });
  }
  return first?.timeouts ?? toTimeouts(undefined, DEFAULTS.apisixMirrorTimeout);
}

function toApisixRoutes(
  resources: readonly Resource[],
  mirrorTimeouts: Config['apisixMirrorTimeouts'],
  bundle: Bundle,
): readonly Route[] {
  const find = createFind(resources, bundle);
  const routes: Route[] = [];
  for (const { kind, id, value, moreShadows } of resources) {
    if (kind !== 'routes') continue;
    const { route, problems, notices } = translateRoute(id, value, find, { mirrorTimeouts, moreShadows });
    for (const problem of problems) addProblem(problem, bundle);
    for (const notice of notices) {
      const place = findPlace(notice.value, notice.path, bundle.places);
      bundle.ownerOf(place).addNotice(place, notice.message, notice.found, id);
    }
    if (route !== null) routes.push(route);
  }
  return routes;
}

/** What the resources themselves have comes before what other files have. */
function createFind(resources: readonly Resource[], bundle: Bundle): FindResource {
  const values = new Map<string, Tree>();
  for (const { kind, id, value } of [...bundle.files.flatMap((file) => file.resources), ...resources]) {
    values.set(`${kind}/${id}`, value);
  }
  return (kind, id) => {
    const value = values.get(`${kind}/${id}`);
    if (value !== undefined) bundle.used.add(value);
    return value;
  };
}

/** No route shows what is wrong with them. It is no problem as long as none does. For after all assembling. */
export function noticeUnused(bundle: Bundle, files: readonly BundledFile[]): void {
  const unused = files
    .flatMap((file) => file.resources)
    .filter(({ kind, value }) => kind !== 'routes' && !bundle.used.has(value));
  const find = createFind([], bundle);
  for (const { kind, id, value } of unused) {
    for (const problem of translateUnused(kind, id, value, find)) {
      const place = findPlace(problem.value, problem.path, bundle.places);
      const message = `no route uses this ${kind.slice(0, -1)}, and one that did would be refused: ${problem.message}`;
      bundle.ownerOf(place).addNotice(place, message, problem.found);
    }
  }
}

function addProblem({ value, path, rule, message, found }: Remark, { places }: Bundle): void {
  const place = findPlace(value, path, places);
  // The source has told already why this value cannot be known.
  if (place.report.isUnresolved(place.path)) return;
  place.report.add({ path: place.path, rule, message, found });
}
