import type { GatewayServer, GatewaySpec, MeshObject, ServerTLSSettings } from '@ripstop/istio-api';
import { runs, servicesOfGateway } from '../gateway-api/binding.ts';
import { wildcardsOf } from '../model/address-families.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { hostMatches, type MeshService } from '../push/service.ts';
import type { VirtualService } from '../push/virtual-services.ts';
import { type MergedGateways, MergingServers } from './merged-gateways.ts';

/** One server of a Gateway that this node is to run. */
export interface GatewayPortServer {
  readonly gateway: MeshObject<GatewaySpec>;
  /** `<namespace>/<name>` of the Gateway, as VirtualServices name it. */
  readonly key: string;
  readonly server: GatewayServer;
  /** Its hosts, with the namespace that some are bound to: `shop/api.example.com`. */
  readonly hosts: readonly string[];
  /** Where the process listens: the target port of its own Service for the server's port; 0 on a Unix socket. */
  readonly targetPort: number;
  /** The address to listen at, or `unix://<path>`; '' = all addresses. */
  readonly bind: string;
  readonly kind: ServerKind;
  /** Its route configuration; '' for a server of bytes. */
  readonly routeName: string;
  /** Hosts that a ClientHello must name; empty: any. */
  readonly serverNames: readonly string[];
  /** Set when TLS ends here. */
  readonly terminates: ServerTLSSettings | undefined;
}

/** HTTP protocols that a gateway serves without TLS. */
const PLAIN: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTP_PROXY']);

/** What a server carries. */
export type ServerKind = 'http' | 'tls' | 'tcp';

/** The servers of every Gateway that selects this node, as its ports carry them. */
export function gatewayPorts(node: ProxyNode, push: PushContext): MergedGateways {
  const merging = new MergingServers();
  const services = push.servicesOfWorkload(node.namespace, node.labels);
  for (const gateway of push.gateways) {
    if (!runs(node, gateway, services)) continue;
    for (const server of gateway.spec.servers ?? []) {
      const kind = kindOf(server);
      if (kind === undefined) continue;
      for (const targetPort of listenedPorts(gateway, server.port.number, services))
        merging.add(portServer(gateway, server, kind, targetPort));
    }
  }
  return merging.result(wildcardsOf(node)[0]);
}

/** A server of protocol HTTPS or TLS without TLS settings is none: Istio's validation refuses it. */
function kindOf({ port, tls }: GatewayServer): ServerKind | undefined {
  const protocol = port.protocol.toUpperCase();
  if (PLAIN.has(protocol)) return 'http';
  if (tls !== undefined) return 'tls';
  return protocol === 'HTTPS' || protocol === 'TLS' ? undefined : 'tcp';
}

function portServer(gateway: MeshObject<GatewaySpec>, server: GatewayServer, kind: ServerKind, targetPort: number): GatewayPortServer {
  const { name, namespace } = gateway.metadata;
  const { port, tls, bind = '' } = server;
  const terminates = kind === 'tls' && !passesThrough(tls) ? tls : undefined;
  const https = terminates !== undefined && port.protocol.toUpperCase() === 'HTTPS';
  const names = hostNames(server);
  const routeName = kind === 'http' ? `http.${targetPort}` : https ? `https.${port.number}.${port.name ?? ''}.${name}.${namespace}` : '';
  return {
    gateway,
    key: `${namespace}/${name}`,
    server,
    hosts: boundNames(server, namespace),
    targetPort,
    bind,
    kind,
    routeName: `${routeName}${routeName === '' || bind === '' ? '' : `.${bind}`}`,
    serverNames: kind === 'tls' && !names.includes('*') ? names : [],
    terminates,
  };
}

function passesThrough(tls: ServerTLSSettings | undefined): boolean {
  const { mode = 'PASSTHROUGH' } = tls ?? {};
  return mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH';
}

/** Hosts without the namespace that may stand before them. */
function hostNames({ hosts }: GatewayServer): string[] {
  return [...new Set(hosts.map((host) => host.slice(host.indexOf('/') + 1)))].sort();
}

/** `.` is the Gateway's own namespace, and `*` says nothing (Istio: sanitizeServerHostNamespace). */
function boundNames({ hosts }: GatewayServer, namespace: string): string[] {
  if (hosts.includes('*/*')) return ['*'];
  return hosts.map((host) => (host.startsWith('./') ? `${namespace}${host.slice(1)}` : host.startsWith('*/') ? host.slice(2) : host));
}

/** A Service with it does not say where a Gateway that selects labels listens. */
const NO_TRANSLATION = 'experimental.istio.io/disable-gateway-port-translation';

/**
 * Where a server's port is listened on (Istio: resolvePorts): at the target port of the first Service of the workload that has it, else
 * at the port itself. A Gateway of the Gateway API means the ports of its own Services: one that none has is not opened.
 */
function listenedPorts(gateway: MeshObject<GatewaySpec>, number: number, services: readonly MeshService[]): readonly number[] {
  const own = servicesOfGateway(gateway, services);
  if (own !== undefined) return [...new Set(own.flatMap((service) => targetPorts(service, number)))];
  const [first] = services.flatMap((service) =>
    service.object.metadata.labels[NO_TRANSLATION] === undefined ? targetPorts(service, number) : [],
  );
  return [first ?? number];
}

function targetPorts({ ports }: MeshService, number: number): number[] {
  return ports.flatMap(({ port, targetPort }) => (port === number && typeof targetPort === 'number' ? [targetPort] : []));
}

/** Where the hosts of a server and of a VirtualService meet: the narrower of the two. `ns/host` binds only that namespace's. */
export function boundHosts({ server, gateway }: GatewayPortServer, service: VirtualService): string[] {
  const found = new Set<string>();
  for (const entry of server.hosts) {
    const slash = entry.indexOf('/');
    const namespace = slash === -1 ? '*' : entry.slice(0, slash);
    const pattern = entry.slice(slash + 1);
    const wanted = namespace === '.' ? gateway.metadata.namespace : namespace;
    if (wanted !== '*' && wanted !== service.namespace) continue;
    for (const host of service.hosts) {
      if (hostMatches(pattern, host)) found.add(host);
      else if (hostMatches(host, pattern)) found.add(pattern);
    }
  }
  return [...found];
}
