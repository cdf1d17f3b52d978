import type { Path, Problem } from './conditions.ts';
import { GATEWAY_API, type ListenerSpec } from './gateway-types.ts';

const HTTP_LIKE: ReadonlySet<string> = new Set(['HTTP', 'HTTPS', 'TLS']);
const SUPPORTED: ReadonlySet<string> = new Set([...HTTP_LIKE, 'TCP']);

/** Kinds of routes that a listener takes, by its protocol and `allowedRoutes.kinds`. `problem`: kinds are named that cannot bind. */
export function supportedKinds(
  listener: ListenerSpec,
  path: Path,
): { readonly kinds: readonly string[]; readonly problem: Problem | undefined } {
  const possible = kindsOf(listener);
  const named = listener.allowedRoutes?.kinds ?? [];
  if (named.length === 0) return { kinds: possible, problem: undefined };
  const kinds = possible.filter((kind) => named.some((entry) => entry.kind === kind && (entry.group ?? GATEWAY_API) === GATEWAY_API));
  const problem = { reason: 'InvalidRouteKinds', message: 'Invalid route kinds', path: [...path, 'allowedRoutes', 'kinds'] };
  return { kinds, problem: kinds.length === named.length ? undefined : problem };
}

function kindsOf({ protocol, tls }: ListenerSpec): readonly string[] {
  if (protocol === 'HTTP' || protocol === 'HTTPS') return ['HTTPRoute', 'GRPCRoute'];
  if (protocol === 'TCP') return ['TCPRoute'];
  if (protocol !== 'TLS') return [];
  return tls?.mode === 'Terminate' ? ['TLSRoute', 'TCPRoute'] : ['TLSRoute'];
}

export function protocolProblem({ protocol }: ListenerSpec, path: Path): Problem | undefined {
  if (SUPPORTED.has(protocol)) return undefined;
  const upper = protocol.toUpperCase();
  const hint = SUPPORTED.has(upper) ? `. hint: "${upper}" (uppercase) may be supported` : '';
  return { reason: 'UnsupportedProtocol', message: `protocol "${protocol}" is unsupported${hint}`, path: [...path, 'protocol'] };
}

/** Listeners that lose their place to an earlier one of the same Gateway, by index. They take no routes and open no port. */
export function conflicts(listeners: readonly ListenerSpec[]): ReadonlyMap<number, Problem> {
  const accepted: ListenerSpec[] = [];
  const found = new Map<number, Problem>();
  for (const [index, listener] of listeners.entries()) {
    const prior = accepted.find((entry) => !distinct(entry, listener));
    if (prior === undefined) {
      accepted.push(listener);
      continue;
    }
    const sameKind = prior.protocol === listener.protocol && HTTP_LIKE.has(listener.protocol);
    found.set(index, {
      reason: sameKind ? 'HostnameConflict' : 'ProtocolConflict',
      message: `Listener has a conflict with another listener attached to the same Gateway: "${prior.name}"`,
      path: ['spec', 'listeners', index],
    });
  }
  return found;
}

function distinct(a: ListenerSpec, b: ListenerSpec): boolean {
  if (a.port !== b.port) return true;
  if (HTTP_LIKE.has(a.protocol) && HTTP_LIKE.has(b.protocol)) return (a.hostname || '*') !== (b.hostname || '*');
  return false;
}
