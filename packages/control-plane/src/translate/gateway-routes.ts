import { ROUTE_TYPE_URL, VirtualHost_TlsRequirementType } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { VirtualService } from '../push/virtual-services.ts';
import { boundHosts, type GatewayPortServer, gatewayPorts } from './gateway-servers.ts';
import { type RouteFields, virtualServiceRoutes } from './http-routes.ts';
import type { XdsResource } from './resource.ts';
import { routeConfiguration, type VirtualHostFields, virtualHost } from './route-configuration.ts';
import { isCatchAll } from './route-match.ts';
import { sourceMetadata } from './values.ts';

/** RDS of a gateway: `http.<target port>`, all plain servers of the port together; `https.<port>.…` of one server. */
export function buildGatewayRoutes(node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  const servers = [...gatewayPorts(node, push).values()].flat();
  return names.map((name) => {
    const own = servers.filter(({ routeName }) => name === routeName);
    return { typeUrl: ROUTE_TYPE_URL, name, message: routeConfiguration(name, gatewayHosts(own, node, push)) };
  });
}

/** A virtual host in the making: routes of several VirtualServices are appended in order, until one takes everything. */
interface HostDraft {
  readonly host: string;
  readonly fields: VirtualHostFields;
  readonly routes: RouteFields[];
  /** What its routes came from, in order. */
  readonly sources: { readonly service: VirtualService; readonly gateway: string }[];
  requireTls: boolean;
}

function gatewayHosts(servers: readonly GatewayPortServer[], node: ProxyNode, push: PushContext): VirtualHostFields[] {
  const drafts = new Map<string, HostDraft>();
  for (const entry of servers) {
    const { key, server } = entry;
    for (const service of push.scopeFor(node).virtualServices) {
      if (!service.gateways.includes(key)) continue;
      const routes = virtualServiceRoutes(service, { node, push, listenPort: server.port.number, gateway: key });
      for (const host of boundHosts(entry, service)) {
        const draft = draftOf(drafts, entry, host, sourceMetadata(node, service.source));
        if (!draft.sources.some((source) => source.service === service && source.gateway === key)) addRoutes(draft, routes);
        draft.sources.push({ service, gateway: key });
      }
    }
    // A host that only redirects needs no VirtualService. istiod takes the entry as it stands, namespace and all.
    if (server.tls?.httpsRedirect === true) for (const host of server.hosts) draftOf(drafts, entry, host, {});
  }
  if (drafts.size === 0 && servers.length > 0) {
    const port = servers[0]!.server.port.number;
    return [virtualHost(`blackhole:${port}`, ['*'], [])];
  }
  return joined([...drafts.values()])
    .sort((a, b) => (a.fields.name! < b.fields.name! ? -1 : 1))
    .map(({ fields, routes, requireTls }) => ({
      ...fields,
      routes,
      ...(requireTls ? { requireTls: VirtualHost_TlsRequirementType.ALL } : {}),
    }));
}

function draftOf(
  drafts: Map<string, HostDraft>,
  { server }: GatewayPortServer,
  host: string,
  metadata: ReturnType<typeof sourceMetadata>,
): HostDraft {
  let draft = drafts.get(host);
  if (draft === undefined) {
    const fields = virtualHost(`${host}:${server.port.number}`, [host], [], metadata);
    draft = { host, fields, routes: [], sources: [], requireTls: false };
    drafts.set(host, draft);
  }
  if (server.tls?.httpsRedirect === true) draft.requireTls = true;
  return draft;
}

function addRoutes({ routes: known }: HostDraft, routes: readonly RouteFields[]): void {
  const last = known.at(-1);
  if (last === undefined || !isCatchAll(last.match!)) known.push(...routes);
}

/** Hosts with the same routes become one, under the name of the first: exact hosts before wildcards (Istio: collapseDuplicateRoutes). */
function joined(drafts: readonly HostDraft[]): HostDraft[] {
  const ordered = [...drafts].sort((a, b) => Number(a.host.startsWith('*')) - Number(b.host.startsWith('*')) || (a.host < b.host ? -1 : 1));
  const kept: HostDraft[] = [];
  for (const draft of ordered) {
    const same = kept.find((other) => other.requireTls === draft.requireTls && sameSources(other, draft));
    if (same === undefined) kept.push(draft);
    else same.fields.domains?.push(draft.host);
  }
  return kept;
}

function sameSources({ sources: a }: HostDraft, { sources: b }: HostDraft): boolean {
  if (a.length === 0 || a.length !== b.length) return false;
  return a.every(({ service, gateway }, index) => b[index]!.service === service && b[index]!.gateway === gateway);
}
