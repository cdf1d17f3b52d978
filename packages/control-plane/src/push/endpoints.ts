import { isIP } from 'node:net';
import type { EndpointSliceBody, MeshObject, ServiceEntrySpec, WorkloadEntrySpec } from '@ripstop/istio-api';
import { labelledPlace, localityOf, NOWHERE } from '../model/locality-label.ts';
import type { WorkloadInstance } from '../model/workload.ts';
import { NETWORK_LABEL } from './locality-policy.ts';
import { TLS_MODE_LABEL } from './pod-instance.ts';
import { type MeshService, type MeshServicePort, selects } from './service.ts';

export type EndpointLocality = WorkloadInstance['locality'];

/** One address that serves a service port. */
export interface ServiceEndpoint {
  readonly address: string;
  /** Where it is dialled. */
  readonly port: number;
  /** What policies call it; differs from `port` where a process is bound elsewhere. */
  readonly workloadPort: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly workloadName: string;
  readonly clusterId: string;
  readonly locality: EndpointLocality;
  /** `locality` as a WorkloadEntry writes it: endpoints are grouped by the text (Istio). */
  readonly place?: string;
  /** TERMINATING: still has its identity, and is not called. */
  readonly health: WorkloadInstance['health'] | 'UNKNOWN' | 'TERMINATING';
  readonly weight: number;
  /** The Kubernetes node; '' when it is not known. */
  readonly nodeName: string;
  /** The workload speaks mTLS. */
  readonly mtls: boolean;
  /** Name of the ServiceEntry that has it; several may have one host. */
  readonly entry?: string;
  /** Where a WorkloadEntry says that it is; undefined: its labels tell. */
  readonly network?: string;
  /** It stands for workloads of another network. */
  readonly isGateway?: boolean;
}

/** Before the path of a Unix socket. */
const UNIX = 'unix://';

/** What a service's endpoints are looked up in. */
export interface EndpointSources {
  /** By `<name>.<namespace>`. */
  readonly pods: ReadonlyMap<string, WorkloadInstance>;
  /** Those that are ready and stay, by `<namespace>/<address>`. */
  readonly podsByAddress: ReadonlyMap<string, WorkloadInstance>;
  readonly registered: ReadonlyMap<string, WorkloadInstance>;
  /** `registered` by namespace. */
  readonly registeredIn: ReadonlyMap<string, readonly WorkloadInstance[]>;
  readonly slices: ReadonlyMap<string, readonly MeshObject[]>;
  /** By namespace. */
  readonly entriesIn: ReadonlyMap<string, readonly MeshObject<WorkloadEntrySpec>[]>;
  /** Services of ServiceEntries by `<namespace>/<host>`, oldest first. */
  readonly sharedHosts: ReadonlyMap<string, readonly MeshService[]>;
  /** Services of Kubernetes that a ServiceEntry names, by the same key. */
  readonly namedServices: ReadonlyMap<string, MeshService>;
  readonly lookedUp: LookedUp;
}

/** Services by what may change where they are served. */
export interface LookedUp {
  /** Those of Kubernetes, by `<namespace>/<name>`. */
  readonly named: ReadonlyMap<string, readonly MeshService[]>;
  /** Those that select workloads, by namespace. */
  readonly selecting: ReadonlyMap<string, readonly MeshService[]>;
}

/** The endpoints of one service port, in a stable order. */
export function endpointsOf(service: MeshService, port: MeshServicePort, sources: EndpointSources): ServiceEndpoint[] {
  const entries = entryEndpoints(service, port, sources);
  if (service.registry !== 'External') return [...serviceEndpoints(service, port, sources), ...entries];
  const named = sources.namedServices.get(`${service.namespace}/${service.hostname}`);
  const same = named?.ports.find((candidate) => isSamePort(service, candidate, port));
  return named === undefined || same === undefined ? entries : [...serviceEndpoints(named, same, sources), ...entries];
}

/** What a Service of Kubernetes has of its own. */
function serviceEndpoints(service: MeshService, port: MeshServicePort, sources: EndpointSources): ServiceEndpoint[] {
  const found = sliceEndpoints(service, port, sources);
  if (service.selector === undefined) return found;
  if (!sources.slices.has(`${service.namespace}/${service.name}`)) {
    // As Kubernetes would make its slices: publishNotReadyAddresses is its word, which istiod does not look at.
    const published = service.notReadyIsReady ? { health: 'HEALTHY' as const } : {};
    for (const pod of sources.pods.values()) if (belongs(service, pod)) found.push(...instanceEndpoint({ ...pod, ...published }, port));
  }
  for (const instance of sources.registeredIn.get(service.namespace) ?? [])
    if (belongs(service, instance)) found.push(...instanceEndpoint(instance, port));
  if (service.resolution !== 'EDS') return found;
  for (const entry of sources.entriesIn.get(service.namespace) ?? [])
    if (selects(service.selector, entryLabels(entry))) found.push(...selectedEntry(entry, service, port));
  return found;
}

/**
 * A WorkloadEntry that a Kubernetes Service selects (Istio: serviceInstanceFromWorkloadInstance): with an address, as nobody asks for
 * names there, and with the port when the Service says it by name.
 */
function selectedEntry(entry: MeshObject<WorkloadEntrySpec>, service: MeshService, port: MeshServicePort): ServiceEndpoint[] {
  const { address = '', ports = {} } = entry.spec;
  const named = typeof port.targetPort === 'string' ? ports[port.targetPort] : port.targetPort;
  if (isIP(address) === 0 || named === undefined) return [];
  const spec = typeof port.targetPort === 'string' ? { ...entry.spec, ports: { [port.name]: named } } : entry.spec;
  return [workloadEntryEndpoint(spec, entryLabels(entry), service, port, entry.metadata.name)];
}

function belongs(service: MeshService, { namespace, labels }: WorkloadInstance): boolean {
  return namespace === service.namespace && selects(service.selector, labels);
}

/** An address that stands in two slices is on its way from one to the other. */
function sliceEndpoints(service: MeshService, port: MeshServicePort, sources: EndpointSources): ServiceEndpoint[] {
  const found = new Map<string, ServiceEndpoint>();
  for (const slice of sources.slices.get(`${service.namespace}/${service.name}`) ?? []) {
    const body = slice.rest as EndpointSliceBody;
    const target = (body.ports ?? []).find((candidate) => (candidate.name ?? '') === port.name)?.port;
    if (target === undefined) continue;
    for (const { addresses, conditions, targetRef, zone } of body.endpoints ?? []) {
      const health = healthOf(service, conditions ?? {});
      for (const address of addresses ?? []) {
        const pod = podAt(address, targetRef, service.namespace, sources);
        if (found.has(address) || pod === 'gone') continue;
        const own = pod === undefined ? podless(address, target, zone, service, sources) : endpoint(pod, address, target, target);
        found.set(address, { ...own, health });
      }
    }
  }
  return [...found.values()];
}

/** Among pods an address of nobody is just that, as in istiod. Where no pods are told of, it is taken for the service's own. */
function podless(
  address: string,
  port: number,
  zone: string | undefined,
  service: MeshService,
  { pods }: EndpointSources,
): ServiceEndpoint {
  if (pods.size > 0) return bare(address, port, '');
  return { ...bare(address, port, service.namespace), workloadName: service.name, locality: { ...NOWHERE, zone: zone ?? '' } };
}

type TargetRef = NonNullable<EndpointSliceBody['endpoints']>[number]['targetRef'];

/**
 * The pod behind an address: the one that the slice names, else one of the namespace that has it (Istio: getPod). `gone`: it is named, and
 * is not among the pods. A folder without any says nothing about them.
 */
function podAt(
  address: string,
  ref: TargetRef,
  namespace: string,
  { pods, podsByAddress }: EndpointSources,
): WorkloadInstance | 'gone' | undefined {
  if (ref?.kind !== 'Pod') return podsByAddress.get(`${namespace}/${address}`);
  return pods.get(`${ref.name}.${ref.namespace ?? namespace}`) ?? (pods.size > 0 ? 'gone' : undefined);
}

interface Conditions {
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
}

/**
 * Istio: endpointHealthStatus. Not ready is sent as unhealthy; terminating is not sent, or as draining where sessions must end in
 * peace. TERMINATING is not sent.
 */
function healthOf(service: MeshService, { ready, serving, terminating }: Conditions): ServiceEndpoint['health'] {
  if (ready !== false) return 'HEALTHY';
  if (terminating === false) return 'UNHEALTHY';
  return service.persistentSession && serving !== false ? 'DRAINING' : 'TERMINATING';
}

function instanceEndpoint(instance: WorkloadInstance, { targetPort }: MeshServicePort): ServiceEndpoint[] {
  const served = instance.ports.find((port) => port.workloadPort === targetPort || port.name === targetPort);
  if (served !== undefined) return [endpoint(instance, served.address, served.port, served.workloadPort)];
  // One that tells no ports may listen on any number; a process of ours lists all that it serves.
  const open =
    (instance.ports.length === 0 || instance.listensAnywhere === true) && instance.adminAddress === '' && typeof targetPort === 'number';
  return open ? [endpoint(instance, instance.address, targetPort, targetPort)] : [];
}

function endpoint(instance: WorkloadInstance, address: string, port: number, workloadPort: number): ServiceEndpoint {
  const { labels, namespace, serviceAccount, workloadName, clusterId, locality, health, nodeName, mtls } = instance;
  return {
    address,
    port,
    workloadPort,
    labels,
    namespace,
    serviceAccount,
    workloadName,
    clusterId,
    locality,
    health,
    weight: 1,
    nodeName,
    mtls,
  };
}

/**
 * Services of one host in one namespace share their endpoints, whoever defines them (Istio: EndpointShards): those of a DNS cluster by
 * the number of the port, all others by its name.
 */
function isSamePort(service: MeshService, port: MeshServicePort, wanted: MeshServicePort): boolean {
  return asksForNames(service) ? port.port === wanted.port : port.name === wanted.name;
}

function asksForNames({ resolution }: MeshService): boolean {
  return resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN';
}

/** Of all ServiceEntries that share the host. A DNS_ROUND_ROBIN entry has a single place. */
function entryEndpoints(asked: MeshService, wanted: MeshServicePort, sources: EndpointSources): ServiceEndpoint[] {
  const found: ServiceEndpoint[] = [];
  const byNumber = asksForNames(asked);
  for (const service of sources.sharedHosts.get(`${asked.namespace}/${asked.hostname}`) ?? []) {
    const single = service.resolution === 'DNS_ROUND_ROBIN';
    for (const port of [...service.ports, ...service.udpPorts]) {
      if (!isSamePort(asked, port, wanted) || (single && found.length > 0)) continue;
      const own = ownEndpoints(service, port, sources);
      found.push(...(single ? own.slice(0, 1) : own).filter((endpoint) => byNumber || isPlace(endpoint)));
    }
  }
  return found;
}

/** Of an endpoint that is not asked for by name: an address, a Unix socket, or nothing but a network whose gateway stands for it. */
function isPlace({ address, port, network = '' }: ServiceEndpoint): boolean {
  return isIP(address) !== 0 || port === 0 || (address === '' && network !== '');
}

function ownEndpoints(service: MeshService, port: MeshServicePort, sources: EndpointSources): ServiceEndpoint[] {
  const spec = service.object.spec as ServiceEntrySpec;
  const found = (spec.endpoints ?? []).map((entry, index) =>
    workloadEntryEndpoint(entry, entry.labels ?? {}, service, port, `${service.name}-${index}`),
  );
  const names = asksForNames(service);
  if (service.selector !== undefined) {
    // Pods first: of a DNS_ROUND_ROBIN entry only the first counts.
    for (const pod of sources.pods.values()) if (belongs(service, pod) && pod.health === 'HEALTHY') found.push(podOfEntry(pod, port));
    for (const entry of sources.entriesIn.get(service.namespace) ?? []) {
      if (selects(service.selector, entryLabels(entry)))
        found.push(workloadEntryEndpoint(entry.spec, entryLabels(entry), service, port, entry.metadata.name));
    }
    for (const instance of sources.registeredIn.get(service.namespace) ?? [])
      if (belongs(service, instance)) found.push(...instanceEndpoint(instance, port));
  } else if (found.length === 0 && names) {
    found.push({ ...bare(service.hostname, Number(port.targetPort), service.namespace), workloadName: service.name });
  }
  return found.map((endpoint) => ({ ...endpoint, entry: service.name }));
}

/** A Pod that a ServiceEntry selects: its own port of that name, else the entry's number. */
function podOfEntry(pod: WorkloadInstance, port: MeshServicePort): ServiceEndpoint {
  const number = pod.ports.find(({ name }) => name === port.name)?.workloadPort ?? Number(port.targetPort);
  return endpoint(pod, pod.address, number, number);
}

/** What selectors look at. */
export function entryLabels({ metadata, spec }: MeshObject<WorkloadEntrySpec>): Readonly<Record<string, string>> {
  return { ...spec.labels, ...metadata.labels };
}

/** The port: the entry's own map by port name, else the service's targetPort, else its number. The place may be a label instead. */
function workloadEntryEndpoint(
  spec: WorkloadEntrySpec,
  labels: Readonly<Record<string, string>>,
  service: MeshService,
  port: MeshServicePort,
  workloadName: string,
): ServiceEndpoint {
  const place = (spec.locality ?? '') === '' ? labelledPlace(labels) : spec.locality!;
  const socket = spec.address?.startsWith(UNIX) === true;
  const numbered = spec.ports?.[port.name] ?? (typeof port.targetPort === 'number' ? port.targetPort : port.port);
  return {
    ...bare(socket ? spec.address!.slice(UNIX.length) : (spec.address ?? ''), socket ? 0 : numbered, service.namespace),
    labels: (spec.network ?? '') === '' ? labels : { ...labels, [NETWORK_LABEL]: spec.network! },
    network: spec.network ?? '',
    workloadName,
    serviceAccount: spec.serviceAccount ?? '',
    locality: localityOf(place),
    place,
    weight: (spec.weight ?? 0) === 0 ? 1 : spec.weight!,
    mtls: labels[TLS_MODE_LABEL] === undefined ? (spec.serviceAccount ?? '') !== '' : labels[TLS_MODE_LABEL] === 'istio',
  };
}

function bare(address: string, port: number, namespace: string): ServiceEndpoint {
  return {
    address,
    port,
    workloadPort: port,
    labels: {},
    namespace,
    serviceAccount: '',
    workloadName: '',
    clusterId: 'Kubernetes',
    locality: NOWHERE,
    health: 'UNKNOWN',
    weight: 1,
    nodeName: '',
    mtls: false,
  };
}
