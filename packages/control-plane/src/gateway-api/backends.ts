import type { Destination, MeshObject, ServiceEntrySpec } from '@ripstop/istio-api';
import type { Path, Problem } from './conditions.ts';
import type { ReferenceGrants, Referrer } from './reference-grants.ts';
import type { BackendRef } from './route-types.ts';

/** Where a reference that is refused leads: to no cluster, under the name that istiod gives it. */
export const NOWHERE: Destination = { host: 'UnknownService' };

/** A backend as a VirtualService names it. `fatal`: the whole document makes no routes (Istio: a hard error). */
export interface ResolvedBackend {
  readonly destination: Destination;
  readonly problem: Problem | undefined;
  readonly fatal: boolean;
}

/** What resolving a backend needs to know of who asks. */
export interface BackendScope extends Referrer {
  /** Routes of Gateways ask for ReferenceGrants, those of the mesh do not (Istio). */
  readonly asksGrants: boolean;
}

/** Finds the hosts of backendRefs (Istio: buildDestination). */
export class Backends {
  private readonly domain: string;
  private readonly grants: ReferenceGrants;
  /** `namespace/name`. */
  private readonly services = new Set<string>();
  /** `namespace/host`. */
  private readonly hosts = new Set<string>();

  constructor(objects: readonly MeshObject[], grants: ReferenceGrants, domain: string) {
    this.domain = domain;
    this.grants = grants;
    for (const { apiVersion, kind, metadata, spec } of objects) {
      const { namespace, name } = metadata;
      if (apiVersion === 'v1' && kind === 'Service') {
        this.services.add(`${namespace}/${name}`);
        this.hosts.add(`${namespace}/${name}.${namespace}.svc.${domain}`);
      }
      if (kind === 'ServiceEntry') for (const host of (spec as ServiceEntrySpec).hosts ?? []) this.hosts.add(`${namespace}/${host}`);
    }
  }

  hasService(namespace: string, name: string): boolean {
    return this.services.has(`${namespace}/${name}`);
  }

  resolve(ref: BackendRef, scope: BackendScope, path: Path): ResolvedBackend {
    const { name, group = '', kind = 'Service', namespace = scope.namespace } = ref;
    if (scope.asksGrants && !this.grants.allows(scope, { group, kind, name, namespace })) {
      const from = `a ${scope.kind} in namespace "${scope.namespace}"`;
      return nowhere('RefNotPermitted', `backendRef ${name}/${namespace} not accessible to ${from} (missing a ReferenceGrant?)`, path);
    }
    switch (`${group}/${kind}`) {
      case '/Service':
        if (name.includes('.')) {
          return fatal('service name invalid; the name of the Service must be used, not the hostname.', [...path, 'name']);
        }
        return this.found(`${name}.${namespace}.svc.${this.domain}`, this.services.has(`${namespace}/${name}`), ref, path);
      case 'multicluster.x-k8s.io/ServiceImport':
        return this.found(`${name}.${namespace}.svc.${this.domain}`, this.services.has(`${namespace}/${name}`), ref, path);
      case 'networking.istio.io/Hostname':
        if (ref.namespace !== undefined) return fatal('namespace may not be set with Hostname type', [...path, 'namespace']);
        return this.found(name, this.hosts.has(`${namespace}/${name}`), ref, path);
      default:
        return nowhere('InvalidKind', `referencing unsupported backendRef: group "${group}" kind "${kind}"`, [...path, 'kind']);
    }
  }

  /** One that does not exist keeps its name: when it comes, the route is there already. */
  private found(host: string, exists: boolean, { port }: BackendRef, path: Path): ResolvedBackend {
    if (port === undefined) return fatal('port is required in backendRef', path);
    const problem = { reason: 'BackendNotFound', message: `backend(${host}) not found`, path: [...path, 'name'] };
    return { destination: { host, port: { number: port } }, problem: exists ? undefined : problem, fatal: false };
  }
}

function nowhere(reason: string, message: string, path: Path): ResolvedBackend {
  return { destination: NOWHERE, problem: { reason, message, path }, fatal: false };
}

function fatal(message: string, path: Path): ResolvedBackend {
  return { destination: NOWHERE, problem: { reason: 'InvalidDestination', message, path }, fatal: true };
}
