import type { ExtensionProvider, HTTPRetry, MeshConfigSpec, MeshObject } from '@ripstop/istio-api';
import type { LocalityBalancing } from './locality-policy.ts';

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
  readonly accessLog: { readonly path: string; readonly format: string; readonly encoding: string } | undefined;
  readonly defaultRetry: HTTPRetry | undefined;
  readonly tracingSampling: number;
  readonly locality: LocalityBalancing;
  /** Proxies in front of gateways whose x-forwarded-for is believed. */
  readonly numTrustedProxies: number;
  readonly extensionProviders: readonly ExtensionProvider[];
}

interface MoreFields extends LocalityBalancing {
  readonly connectTimeout?: string;
  readonly defaultHttpRetryPolicy?: HTTPRetry;
}

/** The mesh configuration in force: the MeshConfig document, else defaults. */
export function meshConfigOf(objects: readonly MeshObject[], trustDomain: string): MeshConfig {
  const object = objects.find((candidate) => candidate.kind === 'MeshConfig');
  const spec = (object?.spec ?? {}) as MeshConfigSpec & MoreFields;
  const file = spec.accessLogFile ?? '';
  return {
    trustDomain: spec.trustDomain ?? trustDomain,
    trustDomainAliases: spec.trustDomainAliases ?? [],
    rootNamespace: spec.rootNamespace ?? 'istio-system',
    domain: 'cluster.local',
    autoMtls: spec.enableAutoMtls ?? true,
    allowAny: spec.outboundTrafficPolicy?.mode !== 'REGISTRY_ONLY',
    connectTimeout: spec.connectTimeout ?? '10s',
    pathNormalization: spec.pathNormalization?.normalization ?? 'DEFAULT',
    accessLog: file === '' ? undefined : { path: file, format: spec.accessLogFormat ?? '', encoding: spec.accessLogEncoding ?? 'TEXT' },
    defaultRetry: spec.defaultHttpRetryPolicy,
    locality: {
      ...(spec.localityLbSetting === undefined ? {} : { localityLbSetting: spec.localityLbSetting }),
      ...(spec.zoneAwareLbSetting === undefined ? {} : { zoneAwareLbSetting: spec.zoneAwareLbSetting }),
    },
    tracingSampling: spec.defaultConfig?.tracing?.sampling ?? 1,
    numTrustedProxies: spec.defaultConfig?.gatewayTopology?.numTrustedProxies ?? 0,
    extensionProviders: spec.extensionProviders ?? [],
  };
}
