import { type MeshObject, objectKey, parseDocuments } from '@ripstop/istio-api';
import { createSelfSignedRoot } from '@ripstop/pki';
import type { WorkloadInstance } from '../model/workload.ts';
import type { PushInput } from '../push/push-context.ts';
import { instance } from './mesh.ts';

/** Draws a whole number below `below`. */
export type Draw = (below: number) => number;

/** Repeatable: the same seed draws the same. */
export function drawing(seed: number): Draw {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const NAMESPACES = ['default', 'shop', 'istio-system'];
const NAMES = ['a', 'b', 'c', 'd'];

/**
 * A small mesh that changes at random. Documents that a change does not touch stay the same objects, as they do when a folder is read
 * again.
 */
export class RandomMesh {
  private readonly objects = new Map<string, MeshObject>();
  private readonly workloads = new Map<string, WorkloadInstance>();
  private readonly draw: Draw;

  constructor(draw: Draw) {
    this.draw = draw;
    for (let step = 0; step < 12; step++) this.change();
  }

  get input(): PushInput {
    return { objects: [...this.objects.values()], workloads: [...this.workloads.values()] };
  }

  /** Answers what changed, for messages. */
  change(): string {
    const { draw } = this;
    if (draw(5) === 0) return this.changeWorkload();
    if (draw(6) === 0 && this.objects.size > 6) {
      const gone = [...this.objects.keys()][draw(this.objects.size)]!;
      this.objects.delete(gone);
      return `- ${gone}`;
    }
    const kinds = Object.keys(DOCUMENTS);
    return this.add(kinds[draw(kinds.length)]!);
  }

  /** A Service comes, or is another. */
  changeService(): string {
    return this.add('service');
  }

  /** A change of where services run alone. */
  changeEndpoints(): string {
    const { draw } = this;
    return draw(2) === 0 ? this.changeWorkload() : this.add(['slice', 'workloadEntry'][draw(2)]!);
  }

  private add(kind: string): string {
    const { draw } = this;
    const text = DOCUMENTS[kind]!(draw);
    const { objects, findings } = parseDocuments(text, { file: kind === 'meshConfig' ? 'mesh.yaml' : 'random.yaml' });
    if (findings.length > 0) throw new Error(`${findings[0]!.message}\n${text}`);
    for (const object of objects) this.objects.set(objectKey(object), object);
    return `+ ${text.replaceAll('\n', ' ')}`;
  }

  private changeWorkload(): string {
    const { draw } = this;
    const app = NAMES[draw(NAMES.length)]!;
    const namespace = NAMESPACES[draw(2)]!;
    const key = `${app}-${draw(2)}.${namespace}`;
    if (this.workloads.delete(key)) return `- workload ${key}`;
    const serviceAccount = ['', 'one', 'two'][draw(3)]!;
    const made = instance(app, `10.1.0.${draw(9) + 1}`, `v${draw(2) + 1}`);
    this.workloads.set(key, { ...made, key, name: key.split('.')[0]!, namespace, serviceAccount, mtls: draw(2) === 0 });
    return `+ workload ${key}`;
  }
}

function document(apiVersion: string, kind: string, name: string, namespace: string, body: object, labels = {}): string {
  return JSON.stringify({ apiVersion, kind, metadata: { name, namespace, labels }, ...body });
}

const NETWORKING = 'networking.istio.io/v1';
const SECURITY = 'security.istio.io/v1';
const one = <T>(draw: Draw, list: readonly T[]): T => list[draw(list.length)]!;
const hostOf = (draw: Draw): string => `${one(draw, NAMES)}.${one(draw, NAMESPACES)}.svc.cluster.local`;
const exportTo = (draw: Draw): object => (draw(4) === 0 ? { exportTo: [one(draw, ['.', '*', 'shop'])] } : {});

const ROUTER = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';
const ROOTS = [0, 1].map(
  () => createSelfSignedRoot({ organization: 'random', notBeforeMs: Date.now() - 1000, notAfterMs: Date.now() + 3_600_000 }).certificatePem,
);

const DOCUMENTS: Readonly<Record<string, (draw: Draw) => string>> = {
  service: (draw) => {
    const name = one(draw, NAMES);
    const ports = [
      { port: one(draw, [80, 9000]), name: one(draw, ['http', 'tcp', 'grpc', 'auto']), targetPort: one(draw, [8080, 'named']) },
    ];
    const spec = one<object>(draw, [
      { clusterIP: `10.9.0.${draw(200)}`, selector: { app: name }, ports },
      { clusterIP: 'None', selector: { app: name }, ports },
      { type: 'ExternalName', externalName: `${one(draw, NAMES)}.default.svc.cluster.local` },
    ]);
    return document('v1', 'Service', name, one(draw, NAMESPACES), { spec });
  },
  serviceEntry: (draw) => {
    const resolution = one(draw, ['STATIC', 'DNS', 'NONE']);
    const spec = {
      hosts: [one(draw, ['api.example.com', '*.wild.example.com', 'b.default.svc.cluster.local'])],
      ports: [{ number: one(draw, [80, 443]), name: 'p', protocol: one(draw, ['HTTP', 'TLS']) }],
      resolution,
      location: one(draw, ['MESH_INTERNAL', 'MESH_EXTERNAL']),
      ...(resolution === 'STATIC'
        ? draw(2) === 0
          ? { workloadSelector: { labels: { app: one(draw, NAMES) } } }
          : { endpoints: [{ address: `10.7.0.${draw(20)}` }] }
        : {}),
      ...exportTo(draw),
    };
    return document(NETWORKING, 'ServiceEntry', one(draw, NAMES), one(draw, NAMESPACES), { spec });
  },
  slice: (draw) => {
    const service = one(draw, NAMES);
    const endpoints = Array.from({ length: draw(3) }, () => ({
      addresses: [`10.5.0.${draw(30)}`],
      conditions: { ready: draw(3) > 0 },
      zone: one(draw, ['z1', 'z2']),
      ...(draw(2) === 0 ? { targetRef: { kind: 'Pod', name: `pod-${one(draw, NAMES)}` } } : {}),
    }));
    const body = { addressType: 'IPv4', ports: [{ name: one(draw, ['http', 'tcp', 'grpc']), port: 8080 }], endpoints };
    return document('discovery.k8s.io/v1', 'EndpointSlice', `${service}-${draw(2)}`, one(draw, NAMESPACES), body, {
      'kubernetes.io/service-name': service,
    });
  },
  pod: (draw) => {
    const app = one(draw, NAMES);
    const containers = [{ name: 'app', ports: [{ containerPort: 8080, name: 'named' }] }];
    const body = {
      spec: { serviceAccountName: one(draw, ['one', 'two']), nodeName: one(draw, ['n1', 'n2']), containers },
      status: { podIP: `10.6.0.${draw(30)}` },
    };
    return document('v1', 'Pod', `pod-${app}`, one(draw, NAMESPACES), body, {
      app,
      version: `v${draw(2) + 1}`,
      'security.istio.io/tlsMode': one(draw, ['istio', 'disabled']),
    });
  },
  node: (draw) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: one(draw, ['n1', 'n2']), labels: { 'topology.kubernetes.io/region': one(draw, ['r1', 'r2']) } },
    }),
  namespace: (draw) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: one(draw, NAMESPACES),
        annotations: draw(2) === 0 ? {} : { 'networking.istio.io/traffic-distribution': 'PreferClose' },
      },
    }),
  workloadEntry: (draw) =>
    document(NETWORKING, 'WorkloadEntry', one(draw, NAMES), one(draw, NAMESPACES), {
      spec: {
        address: `10.8.0.${draw(20)}`,
        labels: { app: one(draw, NAMES) },
        serviceAccount: one(draw, ['', 'three']),
        ...(draw(2) === 0 ? {} : { ports: { http: 9999 } }),
      },
    }),
  virtualService: (draw) => {
    const to = (): object => ({ destination: { host: hostOf(draw), ...(draw(2) === 0 ? { subset: 'v1' } : {}) }, weight: 50 });
    const http = Array.from({ length: 1 + draw(2) }, () => ({
      ...(draw(2) === 0
        ? { match: [{ headers: { x: { exact: String(draw(3)) } }, ...(draw(4) === 0 ? { sourceLabels: { app: one(draw, NAMES) } } : {}) }] }
        : {}),
      ...(draw(5) === 0
        ? { delegate: { name: 'leaf', namespace: one(draw, NAMESPACES) } }
        : { route: draw(2) === 0 ? [to()] : [to(), to()] }),
    }));
    const spec = {
      hosts: [one(draw, [hostOf(draw), one(draw, NAMES), '*.example.com'])],
      http,
      ...(draw(3) === 0 ? { gateways: ['mesh', 'istio-system/gate'] } : {}),
      ...exportTo(draw),
    };
    return document(NETWORKING, 'VirtualService', one(draw, NAMES), one(draw, NAMESPACES), { spec });
  },
  delegate: (draw) =>
    document(NETWORKING, 'VirtualService', 'leaf', one(draw, NAMESPACES), {
      spec: { http: [{ timeout: `${1 + draw(9)}s`, route: [{ destination: { host: hostOf(draw) } }] }] },
    }),
  destinationRule: (draw) => {
    const trafficPolicy = one<object>(draw, [
      { tls: { mode: one(draw, ['ISTIO_MUTUAL', 'DISABLE']) } },
      { outlierDetection: { consecutive5xxErrors: 1 + draw(5) }, loadBalancer: { localityLbSetting: { failoverPriority: ['version'] } } },
      { loadBalancer: { consistentHash: { httpHeaderName: `x-${draw(3)}` } } },
      { connectionPool: { http: { http1MaxPendingRequests: 1 + draw(50) } } },
    ]);
    const spec = {
      host: one(draw, [hostOf(draw), one(draw, NAMES), '*.svc.cluster.local']),
      trafficPolicy,
      ...(draw(2) === 0 ? { subsets: [{ name: 'v1', labels: { version: 'v1' } }] } : {}),
      ...exportTo(draw),
    };
    return document(NETWORKING, 'DestinationRule', one(draw, NAMES), one(draw, NAMESPACES), { spec });
  },
  sidecar: (draw) => {
    const spec = {
      ...(draw(2) === 0 ? { workloadSelector: { labels: { app: one(draw, NAMES) } } } : {}),
      egress: [
        { hosts: [one(draw, ['./*', '*/*', 'shop/*', '~/*']), one(draw, ['istio-system/*', `*/${hostOf(draw)}`])] },
        ...(draw(3) === 0 ? [{ port: { number: 80, name: 'p', protocol: 'HTTP' }, hosts: ['*/*'] }] : []),
      ],
      ...(draw(3) === 0 ? { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } } : {}),
    };
    return document(NETWORKING, 'Sidecar', one(draw, ['x', 'y']), one(draw, NAMESPACES), { spec });
  },
  gateway: (draw) =>
    document(NETWORKING, 'Gateway', 'gate', 'istio-system', {
      spec: {
        selector: { app: 'gate' },
        servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: [one(draw, ['*', hostOf(draw)])] }],
      },
    }),
  peerAuthentication: (draw) =>
    document(SECURITY, 'PeerAuthentication', one(draw, NAMES), one(draw, NAMESPACES), {
      spec: {
        ...(draw(2) === 0 ? { selector: { matchLabels: { app: one(draw, NAMES) } } } : {}),
        mtls: { mode: one(draw, ['STRICT', 'PERMISSIVE', 'DISABLE']) },
      },
    }),
  authorizationPolicy: (draw) =>
    document(SECURITY, 'AuthorizationPolicy', one(draw, NAMES), one(draw, NAMESPACES), {
      spec: {
        ...(draw(2) === 0 ? { selector: { matchLabels: { app: one(draw, NAMES) } } } : {}),
        action: one(draw, ['ALLOW', 'DENY']),
        rules: [{ to: [{ operation: { paths: [`/${draw(5)}`] } }] }],
      },
    }),
  requestAuthentication: (draw) =>
    document(SECURITY, 'RequestAuthentication', one(draw, NAMES), one(draw, NAMESPACES), {
      spec: { selector: { matchLabels: { app: one(draw, NAMES) } }, jwtRules: [{ issuer: `i${draw(3)}`, jwks: '{"keys":[]}' }] },
    }),
  meshConfig: (draw) =>
    JSON.stringify({
      outboundTrafficPolicy: { mode: one(draw, ['ALLOW_ANY', 'REGISTRY_ONLY']) },
      enableAutoMtls: draw(4) > 0,
      connectTimeout: `${1 + draw(3)}s`,
      trustDomainAliases: draw(3) === 0 ? ['old'] : [],
      ...(draw(3) === 0
        ? { defaultConfig: { tracing: { sampling: 1 + draw(90) }, proxyHeaders: { requestId: { disabled: draw(2) === 0 } } } }
        : {}),
      ...(draw(3) === 0 ? { serviceSettings: [{ settings: { clusterLocal: true }, hosts: [hostOf(draw)] }] } : {}),
    }),
  httpRoute: (draw) =>
    document('gateway.networking.k8s.io/v1', 'HTTPRoute', one(draw, NAMES), one(draw, NAMESPACES), {
      spec: {
        parentRefs: [{ group: '', kind: 'Service', name: one(draw, NAMES), port: 80 }],
        rules: [{ backendRefs: [{ name: one(draw, NAMES), port: 80 }] }],
      },
    }),
  telemetry: (draw) => {
    const selector = draw(2) === 0 ? { selector: { matchLabels: { app: one(draw, NAMES) } } } : {};
    const spec = one<object>(draw, [
      { accessLogging: [{ providers: [{ name: 'envoy' }], disabled: draw(2) === 0 }] },
      { tracing: [{ randomSamplingPercentage: draw(100), disableSpanReporting: draw(3) === 0 }] },
      { metrics: [{ providers: [{ name: 'prometheus' }], overrides: [{ match: { metric: 'REQUEST_COUNT' }, disabled: draw(2) === 0 }] }] },
    ]);
    return document('telemetry.istio.io/v1', 'Telemetry', one(draw, ['x', 'y']), one(draw, NAMESPACES), { spec: { ...selector, ...spec } });
  },
  workloadGroup: (draw) =>
    document(NETWORKING, 'WorkloadGroup', 'vms', one(draw, NAMESPACES), {
      spec: {
        metadata: {
          labels: { app: one(draw, NAMES) },
          annotations: draw(2) === 0 ? {} : { 'proxy.istio.io/config': `{"tracing":{"sampling":${1 + draw(50)}}}` },
        },
        template: { serviceAccount: one(draw, ['one', 'two']) },
      },
    }),
  annotatedPod: (draw) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'pod-c',
        namespace: 'shop',
        labels: { app: 'c' },
        annotations: { 'proxy.istio.io/config': JSON.stringify({ proxyHeaders: { attemptCount: { disabled: draw(2) === 0 } } }) },
      },
      status: { podIP: '10.6.0.77' },
    }),
  tlsGateway: (draw) =>
    document(NETWORKING, 'Gateway', 'gate-tls', 'istio-system', {
      spec: {
        selector: { app: 'gate' },
        servers: [
          {
            port: { number: 443, name: 'https', protocol: 'HTTPS' },
            hosts: [one(draw, ['*', 'tls.example.com'])],
            tls: { mode: one(draw, ['SIMPLE', 'MUTUAL']), credentialName: one(draw, ['cert', 'other']) },
          },
        ],
      },
    }),
  // No valid certificate: which Secret is found, and when it changes, is what matters here.
  secret: (draw) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: one(draw, ['cert', 'other']), namespace: one(draw, NAMESPACES) },
      data: { 'ca.crt': Buffer.from(ROOTS[draw(2)]!).toString('base64') },
    }),
  envoyFilter: (draw) => {
    const patch = one<object>(draw, [
      { applyTo: 'CLUSTER', patch: { operation: 'MERGE', value: { connect_timeout: `${1 + draw(9)}s` } } },
      { applyTo: 'VIRTUAL_HOST', patch: { operation: 'MERGE', value: { request_headers_to_remove: [`x-${draw(3)}`] } } },
      { applyTo: 'LISTENER', patch: { operation: 'MERGE', value: { per_connection_buffer_limit_bytes: 1000 + draw(9) } } },
      {
        applyTo: 'EXTENSION_CONFIG',
        patch: { operation: 'ADD', value: { name: 'extension', typed_config: { '@type': ROUTER, suppress_envoy_headers: draw(2) === 0 } } },
      },
    ]);
    const spec = {
      ...(draw(2) === 0 ? { workloadSelector: { labels: { app: one(draw, NAMES) } } } : {}),
      priority: draw(3),
      configPatches: [patch],
    };
    return document('networking.istio.io/v1alpha3', 'EnvoyFilter', one(draw, ['x', 'y']), one(draw, NAMESPACES), { spec });
  },
};
