import type { RecordedNode } from '../istiod/istiod-process.ts';
import type { Document } from '../istiod/mesh/document.ts';
import type { Mesh } from '../istiod/mesh/random-mesh.ts';
import { nodeOf, type Pod, podDocument } from '../istiod/mesh/workloads.ts';
import { PLACES } from '../istiod/mesh/world.ts';

/** More clients of one example say nothing new. */
const MAX_CLIENTS = 4;
/** What examples call without a Service of their own. */
const PORTS = [
  { name: 'http', port: 80 },
  { name: 'http-alt', port: 8080 },
  { name: 'http-reviews', port: 9080 },
  { name: 'tls', port: 443 },
  { name: 'tcp', port: 9000 },
] as const;

interface Labels {
  readonly [key: string]: string;
}

/**
 * The mesh that an example is written for: its documents, and around them what they take for granted. A pod for each
 * Deployment and for each selector that finds none, a Service for each name of the cluster that is called, endpoints of
 * every Service; clients of both kinds.
 */
export function clusterOf(documents: readonly Document[]): Mesh {
  const given = lastOfEach(documents.filter(({ kind }) => !MADE.has(kind)).map(inStoredVersion));
  const services = [...given.filter(({ kind }) => kind === 'Service'), ...missingServices(given), ...gatewayServices(given)];
  const pods = podsFor(documents, [...given, ...services]);
  const namespaces = new Set(
    [...given, ...services].map(namespaceOf).concat(
      pods.map(({ namespace }) => namespace),
      'istio-system',
    ),
  );
  const all = [
    ...[...namespaces]
      .sort()
      .flatMap((name) => (given.some((one) => one.kind === 'Namespace' && one.metadata.name === name) ? [] : [namespaceDocument(name)])),
    ...given.filter(({ kind }) => kind !== 'Service'),
    ...pods.map(podDocument),
    ...services.map((service, index) => withAddress(service, index)),
    ...services.flatMap((service) => slicesOf(service, pods)),
  ];
  return { documents: all, config: {}, nodes: clientsOf(pods, services) };
}

/** Made here from what the examples say, or nothing to istiod. */
const MADE: ReadonlySet<string> = new Set(['Pod', 'EndpointSlice', 'Endpoints', 'ServiceAccount', 'CustomResourceDefinition', 'List']);

/** The API server gives istiod the version that it asks for. */
function inStoredVersion(document: Document): Document {
  return document.kind === 'TCPRoute' || document.kind === 'TLSRoute'
    ? { ...document, apiVersion: 'gateway.networking.k8s.io/v1' }
    : document;
}

/** As `kubectl apply` would leave it. */
function lastOfEach(documents: readonly Document[]): Document[] {
  return [
    ...new Map(
      documents.map((one) => [`${one.apiVersion.split('/')[0]} ${one.kind} ${namespaceOf(one)} ${one.metadata.name}`, one]),
    ).values(),
  ];
}

function namespaceOf({ kind, metadata }: Document): string {
  return kind === 'Namespace' ? metadata.name : (metadata.namespace ?? 'default');
}

function namespaceDocument(name: string): Document {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'kubernetes.io/metadata.name': name } } };
}

/** The Service of each Gateway of the Gateway API: the one it names, or what istiod's controller makes. */
function gatewayServices(documents: readonly Document[]): Document[] {
  const known = new Set(documents.filter(({ kind }) => kind === 'Service').map((one) => `${namespaceOf(one)}/${one.metadata.name}`));
  return documents.flatMap((document) => {
    const spec = (document.spec ?? {}) as {
      addresses?: { type?: string; value: string }[];
      gatewayClassName?: string;
      listeners?: { port: number }[];
    };
    if (
      document.kind !== 'Gateway' ||
      !document.apiVersion.startsWith('gateway.') ||
      spec.addresses?.some(({ value }) => value.includes('.'))
    )
      return [];
    const name = spec.addresses?.[0]?.value ?? `${document.metadata.name}-${spec.gatewayClassName}`;
    const key = `${namespaceOf(document)}/${name}`;
    if (known.has(key)) return [];
    known.add(key);
    const ports = [...new Set((spec.listeners ?? []).map(({ port }) => port))];
    return [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: namespaceOf(document) },
        spec: {
          selector: { 'gateway.networking.k8s.io/gateway-name': document.metadata.name },
          ports: ports.map((port) => ({ name: `tcp-${port}`, port, targetPort: port, protocol: 'TCP' })),
        },
      },
    ];
  });
}

const HOST = /^(?:\*\.)?([a-z][a-z0-9-]*)(?:\.([a-z0-9-]+)(?:\.svc(?:\.cluster\.local)?)?)?$/;

/** Names of the cluster that rules call and nobody defines. */
function missingServices(documents: readonly Document[]): Document[] {
  const found = new Map<string, Document>();
  const known = new Set(documents.filter(({ kind }) => kind === 'Service').map((one) => `${one.metadata.name}.${namespaceOf(one)}`));
  const external = new Set(
    documents.filter(({ kind }) => kind === 'ServiceEntry').flatMap((one) => (one.spec as { hosts?: string[] }).hosts ?? []),
  );
  for (const document of documents) {
    if (document.kind === 'ServiceEntry') continue;
    for (const host of hostsIn(document)) {
      if (external.has(host)) continue;
      const [, name, namespace = namespaceOf(document)] = HOST.exec(host) ?? [];
      if (name === undefined || (host.includes('.') && !host.endsWith('.svc.cluster.local')) || known.has(`${name}.${namespace}`)) continue;
      known.add(`${name}.${namespace}`);
      found.set(`${name}.${namespace}`, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace },
        spec: { selector: { app: name }, ports: PORTS.map((port) => ({ ...port, protocol: 'TCP', targetPort: port.port })) },
      });
    }
  }
  return [...found.values()];
}

/** Values of `host`, `hosts` and the names of backends, wherever they stand. */
function hostsIn(value: unknown, field = ''): string[] {
  if (typeof value === 'string') return field === 'host' || field === 'hosts' ? [value.replace(/^[^/]*\//, '')] : [];
  if (Array.isArray(value)) return value.flatMap((item) => hostsIn(item, field));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    key === 'backendRefs' && Array.isArray(item)
      ? item.flatMap((ref: { kind?: string; name?: string }) =>
          (ref.kind ?? 'Service') === 'Service' && ref.name !== undefined ? [ref.name] : [],
        )
      : hostsIn(item, key),
  );
}

function podsFor(original: readonly Document[], documents: readonly Document[]): Pod[] {
  const pods: Pod[] = [];
  const add = (namespace: string, labels: Labels, account = 'default'): void => {
    if (pods.some((pod) => pod.namespace === namespace && selects(labels, pod.labels))) return;
    const app = labels.app ?? labels['gateway.networking.k8s.io/gateway-name'] ?? Object.values(labels)[0] ?? 'app';
    const version = labels.version ?? 'v1';
    pods.push({
      name: `${app}-${version}-7f8d9-p${pods.length}`,
      namespace,
      app,
      version,
      labels: {
        ...labels,
        'pod-template-hash': '7f8d9',
        'security.istio.io/tlsMode': 'istio',
        'service.istio.io/canonical-name': app,
        'service.istio.io/canonical-revision': labels.version ?? 'latest',
      },
      account,
      ip: `10.0.${Math.floor(pods.length / 200)}.${(pods.length % 200) + 10}`,
      place: PLACES[pods.length % PLACES.length]!,
      ready: true,
    });
  };
  for (const document of original) {
    const template = (
      document.spec as { template?: { metadata?: { labels?: Labels }; spec?: { serviceAccountName?: string } } } | undefined
    )?.template;
    if (template?.metadata?.labels !== undefined && document.kind !== 'WorkloadGroup')
      add(namespaceOf(document), template.metadata.labels, template.spec?.serviceAccountName || 'default');
    if (document.kind === 'Pod') add(namespaceOf(document), document.metadata.labels ?? {});
  }
  for (const document of documents) {
    const spec = (document.spec ?? {}) as Record<string, unknown>;
    const namespace = namespaceOf(document);
    const labels = selectorOf(document.kind, spec);
    if (document.kind === 'Gateway' && document.apiVersion.startsWith('gateway.'))
      add(namespace, { 'gateway.networking.k8s.io/gateway-name': document.metadata.name });
    else if (labels !== undefined && Object.keys(labels).length > 0)
      add(ROOT_GATEWAYS.has(labels.istio ?? '') ? 'istio-system' : namespace, labels);
  }
  add('default', { app: 'client' });
  return pods;
}

const ROOT_GATEWAYS: ReadonlySet<string> = new Set(['ingressgateway', 'egressgateway', 'eastwestgateway']);

function selectorOf(kind: string, spec: Record<string, unknown>): Labels | undefined {
  if (kind === 'Service' || (kind === 'Gateway' && spec.selector !== undefined)) return spec.selector as Labels | undefined;
  const of = (spec.selector ?? spec.workloadSelector) as { matchLabels?: Labels; labels?: Labels } | undefined;
  return of?.matchLabels ?? of?.labels;
}

function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly protocol?: string;
}

interface ServiceSpec {
  readonly clusterIP?: string;
  readonly type?: string;
  readonly selector?: Labels;
  readonly ports?: readonly ServicePort[];
}

function withAddress(service: Document, index: number): Document {
  const spec = (service.spec ?? {}) as ServiceSpec;
  const address = spec.type === 'ExternalName' ? undefined : (spec.clusterIP ?? `10.96.${Math.floor(index / 200)}.${(index % 200) + 1}`);
  return {
    ...service,
    metadata: { creationTimestamp: '2026-01-01T00:00:00Z', ...service.metadata },
    spec: {
      type: 'ClusterIP',
      ...spec,
      ...(address === undefined ? {} : { clusterIP: address, clusterIPs: [address] }),
      ports: (spec.ports ?? []).map((port) => ({ protocol: 'TCP', targetPort: port.port, ...port })),
    },
  };
}

function slicesOf(service: Document, pods: readonly Pod[]): Document[] {
  const { selector, ports = [] } = (service.spec ?? {}) as ServiceSpec;
  if (selector === undefined || Object.keys(selector).length === 0) return [];
  const namespace = namespaceOf(service);
  const taken = pods.filter((pod) => pod.namespace === namespace && selects(selector, pod.labels));
  return [
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${service.metadata.name}-s1`, namespace, labels: { 'kubernetes.io/service-name': service.metadata.name } },
      addressType: 'IPv4',
      ports: ports.map(({ name, port, targetPort, protocol = 'TCP' }) => ({
        ...(name === undefined ? {} : { name }),
        protocol,
        port: typeof targetPort === 'number' ? targetPort : port,
      })),
      endpoints: taken.map((pod) => ({
        addresses: [pod.ip],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: pod.place.node,
        zone: pod.place.zone,
        targetRef: { kind: 'Pod', name: pod.name, namespace },
      })),
    },
  ];
}

function clientsOf(pods: readonly Pod[], services: readonly Document[]): RecordedNode[] {
  const gateways = pods.filter(({ labels }) => /gateway/.test(JSON.stringify(labels)));
  const apps = pods.filter((pod) => !gateways.includes(pod)).slice(-MAX_CLIENTS);
  const listeners = services.flatMap((service) =>
    ((service.spec as ServiceSpec | undefined)?.ports ?? []).map(
      ({ port }) => `${service.metadata.name}.${namespaceOf(service)}.svc.cluster.local:${port}`,
    ),
  );
  return [
    ...gateways.slice(0, MAX_CLIENTS).map((pod) => nodeOf(pod, 'router')),
    ...apps.map((pod) => nodeOf(pod, 'sidecar')),
    ...(listeners.length === 0 ? [] : apps.slice(-1).map((pod) => nodeOf(pod, 'grpc', listeners.slice(0, 12)))),
  ];
}
