import type { EgressListener, EgressScope, OutboundScope } from './outbound-scope.ts';
import { isSame, sameMembers } from './reuse.ts';
import { NOTHING, type PortScope, routedAt } from './routed-port.ts';
import type { MeshService } from './service.ts';
import type { SidecarObject } from './sidecar-spec.ts';
import type { VirtualService } from './virtual-services.ts';

export interface ScopeParts {
  readonly egress: readonly EgressScope[];
  readonly byHost: ReadonlyMap<string, MeshService>;
  /** By listener, what only its rules lead to. */
  readonly led: readonly (readonly MeshService[])[];
  readonly virtualServices: readonly VirtualService[];
  readonly allowAny: boolean;
  readonly looksUpHosts: boolean;
  readonly sidecar: SidecarObject | undefined;
}

/** What is the same as before is the same object. */
export class Scope implements OutboundScope {
  readonly key: string;
  readonly egress: readonly EgressScope[];
  readonly listeners: readonly EgressListener[];
  readonly services: readonly MeshService[];
  readonly byHost: ReadonlyMap<string, MeshService>;
  readonly virtualServices: readonly VirtualService[];
  readonly asksForLabels: boolean;
  readonly streamsAskForLabels: boolean;
  readonly hasHeadless: boolean;
  readonly allowAny: boolean;
  readonly looksUpHosts: boolean;
  readonly sidecar: SidecarObject | undefined;
  /** See `ScopeParts`. */
  readonly led: readonly (readonly MeshService[])[];
  private readonly routedPorts = new Map<number, PortScope>();

  constructor(key: string, parts: ScopeParts, before: Scope | undefined) {
    const { egress, byHost, led, virtualServices } = parts;
    this.key = key;
    this.listeners = sameMembers(
      before?.listeners,
      egress.map(({ virtualServices: _rules, ...listener }, at) => sameListener(before?.listeners[at], listener)),
    );
    this.egress = egress.map(({ virtualServices }, at) => withRules(before?.egress[at], this.listeners[at]!, virtualServices));
    this.led = led;
    const services = byHost === before?.byHost ? before.services : [...byHost.values()].sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
    this.services = sameMembers(before?.services, services);
    this.byHost = before?.services === this.services ? before.byHost : byHost;
    this.virtualServices = sameMembers(before?.virtualServices, virtualServices);
    this.asksForLabels = virtualServices.some(({ http }) => http.some(({ route }) => asksForLabels(route)));
    this.streamsAskForLabels = virtualServices.some(({ object: { spec } }) =>
      [...(spec.tcp ?? []), ...(spec.tls ?? [])].some(asksForLabels),
    );
    this.hasHeadless = services.some(({ resolution }) => resolution === 'NONE');
    this.allowAny = parts.allowAny;
    this.looksUpHosts = parts.looksUpHosts;
    this.sidecar = parts.sidecar;
  }

  at(port: number): PortScope {
    const ruling = this.egress.find((listener) => listener.proxy === '' && (listener.port === undefined || listener.port === port));
    return ruling ?? this.egress.find(({ proxy }) => proxy !== '') ?? NOTHING;
  }

  routed(port: number): PortScope {
    let found = this.routedPorts.get(port);
    if (found === undefined) {
      found = routedAt(port, this.at(port));
      this.routedPorts.set(port, found);
    }
    return found;
  }
}

function sameListener(before: EgressListener | undefined, made: EgressListener): EgressListener {
  if (before === undefined) return made;
  const services = sameMembers(before.services, made.services);
  const listener = { ...made, services };
  return isSame(before, listener, 1) ? before : listener;
}

function withRules(before: EgressScope | undefined, listener: EgressListener, rules: readonly VirtualService[]): EgressScope {
  const virtualServices = sameMembers(before?.virtualServices, rules);
  const same = before !== undefined && isSame(before, { ...listener, virtualServices }, 1);
  return same ? before : { ...listener, virtualServices };
}

function asksForLabels({ match }: { readonly match?: readonly { readonly sourceLabels?: unknown }[] }): boolean {
  return match?.some(({ sourceLabels }) => sourceLabels !== undefined) === true;
}
