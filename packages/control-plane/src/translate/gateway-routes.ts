import { ROUTE_TYPE_URL, VirtualHost_TlsRequirementType } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { gatewayTable, patchedRoutes } from './envoy-filter/routes.ts';
import { boundHosts, type GatewayPortServer, gatewayPorts } from './gateway-servers.ts';
import { virtualServiceRoutes } from './http-routes.ts';
import type { XdsResource } from './resource.ts';
import { routeConfiguration, type VirtualHostFields, virtualHost } from './route-configuration.ts';
import { isCatchAll } from './route-match.ts';
import type { RouteFields } from './route-scope.ts';
import { sourceMetadata } from './values.ts';

/** RDS of a gateway: `http.<target port>`, all plain servers of the port together; `https.<port>.…` of one server. */
export function buildGatewayRoutes(node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  const { ports } = gatewayPorts(node, push);
  const servers = ports.flatMap((port) => port.servers);
  const patches = push.patchesFor(node);
  const ofTables = Map.groupBy(
    servers.filter(({ routeName }) => routeName !== ''),
    ({ routeName }) => gatewayTable(routeName).port,
  );
  const serverPorts = (port: number): number[] => ofTables.get(port)?.map(({ server }) => server.port.number) ?? [port];
  return names.map((name) => {
    const own = servers.filter(({ routeName }) => name === routeName);
    const plain = routeConfiguration(name, gatewayHosts(own, node, push), push.proxySettings(node));
    return {
      typeUrl: ROUTE_TYPE_URL,
      name,
      message: patches === undefined ? plain : patchedRoutes(plain, patches, 'GATEWAY', serverPorts),
    };
  });
}

/** A virtual host in the making: routes of several VirtualServices are appended in order; what takes everything comes last. */
interface HostDraft {
  readonly host: string;
  readonly fields: VirtualHostFields;
  readonly routes: RouteFields[];
  requireTls: boolean;
}

function gatewayHosts(servers: readonly GatewayPortServer[], node: ProxyNode, push: PushContext): VirtualHostFields[] {
  const drafts = new Map<string, HostDraft>();
  // As the first server of a Gateway has them, all its servers do.
  const built = new Map<string, RouteFields[]>();
  for (const entry of servers) {
    const { key, server } = entry;
    for (const service of push.scopeFor(node).virtualServices) {
      if (!service.gateways.includes(key)) continue;
      const hosts = boundHosts(entry, service);
      if (hosts.length === 0) continue;
      const id = `${key} ${service.namespace}/${service.name}`;
      const scope = {
        node,
        push,
        listenPort: server.port.number,
        gateway: key,
        ruleNamespace: service.namespace,
        tls: server.tls !== undefined,
      };
      const routes = built.get(id) ?? virtualServiceRoutes(service, scope);
      if (routes.length === 0) continue;
      built.set(id, routes);
      for (const host of hosts) draftOf(drafts, entry, host, sourceMetadata(node, service.source)).routes.push(...routes);
    }
    // A host that only redirects needs no VirtualService. istiod takes the entry as it stands, namespace and all.
    if (server.tls?.httpsRedirect === true) for (const host of entry.hosts) draftOf(drafts, entry, host, {});
  }
  if (drafts.size === 0 && servers.length > 0) {
    const { includeRequestAttemptCount: _, ...blackhole } = virtualHost(`blackhole:${servers[0]!.server.port.number}`, ['*'], []);
    return [blackhole];
  }
  return joined([...drafts.values()])
    .sort((a, b) => (a.fields.name! < b.fields.name! ? -1 : 1))
    .map(({ fields, routes, requireTls }) => ({
      ...fields,
      routes: [...routes.filter(({ match }) => !isCatchAll(match!)), ...routes.filter(({ match }) => isCatchAll(match!))],
      ...(requireTls ? { requireTls: VirtualHost_TlsRequirementType.ALL } : {}),
    }));
}

function draftOf(
  drafts: Map<string, HostDraft>,
  { server }: GatewayPortServer,
  name: string,
  metadata: ReturnType<typeof sourceMetadata>,
): HostDraft {
  const host = name.toLowerCase();
  let draft = drafts.get(host);
  if (draft === undefined) {
    const fields = virtualHost(`${host}:${server.port.number}`, [host], [], metadata);
    draft = { host, fields, routes: [], requireTls: false };
    drafts.set(host, draft);
  }
  if (server.tls?.httpsRedirect === true) draft.requireTls = true;
  return draft;
}

/** Hosts with the same routes become one, under the name of the most specific (Istio: collapseDuplicateRoutes). */
function joined(drafts: readonly HostDraft[]): HostDraft[] {
  const kept: HostDraft[] = [];
  for (const draft of [...drafts].sort(bySpecificity)) {
    const same = kept.find((other) => other.requireTls === draft.requireTls && sameRoutes(other, draft));
    if (same === undefined) kept.push(draft);
    else same.fields.domains?.push(draft.host);
  }
  return kept;
}

/** Exact hosts, then wildcards; the longer before the shorter (Istio: host.MoreSpecific). */
function bySpecificity({ host: a }: HostDraft, { host: b }: HostDraft): number {
  return Number(a.startsWith('*')) - Number(b.startsWith('*')) || b.length - a.length || (a < b ? -1 : 1);
}

function sameRoutes({ routes: a }: HostDraft, { routes: b }: HostDraft): boolean {
  return a.length === b.length && a.every((route, index) => route === b[index]);
}
