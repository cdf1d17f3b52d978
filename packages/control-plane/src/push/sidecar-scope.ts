import type { ProxyNode } from '../model/proxy-node.ts';
import { Scope } from './kept-scope.ts';
import type { OutboundScope } from './outbound-scope.ts';
import { gatewayScope, type ScopeInput, sidecarScope } from './scope-parts.ts';
import { ownService, type ServicesByHost } from './scope-services.ts';
import { type MeshService, selects } from './service.ts';
import type { SidecarObject, SidecarSpec } from './sidecar-spec.ts';

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

  /** The service that a namespace itself has by that name (Istio: ServiceIndex.HostnameAndNamespace). */
  serviceIn(namespace: string, hostname: string): MeshService | undefined {
    return ownService(this.byHost.get(hostname) ?? [], namespace);
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
  private sidecarOf(namespace: string, labels: Readonly<Record<string, string>>): SidecarObject | undefined {
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
