import type { Finding, MeshObject } from '@ripstop/istio-api';
import type { ClientLoad } from '../ads/load-reports.ts';
import { wireResourcesOf } from '../ads/node-wire.ts';
import { describeServiceNamed, describeWorkloadNamed, NothingToDescribe } from '../describe/describe.ts';
import { describeSecrets } from '../describe/describe-secrets.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { resourcesOfNode } from '../translate/node-resources.ts';
import type { XdsResource } from '../translate/resource.ts';
import { loadResourceWriter } from '../translate/resource-json.ts';

/** What the debug endpoints look at. */
export interface DebugState {
  readonly push: PushContext;
  readonly objects: readonly MeshObject[];
  readonly findings: readonly Finding[];
  /** Of connected clients. */
  readonly nodes: readonly ProxyNode[];
  /** Of `nodes`, those that have taken everything. */
  readonly synced: number;
  readonly load: readonly ClientLoad[];
}

/** A question that has no answer; the message says what to ask instead. */
export class DebugError extends Error {}

/** istiod's names of the endpoints, with what each answers. */
export const DEBUG_ENDPOINTS: Readonly<Record<string, string>> = {
  '/debug/syncz': 'connected clients and whether they have taken what is configured',
  '/debug/adsz': 'connected clients: node, service account, labels, dialect',
  '/debug/configz': 'documents in force, with file and line; Secrets without their data',
  '/debug/registryz': 'services with their ports, resolution and visibility',
  '/debug/endpointz': 'endpoints by service and port',
  '/debug/edsz?proxyID=<name>.<namespace>': "a connected client's endpoints, as it gets them: by place, with priorities and weights",
  '/debug/authorizationz': 'AuthorizationPolicies in force, by namespace',
  '/debug/telemetryz': 'Telemetry documents in force',
  '/debug/mesh': 'the mesh configuration in force, defaults included',
  '/debug/push_status': 'the push in force, what it knows, and how many clients have taken all of it',
  '/debug/loadz': 'what clients report about their calls (LRS), by client and cluster',
  '/debug/instancesz': 'pods and registered processes',
  '/debug/config_dump?proxyID=<name>.<namespace>': "a connected client's clusters, listeners, routes and endpoints, as Envoy dumps them",
  '/debug/describe?service=<service>': 'the documents that decide about a service, with file and line',
  '/debug/describe?workload=<name>.<namespace>': 'the same of a pod or a registered process',
  '/debug/secrets?proxyID=<name>.<namespace>': 'certificates that a connected gateway is given: their public parts',
  '/debug/resources?proxyID=<name>.<namespace>': 'the same as bytes of the wire, with who the client is: what `ripstop explain` runs',
};

/** Answers a debug path; undefined when it is none. Throws {@link DebugError}. */
export function debugAnswer(path: string, query: URLSearchParams, state: DebugState): unknown {
  switch (path) {
    case '/debug':
    case '/debug/list':
      return DEBUG_ENDPOINTS;
    case '/debug/adsz':
      return state.nodes.map(({ id, name, namespace, dialect, serviceAccount, labels, ipAddresses }) => ({
        id,
        proxyID: `${name}.${namespace}`,
        dialect,
        serviceAccount,
        labels,
        ipAddresses,
      }));
    case '/debug/configz':
      return state.objects.map(configOf);
    case '/debug/registryz':
      return state.push.services;
    case '/debug/endpointz':
      return endpoints(state.push);
    case '/debug/edsz':
      return clientEndpoints(query.get('proxyID') ?? '', state);
    case '/debug/authorizationz':
      return Object.groupBy(state.objects.filter(({ kind }) => kind === 'AuthorizationPolicy').map(configOf), namespaceOf);
    case '/debug/telemetryz':
      return state.objects.filter(({ kind }) => kind === 'Telemetry').map(configOf);
    case '/debug/mesh':
      return state.push.mesh;
    case '/debug/push_status':
      return pushStatus(state);
    case '/debug/loadz':
      return state.load;
    case '/debug/instancesz':
      return state.push.instances;
    case '/debug/config_dump':
      return configDump(query.get('proxyID') ?? '', state);
    case '/debug/describe':
      return described(query, state);
    case '/debug/secrets':
      return describeSecrets(connected(query.get('proxyID') ?? '', state.nodes), state.push, Date.now());
    case '/debug/resources':
      return resources(query.get('proxyID') ?? '', state);
    default:
      return undefined;
  }
}

function described(query: URLSearchParams, { push, findings }: DebugState): object {
  const service = query.get('service');
  const workload = query.get('workload');
  if (service === null && workload === null) throw new DebugError('describe what? Give service=<name> or workload=<name>.<namespace>');
  try {
    return service === null ? describeWorkloadNamed(workload!, push, findings) : describeServiceNamed(service, push, findings);
  } catch (error) {
    throw error instanceof NothingToDescribe ? new DebugError(error.message) : error;
  }
}

/** A document as it is shown. */
type Config = Pick<MeshObject, 'apiVersion' | 'kind' | 'metadata'> &
  Partial<Pick<MeshObject, 'spec'>> & {
    readonly position: { readonly file: string; readonly line: number };
  };

function namespaceOf({ metadata }: Config): string {
  return metadata.namespace;
}

function pushStatus({ push, objects, nodes, synced }: DebugState): object {
  const { generation, services, virtualServices, instances } = push;
  return {
    push: generation,
    documents: objects.length,
    services: services.length,
    virtualServices: virtualServices.length,
    instances: instances.length,
    clients: nodes.length,
    synced,
  };
}

/** Nothing of a Secret but its name leaves the process: kubectl writes all of it into an annotation (last-applied-configuration). */
function configOf({ apiVersion, kind, metadata, spec, rest, source }: MeshObject): Config {
  const position = { file: source.file, line: source.line };
  return kind === 'Secret'
    ? { apiVersion, kind, metadata: { ...metadata, annotations: {} }, position }
    : { apiVersion, kind, metadata, spec, ...rest, position };
}

function endpoints(push: PushContext): object[] {
  return push.services.flatMap((service) =>
    service.ports.map((port) => ({
      service: service.hostname,
      port: port.port,
      name: port.name,
      endpoints: push.endpoints(service, port).filter(({ health }) => health !== 'TERMINATING'),
    })),
  );
}

/** The client of this id as proxy-status lists it, or the only one of this name or service, or whose name begins so. */
function connected(proxyId: string, nodes: readonly ProxyNode[]): ProxyNode {
  const exact = nodes.find((node) => idOf(node) === proxyId);
  if (exact !== undefined) return exact;
  const meant = nodes.filter((node) => isMeant(node, proxyId));
  if (meant.length === 1) return meant[0]!;
  const names = (of: readonly ProxyNode[]): string => of.map(idOf).sort().join(', ') || 'none';
  if (meant.length > 1) throw new DebugError(`proxyID=${proxyId} may be each of these, name one: ${names(meant)}`);
  throw new DebugError(`proxyID=${proxyId} is not connected; connected are: ${names(nodes)}`);
}

function idOf({ name, namespace }: ProxyNode): string {
  return `${name}.${namespace}`;
}

function isMeant(node: ProxyNode, wanted: string): boolean {
  const names = [node.name, node.labels.app ?? node.workloadName];
  return names.some((name) => name === wanted || `${name}.${node.namespace}` === wanted) || node.name.startsWith(`${wanted}-`);
}

function resources(proxyId: string, { nodes, push }: DebugState): object {
  const node = connected(proxyId, nodes);
  const { name, namespace, serviceAccount } = node;
  return {
    node: { name, namespace, serviceAccount, trustDomain: push.mesh.trustDomain },
    resources: wireResourcesOf(node, push).map((resource) => ({ ...resource, body: Buffer.from(resource.body).toString('base64') })),
  };
}

async function clientEndpoints(proxyId: string, state: DebugState): Promise<object> {
  const { endpoints: assignments } = resourcesOfNode(connected(proxyId, state.nodes), state.push);
  const write = await loadResourceWriter();
  return assignments.map(write);
}

async function configDump(proxyId: string, { nodes, push }: DebugState): Promise<object> {
  const node = connected(proxyId, nodes);
  const { clusters, listeners, routes, endpoints: assignments } = resourcesOfNode(node, push);
  const write = await loadResourceWriter();
  const each = (resources: readonly XdsResource[], wrap: (name: string, message: unknown) => object): object[] =>
    resources.map((resource) => wrap(resource.name, write(resource)));
  return {
    configs: [
      dump('ClustersConfigDump', { dynamic_active_clusters: each(clusters, (_name, cluster) => ({ cluster })) }),
      dump('ListenersConfigDump', {
        dynamic_listeners: each(listeners, (name, listener) => ({ name, active_state: { listener } })),
      }),
      dump('RoutesConfigDump', { dynamic_route_configs: each(routes, (_name, route) => ({ route_config: route })) }),
      dump('EndpointsConfigDump', {
        dynamic_endpoint_configs: each(assignments, (_name, assignment) => ({ endpoint_config: assignment })),
      }),
    ],
  };
}

function dump(type: string, fields: object): object {
  return { '@type': `type.googleapis.com/envoy.admin.v3.${type}`, ...fields };
}
