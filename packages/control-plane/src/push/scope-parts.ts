import { EgressImports } from './egress-imports.ts';
import type { Scope, ScopeParts } from './kept-scope.ts';
import { MergedServices } from './merged-services.ts';
import type { EgressScope } from './outbound-scope.ts';
import { parseProtocol } from './protocol.ts';
import { isSame } from './reuse.ts';
import { destinations, imported, type ServicesByHost, visibleServices } from './scope-services.ts';
import type { MeshService } from './service.ts';
import type { EgressPort, SidecarObject, SidecarSpec } from './sidecar-spec.ts';
import { type VirtualService, visibleVirtualServices } from './virtual-services.ts';

export interface ScopeInput {
  readonly sidecars: readonly SidecarObject[];
  readonly services: readonly MeshService[];
  readonly virtualServices: readonly VirtualService[];
  readonly rootNamespace: string;
  readonly allowAny: boolean;
  readonly looksUpHosts: boolean;
}

/** A gateway sees what its namespace sees, whatever Sidecars say (Istio: DefaultSidecarScopeForGateway). */
export function gatewayScope(input: ScopeInput, namespace: string): ScopeParts {
  const merged = new MergedServices();
  for (const service of visibleServices(input.services, namespace)) merged.add(service);
  const virtualServices = visibleVirtualServices(input.virtualServices, namespace);
  const { allowAny } = input;
  return { egress: [], byHost: merged.byHost, led: [], virtualServices, allowAny, looksUpHosts: false, sidecar: undefined };
}

/** `known`: made of the same services and the same Sidecar. */
export function sidecarScope(
  input: ScopeInput,
  byHost: ServicesByHost,
  namespace: string,
  sidecar: SidecarObject | undefined,
  known: Scope | undefined,
): ScopeParts {
  const rules = visibleVirtualServices(input.virtualServices, namespace).filter(({ gateways }) => gateways.includes('mesh'));
  const visible = known === undefined ? visibleServices(input.services, namespace) : [];
  const egress = egressEntries(sidecar).map(({ hosts = [], port, bind = '', captureMode }, at): EgressScope => {
    const imports = new EgressImports(hosts, namespace);
    // A Unix socket may say 0.
    const number = port?.number === 0 ? undefined : port?.number;
    const proxy = proxyName(port, number, bind);
    return {
      port: number,
      proxy,
      protocol: port?.protocol === undefined ? undefined : parseProtocol(port.protocol),
      bind,
      opens: captureMode === 'NONE',
      services: known?.listeners[at]?.services ?? imported(imports, proxy === '' ? number : undefined, visible, namespace),
      virtualServices: rules.filter((rule) => imports.takesRule(rule)),
    };
  });
  const led = egress.map((listener) => destinations(listener, byHost, namespace));
  const taken = new Set(egress.flatMap(({ virtualServices }) => virtualServices));
  // A policy without mode is REGISTRY_ONLY, none at all is the mesh's.
  const policy = sidecar?.spec.outboundTrafficPolicy;
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

/** Without any, everything that the namespace sees. */
function egressEntries(sidecar: SidecarObject | undefined): NonNullable<SidecarSpec['egress']> {
  const entries = sidecar?.spec.egress ?? [];
  return entries.length > 0 ? entries : [{ hosts: ['*/*'] }];
}

/** Istio: GetEgressListenerForRDS. */
function proxyName(port: EgressPort | undefined, number: number | undefined, bind: string): string {
  if (number !== undefined) return port?.protocol?.toUpperCase() === 'HTTP_PROXY' ? String(number) : '';
  return port !== undefined && bind.startsWith('unix://') ? bind : '';
}

function merged(egress: readonly EgressScope[], led: readonly (readonly MeshService[])[]): ReadonlyMap<string, MeshService> {
  const services = new MergedServices();
  for (const [at, listener] of egress.entries()) {
    for (const service of listener.services) services.add(service);
    for (const service of led[at]!) services.add(service);
  }
  return services.byHost;
}
