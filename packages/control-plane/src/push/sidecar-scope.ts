import type { ConnectionPoolSettings, Destination, MeshObject } from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { sameMembers } from './reuse.ts';
import { hostMatches, isVisible, type MeshService, selects } from './service.ts';
import { Governing, type VirtualService, visibleVirtualServices } from './virtual-services.ts';

/** A port that a Sidecar serves in the place of those of the Services. */
export interface IngressListener {
  readonly port: { readonly number: number; readonly protocol?: string; readonly name?: string };
  readonly bind?: string;
  readonly defaultEndpoint?: string;
  readonly connectionPool?: ConnectionPoolSettings;
}

/** A Sidecar, as far as it decides what a workload is told about and what it serves. */
export interface SidecarSpec {
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly egress?: readonly { readonly hosts?: readonly string[]; readonly port?: { readonly number?: number } }[];
  readonly outboundTrafficPolicy?: { readonly mode?: string; readonly egressProxy?: Destination };
  readonly ingress?: readonly IngressListener[];
  readonly inboundConnectionPool?: ConnectionPoolSettings;
}

export type SidecarObject = MeshObject<SidecarSpec>;

/** What calls of one port may reach. */
export interface PortScope {
  /** By host name, sorted. */
  readonly services: readonly MeshService[];
  /** In order of precedence. */
  readonly virtualServices: readonly VirtualService[];
  /** Which of them governs a host on a gateway (`mesh` in a sidecar). */
  governing(gateway: string, host: string, port: number): VirtualService | undefined;
}

/** What a workload is told about. */
export interface OutboundScope extends PortScope {
  /** Namespace and Sidecar that it belongs to: equal in every push. */
  readonly key: string;
  /** `services`, and those that only a rule in scope leads to: they have clusters, and no host of their own. */
  readonly withDestinations: readonly MeshService[];
  /** `withDestinations` by host name. */
  readonly byHost: ReadonlyMap<string, MeshService>;
  /** Some rule asks who the client is (sourceLabels). */
  readonly asksForLabels: boolean;
  /** Hosts that nobody owns are passed on. */
  readonly allowAny: boolean;
  readonly sidecar: SidecarObject | undefined;
  /** An egress listener with a port rules that port alone; the others share the rest. */
  at(port: number): PortScope;
}

type Listed = Pick<PortScope, 'services' | 'virtualServices'>;

export interface ScopeInput {
  readonly sidecars: readonly MeshObject<SidecarSpec>[];
  readonly services: readonly MeshService[];
  readonly virtualServices: readonly VirtualService[];
  readonly rootNamespace: string;
  readonly allowAny: boolean;
}

/** Scopes by Sidecar and namespace (Istio: SidecarScope), made when they are first asked for. */
export class SidecarScopes {
  private readonly input: ScopeInput;
  private readonly scopes = new Map<string, Scope>();
  private readonly before: ReadonlyMap<string, Scope>;

  /** What is the same as in `before` is the same object. */
  constructor(input: ScopeInput, before?: SidecarScopes) {
    this.input = input;
    this.before = before?.scopes ?? new Map();
  }

  /** Which scope is a node's. */
  keyOf({ dialect, namespace, labels }: Pick<ProxyNode, 'dialect' | 'namespace' | 'labels'>): string {
    const sidecar = dialect === 'router' ? undefined : this.sidecarOf(namespace, labels);
    return `${namespace}|${sidecar === undefined ? '' : `${sidecar.metadata.namespace}/${sidecar.metadata.name}`}`;
  }

  /** Undefined when its Sidecar does not exist. */
  get(key: string): OutboundScope | undefined {
    let scope = this.scopes.get(key);
    if (scope === undefined) {
      const bar = key.indexOf('|');
      const name = key.slice(bar + 1);
      const sidecar = this.input.sidecars.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === name);
      if (name !== '' && sidecar === undefined) return undefined;
      scope = buildScope(key, this.input, key.slice(0, bar), sidecar, this.before.get(key));
      this.scopes.set(key, scope);
    }
    return scope;
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

/** Services and rules; the rules are looked through when somebody asks. */
class Reach implements PortScope {
  readonly services: readonly MeshService[];
  readonly virtualServices: readonly VirtualService[];
  private index: Governing | undefined;

  constructor({ services, virtualServices }: Listed, before?: Reach) {
    this.services = sameMembers(before?.services, services);
    this.virtualServices = sameMembers(before?.virtualServices, virtualServices);
    if (before?.virtualServices === this.virtualServices) this.index = before.index;
  }

  governing(gateway: string, host: string, port: number): VirtualService | undefined {
    this.index ??= new Governing(this.virtualServices);
    return this.index.of(gateway, host, port);
  }
}

interface ScopeParts {
  readonly key: string;
  readonly all: Listed;
  readonly withDestinations: readonly MeshService[];
  readonly allowAny: boolean;
  readonly sidecar: SidecarObject | undefined;
  readonly listeners: readonly { readonly port: number | undefined; readonly reach: Reach }[];
  readonly shared: Reach;
}

class Scope extends Reach implements OutboundScope {
  readonly key: string;
  readonly withDestinations: readonly MeshService[];
  readonly byHost: ReadonlyMap<string, MeshService>;
  readonly asksForLabels: boolean;
  readonly allowAny: boolean;
  readonly sidecar: SidecarObject | undefined;
  readonly listeners: ScopeParts['listeners'];
  readonly shared: Reach;

  constructor({ key, all, withDestinations, allowAny, sidecar, listeners, shared }: ScopeParts, before: Scope | undefined) {
    super(all, before);
    this.key = key;
    this.withDestinations = sameMembers(before?.withDestinations, withDestinations);
    this.byHost =
      before?.withDestinations === this.withDestinations
        ? before.byHost
        : new Map(withDestinations.map((service) => [service.hostname, service]));
    this.asksForLabels = this.virtualServices.some(({ http }) =>
      http.some(({ route }) => route.match?.some(({ sourceLabels }) => sourceLabels !== undefined) === true),
    );
    this.allowAny = allowAny;
    this.sidecar = sidecar;
    this.listeners = listeners;
    this.shared = shared;
  }

  at(port: number): PortScope {
    return this.listeners.find((listener) => listener.port === port)?.reach ?? this.shared;
  }
}

function buildScope(
  key: string,
  input: ScopeInput,
  namespace: string,
  sidecar: SidecarObject | undefined,
  before: Scope | undefined,
): Scope {
  const spec = sidecar?.spec;
  const visible = input.services.filter((service) => isVisible(service.exportTo, service.namespace, namespace));
  const rules = visibleVirtualServices(input.virtualServices, namespace);
  // A policy without mode is REGISTRY_ONLY, none at all is the mesh's.
  const policy = spec?.outboundTrafficPolicy;
  const allowAny = policy === undefined ? input.allowAny : policy.mode === 'ALLOW_ANY';
  const egress = (spec?.egress?.length ?? 0) > 0 ? spec!.egress! : [{ hosts: ['*/*'] }];
  const listed = egress.map(({ hosts = [], port }) => {
    const imports = hosts.map((entry) => parseImport(entry, namespace));
    return { port: port?.number, listed: imported(imports, port?.number, visible, rules, namespace) };
  });
  const join_ = (some: typeof listed): Listed =>
    join(
      some.map((listener) => listener.listed),
      rules,
      namespace,
    );
  const all = join_(listed);
  const named = destinations(all.virtualServices);
  return new Scope(
    {
      key,
      all,
      withDestinations: unique([...all.services, ...visible.filter(({ hostname }) => named.has(hostname))], namespace),
      allowAny,
      sidecar,
      listeners: listed.map((listener, at) => ({
        port: listener.port,
        reach: new Reach(listener.listed, before?.listeners[at]?.port === listener.port ? before?.listeners[at]?.reach : undefined),
      })),
      shared: new Reach(join_(listed.filter(({ port }) => port === undefined)), before?.shared),
    },
    before,
  );
}

/** `namespace/host` of an egress listener. */
interface Import {
  readonly namespace: string;
  readonly host: string;
}

function parseImport(entry: string, namespace: string): Import {
  const slash = entry.indexOf('/');
  const from = slash === -1 ? '*' : entry.slice(0, slash);
  return { namespace: from === '.' ? namespace : from, host: entry.slice(slash + 1) };
}

function imported(
  imports: readonly Import[],
  port: number | undefined,
  visible: readonly MeshService[],
  rules: readonly VirtualService[],
  namespace: string,
): Listed {
  const takes = (from: string, host: string): boolean =>
    imports.some((entry) => (entry.namespace === '*' || entry.namespace === from) && hostMatches(entry.host, host));
  const virtualServices = rules.filter((rule) => rule.hosts.some((host) => takes(rule.namespace, host)));
  const listed = visible.filter((service) => takes(service.namespace, service.hostname));
  const services = unique(listed, namespace);
  return { services: port === undefined ? services : services.flatMap((service) => onlyPort(service, port)), virtualServices };
}

function onlyPort(service: MeshService, port: number): MeshService[] {
  const ports = service.ports.filter((entry) => entry.port === port);
  return ports.length === 0 ? [] : ports.length === service.ports.length ? [service] : [{ ...service, ports }];
}

function destinations(rules: readonly VirtualService[]): Set<string> {
  const hosts = new Set<string>();
  for (const { http, gateways } of rules) {
    if (!gateways.includes('mesh')) continue;
    for (const { route } of http) {
      for (const { destination } of route.route ?? []) hosts.add(destination.host);
      for (const { destination } of route.mirrors ?? []) hosts.add(destination.host);
      if (route.mirror !== undefined) hosts.add(route.mirror.host);
    }
  }
  return hosts;
}

/** One service per host name: the client's own namespace's first. */
function unique(services: readonly MeshService[], namespace: string): MeshService[] {
  const byHost = new Map<string, MeshService>();
  for (const service of services) {
    const other = byHost.get(service.hostname);
    if (other === undefined || (other.namespace !== namespace && service.namespace === namespace)) byHost.set(service.hostname, service);
  }
  return [...byHost.values()].sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
}

function join(scopes: readonly Listed[], rules: readonly VirtualService[], namespace: string): Listed {
  if (scopes.length === 1) return scopes[0]!;
  const wanted = new Set(scopes.flatMap(({ virtualServices }) => virtualServices));
  const byHost = new Map<string, MeshService>();
  for (const service of scopes.flatMap(({ services }) => services)) {
    const other = byHost.get(service.hostname);
    byHost.set(service.hostname, other === undefined ? service : withPorts(other, service));
  }
  return { services: unique([...byHost.values()], namespace), virtualServices: rules.filter((rule) => wanted.has(rule)) };
}

function withPorts(service: MeshService, more: MeshService): MeshService {
  if (service.namespace !== more.namespace) return service;
  const added = more.ports.filter((port) => !service.ports.includes(port));
  return added.length === 0 ? service : { ...service, ports: [...service.ports, ...added].sort((a, b) => a.port - b.port) };
}
