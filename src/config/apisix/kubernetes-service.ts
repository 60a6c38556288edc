// A Kubernetes Service → where it can be reached from inside the cluster.
//
// Owns names and ports. umbra leaves the choice of a pod to the cluster: it connects to the Service, not to endpoints.

import type { Path } from '../problem.ts';
import { type Cluster, type Manifest, placeOf } from './kubernetes-object.ts';
import type { ServiceSpec } from './kubernetes-schema.ts';

export interface ServiceAddress {
  readonly host: string;
  readonly port: number;
  /** `http`, unless the port says that it speaks https. */
  readonly scheme: 'http' | 'https';
}

export interface ServiceReference {
  readonly name: string;
  readonly namespace?: string | undefined;
  /** By number or name. */
  readonly port: number | string | undefined;
}

/** Null, and a problem at `path` or below, when the Service or its port is missing. */
export function findService(
  reference: ServiceReference,
  from: Manifest,
  path: Path,
  keys: { readonly name: string; readonly port: string },
  cluster: Cluster,
): ServiceAddress | null {
  const { name, namespace, port } = reference;
  const service = cluster.find<ServiceSpec>(from, [...path, keys.name], ['Service'], name, namespace);
  if (service === null) return null;
  const { type, externalName, clusterIP, ports = [] } = service.spec;
  const listed =
    port === undefined
      ? undefined
      : ports.find((candidate) => candidate?.port === port || candidate?.name === port);
  const scheme = /(?:^|\/)(?:https|wss)$/.test(listed?.appProtocol ?? '') ? 'https' : 'http';
  const isExternal = type === 'ExternalName';
  if (listed?.port !== undefined) {
    // A headless Service's name leads straight to its pods, which listen on the target port.
    const isDirect = clusterIP === 'None' && typeof listed.targetPort === 'number';
    const number = isDirect ? Number(listed.targetPort) : listed.port;
    return { host: toHost(service, isExternal ? externalName : undefined), port: number, scheme };
  }
  // An external name needs no list of ports.
  if (isExternal && typeof port === 'number') {
    return { host: toHost(service, externalName), port, scheme };
  }
  const place = placeOf(from, [...path, keys.port]);
  // Of a port that is no port it was told already.
  if (place.report.hasProblemUnder(place.path.slice(0, -1), [keys.port])) return null;
  const title = `Service ${service.namespace}/${service.name}`;
  const message = port === undefined ? 'is missing' : `is not a port of ${title}`;
  place.report.add({
    path: place.path,
    rule: 'required',
    message,
    ...(port === undefined ? {} : { found: port }),
  });
  return null;
}

/** The name of an ExternalName Service, or the one by which the cluster's own DNS knows a Service. */
export function toHost(service: Manifest, externalName: string | undefined): string {
  return externalName ?? `${service.name}.${service.namespace}.svc`;
}
