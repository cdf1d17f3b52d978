import type { Exchange } from '../exchange.ts';

export interface DescriptorEntry {
  readonly key: string;
  readonly value: string;
}

export interface RateLimitDescriptor {
  readonly entries: readonly DescriptorEntry[];
  /** A limit that the request brings along instead of the service's own. */
  readonly limit: { readonly requestsPerUnit: number; readonly unit: number } | undefined;
}

/** One rate_limits entry of a route, a virtual host or a filter: its actions make a descriptor, or none. */
export interface RateLimitPolicy {
  readonly stage: number;
  describe(x: Exchange): RateLimitDescriptor | undefined;
}

/** The rate limits that stand around a route. */
export interface RouteRateLimits {
  readonly route: readonly RateLimitPolicy[];
  readonly host: readonly RateLimitPolicy[];
  /** The route asks for its host's as well. */
  readonly includeHost: boolean;
}

export type HostRateLimits = 'override' | 'include' | 'ignore';

/**
 * What of a route's and its host's rate limits counts: a host's by default only where the route has none, of whatever stage; a route that
 * asks for them has them, whatever the filter says (Envoy: getVirtualHostRateLimitOption).
 */
export function policiesOf(limits: RouteRateLimits | undefined, stage: number, host: HostRateLimits): readonly RateLimitPolicy[] {
  if (limits === undefined) return [];
  const route = limits.route.filter((policy) => policy.stage === stage);
  const withHost = limits.includeHost || host === 'include' || (host === 'override' && limits.route.length === 0);
  return withHost ? [...route, ...limits.host.filter((policy) => policy.stage === stage)] : route;
}

export function describeAll(policies: readonly RateLimitPolicy[], x: Exchange): RateLimitDescriptor[] {
  return policies.flatMap((policy) => policy.describe(x) ?? []);
}
