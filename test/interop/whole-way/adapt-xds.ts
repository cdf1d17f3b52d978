import { readFileSync } from 'node:fs';
import { type Certificates, OUTSIDE } from './certificates.ts';

export type Json = Record<string, unknown>;

/** What an Envoy of a mesh is told of where it runs. */
export interface Surroundings {
  readonly certificates: Certificates;
  /** `spiffe://…` of the workload. */
  readonly spiffeId: string;
  /** Where listeners that bind a port do so. */
  readonly address: string;
  readonly accessLog: string;
  /** Path of a resource that istiod's configuration gets by ADS. */
  readonly file: (kind: 'endpoints' | 'routes', name: string) => string;
}

/** Fields of one line of the access log, by tab. */
const LOG_FORMAT = '%REQ(x-probe)%\t%ROUTE_NAME%\t%UPSTREAM_CLUSTER_RAW%\t%UPSTREAM_HOST%\t%RESPONSE_FLAGS%\t%RESPONSE_CODE_DETAILS%\n';

/**
 * istiod writes for Istio's own proxy behind iptables, with an agent beside it. For a plain Envoy on a test machine, and nothing else:
 *
 * - filters that only Istio's proxy has (`istio.…`) are left out: telemetry, metadata exchange, names in ALPN;
 * - secrets that the agent serves (`default`, `ROOTCA`, `file-cert:`, `file-root:`), and those of Kubernetes, stand in the configuration itself;
 * - listeners bind addresses of their own, and where they ask the kernel for a connection's destination, a PROXY line says it;
 * - what comes over ADS by name (endpoints, routes) lies in a file each;
 * - resolver settings of names are Envoy's own, so that the test's resolver is asked;
 * - access logs are the test's, for route, cluster, host, flags and details.
 */
export function adapted(resource: Json, surroundings: Surroundings): Json {
  return adapt(resource, surroundings) as Json;
}

export function adaptedListener(listener: Json, surroundings: Surroundings): Json {
  const { listener_filters: filters = [], ...rest } = adapted(listener, surroundings) as { listener_filters?: Json[] };
  if ((rest as Json).bind_to_port === false) return { ...rest, listener_filters: filters };
  const captures = (rest as Json).use_original_dst === true || filters.some(({ name }) => name === ORIGINAL_DST);
  const { port_value: port } = (listener.address as { socket_address: Json }).socket_address;
  return {
    ...rest,
    address: { socket_address: { address: surroundings.address, port_value: port } },
    listener_filters: captures ? [PROXY_PROTOCOL, ...filters.filter(({ name }) => name !== ORIGINAL_DST)] : filters,
  };
}

const ORIGINAL_DST = 'envoy.filters.listener.original_dst';
const PROXY_PROTOCOL: Json = {
  name: 'envoy.filters.listener.proxy_protocol',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol' },
};

function adapt(value: unknown, here: Surroundings): unknown {
  if (Array.isArray(value)) return value.filter((item) => !isIstioFilter(item)).map((item) => adapt(item, here));
  if (!isObject(value)) return value;
  const { typed_dns_resolver_config: _resolver, dns_resolution_config: _old, ...rest } = value;
  const fields: Json = Object.fromEntries(Object.entries(rest).map(([key, field]) => [key, adapt(field, here)]));
  if ('common_tls_context' in value) fields.common_tls_context = withSecrets(fields.common_tls_context as Json, here);
  if (isObject(value.eds_cluster_config))
    fields.eds_cluster_config = onFile(value.eds_cluster_config, 'eds_config', here.file('endpoints', edsName(value)));
  if (isObject(value.rds)) fields.rds = { ...onFile(value.rds, 'config_source', here.file('routes', String(value.rds.route_config_name))) };
  if (typeof value['@type'] === 'string' && value['@type'].endsWith('.HttpConnectionManager'))
    fields.access_log = [accessLog(here.accessLog)];
  return fields;
}

function isIstioFilter(item: unknown): boolean {
  return isObject(item) && typeof item.name === 'string' && item.name.startsWith('istio.');
}

function edsName({ name, eds_cluster_config: config }: Json): string {
  return String((config as Json).service_name ?? name);
}

function onFile(config: Json, field: string, path: string): Json {
  return { ...config, [field]: { path_config_source: { path }, resource_api_version: 'V3' } };
}

function accessLog(path: string): Json {
  return {
    name: 'envoy.access_loggers.file',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
      path,
      log_format: { text_format_source: { inline_string: LOG_FORMAT } },
    },
  };
}

interface SecretReference {
  readonly name: string;
}

function withSecrets(context: Json, here: Surroundings): Json {
  const { tls_certificate_sds_secret_configs: leaves = [], combined_validation_context: combined, ...rest } = context;
  const { default_validation_context: own = {}, validation_context_sds_secret_config: roots } = (combined ?? {}) as Json;
  const { validation_context_sds_secret_config: alone, ...others } = rest;
  const root = (roots ?? alone) as SecretReference | undefined;
  return {
    ...others,
    ...((leaves as SecretReference[]).length === 0
      ? {}
      : { tls_certificates: (leaves as SecretReference[]).map(({ name }) => leafOf(name, here)) }),
    ...(root === undefined ? {} : { validation_context: { ...(own as Json), ...trustOf(root.name, here) } }),
  };
}

/** As Istio's agent answers: the workload's own, or `file-cert:<chain>~<key>`. */
function leafOf(name: string, { certificates, spiffeId }: Surroundings): Json {
  const files = /^file-cert:(.*)~(.*)$/.exec(name);
  const own = name.startsWith('kubernetes://') ? OUTSIDE : spiffeId;
  const { chain, key } = files === null ? certificates.leaf(own) : { chain: read(files[1]!), key: read(files[2]!) };
  return { certificate_chain: { inline_string: chain }, private_key: { inline_string: key } };
}

function trustOf(name: string, { certificates }: Surroundings): Json {
  // `invalid:`: istiod's name for roots that cannot be had. Its agent serves none, and nobody's certificate is good.
  if (name === 'file-root:system' || name.startsWith('invalid:')) return { trusted_ca: { filename: certificates.systemRoots } };
  const file = /^file-root:(.*)$/.exec(name);
  return { trusted_ca: { inline_string: file === null ? certificates.rootPem : read(file[1]!) } };
}

function read(file: string): string {
  return readFileSync(file, 'utf8');
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
