import { RouteConfiguration, type VirtualHost } from '@ripstop/xds-api';
import type { ProxySettings } from '../push/proxy-settings.ts';
import type { RouteFields } from './http-routes.ts';
import type { FieldsOf } from './values.ts';

export type VirtualHostFields = FieldsOf<typeof VirtualHost>;

/** A route configuration with istiod's settings; the same in sidecars and gateways. */
export function routeConfiguration(
  name: string,
  virtualHosts: readonly VirtualHostFields[],
  { headers }: ProxySettings,
): RouteConfiguration {
  return RouteConfiguration.fromPartial({
    name,
    virtualHosts: headers.countsAttempts ? [...virtualHosts] : virtualHosts.map(({ includeRequestAttemptCount: _, ...fields }) => fields),
    validateClusters: false,
    maxDirectResponseBodySizeBytes: 1_048_576,
    ignorePortInHostMatching: true,
  });
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
