import { at, documentOf, type Json, listIn, textIn } from './json.ts';
import { chainMatchText, destinationText } from './listener-text.ts';
import { domainsText, matchText } from './route-text.ts';

/** Envoy's config dump. */
export interface Dump {
  readonly configs: readonly Json[];
}

/** Values of a command's filters by name; those that were not given are absent. */
export type Wanted = Readonly<Record<string, unknown>>;

/** How one kind of resource is listed, with istioctl's columns and filters. */
export interface Table {
  readonly description: string;
  readonly resources: (dump: Dump) => readonly Json[];
  readonly head: readonly string[];
  readonly rows: (resource: Json) => readonly (readonly string[])[];
  /** Option to its meaning, and what it asks of a resource and of a row. */
  readonly filters: Readonly<Record<string, Filter>>;
}

export interface Filter {
  readonly flag: string;
  readonly meaning: string;
  /** Column that must have the value; `part`: it may be a part of it. */
  readonly column: number;
  readonly part?: boolean;
}

const PORT = 'that have this port';

export const TABLES: Readonly<Record<string, Table>> = {
  cluster: {
    description: 'clusters: what can be called, with subset and kind of discovery',
    resources: (dump) => listOf(dump, 'Clusters', 'dynamic_active_clusters').map((entry) => entry.cluster as Json),
    head: ['SERVICE FQDN', 'PORT', 'SUBSET', 'DIRECTION', 'TYPE', 'DESTINATION RULE'],
    rows: (cluster) => [clusterRow(cluster)],
    filters: {
      fqdn: { flag: '--fqdn <host>', meaning: 'only those whose host has this part', column: 0, part: true },
      port: { flag: '--port <number>', meaning: `only those ${PORT}`, column: 1 },
      subset: { flag: '--subset <name>', meaning: 'only those whose subset has this part', column: 2, part: true },
      direction: { flag: '--direction <name>', meaning: 'only inbound or outbound ones', column: 3 },
    },
  },
  listener: {
    description: 'listeners: ports, which connections their filter chains take, and where those go',
    resources: (dump) => listOf(dump, 'Listeners', 'dynamic_listeners').map((entry) => at(entry, 'active_state', 'listener')),
    head: ['ADDRESSES', 'PORT', 'MATCH', 'DESTINATION'],
    rows: listenerRows,
    filters: {
      address: { flag: '--address <address>', meaning: 'only those at this address', column: 0 },
      port: { flag: '--port <number>', meaning: `only those ${PORT}`, column: 1 },
    },
  },
  route: {
    description: 'routes: the virtual hosts and what each route matches, with its VirtualService',
    resources: (dump) => listOf(dump, 'Routes', 'dynamic_route_configs').map((entry) => entry.route_config as Json),
    head: ['NAME', 'VHOST NAME', 'DOMAINS', 'MATCH', 'VIRTUAL SERVICE'],
    rows: routeRows,
    filters: { name: { flag: '--name <name>', meaning: 'only the route configuration of this name', column: 0 } },
  },
  endpoint: {
    description: 'endpoints: addresses of each cluster with health; ejections are known in the processes only: mesh.explain',
    resources: (dump) => listOf(dump, 'Endpoints', 'dynamic_endpoint_configs').map((entry) => entry.endpoint_config as Json),
    head: ['ENDPOINT', 'STATUS', 'CLUSTER'],
    rows: endpointRows,
    filters: {
      address: { flag: '--address <address>', meaning: 'only those at this address', column: 0, part: true },
      port: { flag: '--port <number>', meaning: `only those ${PORT}`, column: 0, part: true },
      status: { flag: '--status <health>', meaning: 'only HEALTHY ones, or of another health', column: 1 },
      cluster: { flag: '--cluster <name>', meaning: 'only those of this cluster', column: 2 },
    },
  },
};

/** The rows that the filters leave. */
export function wantedRows({ filters, rows }: Table, resource: Json, wanted: Wanted): readonly (readonly string[])[] {
  const asked = Object.entries(filters).flatMap(([name, filter]) => (wanted[name] === undefined ? [] : [{ name, ...filter }]));
  return rows(resource).filter((row) =>
    asked.every(({ name, column, part }) => {
      const cell = row[column]!.toLowerCase();
      const value = String(wanted[name]).toLowerCase();
      if (part !== true) return cell === value;
      if (column === 0 && name !== 'fqdn') return name === 'port' ? cell.endsWith(`:${value}`) : cell.startsWith(`${value}:`);
      return cell.includes(value);
    }),
  );
}

function listOf({ configs }: Dump, kind: string, field: string): readonly Json[] {
  return listIn(
    configs.find((entry) => textIn(entry, '@type').endsWith(`.${kind}ConfigDump`)),
    field,
  );
}

/** istiod's cluster names: `outbound|80|v1|reviews.default.svc.cluster.local`. */
function clusterRow(cluster: Json): readonly string[] {
  const name = textIn(cluster, 'name');
  const parts = name.split('|');
  const kind = textIn(cluster, 'type') || (textIn(at(cluster, 'cluster_type'), 'name') ? 'CUSTOM' : 'STATIC');
  const rule = documentOf(cluster, 'DestinationRule');
  if (parts.length !== 4) return [name, '-', '-', '-', kind, rule];
  const [direction, port, subset, host] = parts as [string, string, string, string];
  return [host, port || '-', subset || '-', direction, kind, rule];
}

function listenerRows(listener: Json): readonly (readonly string[])[] {
  const places = [listener, ...listIn(listener, 'additional_addresses')].map((place) => at(place, 'address'));
  const socket = at(places[0], 'socket_address');
  const addresses = places.map((place) => textIn(at(place, 'socket_address'), 'address') || textIn(at(place, 'pipe'), 'path')).join(',');
  const last = listener.default_filter_chain === undefined ? [] : [listener.default_filter_chain as Json];
  return [...listIn(listener, 'filter_chains'), ...last].map((chain) => [
    addresses,
    textIn(socket, 'port_value') || '-',
    chainMatchText(at(chain, 'filter_chain_match')),
    destinationText(chain),
  ]);
}

function routeRows(config: Json): readonly (readonly string[])[] {
  return listIn(config, 'virtual_hosts').flatMap((host) => {
    const start = [textIn(config, 'name'), textIn(host, 'name'), domainsText(listIn<string>(host, 'domains'))];
    const routes = listIn(host, 'routes');
    if (routes.length === 0) return [[...start, '/*', '404']];
    return routes.map((route) => [...start, matchText(at(route, 'match')), documentOf(route, 'VirtualService')]);
  });
}

function endpointRows(config: Json): readonly (readonly string[])[] {
  return listIn(config, 'endpoints').flatMap((locality) =>
    listIn(locality, 'lb_endpoints').map((entry) => {
      const address = at(entry, 'endpoint', 'address');
      const socket = at(address, 'socket_address');
      const place =
        socket.address === undefined ? textIn(at(address, 'pipe'), 'path') || '?' : `${socket.address}:${socket.port_value ?? '?'}`;
      return [place, textIn(entry, 'health_status') || 'HEALTHY', textIn(config, 'cluster_name')];
    }),
  );
}
