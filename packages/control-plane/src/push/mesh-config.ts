import type { ExtensionProvider, HTTPRetry, MeshConfigSpec, MeshObject, TelemetryCustomTag, TelemetryProvider } from '@ripstop/istio-api';
import type { LocalityBalancing } from './locality-policy.ts';
import type { TelemetryDefaults } from './telemetry.ts';

/** MeshConfig with Istio's defaults filled in. */
export interface MeshConfig {
  readonly trustDomain: string;
  readonly trustDomainAliases: readonly string[];
  readonly rootNamespace: string;
  readonly domain: string;
  readonly autoMtls: boolean;
  readonly allowAny: boolean;
  readonly connectTimeout: string;
  readonly pathNormalization: string;
  /** Undefined without accessLogFile. */
  readonly accessLog: { readonly path: string; readonly format: string; readonly encoding: string } | undefined;
  readonly accessLogFormat: string;
  readonly accessLogEncoding: string;
  readonly defaultRetry: HTTPRetry | undefined;
  /** Of Telemetry; `accessLog` and `tracing` hold where it says nothing. */
  readonly telemetry: TelemetryDefaults;
  readonly tracing: MeshTracing;
  readonly locality: LocalityBalancing;
  /** Proxies in front of gateways whose x-forwarded-for is believed. */
  readonly numTrustedProxies: number;
  readonly extensionProviders: readonly ExtensionProvider[];
}

/** enableTracing and defaultConfig.tracing. */
export interface MeshTracing {
  readonly enabled: boolean;
  /** Percent. */
  readonly sampling: number;
  readonly customTags: Readonly<Record<string, TelemetryCustomTag>>;
  readonly istioTags: boolean;
  /** 0 = Envoy's default, 256. */
  readonly maxPathTagLength: number;
}

interface TelemetryFields {
  readonly enableTracing?: boolean;
  readonly extensionProviders?: readonly TelemetryProvider[];
  readonly defaultProviders?: {
    readonly accessLogging?: readonly string[];
    readonly metrics?: readonly string[];
    readonly tracing?: readonly string[];
  };
  readonly defaultConfig?: {
    readonly tracing?: {
      readonly sampling?: number;
      readonly customTags?: Readonly<Record<string, TelemetryCustomTag>>;
      readonly enableIstioTags?: boolean;
      readonly maxPathTagLength?: number;
    };
  };
}

interface MoreFields extends LocalityBalancing, TelemetryFields {
  readonly connectTimeout?: string;
  readonly defaultHttpRetryPolicy?: HTTPRetry;
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
    connectTimeout: spec.connectTimeout ?? '10s',
    pathNormalization: spec.pathNormalization?.normalization ?? 'DEFAULT',
    accessLog: file === '' ? undefined : { path: file, format: accessLogFormat, encoding: accessLogEncoding },
    accessLogFormat,
    accessLogEncoding,
    defaultRetry: spec.defaultHttpRetryPolicy,
    locality: {
      ...(spec.localityLbSetting === undefined ? {} : { localityLbSetting: spec.localityLbSetting }),
      ...(spec.zoneAwareLbSetting === undefined ? {} : { zoneAwareLbSetting: spec.zoneAwareLbSetting }),
    },
    telemetry: telemetryDefaults(spec),
    tracing: meshTracing(spec),
    numTrustedProxies: spec.defaultConfig?.gatewayTopology?.numTrustedProxies ?? 0,
    extensionProviders: spec.extensionProviders ?? [],
  };
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

function meshTracing({ enableTracing = true, defaultConfig }: TelemetryFields): MeshTracing {
  const { sampling = 0, customTags = {}, enableIstioTags = true, maxPathTagLength = 0 } = defaultConfig?.tracing ?? {};
  return {
    enabled: enableTracing,
    // istiod: 0 is as good as unset, more than everything a mistake.
    sampling: sampling === 0 || sampling > 100 ? 1 : sampling,
    customTags,
    istioTags: enableIstioTags,
    maxPathTagLength,
  };
}
