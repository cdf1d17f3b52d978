import { ROUTE_TYPE_URL, VirtualHost_TlsRequirementType } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { hostMatches } from '../push/service.ts';
import type { VirtualService } from '../push/virtual-services.ts';
import { type GatewayHttpServer, gatewayServers } from './gateway-servers.ts';
import { type RouteFields, virtualServiceRoutes } from './http-routes.ts';
import type { XdsResource } from './resource.ts';
import { routeConfiguration, type VirtualHostFields, virtualHost } from './route-configuration.ts';
import { isCatchAll } from './route-match.ts';
import { sourceMetadata } from './values.ts';

/** RDS of a gateway: `http.<target port>`, all plain servers of the port together. */
export function buildGatewayRoutes(node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  const servers = gatewayServers(node, push);
  return names.map((name) => {
    const own = servers.filter(({ targetPort }) => name === `http.${targetPort}`);
    return { typeUrl: ROUTE_TYPE_URL, name, message: routeConfiguration(name, gatewayHosts(own, node, push)) };
  });
}

/** A virtual host in the making: routes of several VirtualServices are appended in order, until one takes everything. */
interface HostDraft {
  readonly fields: VirtualHostFields;
  readonly routes: RouteFields[];
  requireTls: boolean;
}

function gatewayHosts(servers: readonly GatewayHttpServer[], node: ProxyNode, push: PushContext): VirtualHostFields[] {
  const drafts = new Map<string, HostDraft>();
  for (const entry of servers) {
    const { gateway, server } = entry;
    const key = `${gateway.metadata.namespace}/${gateway.metadata.name}`;
    for (const service of push.scopeFor(node).virtualServices) {
      if (!service.gateways.includes(key)) continue;
      const routes = virtualServiceRoutes(service, { node, push, listenPort: server.port.number, gateway: key });
      for (const host of boundHosts(entry, service)) addRoutes(drafts, entry, host, routes, service, node);
    }
  }
  if (drafts.size === 0 && servers.length > 0) {
    const port = servers[0]!.server.port.number;
    return [virtualHost(`blackhole:${port}`, ['*'], [])];
  }
  return [...drafts.values()]
    .sort((a, b) => (a.fields.name! < b.fields.name! ? -1 : 1))
    .map(({ fields, routes, requireTls }) => ({
      ...fields,
      routes,
      ...(requireTls ? { requireTls: VirtualHost_TlsRequirementType.ALL } : {}),
    }));
}

function addRoutes(
  drafts: Map<string, HostDraft>,
  { server }: GatewayHttpServer,
  host: string,
  routes: readonly RouteFields[],
  service: VirtualService,
  node: ProxyNode,
): void {
  let draft = drafts.get(host);
  if (draft === undefined) {
    const fields = virtualHost(`${host}:${server.port.number}`, [host], [], sourceMetadata(node, service.object));
    draft = { fields, routes: [], requireTls: false };
    drafts.set(host, draft);
  }
  if (server.tls?.httpsRedirect === true) draft.requireTls = true;
  const last = draft.routes.at(-1);
  if (last === undefined || !isCatchAll(last.match!)) draft.routes.push(...routes);
}

/** Where the hosts of a server and of a VirtualService meet: the narrower of the two. `ns/host` binds only that namespace's. */
function boundHosts({ server, gateway }: GatewayHttpServer, service: VirtualService): string[] {
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
