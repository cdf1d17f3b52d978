import { labels, texts } from './common.ts';
import { backendTlsPolicySpec, gatewayClassSpec, kubernetesGatewaySpec, referenceGrantSpec } from './gateway-api.ts';
import { grpcRouteSpec, httpRouteSpec, tcpRouteSpec, tlsRouteSpec } from './gateway-api-route.ts';
import type { Kind } from './kind.ts';
import { any, bool, type Fields, ignored, list, noted, openObject, port, rule, ruled, type Schema, text } from './schema.ts';

const CORE = { group: '', versions: ['v1'], namespaced: true };

const portOrName = ruled(
  any,
  rule('must be the number or the name of a port', (value: unknown) => typeof value === 'string' || isPortNumber(value)),
);

function isPortNumber(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
}

const servicePort = openObject({
  name: noted(text, 'its first part up to `-` names the protocol'),
  port,
  targetPort: noted(portOrName, 'number or name'),
  protocol: noted(text, 'UDP ports are left out'),
  appProtocol: noted(text, 'before the name'),
});

const service: Schema = openObject({
  type: noted(text, 'ExternalName is another name of a Service of the mesh; towards other hosts a warning says what to write'),
  clusterIP: noted(text, '`None` is headless: the host that the app names is dialled'),
  clusterIPs: texts,
  selector: labels,
  ports: list(servicePort),
  externalName: text,
  internalTrafficPolicy: noted(text, '`Local`: endpoints on the Node of the client'),
  trafficDistribution: noted(text, 'PreferClose, PreferSameZone, PreferSameNode; also as an annotation, here or on the Namespace'),
  publishNotReadyAddresses: bool,
});

const endpoint = openObject({
  addresses: texts,
  conditions: openObject({
    ready: noted(bool, 'false: known and not called'),
    serving: bool,
    terminating: noted(bool, 'the endpoint is left out, or drains where the Service has the label `istio.io/persistent-session`'),
  }),
  targetRef: openObject({ kind: text, name: text, namespace: text }),
  zone: noted(
    text,
    'in a folder without Pods; else the Node of the Pod, or its label `topology.istio.io/locality` or `istio-locality`, says it',
  ),
});
const slice = openObject({ endpoints: list(endpoint), ports: list(openObject({ name: text, port })) });

const containerPorts = list(openObject({ containerPort: port, name: text }));

const unread = (kind: string, note: string): Kind => ({ ...CORE, kind, status: 'used', note: `accepted, not looked at: ${note}` });

export const kubernetesKinds: readonly Kind[] = [
  {
    ...CORE,
    kind: 'Service',
    status: 'used',
    note: 'the annotations `networking.istio.io/exportTo`, `alpha.istio.io/kubernetes-serviceaccounts` and `alpha.istio.io/canonical-serviceaccounts` are honoured; every other field of Kubernetes is accepted and not looked at',
    spec: service,
  },
  {
    group: 'discovery.k8s.io',
    versions: ['v1'],
    namespaced: true,
    kind: 'EndpointSlice',
    status: 'used',
    note: 'belongs to the Service that its label `kubernetes.io/service-name` names',
    rest: slice,
  },
  {
    ...CORE,
    kind: 'Pod',
    status: 'used',
    observed: openObject({ podIP: text, phase: text, conditions: list(openObject({ type: text, status: text })) }),
    note: 'a recorded instance (podIP, labels, service account); the label `security.istio.io/tlsMode: istio` says that it speaks mTLS',
    spec: openObject({
      serviceAccountName: text,
      nodeName: text,
      containers: list(openObject({ ports: containerPorts })),
      initContainers: list(
        openObject({ restartPolicy: noted(text, '`Always`: its ports are those of the pod too'), ports: containerPorts }),
      ),
    }),
  },
  { ...CORE, kind: 'Node', namespaced: false, status: 'used', note: 'its labels `topology.kubernetes.io/region` and `zone` are read' },
  { ...unread('Namespace', 'workloads name their namespace themselves'), namespaced: false },
  unread('ServiceAccount', 'an account exists by being named'),
  {
    ...CORE,
    kind: 'Secret',
    status: 'used',
    note: 'certificates of Gateways (credentialName): `tls.crt`, `tls.key`, `ca.crt`, `ca.crl`, or `cert`, `key`, `cacert`, `crl`; in data or stringData',
  },
  {
    ...CORE,
    kind: 'ConfigMap',
    status: 'used',
    note: 'CA certificates (`ca.crt`) that Gateways and BackendTLSPolicies name; the key `mesh` of `istio` in istio-system is the mesh configuration',
  },
];

/** Nothing else of a template is held in memory: containers have secrets in their environment. */
function templateLabels(spec: unknown): unknown {
  const { template } = (spec ?? {}) as { readonly template?: { readonly metadata?: { readonly labels?: unknown } } };
  const labels = template?.metadata?.labels;
  return { template: { metadata: typeof labels === 'object' && labels !== null && !Array.isArray(labels) ? { labels } : {} } };
}

const apps = (kind: string, group = 'apps'): Kind => ({
  group,
  versions: ['v1'],
  namespaced: true,
  kind,
  status: 'used',
  keep: templateLabels,
  note: 'the analysis looks at the labels of its template and at the Services that select them; nothing is deployed',
});

/** Kinds that make workloads. */
export const appsKinds: readonly Kind[] = [
  ...['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].map((kind) => apps(kind)),
  apps('Job', 'batch'),
];

const GATEWAY_API = { group: 'gateway.networking.k8s.io', versions: ['v1', 'v1beta1', 'v1alpha2', 'v1alpha3'], namespaced: true };
const unhonoured = (kind: string, note: string, spec: Fields): Kind => ({
  ...GATEWAY_API,
  kind,
  status: 'ignored',
  note,
  spec: openObject(Object.fromEntries(Object.entries(spec).map(([name, schema]) => [name, ignored(schema)]))),
});
const parts = (...names: readonly string[]): Fields => Object.fromEntries(names.map((name) => [name, any]));

const STREAM_NOTE =
  'for TLS and TCP listeners of Gateways; for Services and ServiceEntries Envoys follow it, our own processes carry no such bytes';
const ROUTE_NOTE = 'for HTTP and HTTPS listeners of Gateways, and for Services and ServiceEntries of the mesh (GAMMA)';

export const gatewayApiKinds: readonly Kind[] = [
  {
    ...GATEWAY_API,
    kind: 'GatewayClass',
    namespaced: false,
    status: 'used',
    note: 'the class `istio` needs no document',
    spec: gatewayClassSpec,
  },
  {
    ...GATEWAY_API,
    kind: 'Gateway',
    status: 'used',
    note: 'at the gateways of its Services; status conditions that are not True are findings',
    spec: kubernetesGatewaySpec,
  },
  { ...GATEWAY_API, kind: 'HTTPRoute', status: 'used', note: ROUTE_NOTE, spec: httpRouteSpec },
  { ...GATEWAY_API, kind: 'GRPCRoute', status: 'used', note: ROUTE_NOTE, spec: grpcRouteSpec },
  { ...GATEWAY_API, kind: 'TLSRoute', status: 'used', note: STREAM_NOTE, spec: tlsRouteSpec },
  { ...GATEWAY_API, kind: 'TCPRoute', status: 'used', note: STREAM_NOTE, spec: tcpRouteSpec },
  unhonoured('UDPRoute', 'the mesh carries HTTP and gRPC', parts('parentRefs', 'rules', 'useDefaultGateways')),
  {
    ...GATEWAY_API,
    kind: 'ReferenceGrant',
    status: 'used',
    note: 'for backends of routes at Gateways, and for certificates of Gateways',
    spec: referenceGrantSpec,
  },
  unhonoured('ListenerSet', 'write an Istio Gateway', parts('parentRef', 'listeners')),
  {
    ...unhonoured('XBackendTrafficPolicy', 'write a DestinationRule', parts('targetRefs', 'retryConstraint', 'sessionPersistence')),
    group: 'gateway.networking.x-k8s.io',
    versions: ['v1alpha1'],
  },
  {
    ...GATEWAY_API,
    kind: 'BackendTLSPolicy',
    status: 'used',
    note: 'becomes a DestinationRule with tls SIMPLE; what a written DestinationRule says about the host comes first',
    spec: backendTlsPolicySpec,
  },
];
