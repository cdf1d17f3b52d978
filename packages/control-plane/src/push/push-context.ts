import {
  type AuthorizationPolicySpec,
  closesWorkloads,
  type DestinationRuleSpec,
  type GatewaySpec,
  type MeshObject,
  type PeerAuthenticationSpec,
  type PodSpec,
  type RequestAuthenticationSpec,
  type ServiceEntrySpec,
  type ServiceSpec,
  type VirtualServiceSpec,
  type WorkloadEntrySpec,
} from '@ripstop/istio-api';
import { bundlesOf } from '../gateway-api/backend-tls-policy.ts';
import { kubernetesGateways } from '../gateway-api/binding.ts';
import { translateGatewayApi } from '../gateway-api/gateway-api.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { WorkloadInstance } from '../model/workload.ts';
import { policiesFor, type SecurityObjects, type WorkloadPolicies } from './authorization.ts';
import { DestinationRules } from './destination-rules.ts';
import { type EndpointSources, endpointsOf, nodeLocalities, podInstance, type ServiceEndpoint } from './endpoints.ts';
import { type MeshConfig, meshConfigOf } from './mesh-config.ts';
import { PeerAuthentications } from './peer-authentication.ts';
import { DISTRIBUTION, type MeshService, type MeshServicePort, selects, serviceOf, servicesOfEntry, withAliases } from './service.ts';
import { Shared } from './shared.ts';
import { type OutboundScope, SidecarScopes, type SidecarSpec } from './sidecar-scope.ts';
import { resolveVirtualServices, type VirtualService } from './virtual-services.ts';

export interface PushInput {
  /** Every document in force, in any order. */
  readonly objects: readonly MeshObject[];
  /** Processes that registered themselves. */
  readonly workloads: readonly WorkloadInstance[];
  /** Used when no MeshConfig document names one. */
  readonly trustDomain?: string;
  /** Fetched keys of token issuers, by source. */
  readonly tokenKeys?: ReadonlyMap<string, string>;
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
  private readonly security: SecurityObjects;
  private readonly sources: EndpointSources;
  /** Results that clients have in common. */
  readonly shared: Shared = new Shared();
  private readonly endpointCache = new Map<MeshServicePort, readonly ServiceEndpoint[]>();
  private readonly scopes: SidecarScopes;

  constructor({ objects, workloads, trustDomain = 'cluster.local', tokenKeys = new Map() }: PushInput) {
    const ordered = [...objects].sort(byAge);
    const of = <S>(kind: string): MeshObject<S>[] => ordered.filter((object) => object.kind === kind) as MeshObject<S>[];
    this.mesh = meshConfigOf(ordered, trustDomain);
    const { domain, rootNamespace } = this.mesh;
    const distributions = new Map(of('Namespace').map(({ metadata }) => [metadata.name, metadata.annotations[DISTRIBUTION]]));
    const kubernetes = of<ServiceSpec>('Service');
    this.services = [
      ...withAliases(
        kubernetes.flatMap((object) => serviceOf(object, { domain, distributionOf: (name) => distributions.get(name) }) ?? []),
        kubernetes,
        { domain },
      ),
      ...of<ServiceEntrySpec>('ServiceEntry').flatMap(servicesOfEntry),
    ];
    const gatewayApi = translateGatewayApi({ objects, domain });
    this.virtualServices = [
      ...resolveVirtualServices(of<VirtualServiceSpec>('VirtualService'), domain),
      ...gatewayApi.virtualServices,
    ].sort((a, b) => byAge(a.object, b.object));
    this.destinationRules = new DestinationRules(
      of<DestinationRuleSpec>('DestinationRule'),
      domain,
      rootNamespace,
      gatewayApi.destinationRules,
    );
    this.peerAuthentications = new PeerAuthentications(of<PeerAuthenticationSpec>('PeerAuthentication'), rootNamespace);
    this.gatewayApiGateways = new Set(gatewayApi.gateways);
    this.gateways = [
      ...of<GatewaySpec>('Gateway').filter(({ apiVersion }) => apiVersion.startsWith('networking.istio.io/')),
      ...gatewayApi.gateways,
    ];
    this.backendBundles = bundlesOf(gatewayApi.destinationRules);
    this.certificates = new Map(
      [...of('Secret'), ...of('ConfigMap')].map((object) => [
        `${object.kind} ${object.metadata.namespace}/${object.metadata.name}`,
        object,
      ]),
    );
    this.scopes = new SidecarScopes({
      sidecars: of<SidecarSpec>('Sidecar'),
      services: this.services,
      virtualServices: this.virtualServices,
      rootNamespace,
      allowAny: this.mesh.allowAny,
    });
    this.tokenKeys = tokenKeys;
    this.security = {
      policies: of<AuthorizationPolicySpec>('AuthorizationPolicy'),
      requestAuthentications: of<RequestAuthenticationSpec>('RequestAuthentication'),
      unenforced: ordered.filter(closesWorkloads),
    };
    const registered = [...workloads].sort((a, b) => (a.key < b.key ? -1 : 1));
    this.sources = {
      pods: podsOf(of<PodSpec>('Pod'), ordered),
      registered,
      registeredIn: Map.groupBy(registered, ({ namespace }) => namespace),
      slices: slicesOf(of('EndpointSlice')),
      entries: of<WorkloadEntrySpec>('WorkloadEntry'),
    };
  }

  /** What a node is told about: services, rules, and what happens to other hosts. */
  scopeFor(node: Pick<ProxyNode, 'dialect' | 'namespace' | 'labels'>): OutboundScope {
    return this.scopes.for(node);
  }

  endpoints(service: MeshService, port: MeshServicePort): readonly ServiceEndpoint[] {
    let found = this.endpointCache.get(port);
    if (found === undefined) {
      found = endpointsOf(service, port, this.sources);
      this.endpointCache.set(port, found);
    }
    return found;
  }

  /** The Kubernetes Services (and ServiceEntries) whose selector takes a workload. */
  servicesOfWorkload(namespace: string, labels: Readonly<Record<string, string>>): readonly MeshService[] {
    return this.services.filter(
      (service) =>
        service.namespace === namespace &&
        service.selector !== undefined &&
        Object.keys(service.selector).length > 0 &&
        selects(service.selector, labels),
    );
  }

  policiesFor(namespace: string, labels: Readonly<Record<string, string>>): WorkloadPolicies {
    let known: ReadonlySet<string> | undefined;
    const gateways = (): ReadonlySet<string> =>
      (known ??= kubernetesGateways({ namespace, labels }, this.gateways, this.servicesOfWorkload(namespace, labels)));
    return policiesFor(this.security, this.mesh.rootNamespace, namespace, labels, gateways);
  }

  /** Some rule looks at the client's own labels to tell near endpoints from far ones. */
  get comparesLabels(): boolean {
    return this.mesh.locality.localityLbSetting?.failoverPriority !== undefined || this.destinationRules.compareLabels;
  }

  /** Registered processes and pods, for the page and for debugging. */
  get instances(): readonly WorkloadInstance[] {
    return [...this.sources.pods.values(), ...this.sources.registered];
  }
}

/** Istio's order everywhere: oldest first, then name, then namespace. */
function byAge(a: MeshObject, b: MeshObject): number {
  const age = a.metadata.creationTimestamp - b.metadata.creationTimestamp;
  if (age !== 0) return age;
  if (a.metadata.name !== b.metadata.name) return a.metadata.name < b.metadata.name ? -1 : 1;
  return a.metadata.namespace < b.metadata.namespace ? -1 : a.metadata.namespace > b.metadata.namespace ? 1 : 0;
}

function podsOf(pods: readonly MeshObject<PodSpec>[], objects: readonly MeshObject[]): Map<string, WorkloadInstance> {
  const nodes = nodeLocalities(objects);
  const instances = new Map<string, WorkloadInstance>();
  for (const pod of pods) {
    const instance = podInstance(pod, nodes);
    if (instance !== undefined) instances.set(instance.key, instance);
  }
  return instances;
}

function slicesOf(slices: readonly MeshObject[]): Map<string, MeshObject[]> {
  const byService = new Map<string, MeshObject[]>();
  for (const slice of slices) {
    const name = slice.metadata.labels['kubernetes.io/service-name'];
    if (name === undefined) continue;
    const key = `${slice.metadata.namespace}/${name}`;
    byService.set(key, [...(byService.get(key) ?? []), slice]);
  }
  return byService;
}
