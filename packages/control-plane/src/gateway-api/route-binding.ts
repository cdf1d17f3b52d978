import type { MeshObject, ServiceEntrySpec } from '@ripstop/istio-api';
import { attach } from './attachments.ts';
import type { Backends } from './backends.ts';
import type { Path, Problem } from './conditions.ts';
import { GATEWAY_API } from './gateway-types.ts';
import { type EvaluatedGateway, type GatewayListener, takesRoutes } from './gateways.ts';
import type { ParentRef } from './route-types.ts';

/** Where a route is in force: at one listener of a Gateway, or for calls to a Service or ServiceEntry of the mesh. */
export interface Place {
  /** `<namespace>/<internal name>` of the listener; `mesh`. */
  readonly gateway: string;
  readonly listener: GatewayListener | undefined;
  /** Of the route at a listener, those that no other listener has; in the mesh the parent's. */
  readonly hosts: readonly string[];
  /** Of the parent, in the mesh; undefined = all. */
  readonly port: number | undefined;
}

/** What one parentRef comes to. */
export interface Bound {
  readonly mesh: boolean;
  readonly places: readonly Place[];
  /** How many listeners, or Services, take the route. */
  readonly accepted: number;
  readonly denials: readonly Problem[];
}

interface BindingSpec {
  readonly hostnames?: readonly string[];
}

export interface BindingInput {
  /** Every document. */
  readonly objects: readonly MeshObject[];
  readonly gateways: readonly EvaluatedGateway[];
  readonly backends: Backends;
  readonly domain: string;
}

/**
 * Finds the parents of routes. With a Service or ServiceEntry as parent they are for the mesh (GAMMA): a route in the service's namespace
 * is for every client, one in another namespace for the clients there. With a Gateway as parent they are for the listeners that take them.
 */
export class RouteBinder {
  /** How many routes each listener takes, by `namespace/<internal name>`. */
  readonly attached: Map<string, number> = new Map();
  private readonly input: BindingInput;
  /** Hosts of ServiceEntries by `namespace/name`. */
  private readonly entries = new Map<string, readonly string[]>();

  constructor(input: BindingInput) {
    this.input = input;
    for (const { kind, metadata, spec } of input.objects) {
      if (kind === 'ServiceEntry') this.entries.set(`${metadata.namespace}/${metadata.name}`, (spec as ServiceEntrySpec).hosts ?? []);
    }
  }

  /** Undefined for parents of other kinds, and for Gateways that are not ours: others may serve them. */
  bind(object: MeshObject<BindingSpec>, parent: ParentRef, path: Path): Bound | undefined {
    const { group = GATEWAY_API, kind = 'Gateway' } = parent;
    if (group === GATEWAY_API && kind === 'Gateway') return this.bindGateway(object, parent, path);
    if (group === '' && kind === 'Service') return this.bindService(object, parent, path);
    if (group === 'networking.istio.io' && kind === 'ServiceEntry') return this.bindEntry(object, parent, path);
    return undefined;
  }

  private bindGateway({ kind, metadata, spec }: MeshObject<BindingSpec>, parent: ParentRef, path: Path): Bound | undefined {
    const { name, namespace = metadata.namespace } = parent;
    const gateway = this.input.gateways.find((entry) => isNamed(entry.gateway, namespace, name));
    if (gateway === undefined) return undefined;
    const route = { kind, namespace: metadata.namespace, hostnames: spec.hostnames ?? [] };
    const attachments = attach(gateway.listeners.filter(takesRoutes), parent, route, path);
    const accepted = attachments.filter(({ denied }) => denied === undefined);
    const places = accepted.map(({ listener, hosts }): Place => {
      const key = `${namespace}/${listener.name}`;
      this.attached.set(key, (this.attached.get(key) ?? 0) + 1);
      return { gateway: key, listener, hosts, port: undefined };
    });
    return { mesh: false, places, accepted: accepted.length, denials: attachments.flatMap(({ denied }) => denied ?? []) };
  }

  private bindService({ metadata }: MeshObject, parent: ParentRef, path: Path): Bound {
    const { name, namespace = metadata.namespace } = parent;
    if (!this.input.backends.hasService(namespace, name)) return unknownParent(`parent service: "${name}" not found`, path);
    return inMesh([`${name}.${namespace}.svc.${this.input.domain}`], parent);
  }

  private bindEntry({ metadata }: MeshObject, parent: ParentRef, path: Path): Bound {
    const { name, namespace = metadata.namespace } = parent;
    const hosts = this.entries.get(`${namespace}/${name}`);
    return hosts === undefined ? unknownParent(`parent service entry: "${name}" not found`, path) : inMesh(hosts, parent);
  }
}

function inMesh(hosts: readonly string[], { port }: ParentRef): Bound {
  return { mesh: true, places: [{ gateway: 'mesh', listener: undefined, hosts, port }], accepted: 1, denials: [] };
}

function unknownParent(message: string, path: Path): Bound {
  return { mesh: true, places: [], accepted: 0, denials: [{ reason: 'NoMatchingParent', message, path: [...path, 'name'] }] };
}

function isNamed({ metadata }: MeshObject, namespace: string, name: string): boolean {
  return metadata.namespace === namespace && metadata.name === name;
}
