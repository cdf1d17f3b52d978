import { ROUTE_TYPE_URL } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { isHttp } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService } from '../push/service.ts';
import { labelsKey, viewOf } from '../push/shared.ts';
import type { OutboundScope } from '../push/sidecar-scope.ts';
import { buildGatewayRoutes } from './gateway-routes.ts';
import { defaultRoute, type RouteScope, virtualServiceRoutes } from './http-routes.ts';
import { unknownHostsCluster } from './names.ts';
import { packed, type XdsResource } from './resource.ts';
import { routeConfiguration, type VirtualHostFields, virtualHost } from './route-configuration.ts';
import { sourceMetadata, ZERO } from './values.ts';

/** RDS of the named route configurations. */
export function buildRoutes(node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  if (node.dialect === 'router') return buildGatewayRoutes(node, push, names);
  const scope = push.scopeFor(node);
  const view = routesView(node, push);
  return names.map((name) => push.shared.get(scope, view, name, () => packed(resource(name, virtualHosts(node, push, name)))));
}

/** Which sidecars have the same routes. */
export function routesView(node: ProxyNode, push: PushContext): string {
  return `RDS ${viewOf(node)} ${push.scopeFor(node).asksForLabels ? labelsKey(node) : ''}`;
}

function resource(name: string, virtualHosts: readonly VirtualHostFields[]): XdsResource {
  return { typeUrl: ROUTE_TYPE_URL, name, message: routeConfiguration(name, virtualHosts) };
}

/** `80` holds every host of the port and the catch-all; `reviews.default.svc.cluster.local:9080` just that one, for any domain. */
function virtualHosts(node: ProxyNode, push: PushContext, name: string): VirtualHostFields[] {
  if (/^\d+$/.test(name)) return portHosts(node, push, Number(name));
  const at = name.lastIndexOf(':');
  const port = Number(name.slice(at + 1));
  if (at < 1 || !Number.isInteger(port)) return [];
  const own = portHosts(node, push, port, true).find((host) => host.name === name || host.domains?.includes(name.slice(0, at)));
  return own === undefined ? [] : [{ ...own, domains: ['*'] }];
}

/** `withAuto`: ports that are sniffed have a route configuration of their own (`<host>:<port>`). */
function portHosts(node: ProxyNode, push: PushContext, port: number, withAuto = false): VirtualHostFields[] {
  const scope: RouteScope = { node, push, listenPort: port, gateway: 'mesh' };
  const { services } = push.scopeFor(node).at(port);
  const onPort = services.filter(({ ports }) => ports.some((entry) => entry.port === port && isHttp(entry.protocol)));
  const sniffed = services.filter(({ ports }) => ports.some((entry) => entry.port === port && entry.protocol === 'Auto'));
  const hosts = (onPort.length > 0 || withAuto ? [...onPort, ...sniffed] : onPort).map((service) => serviceHost(service, scope));
  hosts.push(...orphanHosts(services, scope, hosts));
  hosts.sort((a, b) => (a.name! < b.name! ? -1 : 1));
  return [...hosts, catchAll(push.scopeFor(node))];
}

function serviceHost(service: MeshService, { node, push, listenPort }: RouteScope): VirtualHostFields {
  const name = `${service.hostname}:${listenPort}`;
  return push.shared.get(
    push.scopeFor(node),
    `hosts of ${routesView(node, push)}`,
    name,
    () => madeHost(service, { node, push, listenPort, gateway: 'mesh' }),
    service,
  );
}

function madeHost(service: MeshService, scope: RouteScope): VirtualHostFields {
  const { node, push, listenPort } = scope;
  const virtualService = push.scopeFor(node).at(listenPort).governing('mesh', service.hostname, listenPort);
  const routes = virtualService === undefined ? [defaultRoute(service, listenPort, scope)] : virtualServiceRoutes(virtualService, scope);
  return virtualHost(`${service.hostname}:${listenPort}`, domainsOf(service, node.namespace, push.mesh.domain), routes, {
    ...sourceMetadata(node, virtualService?.source ?? service.object),
  });
}

/**
 * A VirtualService host that no service of the port has. istiod makes a virtual host of it on port 80 only, and so do we: the
 * exact host answers 503 there instead of passing through.
 */
function orphanHosts(services: readonly MeshService[], scope: RouteScope, taken: readonly VirtualHostFields[]): VirtualHostFields[] {
  if (scope.listenPort !== 80) return [];
  const { node, push } = scope;
  const names = new Set(taken.map((host) => host.name));
  const found: VirtualHostFields[] = [];
  const reach = push.scopeFor(node).at(scope.listenPort);
  const all = reach.virtualServices;
  for (const virtualService of all) {
    if (virtualService.gatewayApi || !virtualService.gateways.includes('mesh')) continue;
    for (const host of virtualService.hosts) {
      const name = `${host}:80`;
      const hasHttp80 = services.some((service) => service.hostname === host && service.ports.some((entry) => entry.port === 80));
      if (names.has(name) || hasHttp80 || reach.governing('mesh', host, scope.listenPort) !== virtualService) continue;
      if (host.startsWith('*') && services.some((service) => service.hostname.endsWith(host.slice(1)))) continue;
      const routes = virtualServiceRoutes(virtualService, scope);
      if (routes.length === 0) continue;
      names.add(name);
      found.push(virtualHost(name, [host], routes, sourceMetadata(node, virtualService.source)));
    }
  }
  return found;
}

/** Every name that a client of `namespace` may use for a service, in istiod's order. */
export function domainsOf(service: MeshService, namespace: string, domain: string): string[] {
  const { hostname, aliases, addresses } = service;
  const names = [hostname, ...aliases].flatMap((host) => [host, `${host}.`, ...shortNames(host, namespace, domain)]);
  if (service.headless) return [...names, ...names.map((entry) => `*.${entry}`)];
  return [...names, ...addresses.filter((address) => !address.includes('/'))];
}

/** `<name>.<namespace>.svc.<domain>` has short names, also as the host of a ServiceEntry. */
function shortNames(hostname: string, namespace: string, domain: string): string[] {
  const suffix = `.svc.${domain}`;
  if (!hostname.endsWith(suffix)) return [];
  const short = hostname.slice(0, -suffix.length);
  const dot = short.lastIndexOf('.');
  if (dot < 1) return [];
  return short.slice(dot + 1) === namespace ? [short.slice(0, dot), `${short}.svc`, short] : [short, `${short}.svc`];
}

/** What nobody owns: passed through, or 502 with outboundTrafficPolicy REGISTRY_ONLY. */
function catchAll(scope: OutboundScope): VirtualHostFields {
  const match = { pathSpecifier: { $case: 'prefix', value: '/' } } as const;
  if (!scope.allowAny) {
    return virtualHost('block_all', ['*'], [{ name: 'block_all', match, action: { $case: 'directResponse', value: { status: 502 } } }]);
  }
  return virtualHost(
    'allow_any',
    ['*'],
    [
      {
        name: 'allow_any',
        match,
        action: {
          $case: 'route',
          value: { clusterSpecifier: { $case: 'cluster', value: unknownHostsCluster(scope) }, timeout: ZERO, maxGrpcTimeout: ZERO },
        },
      },
    ],
  );
}
