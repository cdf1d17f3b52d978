import { isIP } from 'node:net';
import type { ClientTLSSettings } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';
import { parseDuration } from '../value-checks.ts';
import { hostProblem } from './names.ts';
import { checkClientTls } from './traffic-policy.ts';

interface Collector {
  readonly address?: string;
}

/** What istiod's own validation of MeshConfig.defaultConfig looks at. */
export interface ProxyConfigFields {
  readonly configPath?: string;
  readonly binaryPath?: string;
  readonly serviceCluster?: string;
  readonly discoveryAddress?: string;
  readonly drainDuration?: string;
  readonly controlPlaneAuthPolicy?: string;
  readonly proxyAdminPort?: number;
  readonly statusPort?: number;
  readonly statsdUdpAddress?: string;
  readonly envoyMetricsServiceAddress?: string;
  readonly envoyMetricsService?: Collector;
  readonly envoyAccessLogService?: Collector;
  readonly tracing?: {
    readonly zipkin?: Collector;
    readonly datadog?: Collector;
    readonly lightstep?: Collector & { readonly accessToken?: string };
    readonly tlsSettings?: ClientTLSSettings;
  };
  readonly privateKeyProvider?: Readonly<Record<string, { readonly pollDelay?: string }>>;
  readonly connectionSettings?: Readonly<Record<string, unknown>>;
}

/** Fields that must not be given empty: their defaults would be lost. */
const NEVER_EMPTY = ['configPath', 'binaryPath', 'serviceCluster', 'discoveryAddress'] as const;

/** istiod's rules (ValidateMeshConfigProxyConfig). */
export function checkMeshProxyConfig(config: ProxyConfigFields | undefined, path: Path, report: Report): void {
  if (config === undefined) return;
  const bad = (field: Path, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', [...path, ...field], message);
  for (const field of NEVER_EMPTY) if (config[field] === '') bad([field], 'it must not be empty: leave it out for the default');
  const address = (value: string | undefined, ...field: Path): void => {
    if ((value ?? '') !== '') checkAddress(value!, [...path, ...field], report);
  };
  address(config.discoveryAddress, 'discoveryAddress');
  address(config.statsdUdpAddress, 'statsdUdpAddress');
  address(config.envoyMetricsServiceAddress, 'envoyMetricsServiceAddress');
  address(config.envoyMetricsService?.address, 'envoyMetricsService', 'address');
  address(config.envoyAccessLogService?.address, 'envoyAccessLogService', 'address');
  const drainMs = config.drainDuration === undefined ? 1000 : parseDuration(config.drainDuration);
  if (drainMs === undefined || drainMs < 1000 || drainMs % 1000 !== 0)
    bad(['drainDuration'], `${config.drainDuration} cannot be waited: give whole seconds, at least 1s`);
  if (config.controlPlaneAuthPolicy === 'INHERIT') bad(['controlPlaneAuthPolicy'], 'there is nothing to inherit: give NONE or MUTUAL_TLS');
  checkPortNumber(config.proxyAdminPort, [...path, 'proxyAdminPort'], report);
  checkPortNumber(config.statusPort, [...path, 'statusPort'], report);
  checkTracing(config.tracing, [...path, 'tracing'], report);
  checkKeyProvider(config.privateKeyProvider, [...path, 'privateKeyProvider'], report);
  checkConnectionSettings(config.connectionSettings, [...path, 'connectionSettings'], report);
}

export function checkPortNumber(port: number | undefined, path: Path, report: Report): void {
  if (port !== undefined && (port < 1 || port > 65_535)) report('RIPSTOP_BAD_VALUE', 'error', path, `${port} is no port: give 1 to 65535`);
}

function checkTracing(tracing: ProxyConfigFields['tracing'], path: Path, report: Report): void {
  const { zipkin, datadog, lightstep, tlsSettings } = tracing ?? {};
  for (const [name, collector] of Object.entries({ zipkin, datadog, lightstep })) {
    if (collector === undefined) continue;
    const { address = '' } = collector;
    const reached = name === 'lightstep' ? address : address.replace('$(HOST_IP)', '127.0.0.1');
    checkAddress(reached, [...path, name, 'address'], report);
  }
  if (lightstep !== undefined && (lightstep.accessToken ?? '') === '')
    report('RIPSTOP_MISSING_FIELD', 'error', [...path, 'lightstep', 'accessToken'], 'lightstep needs an access token');
  checkClientTls(tlsSettings, [...path, 'tlsSettings'], report, '');
}

function checkKeyProvider(provider: ProxyConfigFields['privateKeyProvider'], path: Path, report: Report): void {
  if (provider === undefined) return;
  const given = Object.entries(provider);
  if (given.length === 0) report('RIPSTOP_MISSING_FIELD', 'error', path, 'it names no provider: give cryptomb or qat, or leave it out');
  for (const [name, { pollDelay }] of given) {
    if (pollDelay === undefined || parseDuration(pollDelay) === 0)
      report('RIPSTOP_BAD_VALUE', 'error', [...path, name, 'pollDelay'], 'give how long requests are gathered, such as 10ms');
  }
}

/** The least that each number may be. */
const LEAST: Readonly<Record<string, number>> = {
  listenerPerConnectionBufferLimitBytes: 0,
  clusterPerConnectionBufferLimitBytes: 0,
  httpMaxConcurrentStreams: 1,
  http2InitialStreamWindowSize: 65_535,
  http2InitialConnectionWindowSize: 65_535,
  listenerConnectionLimit: 1,
  globalDownstreamConnectionLimit: 1,
};

function checkConnectionSettings(settings: Readonly<Record<string, unknown>> | undefined, path: Path, report: Report): void {
  for (const [field, value] of Object.entries(settings ?? {})) {
    const least = LEAST[field];
    if (typeof value === 'number' && least !== undefined && value < least)
      report('RIPSTOP_OUT_OF_RANGE', 'error', [...path, field], `${value} is too small: give at least ${least}`);
    if (typeof value === 'string' && value.startsWith('-') && parseDuration(value.slice(1)) !== 0)
      report('RIPSTOP_BAD_DURATION', 'error', [...path, field], `${value} is in the past: give 0s or more`);
  }
}

/** `host:port` (Istio: ValidateProxyAddress). */
function checkAddress(address: string, path: Path, report: Report): void {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\][]*)\]|([^:\][]*)):([^:]*)$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const number = /^[+-]?\d+$/.test(port) ? Number(port) : 0;
  if (host !== undefined && number >= 1 && number <= 65_535 && (isIP(host) !== 0 || hostProblem(host) === undefined)) return;
  report('RIPSTOP_BAD_VALUE', 'error', path, `${JSON.stringify(address)} is no address: give host:port, such as zipkin.istio-system:9411`);
}
