import {
  compileHeaderMutations,
  createOnDemandTable,
  createRouteTable,
  type PathMatch,
  type Route,
  type RouteRateLimits,
  type RouteTable,
  type VirtualHost,
} from '@ripstop/core';
import {
  type RouteConfiguration,
  type RouteMatch,
  type Route as RouteMessage,
  type Vhds,
  VirtualHost_TlsRequirementType,
  type VirtualHost as VirtualHostMessage,
} from '@ripstop/xds-api';
import { ON_DEMAND_TYPE_URL } from './filters/on-demand.ts';
import { operationsOf } from './header-operations.ts';
import type { LevelNames } from './http-filters.ts';
import { compilePathSpecifier } from './matchers.ts';
import { GrowingHosts } from './on-demand/growing-hosts.ts';
import { compileRateLimits } from './rate-limits.ts';
import { compileAction } from './route/route-action.ts';
import type { RouteEnv } from './route/route-env.ts';
import { compileMatch, isPathAlone } from './route/route-match.ts';
import { pathCondition, routeConditions } from './route-conditions.ts';
import { sourceOf } from './values.ts';

/** A RouteConfiguration as a route table. Throws on the first thing that cannot be honoured, naming host and route. */
export function compileRouteConfiguration(message: RouteConfiguration, env: RouteEnv): RouteTable {
  checkDomains(message);
  const hosts = message.virtualHosts.map((host) => compileVirtualHost(host, message, env));
  if (message.vhds !== undefined) checkHostSource(message.vhds);
  if (message.vhds === undefined || env.onDemand === undefined)
    return createRouteTable(message.name, hosts, message.ignorePortInHostMatching);
  const { onDemand } = env;
  const growing = new GrowingHosts(message.name, hosts, onDemand, (host) => compileVirtualHost(host, message, env));
  const requests = env.filters.actsWithoutRoute(ON_DEMAND_TYPE_URL) ? onDemand.requests(message.name) : undefined;
  return createOnDemandTable(message.name, growing, message.ignorePortInHostMatching, requests);
}

/** A domain may stand once in a route configuration, whatever its case. */
function checkDomains(message: RouteConfiguration): void {
  const owners = new Map<string, string>();
  for (const { name, domains } of message.virtualHosts) {
    for (const domain of domains) {
      const owner = owners.get(domain.toLowerCase());
      if (owner !== undefined) throw new Error(`virtual host ${name}: the domain ${domain} stands already in virtual host ${owner}`);
      owners.set(domain.toLowerCase(), name);
    }
  }
}

/** As for any discovery but that of the stream itself. */
function checkHostSource({ configSource }: Vhds): void {
  const kind = configSource?.configSourceSpecifier?.$case;
  if (kind !== 'ads' && kind !== 'self') throw new Error('vhds by another source than ADS is not supported: use config_source { ads {} }');
}

function compileVirtualHost(host: VirtualHostMessage, table: RouteConfiguration, env: RouteEnv): VirtualHost {
  const routes = host.routes.map((route, index) => {
    try {
      return compileRoute(route, host, table, [table.name, host.name, route.name === '' ? String(index) : route.name], env);
    } catch (error) {
      throw new Error(
        `virtual host ${host.name}, route ${route.name === '' ? index : `${index} (${route.name})`}: ${error instanceof Error ? error.message : error}`,
      );
    }
  });
  return {
    name: host.name,
    domains: host.domains,
    routes,
    includeAttemptCount: host.includeRequestAttemptCount,
    includeAttemptCountInResponse: host.includeAttemptCountInResponse,
    requireTls: host.requireTls !== VirtualHost_TlsRequirementType.NONE,
  };
}

function compileRoute(route: RouteMessage, host: VirtualHostMessage, table: RouteConfiguration, names: LevelNames, env: RouteEnv): Route {
  const { match } = route;
  if (match === undefined) throw new Error('no match');
  const path = compilePathSpecifier(match);
  const caseSensitive = match.caseSensitive ?? true;
  const overrides = [table.typedPerFilterConfig, host.typedPerFilterConfig, route.typedPerFilterConfig];
  const levels = table.mostSpecificHeaderMutationsWins
    ? [operationsOf(table), operationsOf(host), operationsOf(route)]
    : [operationsOf(route), operationsOf(host), operationsOf(table)];
  return {
    name: route.name,
    matches: compileMatch(match, path, caseSensitive, env.random),
    conditions: conditionsOf(match, path, caseSensitive),
    literal: caseSensitive && 'value' in path ? path.value : undefined,
    action: compileAction(route, host, path, env),
    filters: env.filters.create(overrides, names, rateLimitsOf(route, host, env)),
    headers: compileHeaderMutations(levels, env.clock),
    operation: route.decorator?.operation ?? '',
    source: sourceOf(route.metadata) ?? sourceOf(host.metadata),
  };
}

/** Holds on to the message only where more than its path is asked for: two functions, since closures of one hold what any of them uses. */
function conditionsOf(match: RouteMatch, path: PathMatch, caseSensitive: boolean): Route['conditions'] {
  return isPathAlone(match) ? pathConditions(match.pathSpecifier, path, caseSensitive) : () => routeConditions(match, path, caseSensitive);
}

function pathConditions(pathSpecifier: RouteMatch['pathSpecifier'], path: PathMatch, caseSensitive: boolean): Route['conditions'] {
  return () => [pathCondition(pathSpecifier, path, caseSensitive)];
}

function rateLimitsOf({ action }: RouteMessage, host: VirtualHostMessage, { filters }: RouteEnv): RouteRateLimits {
  const own = action?.$case === 'route' ? action.value : undefined;
  return {
    route: compileRateLimits(own?.rateLimits ?? [], filters.ownCluster),
    host: compileRateLimits(host.rateLimits, filters.ownCluster),
    includeHost: own?.includeVhRateLimits ?? false,
  };
}
