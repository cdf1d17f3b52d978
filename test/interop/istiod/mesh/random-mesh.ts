import type { RecordedNode } from '../istiod-process.ts';
import { destinationRules } from './destination-rules.ts';
import type { Document } from './document.ts';
import { envoyFilters } from './envoy-filters.ts';
import { nodeOfFamilies, withTwoFamilies } from './families.ts';
import { gatewayApi } from './gateway-api.ts';
import { gateways } from './gateways.ts';
import { meshConfig } from './mesh-config.ts';
import { networkGateways, spread } from './networks.ts';
import { authorizationPolicies, customPolicies, peerAuthentications, requestAuthentications } from './policies.ts';
import { authorizerEntry } from './providers.ts';
import { proxyConfig, proxyConfigDocument } from './proxy-config.ts';
import { Random } from './random.ts';
import { withRarerFields } from './rarer-fields.ts';
import { withRarerKubernetes } from './rarer-kubernetes.ts';
import { serviceEntries } from './service-entries.ts';
import { nodeDocuments, serviceDocuments } from './services.ts';
import { sidecars, withProxies } from './sidecars.ts';
import { telemetries } from './telemetries.ts';
import { trafficExtensions } from './traffic-extensions.ts';
import { virtualServices } from './virtual-services.ts';
import { GATEWAY_POD, gatewayDocuments, nodeOf, type Pod, podDocument, podsOf } from './workloads.ts';
import { fqdn, NAMESPACES, PORT_NUMBERS, SERVICE_NAMES, type World } from './world.ts';

/** A cluster's documents, its mesh configuration and the clients that ask. */
export interface Mesh {
  readonly documents: readonly Document[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly nodes: readonly RecordedNode[];
}

/** Extensions are drawn aside: what else a seed draws stays as it was before there were any. */
const EXTENSIONS = 7_000_000;
/** So are a Sidecar's listeners that are a proxy. */
const PROXIES = 8_000_000;
/** And what few documents say. */
const RARER = 9_000_000;

/** The same for the same seed. */
export function randomMesh(seed: number): Mesh {
  return drawn(seed, true);
}

/** With routes of the Gateway API and what belongs to them. */
export function gatewayApiMesh(seed: number): Mesh {
  return drawn(seed, true, gatewayApi);
}

/** A mesh of HTTP alone, as processes and gateways can carry it. Some have routes of the Gateway API, too. */
export function requestMesh(seed: number): Mesh {
  return drawn(seed, false, (world) => (world.random.chance(0.5) ? gatewayApi(world) : []));
}

function drawn(seed: number, wide: boolean, more: (world: World) => Document[] = () => []): Mesh {
  const random = new Random(seed);
  const all = SERVICE_NAMES.flatMap((name) => NAMESPACES.map((namespace) => ({ name, namespace })));
  const services = random.some(all, 3, 5);
  const world: World = { random, services, wide };
  const networks = wide && random.chance(0.15);
  const families = wide && random.chance(0.15);
  const pods = networks ? spread(random, podsOf(random, services)) : podsOf(random, services);
  const usual: Document[] = [
    ...NAMESPACES.map((name) => namespaceDocument(world, name)),
    ...(networks ? networkGateways(random) : []),
    ...nodeDocuments(),
    ...gatewayDocuments(),
    ...pods.map(podDocument),
    ...services.flatMap((service, index) => serviceDocuments(world, service, index, pods)),
    ...virtualServices(world),
    ...destinationRules(world),
    ...serviceEntries(world),
    ...gateways(world),
    ...peerAuthentications(world),
    ...requestAuthentications(world),
    ...authorizationPolicies(world),
    ...(wide ? withProxies({ ...world, random: new Random(seed + PROXIES) }, sidecars(world)) : sidecars(world)),
    ...(wide
      ? [...telemetries(world), ...envoyFilters(world), ...random.several(0, 1, (index) => proxyConfigDocument(world, index))]
      : [authorizerEntry(), ...customPolicies(world)]),
    ...more(world),
    ...(wide ? trafficExtensions({ ...world, random: new Random(seed + EXTENSIONS) }) : []),
  ];
  const rarer: World = { ...world, random: new Random(seed + RARER) };
  const documents = wide ? withRarerFields(rarer, withRarerKubernetes(rarer, usual)) : usual;
  const config = meshConfig(world);
  const nodes = nodesOf(world, pods).map((node) => withLabelsOfPod(node, documents));
  return families
    ? { documents: withTwoFamilies(random, documents), config, nodes: nodes.map((node) => nodeOfFamilies(random, node)) }
    : { documents, config, nodes };
}

/** Some carry a label that discoverySelectors ask for. */
function namespaceDocument({ random, wide }: World, name: string): Document {
  const labels = { 'kubernetes.io/metadata.name': name, ...(wide ? random.maybe(0.6, () => ({ mesh: random.pick(['on', 'off']) })) : {}) };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

function nodesOf({ random, services, wide }: World, pods: readonly Pod[]): RecordedNode[] {
  const [first, second, third] = random.some(pods, 3, 3);
  if (first === undefined || second === undefined || third === undefined) throw new Error('a mesh has at least three pods');
  const listeners = [
    ...services.flatMap((service) => random.some(PORT_NUMBERS, 1, 2).map((port) => `${fqdn(service)}:${port}`)),
    `xds.istio.io/grpc/lds/inbound/0.0.0.0:${random.pick([8080, 9000])}`,
  ];
  const nodes = [nodeOf(GATEWAY_POD, 'router'), nodeOf(first, 'sidecar'), nodeOf(second, 'sidecar'), nodeOf(third, 'grpc', listeners)];
  // The gateway first: istiod lets it have the scope of a sidecar of its namespace when one has asked before.
  return nodes.map((node) => (wide && random.chance(0.2) ? { ...node, Metadata: { ...node.Metadata, ...ownWishes(random) } } : node));
}

/** As its agent reads them. */
function withLabelsOfPod(node: RecordedNode, documents: readonly Document[]): RecordedNode {
  const { NAMESPACE, NAME, LABELS } = node.Metadata as { readonly NAMESPACE: string; readonly NAME: string; readonly LABELS?: object };
  const pod = documents.find(({ kind, metadata }) => kind === 'Pod' && metadata.name === NAME && metadata.namespace === NAMESPACE);
  return pod === undefined ? node : { ...node, Metadata: { ...node.Metadata, LABELS: { ...LABELS, ...pod.metadata.labels } } };
}

/** What a proxy is told by its own annotations and environment. */
function ownWishes(random: Random): Record<string, unknown> {
  return {
    ...random.maybe(0.6, () => ({ PROXY_CONFIG: proxyConfig(random) })),
    ...random.maybe(0.5, () => ({ IDLE_TIMEOUT: random.pick(['10s', '1m30s', '0s', 'long', '']) })),
  };
}
