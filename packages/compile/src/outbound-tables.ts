import {
  type AppFilter,
  createOnDemandTable,
  createRouteTable,
  type HttpConnectionManager,
  localReply,
  PLAIN_MANAGER,
  plainForward,
  type Route,
  type VirtualHost,
} from '@ripstop/core';

/**
 * Several listeners may serve one port (`0.0.0.0_<port>` and `<VIP>_<port>` of services whose protocol is auto-detected). An app dials
 * names, not VIPs, so their virtual hosts are searched together; the shared listener's catch-all stays the last resort.
 */
export function joinManagers(managers: readonly HttpConnectionManager[]): HttpConnectionManager {
  if (managers.length === 1) return managers[0]!;
  const shared = managers.find(({ name }) => name.startsWith('0.0.0.0_')) ?? managers[0]!;
  const others = managers.filter((manager) => manager !== shared);
  const hosts = (): readonly VirtualHost[] => {
    const named = others.flatMap(({ routes }) => routes.virtualHosts.map((host) => ({ ...host, domains: domainsOf(host, routes.name) })));
    return [...shared.routes.virtualHosts, ...named.filter((host) => host.domains.length > 0)];
  };
  const { name, onDemand } = shared.routes;
  const growing = managers.some(({ routes }) => routes.version !== undefined);
  const version = (): number => managers.reduce((sum, { routes }) => sum + (routes.version ?? 0), 0);
  const source = {
    hosts,
    get version() {
      return version();
    },
  };
  return { ...shared, routes: growing ? createOnDemandTable(name, source, true, onDemand) : createRouteTable(name, hosts(), true) };
}

/** The per-service tables match `*`; here they must match their service's names (`<fqdn>:<port>` is the table's name). */
function domainsOf(host: VirtualHost, tableName: string): readonly string[] {
  const named = host.domains.filter((domain) => domain !== '*');
  if (named.length > 0) return named;
  const fqdn = tableName.slice(0, tableName.lastIndexOf(':'));
  const [service, namespace, svc] = fqdn.split('.');
  if (svc !== 'svc') return fqdn === '' ? [] : [fqdn];
  return [fqdn, `${service}.${namespace}.svc`, `${service}.${namespace}`];
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
