import type { GatewaySpec, MeshObject } from '@ripstop/istio-api';
import { bundlesOf } from '../gateway-api/backend-tls-policy.ts';
import { kubernetesGateways } from '../gateway-api/binding.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { WorkloadInstance } from '../model/workload.ts';
import type { WorkloadGroupSpec } from '../registry/workload-groups.ts';
import { policiesFor, type SecurityObjects, type WorkloadPolicies } from './authorization.ts';
import type { DestinationRules } from './destination-rules.ts';
import { discovered } from './discovery.ts';
import { EndpointIndex } from './endpoint-index.ts';
import { endpointSources } from './endpoint-sources.ts';
import type { ServiceEndpoint } from './endpoints.ts';
import type { EnvoyFilters, NodePatches } from './envoy-filters.ts';
import type { Changes } from './made.ts';
import { type MeshConfig, meshConfigOf } from './mesh-config.ts';
import type { Networks } from './networks.ts';
import { byAge, ObjectsByKind } from './objects-by-kind.ts';
import type { OutboundScope } from './outbound-scope.ts';
import type { PeerAuthentications } from './peer-authentication.ts';
import { type ProxySettings, settingsFor } from './proxy-settings.ts';
import { PushParts } from './push-parts.ts';
import { Parts } from './reuse.ts';
import { SelectorIndex } from './selector-index.ts';
import type { MeshService, MeshServicePort } from './service.ts';
import { Memory, Shared, type SharedResults } from './shared.ts';
import type { SidecarScopes } from './sidecar-scope.ts';
import type { Telemetries } from './telemetry.ts';
import { runsExtensions, type TrafficExtension, type TrafficExtensions } from './traffic-extensions.ts';
import type { VirtualService } from './virtual-services.ts';

export interface PushInput {
  /** Every document in force, in any order. */
  readonly objects: readonly MeshObject[];
  /** Processes that registered themselves. */
  readonly workloads: readonly WorkloadInstance[];
  /** Used when no MeshConfig document names one. */
  readonly trustDomain?: string;
  /** Fetched keys of token issuers, by source. */
  readonly tokenKeys?: ReadonlyMap<string, string>;
  /** Roots of the mesh, PEM, the one that signs first; '' = this control plane has no CA. */
  readonly trustBundlePem?: string;
  /** Fetched roots of `caCertificates`, PEM, by URL. */
  readonly bundles?: ReadonlyMap<string, string>;
}

/** Everything that translation looks up, frozen for one push. Pure function of its input; lookups are cached. */
export class PushContext {
  readonly mesh: MeshConfig;
  readonly services: readonly MeshService[];
  readonly virtualServices: readonly VirtualService[];
  readonly destinationRules: DestinationRules;
  readonly peerAuthentications: PeerAuthentications;
  readonly gateways: readonly MeshObject<GatewaySpec>[];
  /** Those of them that were made of the Gateway API, whose references to other namespaces were judged. */
  readonly gatewayApiGateways: ReadonlySet<MeshObject<GatewaySpec>>;
  /** Secrets and ConfigMaps by `<kind> <namespace>/<name>`: certificates of gateways. */
  readonly certificates: ReadonlyMap<string, MeshObject>;
  /** SDS names of the CA bundles that BackendTLSPolicies name. */
  readonly backendBundles: ReadonlySet<string>;
  /** Keys of token issuers, by source (see jwks/jwks-source.ts). */
  readonly tokenKeys: ReadonlyMap<string, string>;
  readonly trustBundlePem: string;
  readonly telemetry: Telemetries;
  readonly networks: Networks;
  private readonly envoyFilters: EnvoyFilters;
  private readonly trafficExtensions: TrafficExtensions;
  /** ProxyConfigs of annotations. */
  readonly annotatedProxies: ReadonlyMap<string, ProxySettings>;
  private readonly workloadGroups: ReadonlyMap<string, MeshObject>;
  private readonly bundles: ReadonlyMap<string, string>;
  private readonly security: SecurityObjects;
  private readonly scopes: SidecarScopes;
  private readonly endpointIndex: EndpointIndex;
  private readonly selecting: SelectorIndex;
  /** Results of this push alone, see `tracked`. */
  readonly shared: SharedResults = new Shared();
  /** Counts the pushes of a lineage. */
  readonly generation: number;
  /** What is not the same as in the push before; undefined when there was none. */
  readonly changes: Changes | undefined;
  /** What the lineage remembers of earlier pushes. */
  readonly memory: Memory;
  private readonly parts: Parts;
  private readonly kinds: ObjectsByKind;
  private view: PushContext | undefined;

  /** With the push before, what did not change is taken over; the content is the same as without. */
  constructor(
    { objects: given, workloads, trustDomain = 'cluster.local', tokenKeys = NO_KEYS, trustBundlePem = '', bundles = NO_KEYS }: PushInput,
    before?: PushContext,
  ) {
    const parts = new Parts(before?.parts);
    this.parts = parts;
    const settings = given.filter(({ kind }) => kind === 'MeshConfig').sort(byAge);
    this.mesh = parts.get('mesh', [parts.list('settings', settings), trustDomain], () => meshConfigOf(settings, trustDomain));
    const objects = discovered(given, this.mesh.discoverySelectors);
    this.kinds = new ObjectsByKind(objects, before?.kinds);
    const made = new PushParts(this.kinds, parts, this.mesh);
    const named = made.services();
    const services = parts.list('services', named.all);
    this.services = services;
    this.selecting = parts.get('selecting', [services], () => new SelectorIndex(services));
    const gatewayApi = made.gatewayApi(objects);
    this.virtualServices = made.virtualServices(gatewayApi);
    this.destinationRules = made.destinationRules(gatewayApi);
    this.peerAuthentications = made.peerAuthentications();
    this.gatewayApiGateways = parts.get('gatewayApiGateways', [gatewayApi], () => new Set(gatewayApi.gateways));
    this.gateways = made.gateways(gatewayApi);
    this.backendBundles = parts.get('backendBundles', [gatewayApi], () => bundlesOf(gatewayApi.destinationRules));
    this.certificates = made.certificates();
    this.tokenKeys = parts.get('tokenKeys', [...tokenKeys].flat(), () => tokenKeys);
    this.bundles = parts.get('bundles', [...bundles].flat(), () => bundles);
    this.trustBundlePem = trustBundlePem === '' ? '' : this.withMoreRoots(trustBundlePem);
    this.security = made.security();
    this.telemetry = made.telemetry();
    const destinations = parts.list('destinations', named.destinations);
    this.scopes = made.scopes(destinations, this.virtualServices);
    const sources = endpointSources(this.kinds, parts, workloads, services, destinations);
    this.endpointIndex = parts.get('endpointIndex', [sources, services], (known) => new EndpointIndex(sources, services, known));
    this.networks = made.networks();
    this.envoyFilters = made.envoyFilters();
    this.trafficExtensions = made.trafficExtensions();
    this.workloadGroups = made.workloadGroups();
    this.annotatedProxies = made.annotatedProxies();
    parts.finish();
    this.memory = before?.memory ?? new Memory();
    this.generation = before === undefined ? 0 : before.generation + 1;
    this.changes = before && this.memory.changes(changedFields(before, this), this.endpointIndex);
  }

  /** PEM: these roots with those of `caCertificates`. */
  withMoreRoots(trustBundlePem: string): string {
    const fetched = this.mesh.bundleUrls.flatMap((url) => this.bundles.get(url) ?? []);
    return [trustBundlePem, ...this.mesh.moreRootsPem, ...fetched].map((pem) => `${pem.trimEnd()}\n`).join('');
  }

  /** What a node is told about: services, rules, and what happens to other hosts. */
  scopeFor(node: Pick<ProxyNode, 'dialect' | 'namespace' | 'labels'>): OutboundScope {
    return this.scopes.get(this.scopes.keyOf(node))!;
  }

  /** Key of a node's scope. */
  scopeKeyOf(node: Pick<ProxyNode, 'dialect' | 'namespace' | 'labels'>): string {
    return this.scopes.keyOf(node);
  }

  /** Undefined when the Sidecar that the key names does not exist. */
  scope(key: string): OutboundScope | undefined {
    return this.scopes.get(key);
  }

  /** The service that a namespace itself has by that name. */
  serviceIn(namespace: string, hostname: string): MeshService | undefined {
    return this.scopes.serviceIn(namespace, hostname);
  }

  endpoints(service: MeshService, port: MeshServicePort): readonly ServiceEndpoint[] {
    return this.endpointIndex.of(service, port);
  }

  /** Where a port's number is served, whichever document of the host names it. */
  endpointsAt(service: MeshService, port: MeshServicePort): readonly ServiceEndpoint[] {
    return this.endpointIndex.atNumber(service, port);
  }

  /** The SPIFFE ids of all endpoints of a service, sorted. */
  identitiesOf(service: MeshService): readonly string[] {
    return this.endpointIndex.identitiesOf(service, this.mesh);
  }

  /** What EnvoyFilters change about a node's resources; undefined = nothing. */
  patchesFor(node: ProxyNode): NodePatches | undefined {
    return this.envoyFilters.for(node, this.gatewaysOf(node.namespace, node.labels));
  }

  /** The plugins that a node runs: none where it cannot. */
  extensionsFor(node: ProxyNode): readonly TrafficExtension[] {
    return runsExtensions(node) ? this.trafficExtensions.for(node, this.gatewaysOf(node.namespace, node.labels)) : [];
  }

  /** The ProxyConfig that holds for a node. */
  proxySettings(node: ProxyNode): ProxySettings {
    return settingsFor(node, this.annotatedProxies, this.mesh.proxy);
  }

  workloadGroup(namespace: string, name: string): MeshObject<WorkloadGroupSpec> | undefined {
    return this.workloadGroups.get(`WorkloadGroup ${namespace}/${name}`) as MeshObject<WorkloadGroupSpec> | undefined;
  }

  /** The Kubernetes Services (and ServiceEntries) whose selector takes a workload. */
  servicesOfWorkload(namespace: string, labels: Readonly<Record<string, string>>): readonly MeshService[] {
    return this.selecting.of(namespace, labels);
  }

  policiesFor(namespace: string, labels: Readonly<Record<string, string>>): WorkloadPolicies {
    return policiesFor(this.security, this.mesh.rootNamespace, namespace, labels, this.gatewaysOf(namespace, labels));
  }

  /** Names of the Gateways that a workload runs, looked up when a document names one. */
  gatewaysOf(namespace: string, labels: Readonly<Record<string, string>>): () => ReadonlySet<string> {
    let known: ReadonlySet<string> | undefined;
    return () => (known ??= kubernetesGateways({ namespace, labels }, this.gateways, this.servicesOfWorkload(namespace, labels)));
  }

  /** Some rule looks at the client's own labels to tell near endpoints from far ones. */
  get comparesLabels(): boolean {
    return this.mesh.locality.localityLbSetting?.failoverPriority !== undefined || this.destinationRules.compareLabels;
  }

  /** Registered processes and pods, for the page and for debugging. */
  get instances(): readonly WorkloadInstance[] {
    const { pods, registered } = this.endpointIndex.sources;
    return [...pods.values(), ...registered.values()];
  }

  /** One of them, by `<name>.<namespace>`. */
  instance(key: string): WorkloadInstance | undefined {
    const { pods, registered } = this.endpointIndex.sources;
    return pods.get(key) ?? registered.get(key);
  }

  /** The same push for translation that is done again with the pushes after it: what still holds is not made again. */
  get tracked(): PushContext {
    this.view ??= this.memory.view(this);
    return this.view;
  }
}

const NO_KEYS: ReadonlyMap<string, string> = new Map();

function changedFields(before: PushContext, after: PushContext): string[] {
  const [old, now] = [before, after] as unknown as [Record<string, unknown>, Record<string, unknown>];
  return Object.keys(now).filter((name) => old[name] !== now[name]);
}
