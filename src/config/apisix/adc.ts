// ADC's file → resources.
//
// Owns the ids of what has only a name there, and what is said of things that have no equivalent.

import type { Path } from '../problem.ts';
import { createShape, type Loose } from '../shape.ts';
import type { Tree } from '../source.ts';
import { type AdcInput, AdcSchema, type Route, type Service } from './adc-schema.ts';
import { fitDocument } from './document-shape.ts';
import { WATCHERS } from './plugin-schema.ts';
import type { DocumentTree, Resource, ResourceKind, RewriteContext } from './resource.ts';
import { isResourceId, ResourceIds } from './resource-id.ts';

const adcShape = createShape(AdcSchema);

interface Adc {
  readonly document: DocumentTree;
  readonly input: AdcInput;
}

export function rewriteAdc(documents: readonly DocumentTree[], context: RewriteContext): readonly Resource[] {
  const files = documents.map(
    (document): Adc => ({ document, input: fitDocument(adcShape, document) as AdcInput }),
  );
  const rewriting = new Rewriting(context);
  for (const file of files) noticeRest(file, context);
  const services = files.flatMap(({ document, input }) =>
    (input.services ?? []).flatMap((service, index) =>
      service?.name === undefined ? [] : [{ service, document, path: [...document.path, 'services', index] }],
    ),
  );
  // Ids that were given are taken before any is made of a name.
  for (const { service, document, path } of services) rewriting.takeGiven(service, document, path);
  return services.flatMap(({ service, document, path }) => rewriting.rewriteService(service, document, path));
}

class Rewriting {
  readonly #context: RewriteContext;
  readonly #ids = new ResourceIds();
  readonly #serviceNames = new Set<string>();

  constructor(context: RewriteContext) {
    this.#context = context;
  }

  takeGiven(service: Service, document: DocumentTree, path: Path): void {
    this.#takeGiven('services', service.id, document, path);
    for (const [index, route] of (service.routes ?? []).entries()) {
      this.#takeGiven('routes', route?.id, document, [...path, 'routes', index]);
    }
  }

  rewriteService(service: Service, document: DocumentTree, path: Path): readonly Resource[] {
    const { report } = document;
    const name = service.name!;
    if (this.#serviceNames.has(name)) {
      const message = 'is the name of another service too';
      report.add({ path: [...path, 'name'], rule: 'duplicate', message, found: name });
    }
    this.#serviceNames.add(name);
    if ((service.stream_routes ?? []).length > 0) {
      const place = { report, path: [...path, 'stream_routes'] };
      this.#context.addNotice(place, 'has no effect: umbra serves HTTP alone');
    }
    const prefix = readPrefix(service, document, path);
    const id = this.#toGiven(service.id) ?? this.#ids.claim('services', name);
    const value: Tree = {
      ...toTitle(service),
      ...pick(service, ['plugins', 'hosts']),
      ...(service.upstream === undefined ? {} : { upstream: this.#toUpstream(service.upstream) }),
    };
    this.#context.places.note(value, { report, path });
    const upstreams = (service.upstreams ?? []).flatMap((upstream): Resource[] => {
      const upstreamId = upstream?.id ?? upstream?.name;
      if (upstream === undefined || typeof upstreamId !== 'string') return [];
      return [
        {
          kind: 'upstreams',
          id: this.#ids.claim('upstreams', upstreamId),
          value: this.#toUpstream(upstream),
        },
      ];
    });
    const names = new Set<string>();
    const routes = (service.routes ?? []).flatMap((route, index): Resource[] => {
      // Of a route without its paths there is nothing else to say.
      if (route?.name === undefined || route.uris === undefined) return [];
      const at = [...path, 'routes', index];
      if (names.has(route.name)) {
        const message = 'is the name of another route of this service too';
        report.add({ path: [...at, 'name'], rule: 'duplicate', message, found: route.name });
      }
      names.add(route.name);
      const routeId = this.#toGiven(route.id) ?? this.#toRouteId(route.name, name, document, at);
      return [{ kind: 'routes', id: routeId, value: this.#toRoute(route, id, prefix, document, at) }];
    });
    return [...upstreams, { kind: 'services', id, value }, ...routes];
  }

  #toRoute(route: Route, serviceId: string, prefix: string, { report }: DocumentTree, path: Path): Tree {
    const value: Tree = {
      ...toTitle(route),
      ...pick(route, ['hosts', 'priority', 'timeout', 'vars', 'methods', 'enable_websocket']),
      ...pick(route, ['remote_addrs', 'plugins', 'filter_func', 'uris']),
      service_id: serviceId,
    };
    if (prefix !== '' && route.uris !== undefined) {
      const uris = route.uris.map((uri) => (typeof uri === 'string' ? `${prefix}${uri}` : uri));
      this.#context.places.note(uris, { report, path: [...path, 'uris'] });
      value.uris = uris;
    }
    this.#context.places.note(value, { report, path });
    return value;
  }

  /** `description` is `desc` in the Admin API, and `id` stands beside the value. */
  #toUpstream(upstream: Loose<Tree>): Tree {
    const { id, description, ...rest } = upstream as Tree;
    const value = { ...rest, ...(description === undefined ? {} : { desc: description }) };
    const place = this.#context.places.find(upstream, []);
    if (place !== null) this.#context.places.note(value, place);
    return value;
  }

  #takeGiven(kind: ResourceKind, id: string | undefined, { report }: DocumentTree, path: Path): void {
    if (this.#toGiven(id) === null || this.#ids.take(kind, id!)) return;
    const message = `is the id of another of the ${kind} too`;
    report.add({ path: [...path, 'id'], rule: 'duplicate', message, found: id });
  }

  /** An id longer than the Admin API takes is as if there were none. */
  #toGiven(id: string | undefined): string | null {
    return id !== undefined && isResourceId(id) ? id : null;
  }

  /** Names of routes are unique within their service alone. */
  #toRouteId(name: string, serviceName: string, { report }: DocumentTree, path: Path): string {
    if (isResourceId(name) && this.#ids.take('routes', name)) return name;
    if (!isResourceId(name)) return this.#ids.claim('routes', name);
    const id = this.#ids.claim('routes', `${serviceName}_${name}`);
    const message = `is the name or id of another route too, so the id of this one is ${id}`;
    this.#context.addNotice({ report, path: [...path, 'name'] }, message);
    return id;
  }
}

/** What the paths of the service's routes begin with. */
function readPrefix(service: Service, { report }: DocumentTree, path: Path): string {
  const prefix = (service.path_prefix ?? '').replace(/\/$/, '');
  if (prefix !== '' && service.strip_path_prefix !== false) {
    const message =
      'is not served unless strip_path_prefix is false: umbra passes the path on as it was received';
    report.add({ path: [...path, 'path_prefix'], rule: 'not_served', message, found: service.path_prefix });
  }
  return prefix;
}

function toTitle({ name, description, labels }: Service | Route): Tree {
  return {
    name,
    ...(description === undefined ? {} : { desc: description }),
    ...(labels === undefined ? {} : { labels: toLabels(labels) }),
  };
}

/** The Admin API's labels are texts. */
function toLabels(labels: Loose<Tree>): Tree {
  return Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

/** An empty list is as if it were not there. */
function pick<T extends object>(input: T, keys: readonly (keyof T & string)[]): Tree {
  const isThere = (value: unknown): boolean =>
    value !== undefined && !(Array.isArray(value) && value.length === 0);
  return Object.fromEntries(keys.filter((key) => isThere(input[key])).map((key) => [key, input[key]]));
}

/** What has no equivalent: a problem where ignoring it would change who may do what. */
function noticeRest({ document, input }: Adc, context: RewriteContext): void {
  const { report, path } = document;
  for (const key of ['consumers', 'consumer_groups'] as const) {
    if ((input[key] ?? []).length === 0) continue;
    const message = 'is not served: umbra knows no consumers, so nobody would be asked who they are';
    report.add({ path: [...path, key], rule: 'not_served', message, atKey: true });
  }
  for (const [index, ssl] of (input.ssls ?? []).entries()) {
    const at = [...path, 'ssls', index];
    const isGuard =
      typeof ssl === 'object' &&
      ssl !== null &&
      ('client' in ssl || ('type' in ssl && ssl.type === 'client'));
    if (isGuard) {
      const message = 'is not served: clients would not be asked for a certificate';
      report.add({ path: at, rule: 'not_served', message });
    } else {
      context.addNotice({ report, path: at }, 'has no effect: certificates are named under listen.https');
    }
  }
  for (const [name, config] of Object.entries(input.global_rules ?? {})) {
    const at = { report, path: [...path, 'global_rules', name] };
    const isWatcher = WATCHERS.test(name) || isDisabled(config);
    if (isWatcher) context.addNotice(at, 'has no effect here');
    else
      report.add({
        path: at.path,
        rule: 'not_served',
        message: 'is not served for all routes at once',
        atKey: true,
      });
  }
  for (const name of Object.keys(input.plugin_metadata ?? {})) {
    context.addNotice({ report, path: [...path, 'plugin_metadata', name] }, 'has no effect here');
  }
}

function isDisabled(config: unknown): boolean {
  const meta = (config as { _meta?: { disable?: unknown } } | null | undefined)?._meta;
  return meta?.disable === true;
}
