import type { Admission, Filter, FilterEnv } from '@ripstop/core';
import {
  type Any,
  ConnectionLimit,
  HttpConnectionManager,
  type ListenerFilter,
  NetworkExtAuthz,
  NetworkLocalRateLimit,
  NetworkRbac,
  TcpProxy,
  TypedStruct,
  typeName,
} from '@ripstop/xds-api';
import type { AnyFilterFactory } from './filters/decoded-filter.ts';
import { unwrapTypedConfig } from './typed-config.ts';

/** Network filters that change nothing for the bytes of a connection; left out knowingly. */
const NO_EFFECT: ReadonlySet<string> = new Set([
  'envoy.tcp.metadataexchange.config.MetadataExchange', // spoken only where both sides have agreed on it by ALPN, which we do not
  'stats.PluginConfig', // istio.stats: our telemetry makes these metrics
]);

/** Asked when a connection is made; the others when its first byte is here, whatever their order (Envoy). */
const LIMITS: ReadonlySet<string> = new Set([ConnectionLimit.$type, NetworkLocalRateLimit.$type]);

/** Network filters that let a connection pass or not. */
const JUDGES: ReadonlySet<string> = new Set([...LIMITS, NetworkRbac.$type, NetworkExtAuthz.$type]);

/** The filters of a chain: those that judge, and the one at the end that serves it. */
export interface DecodedNetworkFilters {
  readonly judges: readonly Any[];
  readonly terminal: Any | undefined;
  /** Why the chain cannot be served as it is written; '' = it can. */
  readonly unsupported: string;
}

export function decodeNetworkFilters(filters: readonly ListenerFilter[]): DecodedNetworkFilters {
  const judges: Any[] = [];
  let terminal: Any | undefined;
  let unsupported = '';
  for (const { name, configType } of filters) {
    const any = configType?.$case === 'typedConfig' ? configType.value : undefined;
    const type = any === undefined ? '' : typeName(unwrappedType(any));
    if (type === HttpConnectionManager.$type || type === TcpProxy.$type) terminal = any;
    else if (any !== undefined && JUDGES.has(type)) judges.push(any);
    // It may be an authorization that we do not know: nothing unknown is skipped.
    else if (any === undefined || !(NO_EFFECT.has(type) || (type === MONGO_PROXY && onlyCounts(any))))
      unsupported ||= `network filter ${name}${type === '' ? '' : ` (${type})`} is not supported`;
  }
  return { judges, terminal, unsupported };
}

/** A mongo_proxy counts what passes; it could also delay it. */
const MONGO_PROXY = 'envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy';

/** It has a prefix of statistics, its first field, and nothing else. Its message is not among the generated ones. */
function onlyCounts({ typeUrl, value }: Any): boolean {
  if (typeName(typeUrl) === TypedStruct.$type) return Object.keys(TypedStruct.decode(value).value ?? {}).join() === 'stat_prefix';
  return value[0] === 0x0a && value.length === 2 + value[1]!;
}

function unwrappedType(any: Any): string {
  return unwrapTypedConfig(any).typeUrl;
}

/** Filters for connections; those with nothing to do are left out. */
export function createNetworkFilters(
  judges: readonly Any[],
  registry: ReadonlyMap<string, AnyFilterFactory>,
  env: FilterEnv,
): readonly Filter[] {
  const isLimit = (any: Any): boolean => LIMITS.has(typeName(unwrappedType(any)));
  const inOrder = [...judges.filter(isLimit), ...judges.filter((any) => !isLimit(any))];
  return inOrder.flatMap((any) => {
    const { typeUrl, body } = unwrapTypedConfig(any);
    const factory = registry.get(typeUrl);
    if (factory === undefined) throw new Error(`network filter ${typeName(typeUrl)} is not supported`);
    return factory.create(factory.decode(body), undefined, env) ?? [];
  });
}

/** Those in front of a connection manager; undefined when all have nothing to do. */
export function createAdmission(
  judges: readonly Any[],
  registry: ReadonlyMap<string, AnyFilterFactory>,
  env: FilterEnv,
): Admission | undefined {
  const filters = createNetworkFilters(judges, registry, env);
  if (filters.length === 0) return undefined;
  return { filters, key: judges.map(({ typeUrl, value }) => `${typeUrl} ${Buffer.from(value).toString('base64')}`).join(' ') };
}
