import {
  type Any,
  HttpConnectionManager,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
  packAny,
  Router,
  UuidRequestIdConfig,
} from '@ripstop/xds-api';
import type { MeshConfig } from '../push/mesh-config.ts';
import type { ProxySettings } from '../push/proxy-settings.ts';
import { connectionFields } from './connection-settings.ts';
import type { ListenerTelemetry } from './listener-telemetry.ts';
import type { FieldsOf } from './values.ts';
import { ZERO } from './values.ts';

type ManagerFields = FieldsOf<typeof HttpConnectionManager>;

/** Parts of a connection manager that differ from place to place. */
export interface ManagerInput {
  readonly statPrefix: string;
  readonly mesh: MeshConfig;
  readonly proxy: ProxySettings;
  readonly telemetry: ListenerTelemetry;
  readonly httpFilters: NonNullable<ManagerFields['httpFilters']>;
  readonly routes: NonNullable<ManagerFields['routeSpecifier']>;
  readonly position: 'inbound' | 'outbound' | 'gateway';
  /** The port is named as HTTP/2. */
  readonly http2?: boolean;
}

/** An HTTP connection manager with istiod's settings, as a packed filter. */
export function connectionManager(input: ManagerInput): Any {
  const { statPrefix, httpFilters, routes, mesh, proxy, telemetry } = input;
  const message = HttpConnectionManager.fromPartial({
    statPrefix,
    httpFilters: withStats(proxy.headers.hidesEnvoyHeaders ? hidingHeaders(httpFilters) : httpFilters, telemetry.stats),
    routeSpecifier: routes,
    proxy100Continue: true,
    streamIdleTimeout: ZERO,
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    useRemoteAddress: input.position === 'gateway',
    xffNumTrustedHops: input.position === 'gateway' ? proxy.numTrustedProxies : 0,
    ...pathSettings(mesh.pathNormalization),
    ...connectionFields(proxy, input.http2 === true),
    ...serverSettings(input.position, proxy),
    ...identitySettings(input.position, proxy),
    ...(proxy.headers.generatesRequestId ? {} : { generateRequestId: false }),
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

/** Name of the one who answers: a client's own listeners call themselves as Envoy does. */
function serverSettings(position: ManagerInput['position'], { headers }: ProxySettings): ManagerFields {
  if (headers.passesServer) return { serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH };
  const serverName = headers.serverName === '' && position !== 'outbound' ? 'istio-envoy' : headers.serverName;
  return serverName === '' ? {} : { serverName };
}

/** Who writes x-forwarded-client-cert: a server appends what it saw, a gateway does what gatewayTopology says, or replaces what strangers claim. */
function identitySettings(position: ManagerInput['position'], { forwardClientCertDetails, headers }: ProxySettings): ManagerFields {
  if (position === 'outbound') return {};
  const { APPEND_FORWARD, SANITIZE_SET } = HttpConnectionManager_ForwardClientCertDetails;
  const gateway = position === 'gateway';
  const forwarding = gateway
    ? (FORWARDING[forwardClientCertDetails] ?? SANITIZE_SET)
    : (FORWARDING[headers.forwardedClientCert] ?? APPEND_FORWARD);
  // istiod asks at gateways only whether the details would be passed on.
  const sets = !gateway || forwarding === APPEND_FORWARD || forwarding === SANITIZE_SET;
  const { subject = true, dns = true, uri = true, cert = false, chain = false } = gateway ? { cert: true } : headers.clientCertDetails;
  const details = { subject, dns, uri, ...(cert ? { cert } : {}), ...(chain ? { chain } : {}) };
  return {
    forwardClientCertDetails: forwarding,
    ...(sets ? { setCurrentClientCertDetails: details } : {}),
    ...(gateway ? { httpProtocolOptions: {} } : {}),
  };
}

function hidingHeaders(filters: ManagerInput['httpFilters']): ManagerInput['httpFilters'] {
  const value = packAny(Router, Router.fromPartial({ suppressEnvoyHeaders: true }));
  return filters.map((each) =>
    each.name === 'envoy.filters.http.router' ? { ...each, configType: { $case: 'typedConfig', value } } : each,
  );
}

/** Before the router, which is last. */
function withStats(filters: ManagerInput['httpFilters'], stats: ListenerTelemetry['stats']): ManagerInput['httpFilters'] {
  return stats.length === 0 ? filters : [...filters.slice(0, -1), ...stats, ...filters.slice(-1)];
}
