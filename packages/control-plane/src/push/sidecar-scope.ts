import type { ConnectionPoolSettings, Destination, MeshObject } from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { EgressImports } from './egress-imports.ts';
import { MergedServices } from './merged-services.ts';
import { type Protocol, parseProtocol } from './protocol.ts';
import { isSame, sameMembers } from './reuse.ts';
import { NOTHING, type PortScope, routedAt } from './routed-port.ts';
import { isVisible, type MeshService, selects } from './service.ts';
import { destinationsOf, type VirtualService, visibleVirtualServices } from './virtual-services.ts';

/** A port that a Sidecar serves in the place of those of the Services. */
export interface IngressListener {
  readonly port: { readonly number: number; readonly protocol?: string; readonly name?: string };
  readonly bind?: string;
  readonly captureMode?: string;
  readonly defaultEndpoint?: string;
  readonly connectionPool?: ConnectionPoolSettings;
}

/** A Sidecar, as far as it decides what a workload is told about and what it serves. */
export interface SidecarSpec {
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly egress?: readonly {
    readonly hosts?: readonly string[];
    readonly port?: { readonly number?: number; readonly protocol?: string };
  }[];
  readonly outboundTrafficPolicy?: { readonly mode?: string; readonly egressProxy?: Destination };
  readonly ingress?: readonly IngressListener[];
  readonly inboundConnectionPool?: ConnectionPoolSettings;
}

export type SidecarObject = MeshObject<SidecarSpec>;

/** An egress listener of a Sidecar; without a port it rules all ports that no other one does. */
export interface EgressListener {
  readonly port: number | undefined;
  /** What the listener is said to carry, whatever its services do. */
  readonly protocol: Protocol | undefined;
  readonly services: readonly MeshService[];
}

/** With the rules for it. */
export interface EgressScope extends EgressListener, PortScope {}

/** What a workload is told about. */
export interface OutboundScope {
  /** Namespace and Sidecar that it belongs to: equal in every push. */
  readonly key: string;
  /** The catch-all one is the last, where there is one. */
  readonly egress: readonly EgressScope[];
  /** The same without rules, for what no rule has a say about. */
  readonly listeners: readonly EgressListener[];
  /** One per host name, sorted: those of the listeners, and those that only a rule in scope leads to. */
  readonly services: readonly MeshService[];
  /** `services` by host name. */
  readonly byHost: ReadonlyMap<string, MeshService>;
  /** Every rule of the listeners, and of gateways, in order of precedence. */
  readonly virtualServices: readonly VirtualService[];
  /** Some rule asks who the client is (sourceLabels). */
  readonly asksForLabels: boolean;
  /** Some rule for connections does. */
  readonly streamsAskForLabels: boolean;
  /** Some service is called at the addresses of its endpoints, of which the client may be one. */
  readonly hasHeadless: boolean;
  /** Hosts that nobody owns are passed on. */
  readonly allowAny: boolean;
  /** Then, by the name that each HTTP request gives. */
  readonly looksUpHosts: boolean;
  readonly sidecar: SidecarObject | undefined;
  /** What rules calls of a port. */
  at(port: number): PortScope;
  /** The services that have a port, and the rules that may have a say about its routes: what the others say changes nothing there. */
  routed(port: number): PortScope;
}

export interface ScopeInput {
  readonly sidecars: readonly MeshObject<SidecarSpec>[];
  readonly services: readonly MeshService[];
  readonly virtualServices: readonly VirtualService[];
  readonly rootNamespace: string;
  readonly allowAny: boolean;
  readonly looksUpHosts: boolean;
}

type ServicesByHost = ReadonlyMap<string, readonly MeshService[]>;

/** In a key, where a Sidecar would be named. */
const GATEWAY = 'gateway';

/** Scopes by Sidecar and namespace (Istio: SidecarScope), made when they are first asked for. */
export class SidecarScopes {
  private readonly input: ScopeInput;
  private readonly scopes = new Map<string, Scope>();
  private readonly before: ReadonlyMap<string, Scope>;
  private readonly byHost: ServicesByHost;
  /** As before. */
  private readonly sameServices: boolean;

  /** What is the same as in `before` is the same object. */
  constructor(input: ScopeInput, before?: SidecarScopes) {
    this.input = input;
    this.before = before?.scopes ?? new Map();
    this.sameServices = before?.input.services === input.services;
    this.byHost = before !== undefined && this.sameServices ? before.byHost : Map.groupBy(input.services, ({ hostname }) => hostname);
  }

  /** Which scope is a node's. */
  keyOf({ dialect, namespace, labels }: Pick<ProxyNode, 'dialect' | 'namespace' | 'labels'>): string {
    if (dialect === 'router') return `${namespace}|${GATEWAY}`;
    const sidecar = this.sidecarOf(namespace, labels);
    return `${namespace}|${sidecar === undefined ? '' : `${sidecar.metadata.namespace}/${sidecar.metadata.name}`}`;
  }

  /** Undefined when its Sidecar does not exist. */
  get(key: string): OutboundScope | undefined {
    let scope = this.scopes.get(key);
    if (scope === undefined) {
      scope = this.make(key);
      if (scope === undefined) return undefined;
      this.scopes.set(key, scope);
    }
    return scope;
  }

  private make(key: string): Scope | undefined {
    const bar = key.indexOf('|');
    const [namespace, name] = [key.slice(0, bar), key.slice(bar + 1)];
    const before = this.before.get(key);
    if (name === GATEWAY) return new Scope(key, gatewayScope(this.input, namespace), before);
    const sidecar = this.input.sidecars.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === name);
    if (name !== '' && sidecar === undefined) return undefined;
    const known = this.sameServices && before?.sidecar === sidecar ? before : undefined;
    return new Scope(key, sidecarScope(this.input, this.byHost, namespace, sidecar, known), before);
  }

  /** Those with a selector first, then the namespace's own, then the root namespace's. Sidecars do not merge. */
  private sidecarOf(namespace: string, labels: Readonly<Record<string, string>>): MeshObject<SidecarSpec> | undefined {
    const { sidecars, rootNamespace } = this.input;
    const own = sidecars.filter(({ metadata }) => metadata.namespace === namespace);
    return (
      own.find(({ spec }) => hasSelector(spec) && selects(spec.workloadSelector?.labels, labels)) ??
      own.find(({ spec }) => !hasSelector(spec)) ??
      sidecars.find(({ spec, metadata }) => metadata.namespace === rootNamespace && !hasSelector(spec))
    );
  }
}

function hasSelector({ workloadSelector }: SidecarSpec): boolean {
  return Object.keys(workloadSelector?.labels ?? {}).length > 0;
}

interface ScopeParts {
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
class Scope implements OutboundScope {
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
      egress.map(({ port, protocol, services }, at) => sameListener(before?.listeners[at], { port, protocol, services })),
    );
    this.egress = egress.map(({ virtualServices }, at) => withRules(before?.egress[at], this.listeners[at]!, virtualServices));
    this.led = led;
    const services = byHost === before?.byHost ? before.services : [...byHost.values()].sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
    this.services = sameMembers(before?.services, services);
    this.byHost = before?.services === this.services ? before.byHost : byHost;
    this.virtualServices = sameMembers(before?.virtualServices, virtualServices);
    this.asksForLabels = virtualServices.some(({ http }) =>
      http.some(({ route }) => route.match?.some(({ sourceLabels }) => sourceLabels !== undefined) === true),
    );
    this.streamsAskForLabels = virtualServices.some(({ object: { spec } }) =>
      [...(spec.tcp ?? []), ...(spec.tls ?? [])].some(
        ({ match }) => match?.some(({ sourceLabels }) => sourceLabels !== undefined) === true,
      ),
    );
    this.hasHeadless = services.some(({ resolution }) => resolution === 'NONE');
    this.allowAny = parts.allowAny;
    this.looksUpHosts = parts.looksUpHosts;
    this.sidecar = parts.sidecar;
  }

  at(port: number): PortScope {
    return this.egress.find((listener) => listener.port === undefined || listener.port === port) ?? NOTHING;
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
  const same = services === before.services && before.port === made.port && before.protocol === made.protocol;
  return same ? before : { ...made, services };
}

function withRules(before: EgressScope | undefined, listener: EgressListener, rules: readonly VirtualService[]): EgressScope {
  const virtualServices = sameMembers(before?.virtualServices, rules);
  const same = before !== undefined && isSame(before, { ...listener, virtualServices }, 1);
  return same ? before : { ...listener, virtualServices };
}

/** A gateway sees what its namespace sees, whatever Sidecars say (Istio: DefaultSidecarScopeForGateway). */
function gatewayScope(input: ScopeInput, namespace: string): ScopeParts {
  const merged = new MergedServices();
  for (const service of visibleServices(input.services, namespace)) merged.add(service);
  const virtualServices = visibleVirtualServices(input.virtualServices, namespace);
  const { allowAny } = input;
  return { egress: [], byHost: merged.byHost, led: [], virtualServices, allowAny, looksUpHosts: false, sidecar: undefined };
}

/** `known`: made of the same services and the same Sidecar. */
function sidecarScope(
  input: ScopeInput,
  byHost: ServicesByHost,
  namespace: string,
  sidecar: SidecarObject | undefined,
  known: Scope | undefined,
): ScopeParts {
  const spec = sidecar?.spec;
  const visible = known === undefined ? visibleServices(input.services, namespace) : [];
  const rules = visibleVirtualServices(input.virtualServices, namespace).filter(({ gateways }) => gateways.includes('mesh'));
  const entries = (spec?.egress?.length ?? 0) > 0 ? spec!.egress! : [{ hosts: ['*/*'] }];
  const egress = entries.map(({ hosts = [], port }, at): EgressScope => {
    const imports = new EgressImports(hosts, namespace);
    const proxy = port?.protocol?.toUpperCase() === 'HTTP_PROXY';
    return {
      port: port?.number,
      protocol: port?.protocol === undefined ? undefined : parseProtocol(port.protocol),
      services: known?.listeners[at]?.services ?? imported(imports, proxy ? undefined : port?.number, visible, namespace),
      virtualServices: rules.filter((rule) => imports.takesRule(rule)),
    };
  });
  const led = egress.map((listener) => destinations(listener, byHost, namespace));
  const taken = new Set(egress.flatMap(({ virtualServices }) => virtualServices));
  // A policy without mode is REGISTRY_ONLY, none at all is the mesh's.
  const policy = spec?.outboundTrafficPolicy;
  const allowAny = policy === undefined ? input.allowAny : policy.mode === 'ALLOW_ANY';
  return {
    egress,
    byHost: known !== undefined && isSame(known.led, led) ? known.byHost : merged(egress, led),
    led,
    virtualServices: rules.filter((rule) => taken.has(rule)),
    allowAny,
    // A Sidecar cannot ask for it (istiod refuses the mode there).
    looksUpHosts: policy === undefined && input.looksUpHosts,
    sidecar,
  };
}

function merged(egress: readonly EgressScope[], led: readonly (readonly MeshService[])[]): ReadonlyMap<string, MeshService> {
  const services = new MergedServices();
  for (const [at, listener] of egress.entries()) {
    for (const service of listener.services) services.add(service);
    for (const service of led[at]!) services.add(service);
  }
  return services.byHost;
}

/** Those that were exported to the namespace first, then the public ones; each oldest first (Istio: servicesExportedToNamespace). */
function visibleServices(services: readonly MeshService[], namespace: string): MeshService[] {
  const seen = services.filter((service) => isVisible(service.exportTo, service.namespace, namespace));
  const open = ({ exportTo }: MeshService): boolean => exportTo.length === 0 || exportTo.includes('*');
  return [...seen.filter((service) => !open(service)), ...seen.filter(open)];
}

/** The services of an egress listener. All of one host come from one namespace: the client's own, else that of a Kubernetes Service. */
function imported(imports: EgressImports, port: number | undefined, visible: readonly MeshService[], namespace: string): MeshService[] {
  const found = visible.flatMap((service) => {
    const seen = imports.service(service);
    return seen === undefined ? [] : port === undefined ? seen : (onlyPorts(seen, [port]) ?? []);
  });
  const chosen = new Map<string, MeshService>();
  for (const service of found) {
    const other = chosen.get(service.hostname);
    if (other === undefined || service.namespace === namespace) chosen.set(service.hostname, service);
    else if (other.registry === 'External' && service.registry === 'Kubernetes' && other.namespace !== namespace)
      chosen.set(service.hostname, service);
  }
  return found.filter((service) => chosen.get(service.hostname)?.namespace === service.namespace);
}

function onlyPorts(service: MeshService, numbers: readonly number[]): MeshService | undefined {
  const ports = service.ports.filter(({ port }) => numbers.includes(port));
  return ports.length === 0 ? undefined : ports.length === service.ports.length ? service : { ...service, ports };
}

/** What the rules of a listener lead to, though no entry names it: the client's own service of that host, else one that it sees. */
function destinations({ port, virtualServices }: EgressScope, byHost: ServicesByHost, namespace: string): MeshService[] {
  return virtualServices.flatMap((rule) =>
    [...destinationsOf(rule, namespace)].flatMap(([host, ports]) => {
      const service = bestOf(byHost.get(host) ?? [], namespace);
      if (service === undefined) return [];
      if (port !== undefined) return onlyPorts(service, [port]) ?? [];
      return ports.has(0) ? service : (onlyPorts(service, [...ports]) ?? []);
    }),
  );
}

function bestOf(services: readonly MeshService[], namespace: string): MeshService | undefined {
  const kubernetesFirst = (list: readonly MeshService[]): MeshService | undefined =>
    list.find(({ registry }) => registry === 'Kubernetes') ?? list[0];
  return (
    kubernetesFirst(services.filter((service) => service.namespace === namespace)) ??
    kubernetesFirst(services.filter((service) => isVisible(service.exportTo, service.namespace, namespace)))
  );
}
