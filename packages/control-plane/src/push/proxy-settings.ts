import type { TelemetryCustomTag } from '@ripstop/istio-api';
import { type MeshObject, parseDuration, proxyConfigOf } from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { groupNameOf, type WorkloadGroupSpec } from '../registry/workload-groups.ts';
import { type ConnectionSettings, effectiveConnections } from './connection-settings.ts';

/** What of Istio's ProxyConfig changes what a node is sent. */
export interface ProxySettings {
  readonly tracing: ProxyTracing;
  /** Proxies in front of a gateway whose x-forwarded-for is believed. */
  readonly numTrustedProxies: number;
  /** Of gateways: connections begin with a line of the PROXY protocol. */
  readonly readsProxyProtocol: boolean;
  /** Of gateways: `SANITIZE_SET` … */
  readonly forwardClientCertDetails: string;
  readonly headers: ProxyHeaders;
  /** How long connections to the proxy may lie still, in Go's form; undefined: as Envoy has it. No ProxyConfig says it, only a node itself. */
  readonly idleTimeout: string | undefined;
  readonly connections: ConnectionSettings;
}

export interface ProxyTracing {
  /** Percent. */
  readonly sampling: number;
  readonly customTags: Readonly<Record<string, TelemetryCustomTag>>;
  readonly istioTags: boolean;
  /** 0 = Envoy's default, 256. */
  readonly maxPathTagLength: number;
}

/** Headers that a proxy adds (Istio: proxyHeaders). */
export interface ProxyHeaders {
  /** Of servers and gateways `istio-envoy` unless it says otherwise; '' = each one's own. */
  readonly serverName: string;
  /** The app's own header passes, and none is added. */
  readonly passesServer: boolean;
  /** Of servers; `UNDEFINED` = APPEND_FORWARD. */
  readonly forwardedClientCert: string;
  readonly clientCertDetails: {
    readonly subject?: boolean;
    readonly cert?: boolean;
    readonly chain?: boolean;
    readonly dns?: boolean;
    readonly uri?: boolean;
  };
  readonly generatesRequestId: boolean;
  readonly countsAttempts: boolean;
  readonly hidesEnvoyHeaders: boolean;
}

const NO_SETTINGS: ConnectionSettings = {};

interface Switch {
  readonly disabled?: boolean;
}

interface ProxyConfigFields {
  readonly tracing?: {
    readonly sampling?: number;
    readonly customTags?: Readonly<Record<string, TelemetryCustomTag>>;
    readonly enableIstioTags?: boolean;
    readonly maxPathTagLength?: number;
  };
  readonly gatewayTopology?: {
    readonly numTrustedProxies?: number;
    readonly forwardClientCertDetails?: string;
    readonly proxyProtocol?: object;
  };
  readonly connectionSettings?: ConnectionSettings;
  readonly proxyHeaders?: {
    readonly forwardedClientCert?: string;
    readonly setCurrentClientCertDetails?: ProxyHeaders['clientCertDetails'];
    readonly requestId?: Switch;
    readonly server?: Switch & { readonly value?: string };
    readonly attemptCount?: Switch;
    readonly envoyDebugHeaders?: Switch;
  };
}

/** Reads a ProxyConfig (MeshConfig.defaultConfig, an annotation, the metadata of a node). */
export function proxySettingsOf(config: object): ProxySettings {
  const { tracing, gatewayTopology, proxyHeaders = {}, connectionSettings = NO_SETTINGS } = config as ProxyConfigFields;
  const { sampling = 0, customTags = {}, enableIstioTags = true, maxPathTagLength = 0 } = tracing ?? {};
  const { server, requestId, attemptCount, envoyDebugHeaders, forwardedClientCert, setCurrentClientCertDetails } = proxyHeaders;
  return {
    // istiod: 0 is as good as unset, more than everything a mistake.
    tracing: { sampling: sampling === 0 || sampling > 100 ? 1 : sampling, customTags, istioTags: enableIstioTags, maxPathTagLength },
    numTrustedProxies: gatewayTopology?.numTrustedProxies ?? 0,
    idleTimeout: undefined,
    connections: connectionSettings,
    readsProxyProtocol: gatewayTopology?.proxyProtocol !== undefined,
    forwardClientCertDetails: gatewayTopology?.forwardClientCertDetails ?? 'UNDEFINED',
    headers: {
      serverName: server?.disabled === true ? '' : (server?.value ?? ''),
      passesServer: server?.disabled === true,
      forwardedClientCert: forwardedClientCert ?? 'UNDEFINED',
      clientCertDetails: setCurrentClientCertDetails ?? {},
      generatesRequestId: requestId?.disabled !== true,
      countsAttempts: attemptCount?.disabled !== true,
      hidesEnvoyHeaders: envoyDebugHeaders?.disabled === true,
    },
  };
}

/** ProxyConfigs of annotations (`proxy.istio.io/config`), by `Pod <namespace>/<name>` and `WorkloadGroup …`, over the mesh's. */
export function annotatedSettings(
  pods: readonly MeshObject[],
  groups: readonly MeshObject<WorkloadGroupSpec>[],
  defaultConfig: object,
): ReadonlyMap<string, ProxySettings> {
  const found = new Map<string, ProxySettings>();
  const add = ({ kind, metadata }: MeshObject, annotations: Readonly<Record<string, string>>): void => {
    const config = proxyConfigOf(annotations);
    // istiod: a field of the annotation takes the place of the mesh's whole.
    if (config !== undefined) found.set(`${kind} ${metadata.namespace}/${metadata.name}`, proxySettingsOf({ ...defaultConfig, ...config }));
  };
  for (const pod of pods) add(pod, pod.metadata.annotations);
  for (const group of groups) add(group, group.spec.metadata?.annotations ?? {});
  return found;
}

/** What of a node's metadata `settingsFor` looks at (`AUTO_REGISTER_GROUP` by `groupNameOf`): whoever looks at more names it here. */
export const SETTINGS_METADATA: readonly string[] = ['PROXY_CONFIG', 'IDLE_TIMEOUT', 'AUTO_REGISTER_GROUP'];

/** With what the node says of itself beside: `ISTIO_META_IDLE_TIMEOUT`, which istiod reads over when it is no duration. */
export function settingsFor(node: ProxyNode, annotated: ReadonlyMap<string, ProxySettings>, mesh: ProxySettings): ProxySettings {
  const settings = configuredFor(node, annotated, mesh);
  const { IDLE_TIMEOUT: said } = node.metadata;
  const idleTimeout = typeof said === 'string' && parseDuration(said) !== undefined ? said : undefined;
  // A ProxyConfig that says nothing of connections has the mesh's.
  const connections = settings.connections === NO_SETTINGS ? mesh.connections : settings.connections;
  if (idleTimeout === undefined && connections === NO_SETTINGS) return settings;
  return { ...settings, idleTimeout, connections: effectiveConnections(connections, node.dialect === 'router') };
}

/** A node's own ProxyConfig, as Istio's agent sends it, is all there is; else what its Pod or WorkloadGroup says, else the mesh's. */
function configuredFor(node: ProxyNode, annotated: ReadonlyMap<string, ProxySettings>, mesh: ProxySettings): ProxySettings {
  const own = node.metadata.PROXY_CONFIG;
  if (typeof own === 'object' && own !== null && !Array.isArray(own)) return proxySettingsOf(own);
  if (annotated.size === 0) return mesh;
  const group = groupNameOf(node);
  return (
    annotated.get(`Pod ${node.namespace}/${node.name}`) ??
    (group === '' ? undefined : annotated.get(`WorkloadGroup ${node.namespace}/${group}`)) ??
    mesh
  );
}
