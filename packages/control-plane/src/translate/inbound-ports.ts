import type { ConnectionPoolSettings } from '@ripstop/istio-api';
import { localhostsOf } from '../model/address-families.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { type Protocol, parseProtocol } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../push/service.ts';
import type { IngressListener, SidecarObject } from '../push/sidecar-spec.ts';

/** A port that this node serves, because a Service says so or its Sidecar. */
export interface InboundPort {
  /** Number on the workload. */
  readonly targetPort: number;
  /** Number on the (first) service. */
  readonly port: number;
  readonly protocol: Protocol;
  /** Empty for a port of the Sidecar that no Service names. */
  readonly services: readonly MeshService[];
  /** Set for ports of the Sidecar. */
  readonly ingress?: SidecarIngress | undefined;
  /** Of the Sidecar; takes the place of what a DestinationRule says. */
  readonly connectionPool: ConnectionPoolSettings | undefined;
}

export interface SidecarIngress {
  readonly sidecar: SidecarObject;
  /** Where the app listens; undefined = where the connection came to. */
  readonly endpoint: { readonly address: string; readonly port: number } | undefined;
  /** Address that the listener has. */
  readonly bind: string;
  /** Connections come to the port itself: nothing captures them (captureMode NONE). */
  readonly opens: boolean;
}

/** Workload ports by number: those of the Sidecar's ingress listeners where it has some, else those of the Services. */
export function inboundPorts(node: ProxyNode, push: PushContext): InboundPort[] {
  const ofServices = servicePorts(node, push);
  const { sidecar } = push.scopeFor(node);
  if (sidecar === undefined) return ofServices;
  const { ingress = [], inboundConnectionPool } = sidecar.spec;
  if (ingress.length === 0) return ofServices.map((port) => ({ ...port, connectionPool: inboundConnectionPool }));
  const ports = new Map<number, InboundPort>();
  for (const listener of ingress) {
    const { number } = listener.port;
    if (ports.has(number)) continue;
    const bind = listener.bind ?? '';
    ports.set(number, {
      targetPort: number,
      port: number,
      protocol: parseProtocol(listener.port.protocol ?? ''),
      services: ofServices.filter(({ targetPort }) => targetPort === number).flatMap(({ services }) => services.slice(0, 1)),
      connectionPool: listener.connectionPool ?? inboundConnectionPool,
      ingress: {
        sidecar,
        endpoint: endpointOf(listener, node),
        bind: bind === '' ? (node.ipAddresses[0] ?? '0.0.0.0') : bind,
        // A process of ours opens its ports itself.
        opens: listener.captureMode === 'NONE' && !node.ripstop,
      },
    });
  }
  return byNumber(ports);
}

/** Ports that Services name. When several name one, the oldest decides about its protocol (istiod's rule). */
export function servicePorts(node: ProxyNode, push: PushContext): InboundPort[] {
  const ports = new Map<number, InboundPort>();
  for (const { service, port, targetPort } of serviceTargets(node, push)) {
    const known = ports.get(targetPort);
    if (known === undefined)
      ports.set(targetPort, { targetPort, port: port.port, protocol: port.protocol, services: [service], connectionPool: undefined });
    else if (port.port === known.port && !known.services.includes(service))
      ports.set(targetPort, { ...known, services: [...known.services, service] });
  }
  return byNumber(ports);
}

/** A port of a service that a node serves. */
export interface ServiceTarget {
  readonly service: MeshService;
  readonly port: MeshServicePort;
  readonly targetPort: number;
}

/** Oldest service first. */
export function serviceTargets(node: ProxyNode, push: PushContext): ServiceTarget[] {
  return servedBy(node, push).flatMap((service) =>
    [...service.ports, ...service.udpPorts].flatMap((port) => {
      const targetPort = servedPort(node, push, service, port);
      return targetPort === undefined ? [] : [{ service, port, targetPort }];
    }),
  );
}

function byNumber(ports: ReadonlyMap<number, InboundPort>): InboundPort[] {
  return [...ports.values()].sort((a, b) => a.targetPort - b.targetPort);
}

/**
 * A ServiceEntry is served by whoever has an address of its own endpoints, not of another's with the same host (Istio:
 * GetProxyServiceTargets); our own processes, which may share one, by their labels.
 */
function servedBy(node: ProxyNode, push: PushContext): MeshService[] {
  const selecting = push.servicesOfWorkload(node.namespace, node.labels);
  const services = node.ripstop
    ? [...selecting]
    : [...selecting.filter(({ registry }) => registry === 'Kubernetes'), ...(externalsOf(push.services).get(node.namespace) ?? [])];
  return services.sort(byAge);
}

const externals = new WeakMap<readonly MeshService[], ReadonlyMap<string, readonly MeshService[]>>();

/** ServiceEntries by namespace; looked for once in each list. */
function externalsOf(services: readonly MeshService[]): ReadonlyMap<string, readonly MeshService[]> {
  let known = externals.get(services);
  if (known === undefined) {
    known = Map.groupBy(
      services.filter(({ registry }) => registry === 'External'),
      ({ namespace }) => namespace,
    );
    externals.set(services, known);
  }
  return known;
}

function servedPort(node: ProxyNode, push: PushContext, service: MeshService, port: MeshServicePort): number | undefined {
  if (service.registry === 'External' && !node.ripstop)
    return push.endpoints(service, port).find(({ address, entry }) => entry === service.name && node.ipAddresses.includes(address))
      ?.workloadPort;
  return typeof port.targetPort === 'number' ? port.targetPort : namedPort(node, push, port.targetPort);
}

/** Istio: SetServiceTargets. */
function byAge(
  { hostname: a, object: { metadata: first } }: MeshService,
  { hostname: b, object: { metadata: second } }: MeshService,
): number {
  return first.creationTimestamp - second.creationTimestamp || (a < b ? -1 : 1);
}

function namedPort(node: ProxyNode, push: PushContext, name: string): number | undefined {
  return push.instance(`${node.name}.${node.namespace}`)?.ports.find((port) => port.name === name)?.workloadPort;
}

const LOCALHOST: ReadonlySet<string> = new Set(['127.0.0.1', '::1']);

/** `127.0.0.1:8080`, `0.0.0.0:8080` (the workload's own address) or a Unix socket (istiod: buildInboundClustersFromSidecar). */
function endpointOf({ defaultEndpoint = '' }: IngressListener, node: ProxyNode): SidecarIngress['endpoint'] {
  const { ipAddresses } = node;
  if (defaultEndpoint === '') return undefined;
  if (defaultEndpoint.startsWith('unix://')) return { address: defaultEndpoint.slice('unix://'.length), port: 0 };
  const colon = defaultEndpoint.lastIndexOf(':');
  const host = defaultEndpoint.slice(0, colon).replace(/^\[|\]$/g, '');
  const port = Number(defaultEndpoint.slice(colon + 1));
  if (colon === -1 || !Number.isInteger(port)) return undefined;
  const localhosts = localhostsOf(node);
  if (LOCALHOST.has(host)) return { address: localhosts.find((address) => address === host) ?? localhosts[0], port };
  if (host === '0.0.0.0') return { address: ipAddresses.find((address) => !address.includes(':')) ?? '127.0.0.1', port };
  if (host === '::') return { address: ipAddresses.find((address) => address.includes(':')) ?? '::1', port };
  return undefined;
}
