import type { DescribedSecret } from '@ripstop/control-plane';
import { type Command, Option } from 'commander';
import { askControlPlane, columns, type HttpOptions } from '../control-plane-http.ts';
import { parseAddress } from '../option-values.ts';

interface ConfigOptions extends HttpOptions {
  readonly output: 'table' | 'json';
}

/** Protobuf JSON as far as the tables read it. */
type Json = Readonly<Record<string, unknown>>;

interface Dump {
  readonly configs: readonly Json[];
}

interface Kind {
  readonly description: string;
  /** Which dump, which list in it, and where the resource is in an entry. */
  readonly resources: (dump: Dump) => readonly Json[];
  readonly head: readonly string[];
  readonly rows: (resource: Json) => readonly (readonly string[])[];
}

const KINDS: Readonly<Record<string, Kind>> = {
  cluster: {
    description: 'clusters: what can be called, with subset and kind of discovery',
    resources: (dump) => listOf(dump, 'Clusters', 'dynamic_active_clusters').map((entry) => entry.cluster as Json),
    head: ['SERVICE FQDN', 'PORT', 'SUBSET', 'DIRECTION', 'TYPE'],
    rows: (cluster) => [clusterRow(cluster)],
  },
  listener: {
    description: 'listeners: ports with their filter chains',
    resources: (dump) => listOf(dump, 'Listeners', 'dynamic_listeners').map((entry) => (entry.active_state as Json).listener as Json),
    head: ['NAME', 'ADDRESS', 'PORT', 'CHAINS'],
    rows: ({ name, address, filter_chains }) => {
      const socket = ((address as Json | undefined)?.socket_address ?? {}) as Json;
      return [
        [
          String(name),
          String(socket.address ?? ''),
          String(socket.port_value ?? ''),
          String((filter_chains as unknown[] | undefined)?.length ?? 0),
        ],
      ];
    },
  },
  route: {
    description: 'routes: virtual hosts and how many routes each has',
    resources: (dump) => listOf(dump, 'Routes', 'dynamic_route_configs').map((entry) => entry.route_config as Json),
    head: ['NAME', 'VIRTUAL HOST', 'DOMAINS', 'ROUTES'],
    rows: ({ name, virtual_hosts }) =>
      ((virtual_hosts as readonly Json[] | undefined) ?? []).map((host) => [
        String(name),
        String(host.name),
        shortened((host.domains as readonly string[] | undefined) ?? []),
        String((host.routes as unknown[] | undefined)?.length ?? 0),
      ]),
  },
  endpoint: {
    description: 'endpoints: addresses of each cluster with health',
    resources: (dump) => listOf(dump, 'Endpoints', 'dynamic_endpoint_configs').map((entry) => entry.endpoint_config as Json),
    head: ['ENDPOINT', 'STATUS', 'CLUSTER'],
    rows: endpointRows,
  },
};

/** `ripstop proxy-config route reviews-v1-….default`: what a connected client has, as istioctl's tables or Envoy's JSON. */
export function addProxyConfigCommand(program: Command): void {
  const parent = program.command('proxy-config').alias('pc').description('show what a connected client has been given');
  for (const [name, kind] of Object.entries(KINDS)) {
    parent
      .command(name)
      .description(kind.description)
      .argument('<client>', 'name.namespace as proxy-status lists it, or the name of a service with one client')
      .option('--http <host:port>', 'HTTP address of the control plane (default: the one noted in the state directory)', parseAddress)
      .option('--state-dir <dir>', 'state directory of the control plane', '.ripstop')
      .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table'))
      .action(async (client: string, options: ConfigOptions) => {
        const dump = await askControlPlane<Dump>(options, `/debug/config_dump?proxyID=${encodeURIComponent(client)}`);
        const resources = kind.resources(dump);
        const text =
          options.output === 'json' ? JSON.stringify(resources, undefined, 2) : columns([kind.head, ...resources.flatMap(kind.rows)]);
        process.stdout.write(`${text}\n`);
      });
  }
  addSecretCommand(parent);
}

/** Public parts only: the control plane never prints a key. */
function addSecretCommand(parent: Command): void {
  parent
    .command('secret')
    .description('certificates that a gateway is given by the control plane; keys are never shown')
    .argument('<client>', 'name.namespace as proxy-status lists it, or the name of a service with one client')
    .option('--http <host:port>', 'HTTP address of the control plane (default: the one noted in the state directory)', parseAddress)
    .option('--state-dir <dir>', 'state directory of the control plane', '.ripstop')
    .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table'))
    .action(async (client: string, options: ConfigOptions) => {
      const secrets = await askControlPlane<readonly DescribedSecret[]>(options, `/debug/secrets?proxyID=${encodeURIComponent(client)}`);
      process.stdout.write(`${options.output === 'json' ? JSON.stringify(secrets, undefined, 2) : columns(secretRows(secrets))}\n`);
    });
}

function secretRows(secrets: readonly DescribedSecret[]): string[][] {
  const head = ['RESOURCE NAME', 'TYPE', 'STATUS', 'VALID CERT', 'SERIAL NUMBER', 'NOT AFTER', 'NOT BEFORE', 'NAMES'];
  return [
    head,
    ...secrets.flatMap(({ name, type, status, certificates }) =>
      certificates.length === 0
        ? [[name, type, status, '-', '-', '-', '-', '-']]
        : certificates.map(({ valid, serial, notAfter, notBefore, names, subject }) => [
            name,
            type,
            status,
            String(valid),
            serial,
            notAfter,
            notBefore,
            names === '' ? subject : names,
          ]),
    ),
  ];
}

function listOf({ configs }: Dump, kind: string, field: string): readonly Json[] {
  const config = configs.find((entry) => String(entry['@type']).endsWith(`.${kind}ConfigDump`));
  return (config?.[field] ?? []) as readonly Json[];
}

/** istiod's cluster names: `outbound|80|v1|reviews.default.svc.cluster.local`. */
function clusterRow({ name, type }: Json): readonly string[] {
  const parts = String(name).split('|');
  const kind = String(type ?? 'STATIC');
  if (parts.length !== 4) return [String(name), '-', '-', '-', kind];
  const [direction, port, subset, host] = parts as [string, string, string, string];
  return [host, port || '-', subset || '-', direction, kind];
}

function endpointRows({ cluster_name, endpoints }: Json): readonly (readonly string[])[] {
  return ((endpoints as readonly Json[] | undefined) ?? []).flatMap(({ lb_endpoints }) =>
    ((lb_endpoints as readonly Json[] | undefined) ?? []).map(({ endpoint, health_status }) => {
      const socket = ((((endpoint as Json | undefined)?.address as Json | undefined)?.socket_address as Json | undefined) ?? {}) as Json;
      return [`${socket.address ?? '?'}:${socket.port_value ?? '?'}`, String(health_status ?? 'HEALTHY'), String(cluster_name)];
    }),
  );
}

function shortened(domains: readonly string[]): string {
  return domains.length > 2 ? `${domains.slice(0, 2).join(', ')} + ${domains.length - 2} more` : domains.join(', ');
}
