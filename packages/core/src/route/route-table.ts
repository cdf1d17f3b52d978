import { lowerCase } from './lower-case.ts';
import type { RouteTable, VirtualHost } from './route.ts';
import { RouteIndex } from './route-index.ts';

/**
 * Virtual hosts by Envoy's search order: exact, longest suffix wildcard (`*.foo`, `*-bar.foo`), longest prefix wildcard (`foo.*`), `*`.
 * Exact names are one Map look-up. With `ignorePort` (ignore_port_in_host_matching, as istiod sends it) the request's port is dropped,
 * and a domain written with a port never matches.
 */
export function createRouteTable(name: string, hosts: readonly VirtualHost[], ignorePort: boolean): RouteTable {
  const virtualHosts = hosts.map((host): VirtualHost => ({ ...host, index: RouteIndex.of(host.routes) }));
  const exact = new Map<string, VirtualHost>();
  const suffixes: [string, VirtualHost][] = [];
  const prefixes: [string, VirtualHost][] = [];
  let catchAll: VirtualHost | undefined;
  for (const host of virtualHosts) {
    for (const written of host.domains) {
      const domain = lowerCase(written);
      if (domain === '*') catchAll ??= host;
      else if (domain.startsWith('*')) suffixes.push([domain.slice(1), host]);
      else if (domain.endsWith('*')) prefixes.push([domain.slice(0, -1), host]);
      else if (!exact.has(domain)) exact.set(domain, host);
    }
  }
  suffixes.sort(([a], [b]) => b.length - a.length);
  prefixes.sort(([a], [b]) => b.length - a.length);

  const find = (authority: string): VirtualHost | undefined => {
    const host = ignorePort ? withoutPort(authority) : authority;
    const direct = exact.get(host);
    if (direct !== undefined) return direct;
    const lower = lowerCase(host);
    return (
      exact.get(lower) ??
      // The wildcard stands for at least one character.
      suffixes.find(([suffix]) => lower.length > suffix.length && lower.endsWith(suffix))?.[1] ??
      prefixes.find(([prefix]) => lower.length > prefix.length && lower.startsWith(prefix))?.[1] ??
      catchAll
    );
  };
  // Most requests ask for the host that the one before asked for.
  let asked: string | undefined;
  let found: VirtualHost | undefined;
  const virtualHost = (authority: string): VirtualHost | undefined => {
    if (authority === asked) return found;
    found = find(authority);
    asked = authority;
    return found;
  };
  return { name, virtualHosts, virtualHost };
}

/** `host` of `host`, `host:port`, `[v6]`, `[v6]:port`. */
export function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(':');
  if (colon === -1 || authority.endsWith(']')) return authority;
  for (let index = colon + 1; index < authority.length; index++) {
    const code = authority.charCodeAt(index);
    if (code < 48 || code > 57) return authority;
  }
  return authority.slice(0, colon);
}
