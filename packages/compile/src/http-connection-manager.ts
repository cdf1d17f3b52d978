import {
  type AppFilter,
  CONNECTION_LIMITS,
  type ConnectionLimits,
  type FilterEnv,
  type ForwardClientCert,
  type Http2Limits,
  type HttpConnectionManager,
  type Random,
  type RouteTable,
} from '@ripstop/core';
import {
  type HttpConnectionManager as HcmMessage,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpProtocolOptions_HeadersWithUnderscoresAction,
  ROUTE_TYPE_URL,
  type RouteConfiguration,
} from '@ripstop/xds-api';
import { type Awaited, fetchTimeoutOf } from './awaited.ts';
import type { ExtensionLookup } from './discovered-filter.ts';
import type { AnyFilterFactory } from './filters/decoded-filter.ts';
import { HttpFilters } from './http-filters.ts';
import { compileLocalReplyConfig } from './local-reply-config.ts';
import type { OnDemandHosts } from './on-demand/on-demand-hosts.ts';
import { compileRouteConfiguration } from './route-configuration.ts';
import { compileAccessLogs } from './telemetry/access-log.ts';
import { compileMetrics } from './telemetry/metrics.ts';
import { compileTracing } from './telemetry/tracing.ts';
import { milliseconds } from './values.ts';

export interface ManagerEnv {
  readonly random: Random;
  readonly filterEnv: FilterEnv;
  readonly registry: ReadonlyMap<string, AnyFilterFactory>;
  readonly appFilters: readonly AppFilter[];
  /** Own address; see RouteEnv. */
  readonly ownAddress?: string | undefined;
  /** See RouteEnv. */
  readonly onDemand?: OnDemandHosts | undefined;
  /** Discovered configurations of filters (ECDS). */
  readonly extensions: ExtensionLookup;
  /** A RouteConfiguration of RDS; undefined while it has not come. */
  routes(name: string): RouteConfiguration | undefined;
}

/** The RDS name of a connection manager; undefined when its routes are inline. */
export function rdsName(message: HcmMessage): string | undefined {
  return message.routeSpecifier?.$case === 'rds' ? message.routeSpecifier.value.routeConfigName : undefined;
}

/** The RouteConfiguration that a connection manager waits for. */
export function awaitedRoutes({ routeSpecifier }: HcmMessage): Awaited | undefined {
  if (routeSpecifier?.$case !== 'rds') return undefined;
  const { routeConfigName: name, configSource } = routeSpecifier.value;
  return { typeUrl: ROUTE_TYPE_URL, name, fetchTimeoutMs: fetchTimeoutOf(configSource) };
}

/** What tells policies another caller's address, or changes headers before they look: without it they would judge another request. */
function refuseWhatPoliciesRelyOn({ originalIpDetectionExtensions: addresses, earlyHeaderMutationExtensions: headers }: HcmMessage): void {
  const [field, first] = addresses[0] !== undefined ? ['original_ip_detection', addresses[0]] : ['early_header_mutation', headers[0]];
  if (first === undefined) return;
  throw new Error(
    `${field}_extensions: ${first.name} is not supported, and policies would not see what it makes of a request: take it out`,
  );
}

/** Everything but the routes; they are joined in `compileManager`, so that a route push compiles no listener again. */
export function compileManager(name: string, message: HcmMessage, env: ManagerEnv): HttpConnectionManager {
  refuseWhatPoliciesRelyOn(message);
  const filterEnv = { ...env.filterEnv, statPrefix: message.statPrefix };
  const filters = new HttpFilters(message.httpFilters, env.registry, filterEnv, env.appFilters, env.extensions);
  const accessLogs = compileAccessLogs(message.accessLog);
  const metrics = compileMetrics(message.httpFilters);
  return {
    name,
    routes: routesOf(message, filters, env),
    defaultFilters: filters.create([]),
    normalizePath: message.normalizePath ?? false,
    mergeSlashes: message.mergeSlashes,
    escapedSlashes: escapedSlashes(message.pathWithEscapedSlashesAction),
    stripPort: stripPort(message),
    stripTrailingHostDot: message.stripTrailingHostDot,
    useRemoteAddress: message.useRemoteAddress ?? false,
    xffTrustedHops: message.xffNumTrustedHops,
    forwardClientCert: forwardClientCert(message.forwardClientCertDetails),
    clientCertDetails: {
      subject: message.setCurrentClientCertDetails?.subject ?? false,
      cert: message.setCurrentClientCertDetails?.cert ?? false,
      chain: message.setCurrentClientCertDetails?.chain ?? false,
      dns: message.setCurrentClientCertDetails?.dns ?? false,
      uri: message.setCurrentClientCertDetails?.uri ?? false,
    },
    serverName: serverName(message),
    generatesRequestId: message.generateRequestId ?? true,
    streamIdleTimeoutMs: milliseconds(message.streamIdleTimeout, 300_000),
    requestTimeoutMs: milliseconds(message.requestTimeout, 0),
    requestHeadersTimeoutMs: milliseconds(message.requestHeadersTimeout, 0),
    connectionLimits: connectionLimits(message),
    http2Limits: http2Limits(message),
    maxHeaders: message.commonHttpProtocolOptions?.maxHeadersCount,
    tracing: compileTracing(message),
    accessLogs,
    metrics,
    keepsTimes: accessLogs.length > 0 || metrics.some(({ tags }) => tags.size > 0),
    underscores: underscores(message),
    rewriteReply:
      message.localReplyConfig === undefined ? undefined : compileLocalReplyConfig(message.localReplyConfig, env.filterEnv.clock),
    upgrades: message.upgradeConfigs.map((upgrade) => upgrade.upgradeType.toLowerCase()),
  };
}

function routesOf(message: HcmMessage, filters: HttpFilters, env: ManagerEnv): RouteTable {
  const specifier = message.routeSpecifier;
  const routeEnv = {
    random: env.random,
    clock: env.filterEnv.clock,
    filters,
    direction: env.filterEnv.direction,
    ownAddress: env.ownAddress,
    onDemand: env.onDemand,
    maxStreamDurationMs: milliseconds(message.commonHttpProtocolOptions?.maxStreamDuration, 0),
  };
  if (specifier?.$case === 'routeConfig' && specifier.value.vhds !== undefined)
    throw new Error('vhds of routes that stand in the listener is not supported: give the routes by RDS');
  if (specifier?.$case === 'routeConfig') return compileRouteConfiguration(specifier.value, routeEnv);
  if (specifier?.$case !== 'rds') throw new Error(`routes by ${specifier?.$case ?? 'nothing'} are not supported`);
  const table = env.routes(specifier.value.routeConfigName);
  if (table === undefined) throw new Error(`route configuration ${specifier.value.routeConfigName} is missing`);
  return compileRouteConfiguration(table, routeEnv);
}

function connectionLimits({ commonHttpProtocolOptions: options, drainTimeout }: HcmMessage): ConnectionLimits {
  return {
    idleTimeoutMs: milliseconds(options?.idleTimeout, CONNECTION_LIMITS.idleTimeoutMs),
    maxDurationMs: milliseconds(options?.maxConnectionDuration, 0),
    maxRequests: options?.maxRequestsPerConnection ?? 0,
    drainTimeoutMs: milliseconds(drainTimeout, CONNECTION_LIMITS.drainTimeoutMs),
  };
}

function http2Limits({ http2ProtocolOptions: options }: HcmMessage): Http2Limits | undefined {
  const { maxConcurrentStreams, initialStreamWindowSize, initialConnectionWindowSize } = options ?? {};
  if ((maxConcurrentStreams ?? initialStreamWindowSize ?? initialConnectionWindowSize) === undefined) return undefined;
  return {
    maxConcurrentStreams,
    streamWindowBytes: initialStreamWindowSize,
    connectionWindowBytes: initialConnectionWindowSize,
  };
}

function underscores({ commonHttpProtocolOptions: options }: HcmMessage): HttpConnectionManager['underscores'] {
  switch (options?.headersWithUnderscoresAction) {
    case HttpProtocolOptions_HeadersWithUnderscoresAction.REJECT_REQUEST:
      return 'REJECT_REQUEST';
    case HttpProtocolOptions_HeadersWithUnderscoresAction.DROP_HEADER:
      return 'DROP_HEADER';
    default:
      return undefined;
  }
}

function stripPort({ stripPortMode, stripMatchingHostPort }: HcmMessage): HttpConnectionManager['stripPort'] {
  if (stripPortMode?.$case === 'stripAnyHostPort' && stripPortMode.value) return 'any';
  return stripMatchingHostPort ? 'matching' : undefined;
}

function escapedSlashes(action: HttpConnectionManager_PathWithEscapedSlashesAction): HttpConnectionManager['escapedSlashes'] {
  switch (action) {
    case HttpConnectionManager_PathWithEscapedSlashesAction.REJECT_REQUEST:
      return 'REJECT_REQUEST';
    case HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT:
      return 'UNESCAPE_AND_REDIRECT';
    case HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_FORWARD:
      return 'UNESCAPE_AND_FORWARD';
    default:
      return 'KEEP_UNCHANGED';
  }
}

/** Replies of our own; an app's pass as they are, whatever the setting. */
function serverName({ serverName: name, serverHeaderTransformation: mode }: HcmMessage): string {
  if (mode === HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH) return '';
  return name === '' ? 'envoy' : name;
}

const CLIENT_CERT = new Map<number, ForwardClientCert>([
  [HttpConnectionManager_ForwardClientCertDetails.FORWARD_ONLY, 'FORWARD_ONLY'],
  [HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD, 'APPEND_FORWARD'],
  [HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET, 'SANITIZE_SET'],
  [HttpConnectionManager_ForwardClientCertDetails.ALWAYS_FORWARD_ONLY, 'ALWAYS_FORWARD_ONLY'],
]);

function forwardClientCert(value: HttpConnectionManager_ForwardClientCertDetails): ForwardClientCert {
  return CLIENT_CERT.get(value) ?? 'SANITIZE';
}
