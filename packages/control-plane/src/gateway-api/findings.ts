import { type Finding, formatPath, type MeshObject, objectKey, type ServiceSpec, type Severity } from '@ripstop/istio-api';
import { meshConfigOf } from '../push/mesh-config.ts';
import type { LocatedCondition, ObjectStatus, Path } from './conditions.ts';
import { translateGatewayApi } from './gateway-api.ts';
import type { ServicePorts } from './gateway-status.ts';
import { GATEWAY_API, type KubernetesGatewaySpec } from './gateway-types.ts';
import { ownClasses } from './gateways.ts';
import type { ParentRef, RouteSpec } from './route-types.ts';

const CODE = 'RIPSTOP_GATEWAY_STATUS';
/** Istio: ReferencedResourceNotFound. */
const NOT_FOUND = 'IST0101';
/** Reasons that mean it. */
const NOT_FOUND_REASONS: ReadonlySet<string> = new Set(['BackendNotFound', 'NoMatchingParent', 'TargetNotFound']);

/** What follows from a reason, and the way out. */
const REMEDIES: Readonly<Record<string, string>> = {
  NoMatchingParent: 'name a listener or a Service that exists',
  NotAllowedByListeners: "widen the listener's allowedRoutes, or bind to another listener",
  NoMatchingListenerHostname: "give a hostname that the listener's covers",
  BackendNotFound: 'requests for it get 500 until a document defines it',
  InvalidKind: 'its share of the requests gets 500; a backend is a Service, or a host of a ServiceEntry (kind Hostname)',
  RefNotPermitted: 'nothing is sent there until that namespace has a ReferenceGrant for it',
  InvalidDestination: 'the whole route is left out until it is put right',
  InvalidFilter: 'the whole route is left out until it is put right',
  InvalidCertificateRef: 'the listener is not opened until it names a Secret with a certificate and its key',
  InvalidCACertificateRef: 'nothing is trusted until it names a document with CA certificates',
  InvalidCACertificateKind: 'the listener is not opened until it names a Secret or a ConfigMap',
  UnsupportedProtocol: 'use HTTP or HTTPS',
  HostnameConflict: 'the listener is not opened: change its hostname or its port',
  ProtocolConflict: 'the listener is not opened: change its port',
  InvalidRouteKinds: 'name kinds that the protocol of the listener can carry',
  AddressNotUsable: "name a Service of the Gateway's namespace that has the listeners' ports",
  UnsupportedAddress: 'give the name of a Service, with type Hostname',
  TargetNotFound: 'the policy has no effect there: name a Service or ServiceEntry of its namespace',
  Conflicted: 'the other policy counts: remove one of the two',
};

/** Status conditions that would not be True, and references to Gateways that nobody serves, as findings at their line. */
export function gatewayApiFindings(objects: readonly MeshObject[]): Finding[] {
  const { domain } = meshConfigOf(objects, 'cluster.local');
  const statuses = translateGatewayApi({ objects, domain }).statuses(servicePorts(objects, domain));
  return [...statuses.flatMap(statusFindings), ...unservedFindings(objects)];
}

function statusFindings({ object, conditions, parts }: ObjectStatus): Finding[] {
  const own = conditions.map((condition) => ({ part: '', condition }));
  const listed = parts.flatMap(({ name, conditions: inner }) =>
    withoutEchoes(inner).map((condition) => ({ part: `${name}: `, condition })),
  );
  const partsFail = listed.length > 0;
  const told = new Set<string>();
  return [...own, ...listed].flatMap(({ part, condition }) => {
    // That no listener is valid is told by the listeners.
    if (condition.status === 'True' || (partsFail && condition.reason === 'ListenersNotValid')) return [];
    // What is wrong with rules is so for every parent.
    const key = `${formatPath(condition.path)} ${condition.message}`;
    if (told.has(key)) return [];
    told.add(key);
    const remedy = remedyFor(object, condition);
    const message = `${part}${condition.type} is False (${condition.reason}): ${condition.message}${remedy === undefined ? '' : `; ${remedy}`}`;
    const code = NOT_FOUND_REASONS.has(condition.reason) ? NOT_FOUND : CODE;
    return [finding(object, condition.type === 'Programmed' ? 'warning' : 'error', condition.path, message, code)];
  });
}

function remedyFor({ kind }: MeshObject, { reason, path }: LocatedCondition): string | undefined {
  if (path.includes('requestMirror'))
    return kind === 'GRPCRoute' ? 'the whole route is left out until it is put right' : 'nothing is mirrored to it until it is put right';
  if (kind === 'Gateway' && reason === 'RefNotPermitted')
    return 'the listener is not opened until that namespace has a ReferenceGrant for it';
  if (kind === 'BackendTLSPolicy' && reason === 'InvalidKind') return 'nothing is trusted until it names a ConfigMap with ca.crt';
  return REMEDIES[reason];
}

/** Of conditions that are False for one cause the one that names it. */
function withoutEchoes(conditions: readonly LocatedCondition[]): LocatedCondition[] {
  const failed = conditions.filter(({ status }) => status === 'False');
  const refs = failed.find(({ type }) => type === 'ResolvedRefs');
  return failed.filter(({ type, message }) => {
    if (type === 'Programmed') return failed.length === 1;
    return type === 'ResolvedRefs' || refs === undefined || !message.includes(refs.message);
  });
}

function finding(object: MeshObject, severity: Severity, path: Path, message: string, code = CODE): Finding {
  return { code, severity, object: objectKey(object), position: object.locate(path), path: formatPath(path), message };
}

/** Gateways of other controllers, and routes to Gateways that are not there: istiod writes no status for them. */
function unservedFindings(objects: readonly MeshObject[]): Finding[] {
  const ours = objects.filter(({ apiVersion }) => apiVersion.startsWith(`${GATEWAY_API}/`));
  const classes = ownClasses(ours);
  const gateways = ours.filter(({ kind }) => kind === 'Gateway') as MeshObject<KubernetesGatewaySpec>[];
  const names = new Set(gateways.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
  const foreign = gateways.flatMap((gateway) => {
    const { gatewayClassName } = gateway.spec;
    if (classes.has(gatewayClassName)) return [];
    const message = `class "${gatewayClassName}" belongs to another controller, so this Gateway is not served here; use class istio`;
    return [finding(gateway, 'warning', ['spec', 'gatewayClassName'], message)];
  });
  const routes = ours.filter(({ kind }) => kind === 'HTTPRoute' || kind === 'GRPCRoute') as MeshObject<RouteSpec<unknown>>[];
  return [
    ...foreign,
    ...routes.flatMap((route) =>
      (route.spec.parentRefs ?? []).flatMap((parent, index) => {
        const problem = parentProblem(parent, route.metadata.namespace, names);
        return problem === undefined ? [] : [finding(route, 'error', ['spec', 'parentRefs', index], problem, NOT_FOUND)];
      }),
    ),
  ];
}

function parentProblem(parent: ParentRef, own: string, gateways: ReadonlySet<string>): string | undefined {
  const { group = GATEWAY_API, kind = 'Gateway', name, namespace = own } = parent;
  switch (`${group}/${kind}`) {
    case `${GATEWAY_API}/Gateway`:
      return gateways.has(`${namespace}/${name}`) ? undefined : `Referenced gateway not found: "${namespace}/${name}"`;
    case '/Service':
    case 'networking.istio.io/ServiceEntry':
      return undefined;
    default:
      return `Referenced parent not found: a ${kind} of group "${group}" takes no routes here; name a Gateway, a Service (group "") or a ServiceEntry (group networking.istio.io)`;
  }
}

function servicePorts(objects: readonly MeshObject[], domain: string): ServicePorts {
  const found = new Map<string, { readonly port: number; readonly targetPort: number | string }[]>();
  for (const { apiVersion, kind, metadata, spec } of objects) {
    if (apiVersion !== 'v1' || kind !== 'Service') continue;
    const ports = ((spec as ServiceSpec).ports ?? []).map(({ port, targetPort = port }) => ({ port, targetPort }));
    found.set(`${metadata.namespace} ${metadata.name}.${metadata.namespace}.svc.${domain}`, ports);
  }
  return { ports: (hostname, namespace) => found.get(`${namespace} ${hostname}`) };
}
