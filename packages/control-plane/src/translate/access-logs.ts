import type { TelemetryProvider } from '@ripstop/istio-api';
import {
  type AccessLog,
  type AccessLogFilter,
  CelAccessLogFilter,
  FileAccessLog,
  HttpGrpcAccessLogConfig,
  OpenTelemetryAccessLogConfig,
  packAny,
  TcpGrpcAccessLogConfig,
} from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService } from '../push/service.ts';
import type { ListenerClass } from '../push/telemetry.ts';
import { fileLogFormat, meshLogFormat, TEXT_FORMAT } from './access-log-format.ts';
import { grpcLogConfig, upstreamOf } from './providers.ts';
import type { FieldsOf } from './values.ts';

export type AccessLogFields = FieldsOf<typeof AccessLog>;
type FilterFields = FieldsOf<typeof AccessLogFilter>;
type Config = NonNullable<AccessLogFields['configType']>;

/** What a logger by gRPC tells of both sides beside the line (istiod: envoyStateToLog). */
const PEERS = ['upstream_peer', 'downstream_peer'];
const ALL_PEERS = [...PEERS, 'wasm.upstream_peer', 'wasm.upstream_peer_id', 'wasm.downstream_peer', 'wasm.downstream_peer_id'];

/** The access logs of a node's listeners: what Telemetry asks for, else accessLogFile of MeshConfig. */
export function accessLogs(node: ProxyNode, push: PushContext, listener: ListenerClass): AccessLogFields[] {
  return logsOf(node, push, listener).map(({ filter, ...log }) => ({ ...log, ...(filter === undefined ? {} : { filter }) }));
}

/** The same for a listener of captured traffic: it logs connections for which it has no filter chain (flag NR). */
export function unroutedAccessLogs(node: ProxyNode, push: PushContext, listener: ListenerClass): AccessLogFields[] {
  if (!push.mesh.logsListeners) return [];
  return logsOf(node, push, listener).map(({ filter, ...log }) => ({ ...log, filter: both(UNROUTED, filter) }));
}

const UNROUTED: FilterFields = { filterSpecifier: { $case: 'responseFlagFilter', value: { flags: ['NR'] } } };

interface Log {
  readonly name: string;
  readonly configType: Config;
  readonly filter: FilterFields | undefined;
}

function logsOf(node: ProxyNode, push: PushContext, listener: ListenerClass): Log[] {
  const choices = push.telemetry.accessLogging(node, listener, push.gatewaysOf(node.namespace, node.labels));
  const logs = choices.flatMap(({ provider, disabled, expression }) => {
    const log = loggerOf(provider, push);
    return log === undefined ? [] : [{ ...log, disabled, filter: expression === undefined ? undefined : celFilter(expression) }];
  });
  if (logs.length > 0) return logs.flatMap(({ disabled, ...log }) => (disabled ? [] : [log]));
  const { accessLog } = push.mesh;
  if (accessLog === undefined) return [];
  return [{ ...fileLog(accessLog.path, meshLogFormat(accessLog)), filter: undefined }];
}

/** Undefined for a provider that does not log, or whose service nobody knows. */
function loggerOf(provider: TelemetryProvider, { services, mesh }: PushContext): Omit<Log, 'filter'> | undefined {
  const { name, envoyFileAccessLog, envoyHttpAls, envoyTcpAls, envoyOtelAls } = provider;
  if (envoyFileAccessLog !== undefined) {
    const { path = '', logFormat, omitEmptyValues = false } = envoyFileAccessLog;
    const file = path === '' ? '/dev/stdout' : path;
    // The built-in provider writes as accessLogFormat and accessLogEncoding say.
    if (name === 'envoy' && logFormat === undefined && !omitEmptyValues)
      return fileLog(file, meshLogFormat({ format: mesh.accessLogFormat, encoding: mesh.accessLogEncoding }));
    return fileLog(file, fileLogFormat(logFormat, omitEmptyValues));
  }
  if (envoyOtelAls !== undefined) return otelLog(envoyOtelAls, services);
  if (envoyHttpAls !== undefined) return httpLog(envoyHttpAls, services);
  if (envoyTcpAls !== undefined) return tcpLog(envoyTcpAls, services);
  return undefined;
}

function fileLog(path: string, format: ReturnType<typeof fileLogFormat>): Omit<Log, 'filter'> {
  const config = FileAccessLog.fromPartial({ path, accessLogFormat: { $case: 'logFormat', value: format } });
  return { name: 'envoy.access_loggers.file', configType: { $case: 'typedConfig', value: packAny(FileAccessLog, config) } };
}

function otelLog(
  provider: NonNullable<TelemetryProvider['envoyOtelAls']>,
  services: readonly MeshService[],
): Omit<Log, 'filter'> | undefined {
  const upstream = upstreamOf(provider, services);
  if (upstream === undefined) return undefined;
  const { logName, logFormat: { text, labels = {} } = {} } = provider;
  const string = (value: string) => ({ value: { $case: 'stringValue', value } }) as const;
  const attributes = Object.keys(labels).sort();
  const config = OpenTelemetryAccessLogConfig.fromPartial({
    commonConfig: grpcLogConfig(upstream, logName || 'otel_envoy_accesslog', ALL_PEERS),
    disableBuiltinLabels: true,
    body: string(text || TEXT_FORMAT),
    ...(attributes.length === 0 ? {} : { attributes: { values: attributes.map((key) => ({ key, value: string(labels[key]!) })) } }),
  });
  const value = packAny(OpenTelemetryAccessLogConfig, config);
  return { name: 'envoy.access_loggers.open_telemetry', configType: { $case: 'typedConfig', value } };
}

function httpLog(
  provider: NonNullable<TelemetryProvider['envoyHttpAls']>,
  services: readonly MeshService[],
): Omit<Log, 'filter'> | undefined {
  const upstream = upstreamOf(provider, services);
  if (upstream === undefined) return undefined;
  const config = HttpGrpcAccessLogConfig.fromPartial({
    commonConfig: grpcLogConfig(upstream, provider.logName || 'http_envoy_accesslog', orPeers(provider.filterStateObjectsToLog)),
    additionalRequestHeadersToLog: [...(provider.additionalRequestHeadersToLog ?? [])],
    additionalResponseHeadersToLog: [...(provider.additionalResponseHeadersToLog ?? [])],
    additionalResponseTrailersToLog: [...(provider.additionalResponseTrailersToLog ?? [])],
  });
  const value = packAny(HttpGrpcAccessLogConfig, config);
  return { name: 'envoy.access_loggers.http_grpc', configType: { $case: 'typedConfig', value } };
}

function tcpLog(
  provider: NonNullable<TelemetryProvider['envoyTcpAls']>,
  services: readonly MeshService[],
): Omit<Log, 'filter'> | undefined {
  const upstream = upstreamOf(provider, services);
  if (upstream === undefined) return undefined;
  const commonConfig = grpcLogConfig(upstream, provider.logName || 'tcp_envoy_accesslog', orPeers(provider.filterStateObjectsToLog));
  const value = packAny(TcpGrpcAccessLogConfig, TcpGrpcAccessLogConfig.fromPartial({ commonConfig }));
  return { name: 'envoy.tcp_grpc_access_log', configType: { $case: 'typedConfig', value } };
}

function orPeers(objects: readonly string[] = []): readonly string[] {
  return objects.length === 0 ? PEERS : objects;
}

function celFilter(expression: string): FilterFields {
  const value = packAny(CelAccessLogFilter, CelAccessLogFilter.fromPartial({ expression }));
  return {
    filterSpecifier: {
      $case: 'extensionFilter',
      value: { name: 'envoy.access_loggers.extension_filters.cel', configType: { $case: 'typedConfig', value } },
    },
  };
}

function both(first: FilterFields, second: FilterFields | undefined): FilterFields {
  return second === undefined ? first : { filterSpecifier: { $case: 'andFilter', value: { filters: [first, second] } } };
}
