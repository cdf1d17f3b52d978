import { type Route, RouteConfiguration, type VirtualHost } from '@ripstop/xds-api';
import type { NodePatches, Patch, PatchContext, PatchMatch } from '../../push/envoy-filters.ts';
import { patchedList } from './inserting.ts';
import { mergeMessage } from './merge.ts';

type RouteMatch = NonNullable<PatchMatch['routeConfiguration']>;

/** Which ports of servers the port in the name of their routes stands for. */
export type ServerPorts = (port: number) => readonly number[];

/** A route configuration with the patches for it, for its virtual hosts and for their routes. */
export function patchedRoutes(
  table: RouteConfiguration,
  patches: NodePatches,
  context: PatchContext,
  serverPorts: ServerPorts = (port) => [port],
): RouteConfiguration {
  const of = (kind: 'ROUTE_CONFIGURATION' | 'VIRTUAL_HOST' | 'HTTP_ROUTE'): Patch[] =>
    patches.of(kind, context).filter(({ match }) => isTable(table.name, match.routeConfiguration, context, serverPorts));
  const [tables, hosts, routes] = [of('ROUTE_CONFIGURATION'), of('VIRTUAL_HOST'), of('HTTP_ROUTE')];
  if (tables.length + hosts.length + routes.length === 0) return table;
  const merged = tables.reduce(
    (found, { operation, value, json, replacesLists }) =>
      operation === 'MERGE' && value !== undefined ? mergeMessage(found, value, json, replacesLists) : found,
    table,
  );
  const kept = merged.virtualHosts.flatMap((host) => {
    const found = patchedHost(host, hosts);
    return found === undefined ? [] : [patchedHostRoutes(found, routes)];
  });
  const added = hosts.flatMap(({ operation, value }) => (operation === 'ADD' && value !== undefined ? [value as VirtualHost] : []));
  return RouteConfiguration.fromPartial({ ...merged, virtualHosts: [...kept, ...added] } as never);
}

function patchedHost(host: VirtualHost, patches: readonly Patch[]): VirtualHost | undefined {
  let found = host;
  for (const { operation, match, value, json, replacesLists } of patches) {
    if (!isHost(found, match.routeConfiguration)) continue;
    if (operation === 'REMOVE') return undefined;
    if (value === undefined) continue;
    if (operation === 'MERGE') found = mergeMessage(found, value, json, replacesLists);
    else if (operation === 'REPLACE') found = value as VirtualHost;
  }
  return found;
}

function patchedHostRoutes(host: VirtualHost, patches: readonly Patch[]): VirtualHost {
  const mine = patches.filter(({ match }) => isHost(host, match.routeConfiguration));
  if (mine.length === 0) return host;
  const names = ({ match }: Patch): boolean => match.routeConfiguration?.vhost?.route !== undefined;
  const matches = (route: Route, { match }: Patch): boolean => isRoute(route, match.routeConfiguration);
  // istiod: removals and merges first, of the routes that were there; REMOVE without a route takes all of them.
  const kept = host.routes.flatMap((route) => {
    let found = route;
    for (const patch of mine) {
      if (!matches(found, patch)) continue;
      if (patch.operation === 'REMOVE') return [];
      if (patch.operation === 'MERGE' && patch.value !== undefined)
        found = mergeMessage(found, patch.value, patch.json, patch.replacesLists);
    }
    return [found];
  });
  const inserting = mine.filter(({ operation }) => operation === 'ADD' || operation.startsWith('INSERT_'));
  const fitting = inserting.filter(
    (patch) => patch.operation !== 'INSERT_FIRST' || !names(patch) || kept.some((route) => matches(route, patch)),
  );
  return { ...host, routes: patchedList(kept, fitting, { names, matches }) };
}

function isTable(name: string, match: RouteMatch | undefined, context: PatchContext, serverPorts: ServerPorts): boolean {
  if (match === undefined) return true;
  if ((match.name ?? '') !== '' && match.name !== name) return false;
  const wanted = match.portNumber ?? 0;
  if (context !== 'GATEWAY') return wanted === 0 || wanted === portOf(name);
  const { port, portName, gateway } = gatewayTable(name);
  if ((match.portName ?? '') !== '' && match.portName !== portName) return false;
  if ((match.gateway ?? '') !== '' && match.gateway !== gateway) return false;
  return wanted === 0 || serverPorts(port).includes(wanted);
}

/**
 * `http.8080`, `https.443.https.gateway.namespace` (Istio: ParseGatewayRDSRouteName). The name of a server with an address of its own
 * says nothing: its port is 0.
 */
export function gatewayTable(name: string): { readonly port: number; readonly portName: string; readonly gateway: string } {
  const [kind = '', port = '', portName = '', gateway = '', namespace = '', ...bind] = name.split('.');
  if (kind === 'http') return { port: portName === '' ? Number(port) : 0, portName: '', gateway: '' };
  if (kind !== 'https' || namespace === '' || bind.length > 0) return { port: 0, portName: '', gateway: '' };
  return { port: Number(port), portName, gateway: `${namespace}/${gateway}` };
}

function portOf(name: string): number {
  const [direction, port = ''] = name.split('|');
  return Number(direction === 'inbound' ? port : name) || 0;
}

function isHost({ name, domains }: VirtualHost, match: RouteMatch | undefined): boolean {
  const { vhost } = match ?? {};
  if (vhost === undefined) return true;
  return ((vhost.name ?? '') === '' || vhost.name === name) && ((vhost.domainName ?? '') === '' || domains.includes(vhost.domainName!));
}

const ACTIONS: Readonly<Record<string, string>> = { route: 'ROUTE', redirect: 'REDIRECT', directResponse: 'DIRECT_RESPONSE' };

function isRoute({ name, action }: Route, match: RouteMatch | undefined): boolean {
  const wanted = match?.vhost?.route;
  if (wanted === undefined) return true;
  if ((wanted.name ?? '') !== '' && wanted.name !== name) return false;
  const kind = ACTIONS[action?.$case ?? ''];
  return (wanted.action ?? 'ANY') === 'ANY' || kind === undefined || kind === wanted.action;
}
