import { parseDocuments } from '@ripstop/istio-api';
import {
  CLUSTER_TYPE_URL,
  type Cluster,
  type ClusterLoadAssignment,
  ENDPOINT_TYPE_URL,
  HttpConnectionManager,
  LISTENER_TYPE_URL,
  type Listener,
  ProxyProtocolUpstreamTransport,
  unpackAny,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { instance, pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from '../translate/translate.ts';
import { PushContext } from './push-context.ts';

const namespace = (name: string, labels = '{}'): string =>
  `---\napiVersion: v1\nkind: Namespace\nmetadata: { name: ${name}, labels: ${labels} }\n`;
const rule = (policy: string): string =>
  `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: web }\nspec: { host: web, trafficPolicy: ${policy} }\n`;

function cluster(yaml: string, mesh: object, name = 'outbound|80||web.default.svc.cluster.local'): Cluster {
  const clusters = translate(CLUSTER_TYPE_URL, sidecar(), pushOf(service('web') + yaml, [], mesh), []);
  return clusters.find((resource) => resource.name === name)!.message as Cluster;
}

describe('who sees a document that does not say it', () => {
  const seen = (yaml: string, mesh: object): string[] =>
    pushOf(yaml, [], mesh)
      .scopeFor(sidecar('a', 'shop'))
      .services.map(({ name }) => name);

  it('is everybody, or whom MeshConfig names', () => {
    const yaml = service('web') + service('pay', { namespace: 'shop' });
    expect(seen(yaml, {})).toEqual(['pay', 'web']);
    expect(seen(yaml, { defaultServiceExportTo: ['.'] })).toEqual(['pay']);
    expect(seen(yaml, { defaultServiceExportTo: ['shop'] })).toEqual(['pay', 'web']);
  });

  it('is decided anew when MeshConfig changes', () => {
    const yaml = `${service('web')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec: { hosts: [web], http: [{ route: [{ destination: { host: web } }] }] }
${rule('{ tls: { mode: DISABLE } }')}`;
    const before = pushOf(yaml);
    const after = pushOf(yaml, [], { defaultVirtualServiceExportTo: ['.'], defaultDestinationRuleExportTo: ['.'] });
    for (const [push, rules] of [
      [before, 1],
      [after, 0],
    ] as const) {
      expect(push.scopeFor(sidecar('a', 'shop')).virtualServices).toHaveLength(rules);
      expect(push.destinationRules.find('web.default.svc.cluster.local', 'default', 'shop', {}) === undefined).toBe(rules === 0);
    }
  });
});

describe('discoverySelectors', () => {
  const found = (selectors: readonly object[]): string[] =>
    pushOf(
      namespace('default', '{ mesh: "yes", tier: gold }') +
        namespace('shop', '{ tier: iron }') +
        service('web') +
        service('pay', { namespace: 'shop' }) +
        service('log', { namespace: 'lib' }),
      [],
      { discoverySelectors: selectors },
    ).services.map(({ name }) => name);

  it.each([
    [[], ['log', 'pay', 'web']],
    [[{ matchLabels: { mesh: 'yes' } }], ['web']],
    [
      [{ matchLabels: { mesh: 'yes' } }, { matchLabels: { tier: 'iron' } }],
      ['pay', 'web'],
    ],
    [[{ matchExpressions: [{ key: 'tier', operator: 'In', values: ['iron', 'wood'] }] }], ['pay']],
    [[{ matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['iron'] }] }], ['log', 'web']],
    [[{ matchExpressions: [{ key: 'tier', operator: 'Exists' }] }], ['pay', 'web']],
    [[{ matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }], ['log']],
    [[{ matchLabels: { 'kubernetes.io/metadata.name': 'lib' } }], ['log']],
  ])('%j', (selectors, expected) => {
    expect(found(selectors)).toEqual(expected);
  });
});

describe('what MeshConfig says about connections', () => {
  it('holds where a DestinationRule does not say otherwise, keepalive field by field', () => {
    const mesh = { tcpKeepalive: { time: '20s', probes: 4 } };
    const keepalive = (yaml: string) => cluster(yaml, mesh).upstreamConnectionOptions?.tcpKeepalive;
    expect(keepalive('')).toMatchObject({ keepaliveTime: 20, keepaliveProbes: 4 });
    expect(keepalive(rule('{ connectionPool: { tcp: { tcpKeepalive: { time: 5s } } } }'))).toMatchObject({
      keepaliveTime: 5,
      keepaliveProbes: 4,
    });
    expect(cluster('', mesh, 'PassthroughCluster').upstreamConnectionOptions?.tcpKeepalive).toMatchObject({ keepaliveTime: 20 });
  });

  it('is a policy of its own for services without one, block by block', () => {
    const mesh = {
      defaultTrafficPolicy: { connectionPool: { http: { http2MaxRequests: 9 } }, outlierDetection: { consecutive5xxErrors: 7 } },
    };
    const found = (yaml: string): unknown => {
      const { circuitBreakers, outlierDetection } = cluster(yaml, mesh);
      return [circuitBreakers?.thresholds[0]?.maxRequests, outlierDetection?.consecutive5xx];
    };
    expect(found('')).toEqual([9, 7]);
    expect(found(rule('{ connectionPool: { http: { http2MaxRequests: 3 } } }'))).toEqual([3, 7]);
    expect(found(rule('{ outlierDetection: { consecutive5xxErrors: 2 } }'))).toEqual([9, 2]);
  });

  it('gives a retry budget to every subset, and none to ports with settings of their own', () => {
    const budget = (policy: string) => cluster(rule(policy), {}).circuitBreakers?.thresholds[0]?.retryBudget;
    expect(budget('{ retryBudget: { percent: 25.5 } }')).toEqual({ budgetPercent: { value: 25.5 }, minRetryConcurrency: 3 });
    expect(budget('{ retryBudget: {}, portLevelSettings: [{ port: { number: 80 } }] }')).toBeUndefined();
  });

  it('gives the same budget to the workload itself, which tries again towards its app', () => {
    const yaml = service('web') + rule('{ retryBudget: { minRetryConcurrency: 7 } }');
    const web = sidecar('web-1', 'default', { LABELS: { app: 'web' } });
    const own = translate(CLUSTER_TYPE_URL, web, pushOf(yaml, [], {}), []).find(({ name }) => name === 'inbound|80||')!.message as Cluster;
    expect(own.circuitBreakers?.thresholds[0]?.retryBudget).toEqual({ budgetPercent: { value: 20 }, minRetryConcurrency: 7 });
  });

  it('wraps plaintext in the PROXY protocol by the name that istiod gives it', () => {
    const { transportSocket } = cluster(rule('{ tls: { mode: DISABLE }, proxyProtocol: { version: V2 } }'), {});
    const any = transportSocket?.configType?.value;
    expect(any && unpackAny(ProxyProtocolUpstreamTransport, any).transportSocket?.name).toBe('raw_buffer');
  });
});

describe('x-forwarded-client-cert at a gateway', () => {
  it.each([
    [undefined, 'SANITIZE_SET', true],
    ['FORWARD_ONLY', 'FORWARD_ONLY', false],
    ['APPEND_FORWARD', 'APPEND_FORWARD', true],
  ])('%s', (forwardClientCertDetails, expected, sets) => {
    const yaml = `---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { istio: edge }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
`;
    const push = pushOf(yaml, [], { defaultConfig: { gatewayTopology: { forwardClientCertDetails } } });
    const node = { ...sidecar('a', 'default', { LABELS: { istio: 'edge' } }), dialect: 'router' as const };
    const [listener] = translate(LISTENER_TYPE_URL, node, push, []).map(({ message }) => message as Listener);
    const config = listener?.filterChains[0]?.filters[0]?.configType;
    const json = HttpConnectionManager.toJSON(unpackAny(HttpConnectionManager, config!.value as never)) as Record<string, unknown>;
    expect(json.forwardClientCertDetails ?? 'SANITIZE').toBe(expected);
    expect(json.setCurrentClientCertDetails !== undefined).toBe(sets);
  });
});

describe('serviceSettings.clusterLocal', () => {
  const addresses = (push: PushContext, clusterId: string): string[] => {
    const node = sidecar('web-1', 'default', { CLUSTER_ID: clusterId });
    const [found] = translate(ENDPOINT_TYPE_URL, node, push, ['outbound|80||web.default.svc.cluster.local']);
    return (found!.message as ClusterLoadAssignment).endpoints.flatMap(({ lbEndpoints }) =>
      lbEndpoints.map(({ hostIdentifier }) => {
        const address = hostIdentifier?.$case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
        return address?.$case === 'socketAddress' ? address.value.address : '';
      }),
    );
  };
  const here = instance('web', '10.0.0.1');
  const there = { ...instance('web', '10.0.0.2'), clusterId: 'other' };

  it.each([
    ['without it', [], ['10.0.0.1', '10.0.0.2']],
    ['for the host', [{ settings: { clusterLocal: true }, hosts: ['web.default.svc.cluster.local'] }], ['10.0.0.2']],
    ['for its namespace', [{ settings: { clusterLocal: true }, hosts: ['*.default.svc.cluster.local'] }], ['10.0.0.2']],
    [
      'for its namespace, and not for it',
      [
        { settings: { clusterLocal: true }, hosts: ['*.default.svc.cluster.local'] },
        { settings: { clusterLocal: false }, hosts: ['web.default.svc.cluster.local'] },
      ],
      ['10.0.0.1', '10.0.0.2'],
    ],
  ])('%s: endpoints of the client’s own cluster, or all', (_what, serviceSettings, expected) => {
    const push = pushOf(service('web'), [here, there], { serviceSettings });
    expect(addresses(push, 'other').sort()).toEqual(expected);
  });
});

describe('caCertificates', () => {
  it('are trusted beside the roots of the mesh', () => {
    const { objects } = parseDocuments(JSON.stringify({ caCertificates: [{ pem: 'THEIRS\n' }] }), { file: 'mesh.yaml' });
    const of = (trustBundlePem: string): string => new PushContext({ objects, workloads: [], trustBundlePem }).trustBundlePem;
    expect([of('OURS\n'), of('')]).toEqual(['OURS\nTHEIRS\n', '']);
  });

  it('say which trust domains callers may be of, beside the own one and its aliases', () => {
    const mesh = { trustDomainAliases: ['old'], caCertificates: [{ trustDomains: ['partner.example', 'old', ''] }] };
    const { objects } = parseDocuments(JSON.stringify(mesh), { file: 'mesh.yaml' });
    expect(new PushContext({ objects, workloads: [] }).mesh.callersTrustDomains).toEqual(['cluster.local', 'old', 'partner.example']);
  });
});
