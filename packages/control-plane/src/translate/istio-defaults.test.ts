import {
  CLUSTER_TYPE_URL,
  type Cluster,
  Cluster_LbPolicy,
  type ClusterLoadAssignment,
  Cluster_DiscoveryType as DiscoveryType,
  ENDPOINT_TYPE_URL,
  HttpConnectionManager,
  LISTENER_TYPE_URL,
  type Listener,
  ROUTE_TYPE_URL,
  type RouteAction,
  type RouteConfiguration,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { WorkloadInstance } from '../model/workload.ts';
import { protocolOf } from '../push/protocol.ts';
import { instance, pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from './translate.ts';

/* Istio's defaults, mTLS and order of policies, one by one; docs/design/rules-istio.md lists them with the others. */

const WEB = 'outbound|80||web.default.svc.cluster.local';
const doc = (kind: string, name: string, spec: object, namespace = 'default', group = 'networking.istio.io/v1', at = 1): string =>
  `---\n${JSON.stringify({ apiVersion: group, kind, metadata: { name, namespace, creationTimestamp: `2020-01-0${at}T00:00:00Z` }, spec })}\n`;
const policy = (trafficPolicy: object): string => doc('DestinationRule', 'web', { host: 'web', trafficPolicy });
const security = (kind: string, name: string, spec: object, namespace = 'default', at = 1): string =>
  doc(kind, name, spec, namespace, 'security.istio.io/v1', at);

function cluster(yaml: string, workloads: readonly WorkloadInstance[] = [instance('web', '10.0.0.1')], name = WEB): Cluster {
  return translate(CLUSTER_TYPE_URL, sidecar(), pushOf(yaml, workloads), []).find((each) => each.name === name)!.message as Cluster;
}

function action(yaml: string, mesh: object = {}): RouteAction {
  const [found] = translate(ROUTE_TYPE_URL, sidecar(), pushOf(yaml, [], mesh), ['80']);
  const host = (found!.message as RouteConfiguration).virtualHosts.find(({ name }) => name.startsWith('web.'))!;
  return (host.routes[0]!.action as { readonly value: RouteAction }).value;
}

describe('defaults', () => {
  it('retry: twice, on failures where the request did not run, without status codes, elsewhere; no timeout', () => {
    const { retryPolicy, timeout } = action(service('web'));
    expect(retryPolicy).toMatchObject({
      numRetries: 2,
      retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
      retriableStatusCodes: [],
      hostSelectionRetryMaxAttempts: 5,
      retryHostPredicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }],
    });
    expect(timeout).toEqual({ seconds: 0, nanos: 0 });
  });

  it('retry: MeshConfig takes its place, and attempts 0 is none', () => {
    expect(action(service('web'), { defaultHttpRetryPolicy: { attempts: 4 } }).retryPolicy?.numRetries).toBe(4);
    const none = doc('VirtualService', 'web', {
      hosts: ['web'],
      http: [{ retries: { attempts: 0 }, route: [{ destination: { host: 'web' } }] }],
    });
    expect(action(service('web') + none).retryPolicy).toBeUndefined();
  });

  it('balancing by least requests, connections within ten seconds, no limits, no panic, nobody ejected', () => {
    const { lbPolicy, connectTimeout, circuitBreakers, commonLbConfig, outlierDetection } = cluster(service('web'));
    const all = 4_294_967_295;
    expect(lbPolicy).toBe(Cluster_LbPolicy.LEAST_REQUEST);
    expect(connectTimeout).toEqual({ seconds: 10, nanos: 0 });
    expect(circuitBreakers?.thresholds[0]).toMatchObject({
      maxConnections: all,
      maxPendingRequests: all,
      maxRequests: all,
      maxRetries: all,
    });
    expect(commonLbConfig?.healthyPanicThreshold?.value).toBe(0);
    expect(outlierDetection).toBeUndefined();
  });

  it('outlier detection, once it is set: no gateway errors, never by success rate; a panic threshold where one is given', () => {
    const found = cluster(service('web') + policy({ outlierDetection: { consecutive5xxErrors: 3, minHealthPercent: 30 } }));
    expect(found.outlierDetection).toMatchObject({ consecutive5xx: 3, enforcingSuccessRate: 0 });
    expect(found.outlierDetection?.consecutiveGatewayFailure).toBeUndefined();
    expect(found.commonLbConfig?.healthyPanicThreshold?.value).toBe(30);
  });

  it.each([
    ['UDP', { protocol: 'UDP', name: 'http' }, 'UDP'],
    ['appProtocol before the name', { name: 'tcp', appProtocol: 'kubernetes.io/h2c' }, 'HTTP2'],
    ['appProtocol of a web socket', { name: 'tcp', appProtocol: 'kubernetes.io/ws' }, 'HTTP'],
    ['the name up to its dash', { name: 'grpc-api' }, 'GRPC'],
    ['in any case', { name: 'HTTP2' }, 'HTTP2'],
    ['a name of several words', { name: 'grpc-web-api' }, 'GRPCWeb'],
    ['no known name', { name: 'httpx' }, 'Auto'],
    ['ports whose servers speak first', { name: 'db', port: 3306 }, 'TCP'],
  ])('protocol: %s', (_what, port, expected) => {
    expect(protocolOf({ port: 80, ...port } as Parameters<typeof protocolOf>[0])).toBe(expected);
  });
});

describe('mTLS', () => {
  const peers = (name: string, mode: string, more: object = {}, namespace = 'default', at = 1): string =>
    security('PeerAuthentication', name, { mtls: { mode }, ...more }, namespace, at);
  const web = { selector: { matchLabels: { app: 'web' } } };
  const mode = (yaml: string, port = 80): string => pushOf(yaml).peerAuthentications.modeFor('default', { app: 'web' }, port);

  it('of a server: the workload before the namespace before the mesh, the oldest of a level, PERMISSIVE without any', () => {
    const mesh = peers('m', 'STRICT', {}, 'istio-system');
    expect([mode(''), mode(mesh), mode(mesh + peers('n', 'DISABLE'))]).toEqual(['PERMISSIVE', 'STRICT', 'DISABLE']);
    expect(mode(mesh + peers('n', 'DISABLE') + peers('w', 'PERMISSIVE', web))).toBe('PERMISSIVE');
    expect(mode(peers('old', 'STRICT', {}, 'default', 1) + peers('new', 'DISABLE', {}, 'default', 2))).toBe('STRICT');
  });

  it('of a server: UNSET inherits; a selector in the root namespace does not count; a port is the workload’s', () => {
    const mesh = peers('m', 'STRICT', {}, 'istio-system');
    expect(mode(mesh + peers('n', 'UNSET') + peers('w', 'UNSET', web))).toBe('STRICT');
    expect(mode(peers('m', 'DISABLE', web, 'istio-system'))).toBe('PERMISSIVE');
    const ported = mesh + peers('w', 'STRICT', { ...web, portLevelMtls: { 80: { mode: 'DISABLE' } } });
    expect([mode(ported), mode(ported, 81)]).toEqual(['DISABLE', 'STRICT']);
  });

  const marks = (yaml: string, workloads: readonly WorkloadInstance[]): boolean[] => {
    const [found] = translate(ENDPOINT_TYPE_URL, sidecar(), pushOf(yaml, workloads), [WEB]);
    return (found!.message as ClusterLoadAssignment).endpoints
      .flatMap(({ lbEndpoints }) => lbEndpoints)
      .map(({ metadata }) => metadata?.filterMetadata['envoy.transport_socket_match']?.tlsMode === 'istio');
  };
  const able = instance('web', '10.0.0.1');
  const unable = { ...instance('web', '10.0.0.2'), mtls: false };

  it('of a client: per endpoint, where it can and its server does not forbid it', () => {
    expect(marks(service('web'), [able, unable])).toEqual([true, false]);
    expect(marks(service('web') + peers('n', 'DISABLE'), [able, unable])).toEqual([false, false]);
    expect(cluster(service('web')).transportSocketMatches.map(({ name }) => name)).toEqual(['tlsMode-istio', 'tlsMode-disabled']);
  });

  it('of a client: a tls mode of the DestinationRule decides alone', () => {
    const mutual = cluster(service('web') + policy({ tls: { mode: 'ISTIO_MUTUAL' } }));
    const plain = cluster(service('web') + policy({ tls: { mode: 'DISABLE' } }));
    expect([mutual.transportSocketMatches.length, mutual.transportSocket?.name]).toEqual([0, 'envoy.transport_sockets.tls']);
    expect([plain.transportSocketMatches.length, plain.transportSocket]).toEqual([0, undefined]);
  });

  it('of a client: never outside of the mesh; all or nothing where the caller names the host', () => {
    const entry = doc('ServiceEntry', 'a', {
      hosts: ['api.example.com'],
      location: 'MESH_EXTERNAL',
      resolution: 'DNS',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    });
    const external = cluster(entry, [], 'outbound|80||api.example.com');
    expect([external.transportSocketMatches.length, external.transportSocket]).toEqual([0, undefined]);
    const headless = doc(
      'Service',
      'web',
      { clusterIP: 'None', selector: { app: 'web' }, ports: [{ name: 'http', port: 80 }] },
      'default',
      'v1',
    );
    const found = (workloads: readonly WorkloadInstance[]): unknown[] => {
      const { transportSocket, transportSocketMatches, clusterDiscoveryType } = cluster(headless, workloads);
      return [transportSocket !== undefined, transportSocketMatches.length, clusterDiscoveryType?.value];
    };
    expect([found([able]), found([able, unable])]).toEqual([
      [true, 0, DiscoveryType.ORIGINAL_DST],
      [false, 0, DiscoveryType.ORIGINAL_DST],
    ]);
  });

  it('expects the accounts of all endpoints, on every subset', () => {
    const other = { ...instance('web', '10.0.0.2', 'v2'), serviceAccount: 'aaa' };
    const subsets = doc('DestinationRule', 'web', { host: 'web', subsets: [{ name: 'v1', labels: { version: 'v1' } }] });
    const text = (name: string): string =>
      Buffer.from(
        (
          cluster(service('web') + subsets, [able, other], name).transportSocketMatches[0]!.transportSocket!.configType as {
            value: { value: Uint8Array };
          }
        ).value.value,
      ).toString('latin1');
    for (const name of [WEB, 'outbound|80|v1|web.default.svc.cluster.local'])
      expect(text(name)).toMatch(/spiffe:\/\/cluster\.local\/ns\/default\/sa\/aaa[\s\S]*spiffe:\/\/cluster\.local\/ns\/default\/sa\/web/);
  });
});

describe('policies of a server', () => {
  const filters = (yaml: string): string[] => {
    const listeners = translate(
      LISTENER_TYPE_URL,
      sidecar('web-1', 'default', { LABELS: { app: 'web' } }),
      pushOf(service('web') + yaml),
      [],
    );
    const { filterChains } = listeners.find(({ name }) => name === 'virtualInbound')!.message as Listener;
    const chain = filterChains.find(({ name }) => name === '0.0.0.0_80')!;
    const value = (chain.filters.at(-1)!.configType as { readonly value: { readonly value: Uint8Array } }).value.value;
    return HttpConnectionManager.decode(value).httpFilters.map(({ name }) => name.replace('envoy.filters.http.', ''));
  };

  it('stand as CUSTOM, tokens, AUDIT and DENY, ALLOW, whatever their age', () => {
    const auth = (action: string, more: object = {}): string =>
      security('AuthorizationPolicy', action.toLowerCase(), { action, rules: [{ to: [{ operation: { paths: ['/x'] } }] }], ...more });
    const tokens = security('RequestAuthentication', 'r', { jwtRules: [{ issuer: 'i', jwks: '{"keys":[]}' }] });
    const names = filters(auth('ALLOW') + auth('DENY') + tokens + auth('AUDIT'));
    expect(names.slice(0, 4)).toEqual(['jwt_authn', 'rbac', 'rbac', 'rbac']);
    expect(names.slice(4)).toEqual(['grpc_stats', 'fault', 'cors', 'router']);
  });

  it('of the root namespace hold for every workload', () => {
    const root = security('AuthorizationPolicy', 'root', { action: 'DENY', rules: [{}] }, 'istio-system');
    expect(filters(root)[0]).toBe('rbac');
    expect(filters('')[0]).toBe('grpc_stats');
  });
});
