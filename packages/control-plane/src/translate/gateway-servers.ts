import type { GatewayServer, GatewaySpec, MeshObject, ServerTLSSettings } from '@ripstop/istio-api';
import { runs, servicesOfGateway } from '../gateway-api/binding.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { hostMatches, type MeshService } from '../push/service.ts';
import type { VirtualService } from '../push/virtual-services.ts';

/** One server of a Gateway that this node is to run. */
export interface GatewayPortServer {
  readonly gateway: MeshObject<GatewaySpec>;
  /** `<namespace>/<name>` of the Gateway, as VirtualServices name it. */
  readonly key: string;
  readonly server: GatewayServer;
  /** Its hosts, with the namespace that some are bound to: `shop/api.example.com`. */
  readonly hosts: readonly string[];
  /** Where the process listens: the target port of its own Service for the server's port. */
  readonly targetPort: number;
  /** Its route configuration; '' for a server of bytes. */
  readonly routeName: string;
  /** Hosts that a ClientHello must name; empty: any. */
  readonly serverNames: readonly string[];
  /** Set when TLS ends here. */
  readonly terminates: ServerTLSSettings | undefined;
}

/** HTTP protocols that a gateway serves without TLS. */
const PLAIN: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTP_PROXY']);

/** What a port carries: servers of two kinds do not fit on one. */
type PortKind = 'http' | 'tls' | 'tcp';

interface OpenPort {
  kind: PortKind;
  readonly servers: GatewayPortServer[];
  /** TLS hosts that a server has. */
  readonly taken: Set<string>;
}

/**
 * The servers of every Gateway that selects this node, by target port (Istio: mergeGateways). The first server of a port says what it
 * carries; one that does not fit to it, or that names a TLS host which another one has, is left out. Behind servers of TLS there is
 * room for plaintext: from then on the port carries that.
 */
export function gatewayPorts(node: ProxyNode, push: PushContext): ReadonlyMap<number, readonly GatewayPortServer[]> {
  const ports = new Map<number, OpenPort>();
  const services = push.servicesOfWorkload(node.namespace, node.labels);
  for (const gateway of push.gateways) {
    if (!runs(node, gateway, services)) continue;
    for (const server of gateway.spec.servers ?? []) {
      const kind = kindOf(server);
      if (kind === undefined) continue;
      for (const targetPort of listenedPorts(gateway, server.port.number, services)) {
        const port: OpenPort = ports.get(targetPort) ?? { kind, servers: [], taken: new Set() };
        // Of a server that only redirects to TLS too.
        const names = server.tls === undefined ? [] : boundNames(server, gateway.metadata.namespace);
        if (names.some((name) => port.taken.has(name))) continue;
        for (const name of names) port.taken.add(name);
        const joins = port.servers.length > 0 && port.kind === 'tls' && kind !== 'tls';
        if (!joins && (port.kind !== kind || (kind === 'tcp' && port.servers.length > 0))) continue;
        port.kind = kind;
        ports.set(targetPort, port);
        port.servers.push(portServer(gateway, server, kind, targetPort));
      }
    }
  }
  return new Map([...ports].sort(([a], [b]) => a - b).map(([number, { servers }]) => [number, servers]));
}

/** A server of protocol HTTPS or TLS without TLS settings is none: Istio's validation refuses it. */
function kindOf({ port, tls }: GatewayServer): PortKind | undefined {
  const protocol = port.protocol.toUpperCase();
  if (PLAIN.has(protocol)) return 'http';
  if (tls !== undefined) return 'tls';
  return protocol === 'HTTPS' || protocol === 'TLS' ? undefined : 'tcp';
}

function portServer(gateway: MeshObject<GatewaySpec>, server: GatewayServer, kind: PortKind, targetPort: number): GatewayPortServer {
  const { name, namespace } = gateway.metadata;
  const { port, tls } = server;
  const terminates = kind === 'tls' && !passesThrough(tls) ? tls : undefined;
  const https = terminates !== undefined && port.protocol.toUpperCase() === 'HTTPS';
  const names = hostNames(server);
  return {
    gateway,
    key: `${namespace}/${name}`,
    server,
    hosts: boundNames(server, namespace),
    targetPort,
    routeName: kind === 'http' ? `http.${targetPort}` : https ? `https.${port.number}.${port.name ?? ''}.${name}.${namespace}` : '',
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
