import {
  type AuthorizationPolicySpec,
  closesWorkloads,
  type DestinationRuleSpec,
  type GatewaySpec,
  type MeshObject,
  type PeerAuthenticationSpec,
  type RequestAuthenticationSpec,
  type ServiceSpec,
  type TelemetrySpec,
  type VirtualServiceSpec,
} from '@ripstop/istio-api';
import { type GatewayApi, translateGatewayApi } from '../gateway-api/gateway-api.ts';
import { GATEWAY_API, type KubernetesGatewaySpec } from '../gateway-api/gateway-types.ts';
import type { WorkloadGroupSpec } from '../registry/workload-groups.ts';
import type { SecurityObjects } from './authorization.ts';
import { DestinationRules } from './destination-rules.ts';
import { INSTANCE_KINDS } from './endpoint-sources.ts';
import { EnvoyFilters } from './envoy-filters.ts';
import { NETWORK_LABEL } from './locality-policy.ts';
import type { MeshConfig } from './mesh-config.ts';
import { Networks } from './networks.ts';
import { byAge, type ObjectsByKind } from './objects-by-kind.ts';
import { PeerAuthentications } from './peer-authentication.ts';
import { annotatedSettings, type ProxySettings } from './proxy-settings.ts';
import type { Parts } from './reuse.ts';
import type { MeshService } from './service.ts';
import { Services } from './services.ts';
import { SidecarScopes } from './sidecar-scope.ts';
import type { SidecarSpec } from './sidecar-spec.ts';
import { Telemetries } from './telemetry.ts';
import { TrafficExtensions } from './traffic-extensions.ts';
import { exportedByDefault, resolveVirtualServices, type VirtualService } from './virtual-services.ts';

/** Makes the parts of a push of its documents; a part whose documents are the same as in the push before is the same object. */
export class PushParts {
  private readonly kinds: ObjectsByKind;
  private readonly parts: Parts;
  private readonly mesh: MeshConfig;

  constructor(kinds: ObjectsByKind, parts: Parts, mesh: MeshConfig) {
    this.kinds = kinds;
    this.parts = parts;
    this.mesh = mesh;
  }

  services(): Services {
    const { domain, trustDomain, exportTo } = this.mesh;
    return this.parts.get(
      'serviceObjects',
      [this.of('Service'), this.of('ServiceEntry'), this.of('Namespace'), this.mesh],
      (known: Services | undefined) => new Services(this.kinds, { domain, trustDomain, exportTo: exportTo.services }, known),
    );
  }

  /** Of `objects`, all documents of the push. */
  gatewayApi(objects: readonly MeshObject[]): GatewayApi {
    const { domain } = this.mesh;
    const input = this.parts.list('gatewayApiInput', this.kinds.except(INSTANCE_KINDS));
    return this.parts.get('gatewayApi', [input, domain], () => translateGatewayApi({ objects, domain }));
  }

  virtualServices(gatewayApi: GatewayApi): readonly VirtualService[] {
    const rules = this.of<VirtualServiceSpec>('VirtualService');
    const { domain, exportTo } = this.mesh;
    return this.parts.get('virtualServices', [rules, gatewayApi, this.mesh], (known) =>
      [
        ...resolveVirtualServices(rules, domain, exportTo.virtualServices, known),
        ...exportedByDefault(gatewayApi.virtualServices, exportTo.virtualServices),
      ].sort((a, b) => byAge(a.object, b.object)),
    );
  }

  destinationRules({ destinationRules: made }: GatewayApi): DestinationRules {
    const rules = this.of<DestinationRuleSpec>('DestinationRule');
    const { domain, rootNamespace, exportTo } = this.mesh;
    return this.parts.get(
      'destinationRules',
      [rules, this.mesh, made],
      (known) => new DestinationRules(rules, domain, rootNamespace, made, exportTo.destinationRules, known),
    );
  }

  peerAuthentications(): PeerAuthentications {
    const peers = this.of<PeerAuthenticationSpec>('PeerAuthentication');
    const { rootNamespace } = this.mesh;
    return this.parts.get('peers', [peers, rootNamespace], () => new PeerAuthentications(peers, rootNamespace));
  }

  /** Those of the Gateway API under their generated names (Istio: initGateways). */
  gateways(gatewayApi: GatewayApi): readonly MeshObject<GatewaySpec>[] {
    const gateways = this.of<GatewaySpec>('Gateway').filter(({ apiVersion }) => apiVersion.startsWith('networking.istio.io/'));
    return this.parts.list('gateways', [...gateways, ...gatewayApi.gateways].sort(byAge));
  }

  /** By `<kind> <namespace>/<name>`. */
  certificates(): ReadonlyMap<string, MeshObject> {
    const [secrets, configMaps] = [this.of('Secret'), this.of('ConfigMap')];
    return this.parts.get('certificates', [secrets, configMaps], () => byName([...secrets, ...configMaps]));
  }

  security(): SecurityObjects {
    const policies = this.of<AuthorizationPolicySpec>('AuthorizationPolicy');
    const requestAuthentications = this.of<RequestAuthenticationSpec>('RequestAuthentication');
    const closing = this.kinds.lists.flatMap(([kind, list]) =>
      this.parts.get(`unenforced ${kind}`, [list], () => list.filter(closesWorkloads)),
    );
    const unenforced = this.parts.list('unenforced', closing.sort(byAge));
    return this.parts.get('security', [policies, requestAuthentications, unenforced], () => ({
      policies,
      requestAuthentications,
      unenforced,
    }));
  }

  telemetry(): Telemetries {
    const telemetry = this.of<TelemetrySpec>('Telemetry');
    const { rootNamespace, telemetry: defaults } = this.mesh;
    return this.parts.get('telemetry', [telemetry, this.mesh], () => new Telemetries(telemetry, rootNamespace, defaults));
  }

  scopes(services: readonly MeshService[], virtualServices: readonly VirtualService[]): SidecarScopes {
    const sidecars = this.of<SidecarSpec>('Sidecar');
    const { rootNamespace, allowAny, looksUpHosts } = this.mesh;
    return this.parts.get(
      'scopes',
      [sidecars, services, virtualServices, rootNamespace, allowAny, looksUpHosts],
      (known) => new SidecarScopes({ sidecars, services, virtualServices, rootNamespace, allowAny, looksUpHosts }, known),
    );
  }

  networks(): Networks {
    const namespaces = this.of('Namespace').filter(({ metadata }) => metadata.name === this.mesh.rootNamespace);
    const ofGatewayApi = this.of<KubernetesGatewaySpec>('Gateway').filter(({ apiVersion }) => apiVersion.startsWith(GATEWAY_API));
    const named = ({ metadata }: MeshObject): boolean => metadata.labels[NETWORK_LABEL] !== undefined;
    const services = this.of<ServiceSpec>('Service').filter(named);
    const gateways = ofGatewayApi.filter(named);
    const borders = this.parts.list<MeshObject>('borders', [...namespaces, ...services, ...gateways]);
    return this.parts.get('networks', [borders], () => new Networks({ rootNamespace: namespaces[0], services, gateways }));
  }

  envoyFilters(): EnvoyFilters {
    const filters = this.of('EnvoyFilter');
    const { rootNamespace } = this.mesh;
    return this.parts.get('envoyFilters', [filters, rootNamespace], () => new EnvoyFilters(filters, rootNamespace));
  }

  trafficExtensions(): TrafficExtensions {
    const objects = this.parts.list('extensions', [...this.of('WasmPlugin'), ...this.of('TrafficExtension')].sort(byAge));
    const { rootNamespace } = this.mesh;
    return this.parts.get('trafficExtensions', [objects, rootNamespace], () => new TrafficExtensions(objects, rootNamespace));
  }

  /** By `WorkloadGroup <namespace>/<name>`. */
  workloadGroups(): ReadonlyMap<string, MeshObject> {
    const groups = this.of('WorkloadGroup');
    return this.parts.get('workloadGroups', [groups], () => byName(groups));
  }

  /** ProxyConfigs of annotations. */
  annotatedProxies(): ReadonlyMap<string, ProxySettings> {
    const [pods, groups] = [this.of('Pod'), this.of<WorkloadGroupSpec>('WorkloadGroup')];
    return this.parts.get('annotatedProxies', [pods, groups, this.mesh], () => annotatedSettings(pods, groups, this.mesh.defaultConfig));
  }

  private of<S>(kind: string): readonly MeshObject<S>[] {
    return this.kinds.of<S>(kind);
  }
}

function byName(objects: readonly MeshObject[]): Map<string, MeshObject> {
  return new Map(objects.map((object) => [`${object.kind} ${object.metadata.namespace}/${object.metadata.name}`, object]));
}
