import { RouteConfiguration, type VirtualHost } from '@ripstop/xds-api';
import type { ProxyHeaders, ProxySettings } from '../push/proxy-settings.ts';
import type { RouteFields } from './route-scope.ts';
import type { FieldsOf } from './values.ts';

export type VirtualHostFields = FieldsOf<typeof VirtualHost>;

/** A route configuration with istiod's settings; the same in sidecars and gateways. `ignoresPorts`: hosts are told apart by name alone. */
export function routeConfiguration(
  name: string,
  virtualHosts: readonly VirtualHostFields[],
  { headers }: ProxySettings,
  ignoresPorts = true,
): RouteConfiguration {
  return RouteConfiguration.fromPartial({
    name,
    virtualHosts: counted(virtualHosts, headers),
    validateClusters: false,
    maxDirectResponseBodySizeBytes: 1_048_576,
    ignorePortInHostMatching: ignoresPorts,
  });
}

/** The hosts as they are, or without x-envoy-attempt-count. */
export function counted(virtualHosts: readonly VirtualHostFields[], { countsAttempts }: ProxyHeaders): VirtualHostFields[] {
  return countsAttempts ? [...virtualHosts] : virtualHosts.map(({ includeRequestAttemptCount: _, ...fields }) => fields);
}

export function virtualHost(
  name: string,
  domains: readonly string[],
  routes: readonly RouteFields[],
  metadata: Record<string, unknown> = {},
): VirtualHostFields {
  return {
    name,
    domains: [...domains],
    routes: [...routes],
    includeRequestAttemptCount: true,
    ...(Object.keys(metadata).length === 0 ? {} : { metadata: { filterMetadata: metadata as Record<string, Record<string, unknown>> } }),
  };
}
