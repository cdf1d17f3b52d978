import type { ClientTLSSettings, ExtensionProvider, HTTPRetry, MeshConfigSpec, MeshObject, TelemetryProvider } from '@ripstop/istio-api';
import type { LabelSelector } from '../model/label-selector.ts';
import { ClusterLocalHosts, type ServiceSettings } from './cluster-local.ts';
import type { DefaultPolicy } from './destination-rules.ts';
import type { LocalityBalancing } from './locality-policy.ts';
import type { MeshTls, TlsSettings } from './mesh-tls.ts';
import { type ProxySettings, proxySettingsOf } from './proxy-settings.ts';
import type { TelemetryDefaults } from './telemetry.ts';

/** MeshConfig with Istio's defaults filled in. */
export interface MeshConfig {
  readonly trustDomain: string;
  readonly trustDomainAliases: readonly string[];
  readonly rootNamespace: string;
  readonly domain: string;
  readonly autoMtls: boolean;
  readonly allowAny: boolean;
  /** Where unknown hosts pass, their HTTP requests are looked up by name (ALLOW_ANY_DYNAMIC_DNS). */
  readonly looksUpHosts: boolean;
  /** Of requests to hosts that are looked up so. */
  readonly outboundTls: ClientTLSSettings | undefined;
  readonly connectTimeout: string;
  readonly pathNormalization: string;
  /** Undefined without accessLogFile. */
  readonly accessLog: { readonly path: string; readonly format: string; readonly encoding: string } | undefined;
  readonly accessLogFormat: string;
  readonly accessLogEncoding: string;
  /** Listeners log connections that no chain takes. */
  readonly logsListeners: boolean;
  readonly defaultRetry: HTTPRetry | undefined;
  readonly exportTo: DefaultExports;
  /** Empty = every namespace. */
  readonly discoverySelectors: readonly LabelSelector[];
  readonly tls: MeshTls;
  /** Of every connection that is made; a DestinationRule changes it field by field. */
  readonly tcpKeepalive: TcpKeepalive | undefined;
  /** HTTP ports are called by HTTP/2, where a DestinationRule does not say otherwise. */
  readonly upgradesToHttp2: boolean;
  readonly dnsRefreshRate: string;
  /** How long a server's first bytes, or a client's, are waited for; 0 = without end. */
  readonly protocolDetectionTimeout: string;
  /** What a DestinationRule leaves out. */
  readonly defaultPolicy: DefaultPolicy;
  /** Of Telemetry; `accessLog` and `tracing` hold where it says nothing. */
  readonly telemetry: TelemetryDefaults;
  /** enableTracing. */
  readonly traces: boolean;
  /** defaultConfig: of nodes that bring no ProxyConfig of their own. */
  readonly proxy: ProxySettings;
  readonly defaultConfig: object;
  readonly locality: LocalityBalancing;
  readonly extensionProviders: readonly ExtensionProvider[];
  readonly clusterLocal: ClusterLocalHosts;
  /** Trust domains of who may call by mTLS: the mesh's own, its aliases, and those that caCertificates speak for (Istio: TrustDomainsForValidation). */
  readonly callersTrustDomains: readonly string[];
  /** Roots beside the mesh's own, PEM. */
  readonly moreRootsPem: readonly string[];
  /** Where more of them are fetched. */
  readonly bundleUrls: readonly string[];
}

/** Of documents that do not say who may see them. */
export interface DefaultExports {
  readonly services: readonly string[];
  readonly virtualServices: readonly string[];
  readonly destinationRules: readonly string[];
}

interface TelemetryFields {
  readonly enableTracing?: boolean;
  readonly extensionProviders?: readonly TelemetryProvider[];
  readonly defaultProviders?: {
    readonly accessLogging?: readonly string[];
    readonly metrics?: readonly string[];
    readonly tracing?: readonly string[];
  };
}

export interface TcpKeepalive {
  readonly time?: string;
  readonly interval?: string;
  readonly probes?: number;
}

interface MoreFields extends LocalityBalancing, TelemetryFields {
  readonly outboundTrafficPolicy?: { readonly mode?: string; readonly tls?: ClientTLSSettings };
  readonly connectTimeout?: string;
  readonly defaultHttpRetryPolicy?: HTTPRetry;
  readonly defaultServiceExportTo?: readonly string[];
  readonly defaultVirtualServiceExportTo?: readonly string[];
  readonly defaultDestinationRuleExportTo?: readonly string[];
  readonly discoverySelectors?: readonly LabelSelector[];
  readonly meshMTLS?: TlsSettings;
  readonly tlsDefaults?: TlsSettings;
  readonly tcpKeepalive?: TcpKeepalive;
  readonly h2UpgradePolicy?: string;
  readonly dnsRefreshRate?: string;
  readonly protocolDetectionTimeout?: string;
  readonly disableEnvoyListenerLog?: boolean;
  readonly defaultTrafficPolicy?: DefaultPolicy;
  readonly serviceSettings?: readonly ServiceSettings[];
}

/** The mesh configuration in force: the MeshConfig document, else defaults. */
export function meshConfigOf(objects: readonly MeshObject[], trustDomain: string): MeshConfig {
  const object = objects.find((candidate) => candidate.kind === 'MeshConfig');
  const spec = (object?.spec ?? {}) as Omit<MeshConfigSpec, 'defaultConfig'> & MoreFields & Pick<MeshConfigSpec, 'defaultConfig'>;
  const { accessLogFile: file = '', accessLogFormat = '', accessLogEncoding = 'TEXT' } = spec;
  return {
    trustDomain: spec.trustDomain ?? trustDomain,
    trustDomainAliases: spec.trustDomainAliases ?? [],
    rootNamespace: spec.rootNamespace ?? 'istio-system',
    domain: 'cluster.local',
    autoMtls: spec.enableAutoMtls ?? true,
    allowAny: spec.outboundTrafficPolicy?.mode !== 'REGISTRY_ONLY',
    looksUpHosts: spec.outboundTrafficPolicy?.mode === 'ALLOW_ANY_DYNAMIC_DNS',
    outboundTls: spec.outboundTrafficPolicy?.tls,
    connectTimeout: spec.connectTimeout ?? '10s',
    pathNormalization: spec.pathNormalization?.normalization ?? 'DEFAULT',
    accessLog: file === '' ? undefined : { path: file, format: accessLogFormat, encoding: accessLogEncoding },
    accessLogFormat,
    accessLogEncoding,
    logsListeners: spec.disableEnvoyListenerLog !== true,
    defaultRetry: spec.defaultHttpRetryPolicy,
    locality: {
      ...(spec.localityLbSetting === undefined ? {} : { localityLbSetting: spec.localityLbSetting }),
      ...(spec.zoneAwareLbSetting === undefined ? {} : { zoneAwareLbSetting: spec.zoneAwareLbSetting }),
    },
    exportTo: {
      services: exportTo(spec.defaultServiceExportTo),
      virtualServices: exportTo(spec.defaultVirtualServiceExportTo),
      // istiod honours `.`; all else is for everybody.
      destinationRules: spec.defaultDestinationRuleExportTo?.includes('.') === true ? ['.'] : EVERYBODY,
    },
    discoverySelectors: spec.discoverySelectors ?? [],
    tls: { mutual: spec.meshMTLS ?? {}, defaults: spec.tlsDefaults ?? {} },
    tcpKeepalive: spec.tcpKeepalive,
    upgradesToHttp2: spec.h2UpgradePolicy === 'UPGRADE',
    dnsRefreshRate: spec.dnsRefreshRate ?? '60s',
    protocolDetectionTimeout: spec.protocolDetectionTimeout ?? '0s',
    defaultPolicy: spec.defaultTrafficPolicy ?? {},
    telemetry: telemetryDefaults(spec),
    traces: spec.enableTracing ?? true,
    proxy: proxySettingsOf(spec.defaultConfig ?? {}),
    defaultConfig: spec.defaultConfig ?? {},
    extensionProviders: spec.extensionProviders ?? [],
    clusterLocal: new ClusterLocalHosts(spec.serviceSettings ?? []),
    callersTrustDomains: callersTrustDomains(spec, trustDomain),
    moreRootsPem: (spec.caCertificates ?? []).flatMap(({ pem = '' }) => (pem === '' ? [] : [pem])),
    bundleUrls: bundleUrlsOf(spec),
  };
}

/** An entry with `pem` has its roots with it. */
export function bundleUrlsOf({ caCertificates = [] }: Pick<MeshConfigSpec, 'caCertificates'>): readonly string[] {
  const urls = caCertificates.flatMap(({ pem = '', spiffeBundleUrl = '' }) =>
    pem === '' && spiffeBundleUrl !== '' ? [spiffeBundleUrl] : [],
  );
  return [...new Set(urls)];
}

function callersTrustDomains(spec: MeshConfigSpec, trustDomain: string): readonly string[] {
  const ofRoots = (spec.caCertificates ?? []).flatMap(({ trustDomains = [] }) => trustDomains);
  const all = [spec.trustDomain ?? trustDomain, ...(spec.trustDomainAliases ?? []), ...ofRoots];
  return [...new Set(all.filter((domain) => domain !== ''))];
}

const EVERYBODY: readonly string[] = ['*'];

function exportTo(names: readonly string[] = []): readonly string[] {
  return names.length === 0 ? EVERYBODY : names;
}

/** Providers that every Istio mesh has; one of the same name in MeshConfig takes their place. */
const BUILT_IN: readonly TelemetryProvider[] = [
  { name: 'prometheus', prometheus: {} },
  { name: 'envoy', envoyFileAccessLog: { path: '/dev/stdout' } },
];

function telemetryDefaults({ extensionProviders = [], defaultProviders = {} }: TelemetryFields): TelemetryDefaults {
  const named = new Set(extensionProviders.map(({ name }) => name));
  return {
    providers: [...BUILT_IN.filter(({ name }) => !named.has(name)), ...extensionProviders],
    accessLogging: defaultProviders.accessLogging ?? [],
    // Our own clients count in any case, as every default installation of Istio does.
    metrics: defaultProviders.metrics ?? ['prometheus'],
    tracing: defaultProviders.tracing ?? [],
  };
}
