import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HeaderMatch, PathBindingMode } from '@ripstop/compile';
import type { DecisionOptions } from './decisions.ts';
import { MeshError } from './errors.ts';

/** How a service joins the mesh. Every field may be left out: environment (`RIPSTOP_*`) and discovery fill in. */
export interface MeshOptions {
  /** Service name; becomes the `app` label and the default service account. Default: the name in package.json. */
  readonly service?: string;
  /** Becomes the `version` label. */
  readonly version?: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** The machine that it runs on, as Kubernetes names it (spec.nodeName): for Services of the same node. */
  readonly nodeName?: string;
  readonly trustDomain?: string;
  /** Control plane: `host:port`, `grpc://host:port` (plaintext) or `grpcs://host:port` (TLS). */
  readonly xds?: string;
  /** Certificate authority; default: the control plane when it is reached over TLS. */
  readonly ca?: string;
  /** Join token, or a file that holds it (read again at each use, so that it may be rotated). */
  readonly token?: string;
  readonly tokenFile?: string;
  /** PEM of the root that signed the control plane's certificate. */
  readonly rootCertificatePem?: string;
  /** `file:<dir>`: translate a folder of YAML in this process instead of asking a control plane. */
  readonly config?: string;
  /** Address to bind listeners to; default 127.0.0.1. */
  readonly bind?: string;
  /** `auto`: listeners take any free port and keep their workload port as a name; `fixed` (default): both are the same. */
  readonly ports?: 'auto' | 'fixed';
  /** `host:port` of /stats/prometheus and /ready, `off`, or port 0 for any free one. Default 127.0.0.1:15020. */
  readonly admin?: string;
  /** Folder of the last-known-good configuration; undefined or '' = none. */
  readonly cacheDir?: string;
  readonly bootTimeoutMs?: number;
  /** Certificate lifetime asked of the CA, seconds. */
  readonly certificateTtlSeconds?: number;
  /** `router` for gateways. */
  readonly role?: 'sidecar' | 'router';
  /**
   * `router` (default): where a policy denies by path, it denies every spelling that the app's router (Express, Fastify) takes for that
   * path. `istio`: paths are compared as normalised text, as in a sidecar.
   */
  readonly pathBinding?: PathBindingMode;
  /**
   * `strict` (default): a policy that denies by a header hits any element of any line, one that admits needs every line; a host that is
   * denied is denied with port and trailing dot, too. `envoy`: as in a sidecar.
   */
  readonly headerMatch?: HeaderMatch;
  /**
   * Name of the cluster that this process is itself a host of (`local_cluster_name` of an Envoy): with the label
   * `topology.istio.io/locality` it lets clusters with zone aware routing keep requests in their zone.
   */
  readonly localCluster?: string;
  /** Which requests keep a decision record: why they went where they went. */
  readonly decisions?: DecisionOptions;
  readonly log?: (line: string) => void;
}

/** {@link MeshOptions} with everything decided. */
export interface Settings {
  readonly service: string;
  readonly version: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly nodeName: string;
  readonly trustDomain: string;
  readonly xds: ServerAddress | undefined;
  readonly ca: ServerAddress | undefined;
  readonly token: (() => string) | undefined;
  readonly rootCertificatePem: string | undefined;
  readonly configDir: string | undefined;
  readonly bind: string;
  readonly ports: 'auto' | 'fixed';
  readonly admin: { readonly host: string; readonly port: number } | undefined;
  readonly cacheDir: string | undefined;
  readonly bootTimeoutMs: number;
  readonly certificateTtlSeconds: number | undefined;
  readonly role: 'sidecar' | 'router';
  readonly pathBinding: PathBindingMode;
  readonly headerMatch: HeaderMatch;
  readonly localCluster: string | undefined;
  readonly decisions: DecisionOptions | undefined;
  readonly log: (line: string) => void;
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Options over environment over discovery. Throws a MeshError that names the setting and the fix. */
export function resolveSettings(options: MeshOptions, env: Env): Settings {
  const pick = (value: string | undefined, name: string): string | undefined => value ?? (env[name] === '' ? undefined : env[name]);
  const service = pick(options.service, 'RIPSTOP_SERVICE') ?? packageName();
  const version = pick(options.version, 'RIPSTOP_VERSION') ?? '';
  const xdsText = pick(options.xds, 'RIPSTOP_XDS');
  const xds = xdsText === undefined ? undefined : parseServerAddress(xdsText, 'RIPSTOP_XDS');
  const caText = pick(options.ca, 'RIPSTOP_CA');
  const ca = caText !== undefined ? parseServerAddress(caText, 'RIPSTOP_CA', true) : xds?.tls ? xds : undefined;
  const tokenFile = pick(options.tokenFile, 'RIPSTOP_TOKEN_FILE');
  const token = pick(options.token, 'RIPSTOP_TOKEN');
  const rootFile = env.RIPSTOP_ROOT_CERT;
  const rootCertificatePem = options.rootCertificatePem ?? (rootFile ? readText(rootFile, 'RIPSTOP_ROOT_CERT') : undefined);
  if ((xds?.tls || ca) && rootCertificatePem === undefined) {
    throw new MeshError(
      'RIPSTOP_ROOT_CERT_MISSING',
      'a TLS control plane needs its root certificate: set RIPSTOP_ROOT_CERT to the PEM file that `ripstop serve` or `ripstop dev` names',
    );
  }
  return {
    service: nameOf(service, 'RIPSTOP_SERVICE'),
    version,
    namespace: nameOf(pick(options.namespace, 'RIPSTOP_NAMESPACE') ?? 'default', 'RIPSTOP_NAMESPACE'),
    serviceAccount: nameOf(pick(options.serviceAccount, 'RIPSTOP_SERVICE_ACCOUNT') ?? service, 'RIPSTOP_SERVICE_ACCOUNT'),
    labels: { app: service, ...(version === '' ? {} : { version }), ...parseLabels(env.RIPSTOP_LABELS ?? ''), ...options.labels },
    nodeName: pick(options.nodeName, 'RIPSTOP_NODE_NAME') ?? '',
    trustDomain: nameOf(pick(options.trustDomain, 'RIPSTOP_TRUST_DOMAIN') ?? 'cluster.local', 'RIPSTOP_TRUST_DOMAIN'),
    xds,
    ca,
    token: tokenFile !== undefined ? () => readText(tokenFile, 'RIPSTOP_TOKEN_FILE').trim() : token !== undefined ? () => token : undefined,
    rootCertificatePem,
    configDir: parseConfig(pick(options.config, 'RIPSTOP_CONFIG')),
    bind: pick(options.bind, 'RIPSTOP_BIND') ?? '127.0.0.1',
    ports: oneOf(pick(options.ports, 'RIPSTOP_PORTS') ?? 'fixed', ['auto', 'fixed'], 'RIPSTOP_PORTS'),
    admin: parseAdmin(pick(options.admin, 'RIPSTOP_ADMIN') ?? '127.0.0.1:15020'),
    cacheDir: pick(options.cacheDir, 'RIPSTOP_CACHE_DIR'),
    bootTimeoutMs: options.bootTimeoutMs ?? parseSeconds(env.RIPSTOP_BOOT_TIMEOUT ?? '10', 'RIPSTOP_BOOT_TIMEOUT'),
    certificateTtlSeconds:
      options.certificateTtlSeconds ?? (env.RIPSTOP_CERT_TTL ? parseSeconds(env.RIPSTOP_CERT_TTL, 'RIPSTOP_CERT_TTL') / 1000 : undefined),
    role: oneOf(options.role ?? 'sidecar', ['sidecar', 'router'], 'role'),
    pathBinding: oneOf(pick(options.pathBinding, 'RIPSTOP_PATH_BINDING') ?? 'router', ['router', 'istio'], 'RIPSTOP_PATH_BINDING'),
    headerMatch: oneOf(pick(options.headerMatch, 'RIPSTOP_HEADER_MATCH') ?? 'strict', ['strict', 'envoy'], 'RIPSTOP_HEADER_MATCH'),
    localCluster: pick(options.localCluster, 'RIPSTOP_LOCAL_CLUSTER'),
    decisions: options.decisions ?? parseDecisions(env),
    log: options.log ?? (env.RIPSTOP_LOG ? (line) => void process.stderr.write(`ripstop ${line}\n`) : () => {}),
  };
}

/** `host:port`, `grpc://host:port`, `grpcs://host:port`. Bare addresses are TLS unless the port is 15010, Istio's plaintext one. */
export function parseServerAddress(text: string, setting: string, tlsByDefault = false): ServerAddress {
  const match = /^(?:(grpcs?):\/\/)?(\[[^\]]+\]|[^:/]+):(\d{1,5})$/.exec(text);
  const port = match === null ? 0 : Number(match[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new MeshError('RIPSTOP_BAD_SETTING', `${setting}=${text}: give host:port, grpc://host:port or grpcs://host:port`);
  }
  const host = match[2]!.replace(/^\[|\]$/g, '');
  return { host, port, tls: match[1] === undefined ? tlsByDefault || port !== 15_010 : match[1] === 'grpcs' };
}

function parseConfig(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (!text.startsWith('file:')) throw new MeshError('RIPSTOP_BAD_SETTING', `RIPSTOP_CONFIG=${text}: give file:<folder of YAML>`);
  return text.slice('file:'.length).replace(/^\/\//, '');
}

/** RIPSTOP_DECISIONS=0.01 keeps one request of a hundred; 0 only those that ask. */
function parseDecisions(env: Env): DecisionOptions | undefined {
  const share = env.RIPSTOP_DECISIONS;
  const askers = env.RIPSTOP_DECISION_ASKERS;
  if (!share && !askers) return undefined;
  const sample = Number(share || '0');
  if (!(sample >= 0 && sample <= 1))
    throw new MeshError('RIPSTOP_BAD_SETTING', `RIPSTOP_DECISIONS=${share}: give a share of requests, from 0 to 1`);
  return { sample, askers: (askers ?? '').split(',').flatMap((asker) => asker.trim() || []) };
}

function parseAdmin(text: string): { host: string; port: number } | undefined {
  if (text === 'off') return undefined;
  const match = /^(?:(\[[^\]]+\]|[^:]+):)?(\d{1,5})$/.exec(text);
  if (match === null || Number(match[2]) > 65_535)
    throw new MeshError('RIPSTOP_BAD_SETTING', `RIPSTOP_ADMIN=${text}: give host:port, a port, or off`);
  return { host: match[1]?.replace(/^\[|\]$/g, '') ?? '127.0.0.1', port: Number(match[2]) };
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const pair of text.split(',')) {
    if (pair.trim() === '') continue;
    const at = pair.indexOf('=');
    if (at < 1) throw new MeshError('RIPSTOP_BAD_SETTING', `RIPSTOP_LABELS: "${pair}" is not name=value`);
    labels[pair.slice(0, at).trim()] = pair.slice(at + 1).trim();
  }
  return labels;
}

function parseSeconds(text: string, setting: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < 0) throw new MeshError('RIPSTOP_BAD_SETTING', `${setting}=${text}: give seconds`);
  return seconds * 1000;
}

/** It becomes a segment of the SPIFFE id and of the node's id. */
function nameOf(text: string, setting: string): string {
  if (!/^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$/.test(text))
    throw new MeshError('RIPSTOP_BAD_SETTING', `${setting}=${text}: give a name of letters, digits, "-", "." and "_", at most 253`);
  return text;
}

function oneOf<T extends string>(value: string, allowed: readonly T[], setting: string): T {
  const found = allowed.find((entry) => entry === value);
  if (found === undefined) throw new MeshError('RIPSTOP_BAD_SETTING', `${setting}=${value}: give one of ${allowed.join(', ')}`);
  return found;
}

function readText(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new MeshError('RIPSTOP_BAD_SETTING', `${setting}: cannot read ${file}`, { cause });
  }
}

/** The name in ./package.json without its scope; `app` when there is none. */
function packageName(): string {
  let text: string;
  try {
    text = readFileSync(join(process.cwd(), 'package.json'), 'utf8');
  } catch {
    return 'app'; // A script without a package.json is a normal way to try things out.
  }
  const name: unknown = JSON.parse(text).name;
  return typeof name === 'string' && name !== '' ? name.replace(/^@[^/]+\//, '') : 'app';
}

/** `host:port`, IPv6 in brackets. */
export function formatAddress({ host, port }: ServerAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
