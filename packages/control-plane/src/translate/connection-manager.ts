import {
  type Any,
  HttpConnectionManager,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  packAny,
  UuidRequestIdConfig,
} from '@ripstop/xds-api';
import type { MeshConfig } from '../push/mesh-config.ts';
import type { ListenerTelemetry } from './listener-telemetry.ts';
import type { FieldsOf } from './values.ts';
import { ZERO } from './values.ts';

type ManagerFields = FieldsOf<typeof HttpConnectionManager>;

/** Parts of a connection manager that differ from place to place. */
export interface ManagerInput {
  readonly statPrefix: string;
  readonly mesh: MeshConfig;
  readonly telemetry: ListenerTelemetry;
  readonly httpFilters: NonNullable<ManagerFields['httpFilters']>;
  readonly routes: NonNullable<ManagerFields['routeSpecifier']>;
  readonly position: 'inbound' | 'outbound' | 'gateway';
  /** The port is named as HTTP/2. */
  readonly http2?: boolean;
}

/** An HTTP connection manager with istiod's settings, as a packed filter. */
export function connectionManager(input: ManagerInput): Any {
  const { statPrefix, httpFilters, routes, mesh, telemetry } = input;
  const message = HttpConnectionManager.fromPartial({
    statPrefix,
    httpFilters: withStats(httpFilters, telemetry.stats),
    routeSpecifier: routes,
    proxy100Continue: true,
    streamIdleTimeout: ZERO,
    ...(input.http2 === true ? { http2ProtocolOptions: {} } : {}),
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    useRemoteAddress: input.position === 'gateway',
    xffNumTrustedHops: input.position === 'gateway' ? mesh.numTrustedProxies : 0,
    ...pathSettings(mesh.pathNormalization),
    ...identitySettings(input.position, mesh),
    requestIdExtension: {
      typedConfig: packAny(
        UuidRequestIdConfig,
        UuidRequestIdConfig.fromPartial({ useRequestIdForTraceSampling: telemetry.requestIdSampling ?? true }),
      ),
    },
    ...(telemetry.tracing === undefined ? {} : { tracing: telemetry.tracing }),
    accessLog: [...telemetry.accessLogs],
  });
  return packAny(HttpConnectionManager, message);
}

/** MeshConfig pathNormalization; DEFAULT is BASE. */
function pathSettings(mode: string): ManagerFields {
  const { KEEP_UNCHANGED, UNESCAPE_AND_FORWARD } = HttpConnectionManager_PathWithEscapedSlashesAction;
  return {
    normalizePath: mode !== 'NONE',
    ...(mode === 'MERGE_SLASHES' || mode === 'DECODE_AND_MERGE_SLASHES' ? { mergeSlashes: true } : {}),
    pathWithEscapedSlashesAction: mode === 'DECODE_AND_MERGE_SLASHES' ? UNESCAPE_AND_FORWARD : KEEP_UNCHANGED,
  };
}

const FORWARDING: Readonly<Record<string, HttpConnectionManager_ForwardClientCertDetails>> = {
  SANITIZE: HttpConnectionManager_ForwardClientCertDetails.SANITIZE,
  FORWARD_ONLY: HttpConnectionManager_ForwardClientCertDetails.FORWARD_ONLY,
  APPEND_FORWARD: HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD,
  SANITIZE_SET: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
  ALWAYS_FORWARD_ONLY: HttpConnectionManager_ForwardClientCertDetails.ALWAYS_FORWARD_ONLY,
};

/** Who writes x-forwarded-client-cert: a server appends what it saw, a gateway does what gatewayTopology says, or replaces what strangers claim. */
function identitySettings(position: ManagerInput['position'], { forwardClientCertDetails }: MeshConfig): ManagerFields {
  if (position === 'outbound') return {};
  const { APPEND_FORWARD, SANITIZE_SET } = HttpConnectionManager_ForwardClientCertDetails;
  const gateway = position === 'gateway';
  const forwarding = gateway ? (FORWARDING[forwardClientCertDetails] ?? SANITIZE_SET) : APPEND_FORWARD;
  const sets = forwarding === APPEND_FORWARD || forwarding === SANITIZE_SET;
  return {
    serverName: 'istio-envoy',
    forwardClientCertDetails: forwarding,
    ...(sets ? { setCurrentClientCertDetails: { subject: true, dns: true, uri: true, ...(gateway ? { cert: true } : {}) } } : {}),
    ...(gateway ? { httpProtocolOptions: {} } : {}),
  };
}

/** Before the router, which is last. */
function withStats(filters: ManagerInput['httpFilters'], stats: ListenerTelemetry['stats']): ManagerInput['httpFilters'] {
  return stats.length === 0 ? filters : [...filters.slice(0, -1), ...stats, ...filters.slice(-1)];
}
