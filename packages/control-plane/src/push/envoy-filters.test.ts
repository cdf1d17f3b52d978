import { CLUSTER_TYPE_URL, type Cluster, ROUTE_TYPE_URL, type RouteConfiguration } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from '../translate/translate.ts';

const SERVICE = 'outbound|80||web.default.svc.cluster.local';

function filter(name: string, spec: object, namespace = 'default'): string {
  return `---\napiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${JSON.stringify(spec)}\n`;
}

const timeout = (seconds: number, match: object = {}): object => ({
  applyTo: 'CLUSTER',
  match: { cluster: { service: 'web.default.svc.cluster.local' }, ...match },
  patch: { operation: 'MERGE', value: { connect_timeout: `${seconds}s` } },
});

function cluster(yaml: string, node: ProxyNode = sidecar(), name = SERVICE): Cluster | undefined {
  const clusters = translate(CLUSTER_TYPE_URL, node, pushOf(service('web') + yaml), []);
  return clusters.find((resource) => resource.name === name)?.message as Cluster | undefined;
}

describe('EnvoyFilters of a node', () => {
  const seconds = (yaml: string, node?: ProxyNode): number | undefined => cluster(yaml, node)?.connectTimeout?.seconds;
  const one = (match: object): string => filter('a', { configPatches: [timeout(3, match)] });
  const labelled = (labels: object): string => filter('a', { workloadSelector: { labels }, configPatches: [timeout(3)] });

  it.each([
    ['of its namespace', filter('a', { configPatches: [timeout(3)] }), 3],
    ['of the root namespace', filter('a', { configPatches: [timeout(3)] }, 'istio-system'), 3],
    ['not of another', filter('a', { configPatches: [timeout(3)] }, 'shop'), 10],
    ['not of other workloads', labelled({ app: 'other' }), 10],
    ['for any context', one({ context: 'ANY' }), 3],
    ['for what it calls', one({ context: 'SIDECAR_OUTBOUND' }), 3],
    ['not for gateways', one({ context: 'GATEWAY' }), 10],
    ['of its version', one({ proxy: { proxyVersion: '^1\\.32.*' } }), 3],
    ['not of another version', one({ proxy: { proxyVersion: '^1\\.31.*' } }), 10],
    ['not of an expression that is none', one({ proxy: { proxyVersion: '(' } }), 10],
    ['not of an expression longer than istiod reads', one({ proxy: { proxyVersion: `1${'.?'.repeat(600)}` } }), 10],
    ['not of one that would never end in an engine that backtracks', one({ proxy: { proxyVersion: '^([0-9.]+)+$-' } }), 10],
    ['with its metadata', one({ proxy: { metadata: { TIER: 'gold' } } }), 3],
    ['not with other metadata', one({ proxy: { metadata: { TIER: 'iron' } } }), 10],
    [
      'without what no message can hold',
      filter('a', { configPatches: [{ ...timeout(3), patch: { operation: 'MERGE', value: { lb_policy: {} } } }] }),
      10,
    ],
    [
      'without what authorizes',
      filter('a', {
        configPatches: [{ ...timeout(3), patch: { operation: 'MERGE', filterClass: 'AUTHZ', value: { connect_timeout: '3s' } } }],
      }),
      10,
    ],
  ])('are those %s', (_what, yaml, expected) => {
    expect(seconds(yaml, sidecar('web-1', 'default', { ISTIO_VERSION: '1.32.0', TIER: 'gold' }))).toBe(expected);
  });

  it('act by priority, then those of the root namespace first', () => {
    const root = filter('r', { configPatches: [timeout(1)] }, 'istio-system');
    const own = filter('o', { configPatches: [timeout(2)] });
    expect(seconds(own + root)).toBe(2);
    expect(seconds(own + filter('late', { priority: 5, configPatches: [timeout(3)] }, 'istio-system') + root)).toBe(3);
    expect(seconds(own + filter('early', { priority: -5, configPatches: [timeout(4)] }))).toBe(2);
  });

  it.each([
    ['labels', { workloadSelector: { labels: { tier: 'gold' } } }, {}, { LABELS: { tier: 'gold' } }],
    ['metadata', {}, { proxy: { metadata: { TIER: 'gold' } } }, { TIER: 'gold' }],
  ])('change nothing for the nodes beside it: by %s', (_what, spec, match, metadata) => {
    const patch = { operation: 'MERGE', value: { request_headers_to_remove: ['x'] } };
    const push = pushOf(service('web') + filter('a', { ...spec, configPatches: [{ applyTo: 'VIRTUAL_HOST', match, patch }] }));
    const removed = (node: ProxyNode): string[] => {
      const [routes] = translate(ROUTE_TYPE_URL, node, push, ['80']);
      return (routes!.message as RouteConfiguration).virtualHosts.flatMap(({ requestHeadersToRemove }) => requestHeadersToRemove);
    };
    expect(removed(sidecar())).toEqual([]);
    expect(removed(sidecar('web-1', 'default', metadata))).not.toEqual([]);
    expect(removed(sidecar())).toEqual([]);
  });
});

describe('a patch of a cluster', () => {
  const patched = (operation: string, value: object | undefined, match: object = {}): Cluster | undefined =>
    cluster(filter('a', { configPatches: [{ applyTo: 'CLUSTER', match: { cluster: match }, patch: { operation, value } }] }));

  it('merges as protobuf does: a field that is written replaces, zero or not; a list grows', () => {
    const merged = patched('MERGE', {
      lb_policy: 'ROUND_ROBIN',
      common_lb_config: { healthy_panic_threshold: { value: 7 } },
      circuit_breakers: { thresholds: [{ max_requests: 5 }] },
    })!;
    expect(merged.lbPolicy).toBe(0);
    expect(merged.commonLbConfig?.healthyPanicThreshold?.value).toBe(7);
    expect(merged.circuitBreakers?.thresholds).toHaveLength(2);
    expect(merged.connectTimeout?.seconds).toBe(10);
  });

  it('with MERGE_AND_REPLACE_LIST takes the place of a list', () => {
    const merged = patched('MERGE_AND_REPLACE_LIST', { circuit_breakers: { thresholds: [{ max_requests: 5 }] } })!;
    expect(merged.circuitBreakers?.thresholds.map(({ maxRequests }) => maxRequests)).toEqual([5]);
    expect(merged.connectTimeout?.seconds).toBe(10);
  });

  it('removes and adds by what it matches', () => {
    expect(patched('REMOVE', undefined, { portNumber: 80 })).toBeUndefined();
    expect(patched('REMOVE', undefined, { portNumber: 81 })).toBeDefined();
    expect(patched('REMOVE', undefined, { subset: 'v1' })).toBeDefined();
    const added = filter('a', {
      configPatches: [{ applyTo: 'CLUSTER', patch: { operation: 'ADD', value: { name: 'mine', type: 'STATIC' } } }],
    });
    expect(cluster(added, sidecar(), 'mine')?.name).toBe('mine');
  });
});

describe('an EXTENSION_CONFIG', () => {
  const config = (name: string) => ({
    name,
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router', suppress_envoy_headers: true },
  });
  const push = pushOf(
    filter('a', {
      workloadSelector: { labels: { app: 'web' } },
      configPatches: [
        { applyTo: 'EXTENSION_CONFIG', patch: { operation: 'ADD', value: config('mine') } },
        { applyTo: 'EXTENSION_CONFIG', match: { context: 'GATEWAY' }, patch: { operation: 'ADD', value: config('edge') } },
      ],
    }),
  );
  const served = (names: readonly string[], labels: object): string[] =>
    translate(
      'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
      sidecar('w', 'default', { LABELS: labels }),
      push,
      names,
    ).map(({ name }) => name);

  it('is served by name to those whom the filter selects (ECDS)', () => {
    expect(served(['mine', 'nobody'], { app: 'web' })).toEqual(['mine']);
    expect(served(['mine'], { app: 'other' })).toEqual([]);
    expect(served([], { app: 'web' })).toEqual([]);
  });
});
