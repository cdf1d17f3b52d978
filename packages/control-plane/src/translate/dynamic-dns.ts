import {
  type Cluster,
  type DnsCacheConfig,
  DynamicForwardProxyClusterConfig,
  DynamicForwardProxyFilterConfig,
  packAny,
  SniDynamicForwardProxyFilterConfig,
} from '@ripstop/xds-api';
import type { Caller } from '../model/proxy-node.ts';
import { dnsFamilyOf } from './cluster-values.ts';
import type { HttpFilterFields } from './filter-order.ts';
import type { NetworkFilterFields } from './tcp-proxy.ts';
import type { FieldsOf } from './values.ts';

/*
 * ServiceEntries of resolution DYNAMIC_DNS: whatever host under the wildcard a request names is looked up then. Cluster and filters
 * of one host share a cache by its name. With ALLOW_ANY_DYNAMIC_DNS the same holds for hosts that nobody owns.
 */

/** Name of the virtual host and of the routes of hosts that nobody owns. */
export const ALLOW_ANY_DYNAMIC_DNS = 'allow_any_dynamic_dns';

/** A host of ServiceEntries, or any that nobody owns. */
export type LookedUp = string | typeof ANY_HOST;

export const ANY_HOST: unique symbol = Symbol('any host');

function cacheOf(node: Caller, host: LookedUp): FieldsOf<typeof DnsCacheConfig> {
  const dnsLookupFamily = dnsFamilyOf(node);
  if (host === ANY_HOST) return { name: 'allow_any_dfp_dns_cache', dnsLookupFamily, maxHosts: 1024 };
  return { name: `${String(host)}_dfp_dns_cache`, dnsLookupFamily };
}

/** `insecure`: the name in the certificate is given, not taken from the request (Envoy asks for this word then). */
export function dynamicDnsCluster(
  node: Caller,
  host: LookedUp,
  insecure: boolean,
): NonNullable<FieldsOf<typeof Cluster>['clusterDiscoveryType']> {
  const config = DynamicForwardProxyClusterConfig.fromPartial({
    clusterImplementationSpecifier: { $case: 'dnsCacheConfig', value: cacheOf(node, host) },
    allowInsecureClusterOptions: insecure,
  });
  return {
    $case: 'clusterType',
    value: { name: 'envoy.clusters.dynamic_forward_proxy', typedConfig: packAny(DynamicForwardProxyClusterConfig, config) },
  };
}

export function dynamicDnsHttpFilter(node: Caller, host: LookedUp): HttpFilterFields {
  const config = DynamicForwardProxyFilterConfig.fromPartial({
    implementationSpecifier: { $case: 'dnsCacheConfig', value: cacheOf(node, host) },
  });
  return {
    name: 'envoy.filters.http.dynamic_forward_proxy',
    configType: { $case: 'typedConfig', value: packAny(DynamicForwardProxyFilterConfig, config) },
  };
}

/** For connections whose TLS server name is the host. */
export function dynamicDnsSniFilter(node: Caller, host: string, port: number): NetworkFilterFields {
  const config = SniDynamicForwardProxyFilterConfig.fromPartial({
    dnsCacheConfig: cacheOf(node, host),
    portSpecifier: { $case: 'portValue', value: port },
  });
  return {
    name: 'envoy.extensions.filters.network.sni_dynamic_forward_proxy',
    configType: { $case: 'typedConfig', value: packAny(SniDynamicForwardProxyFilterConfig, config) },
  };
}
