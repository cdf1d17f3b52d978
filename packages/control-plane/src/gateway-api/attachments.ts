import { hostMatches } from '../push/service.ts';
import type { Path, Problem } from './conditions.ts';
import type { GatewayListener } from './gateways.ts';
import type { ParentRef } from './route-types.ts';

/** A route as a listener judges it. */
export interface BindingRoute {
  readonly kind: string;
  readonly namespace: string;
  readonly hostnames: readonly string[];
}

/** What one listener says to a route: the hosts that it has there, or why it has none. */
export interface Attachment {
  readonly listener: GatewayListener;
  readonly hosts: readonly string[];
  readonly denied: Problem | undefined;
}

/**
 * A route and each listener of the Gateway that it names (Istio: referenceAllowed). `path`: the parentRef in the route's document.
 * `listeners`: all of that Gateway.
 */
export function attach(listeners: readonly GatewayListener[], parent: ParentRef, route: BindingRoute, path: Path): Attachment[] {
  return listeners.map((listener) => {
    const denied = denial(listener, parent, route, path);
    const hosts = denied === undefined ? ownHosts(listener, listeners, route.hostnames) : [];
    return { listener, hosts, denied };
  });
}

function denial({ listener, namespaces, kinds }: GatewayListener, parent: ParentRef, route: BindingRoute, path: Path): Problem | undefined {
  if (parent.port !== undefined && parent.port !== listener.port) {
    return { reason: 'NoMatchingParent', message: `port ${parent.port} not found`, path: [...path, 'port'] };
  }
  if (parent.sectionName !== undefined && parent.sectionName !== listener.name) {
    return { reason: 'NoMatchingParent', message: `sectionName "${parent.sectionName}" not found`, path: [...path, 'sectionName'] };
  }
  const hostname = listener.hostname ?? '';
  const wanted = route.hostnames.length === 0 ? ['*'] : route.hostnames;
  if (!wanted.some((host) => meets(hostname || '*', host))) {
    return {
      reason: 'NoMatchingListenerHostname',
      message: `no hostnames matched parent hostname "${hostname}"`,
      path: ['spec', 'hostnames'],
    };
  }
  if (!namespaces.includes('*') && !namespaces.includes(route.namespace)) {
    const message = `hostnames matched parent hostname "${hostname}", but namespace "${route.namespace}" is not allowed by the parent`;
    return { reason: 'NotAllowedByListeners', message, path };
  }
  if (!kinds.includes(route.kind)) return { reason: 'NotAllowedByListeners', message: `kind ${route.kind} is not allowed`, path };
  return undefined;
}

function meets(a: string, b: string): boolean {
  return hostMatches(a, b) || hostMatches(b, a);
}

/** Of the route's hosts those that no listener of the same port and protocol matches more exactly (Istio: hostnameAllowedByIsolation). */
function ownHosts({ listener }: GatewayListener, all: readonly GatewayListener[], hostnames: readonly string[]): string[] {
  const hosts = hostnames.length === 0 ? ['*'] : [...hostnames];
  const own = listener.hostname ?? '';
  if (own !== '' && !own.startsWith('*')) return hosts;
  const others = all.flatMap(({ listener: other }) =>
    other.port === listener.port && other.protocol === listener.protocol && (other.hostname ?? '') !== own ? [other.hostname ?? ''] : [],
  );
  return hosts.filter((host) => {
    if (own !== '' && !meets(own, host)) return false;
    return !others.some((other) => own.length <= other.length && isWithin(host, other));
  });
}

/** True when every name of `host` is one of `pattern`. */
export function isWithin(host: string, pattern: string): boolean {
  if (!pattern.startsWith('*')) return host === pattern;
  if (host.startsWith('*') && host.length < pattern.length) return false;
  return host.endsWith(pattern.slice(1));
}
