import { isIP } from 'node:net';
import {
  type AppFilter,
  createOnDemandTable,
  createRouteTable,
  type HttpConnectionManager,
  localReply,
  PLAIN_MANAGER,
  plainForward,
  type Route,
  type RouteTable,
  type VirtualHost,
} from '@ripstop/core';

/** What stands beside the listeners of a port. */
export interface PortScope {
  /** What becomes of hosts that none of the port's listeners is for. */
  readonly catchAll: HttpConnectionManager;
  /** Of the app: its own services have a short name. '' = not known. */
  readonly namespace: string;
}

/**
 * Several listeners may serve one port (`0.0.0.0_<port>` and `<VIP>_<port>` of services whose protocol is auto-detected). An app dials
 * names, not VIPs, so their virtual hosts are searched together; the shared listener's catch-all stays the last resort. Without a shared
 * one it is that of all ports: a service's listener is for nobody else.
 */
export function joinManagers(managers: readonly HttpConnectionManager[], { catchAll, namespace }: PortScope): HttpConnectionManager {
  const shared = managers.find(({ name }) => name.startsWith('0.0.0.0_')) ?? managers.find((manager) => !isOfService(manager));
  if (managers.length === 1 && shared !== undefined) return shared;
  const others = managers.filter((manager) => manager !== shared);
  const last = (shared ?? catchAll).routes;
  const hosts = (): readonly VirtualHost[] => {
    const named = others.flatMap(({ routes }) =>
      hostsOf(routes).map((host) => ({ ...host, domains: domainsOf(host, routes.name, namespace) })),
    );
    // Names of a service lead to its address, and so to its own listener, whatever the shared one has under the same name.
    return [...named.filter((host) => host.domains.length > 0), ...last.virtualHosts];
  };
  const { name, onDemand } = last;
  const growing = managers.some(({ routes }) => routes.version !== undefined);
  const version = (): number => managers.reduce((sum, { routes }) => sum + (routes.version ?? 0), 0);
  const source = {
    hosts,
    get version() {
      return version();
    },
  };
  return {
    ...(shared ?? managers[0]!),
    routes: growing ? createOnDemandTable(name, source, true, onDemand) : createRouteTable(name, hosts(), true),
  };
}

/** A service that this client is not to call has a table without hosts: 404, not the last resort. */
function hostsOf({ name, virtualHosts }: RouteTable): readonly VirtualHost[] {
  if (virtualHosts.length > 0) return virtualHosts;
  return [{ name, domains: ['*'], routes: [], includeAttemptCount: false, requireTls: false }];
}

/** Its table is a service's: `<fqdn>:<port>`. */
function isOfService({ routes }: HttpConnectionManager): boolean {
  return routes.name.includes(':') && isIP(fqdnOf(routes.name)) === 0;
}

function fqdnOf(tableName: string): string {
  return tableName.slice(0, tableName.lastIndexOf(':'));
}

/** The per-service tables match `*`; here they must match their service's names, of which `own` services have a short one, too. */
function domainsOf(host: VirtualHost, tableName: string, own: string): readonly string[] {
  const named = host.domains.filter((domain) => domain !== '*');
  if (named.length > 0) return named;
  const fqdn = fqdnOf(tableName);
  const [service = '', namespace, svc] = fqdn.split('.');
  if (svc !== 'svc') return fqdn === '' ? [] : [fqdn];
  return [fqdn, `${service}.${namespace}.svc`, `${service}.${namespace}`, ...(namespace === own ? [service] : [])];
}

/** For ports without a listener: pass on to a cluster (where the app dialled, or an egress proxy), or refuse with 502 as istiod's block_all does. */
export function passthroughManager(cluster: string | undefined, appFilters: readonly AppFilter[]): HttpConnectionManager {
  const filters = appFilters.filter(({ directions }) => directions === undefined || directions.includes('outbound'));
  const blocked = localReply({ status: 502, details: 'direct_response' });
  const route: Route = {
    name: cluster !== undefined ? 'allow_any' : 'block_all',
    matches: () => true,
    action: cluster === undefined ? { kind: 'reply', reply: () => blocked } : plainForward(cluster),
    filters,
    headers: undefined,
    operation: '',
    source: undefined,
  };
  const host: VirtualHost = { name: route.name, domains: ['*'], routes: [route], includeAttemptCount: false, requireTls: false };
  const name = 'virtualOutbound';
  return { ...PLAIN_MANAGER, name, routes: createRouteTable(name, [host], true), defaultFilters: filters };
}
