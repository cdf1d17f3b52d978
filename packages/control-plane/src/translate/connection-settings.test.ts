import { HttpConnectionManager, LISTENER_TYPE_URL, type Listener } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import type { PushContext } from '../push/push-context.ts';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from './translate.ts';

const GATEWAY = `${service('web')}---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
`;

const router = (): ProxyNode =>
  proxyNodeOf({
    id: 'router~10.0.0.2~gw.default~default.svc.cluster.local',
    metadata: { LABELS: { istio: 'ingressgateway' } },
  });

const settings = (connectionSettings: object, mesh: object = {}): PushContext =>
  pushOf(GATEWAY, [], { ...mesh, defaultConfig: { connectionSettings } });

function listenerOf(push: PushContext, node: ProxyNode): Listener {
  const listeners = translate(LISTENER_TYPE_URL, node, push, []).map(({ message }) => message as Listener);
  return listeners.find(({ name }) => name === (node.dialect === 'router' ? '0.0.0.0_80' : 'virtualInbound'))!;
}

/** Those of its connection manager that a setting touches, in protobuf JSON; enumerations by name. */
function told(push: PushContext, node: ProxyNode = sidecar()): Record<string, unknown> {
  const filters = listenerOf(push, node).filterChains.flatMap((chain) => chain.filters);
  const packed = filters.find(({ name }) => name === 'envoy.filters.network.http_connection_manager')!.configType!;
  const json = readable(HttpConnectionManager.toJSON(HttpConnectionManager.decode((packed.value as { value: Uint8Array }).value)));
  return Object.fromEntries(TOUCHED.flatMap((name) => (json[name] === undefined ? [] : [[name, json[name]]])));
}

/** Durations as text. */
function readable(json: unknown): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(json, (_key, value) => (typeof value === 'object' && value !== null && 'nanos' in value ? `${value.seconds}s` : value)),
  ) as Record<string, unknown>;
}

const TOUCHED = [
  'commonHttpProtocolOptions',
  'http2ProtocolOptions',
  'requestTimeout',
  'requestHeadersTimeout',
  'streamIdleTimeout',
  'drainTimeout',
  'mergeSlashes',
  'pathWithEscapedSlashesAction',
];

const NONE = told(pushOf(GATEWAY));

describe('connectionSettings of a ProxyConfig', () => {
  it.each<[object, Record<string, unknown>]>([
    [{ httpRequestTimeout: '15s' }, { requestTimeout: '15s' }],
    [{ httpRequestHeadersTimeout: '5s' }, { requestHeadersTimeout: '5s' }],
    [{ httpStreamIdleTimeout: '20s' }, { streamIdleTimeout: '20s' }],
    [{ httpDrainTimeout: '3s' }, { drainTimeout: '3s' }],
    [{ httpMergeSlashes: true }, { mergeSlashes: true }],
    [{ httpPathWithEscapedSlashesAction: 'REJECT_REQUEST' }, { pathWithEscapedSlashesAction: 'REJECT_REQUEST' }],
    [{ httpPathWithEscapedSlashesAction: 'PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED', profile: 'EDGE' }, {}],
  ])('%j: %j', (said, expected) => {
    expect(told(settings(said))).toEqual({ ...NONE, ...expected });
  });

  it('fills the options of both versions of HTTP', () => {
    const common = told(settings({ httpIdleTimeout: '30s', httpMaxConnectionDuration: '10m', httpMaxStreamDuration: '90s' }));
    expect(common.commonHttpProtocolOptions).toMatchObject({ idleTimeout: '30s', maxConnectionDuration: '600s', maxStreamDuration: '90s' });
    const http2 = told(settings({ httpMaxConcurrentStreams: 7, http2InitialStreamWindowSize: 70_000 }));
    expect(http2.http2ProtocolOptions).toMatchObject({ maxConcurrentStreams: 7, initialStreamWindowSize: 70_000 });
    const names = told(settings({ httpHeadersWithUnderscoresAction: 'HEADERS_WITH_UNDERSCORES_DROP_HEADER' }));
    expect(names.commonHttpProtocolOptions).toMatchObject({ headersWithUnderscoresAction: 'DROP_HEADER' });
  });

  it('of the profile EDGE are what the edge needs, at gateways and where nothing else is said', () => {
    const push = settings({ profile: 'EDGE', httpRequestTimeout: '9s' });
    expect(told(push)).toEqual({ ...NONE, requestTimeout: '9s' });
    expect(told(push, router())).toMatchObject({
      requestTimeout: '9s',
      requestHeadersTimeout: '60s',
      streamIdleTimeout: '300s',
      mergeSlashes: true,
      pathWithEscapedSlashesAction: 'UNESCAPE_AND_REDIRECT',
      http2ProtocolOptions: { maxConcurrentStreams: 100, initialStreamWindowSize: 65_536, initialConnectionWindowSize: 1_048_576 },
      commonHttpProtocolOptions: { idleTimeout: '3600s', headersWithUnderscoresAction: 'REJECT_REQUEST' },
    });
    expect(listenerOf(push, router()).perConnectionBufferLimitBytes).toBe(32_768);
  });

  it('stand before MeshConfig’s pathNormalization, and a node’s own ProxyConfig without any keeps the mesh’s', () => {
    const push = settings({ httpMergeSlashes: false, httpIdleTimeout: '30s' }, { pathNormalization: { normalization: 'MERGE_SLASHES' } });
    const node = sidecar('web-1', 'default', { PROXY_CONFIG: { tracing: { sampling: 50 } } });
    for (const each of [sidecar(), node]) expect(told(push, each)).toMatchObject({ commonHttpProtocolOptions: { idleTimeout: '30s' } });
    expect(told(push).mergeSlashes ?? false).toBe(false);
  });
});
