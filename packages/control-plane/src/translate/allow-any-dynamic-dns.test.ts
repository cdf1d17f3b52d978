import {
  type Cluster,
  DynamicForwardProxyClusterConfig,
  DynamicForwardProxyFilterConfig,
  HttpConnectionManager,
  type Listener,
  type RouteConfiguration,
  unpackAny,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { resourcesOfNode } from './node-resources.ts';

/* Expected: what an istiod of 1.31 sends (test/interop/istiod-fields.test.ts asks it for the same). */

const NAME = 'AllowAnyDynamicDNSCluster';
const DYNAMIC = { outboundTrafficPolicy: { mode: 'ALLOW_ANY_DYNAMIC_DNS' } };
const REGISTRY_ONLY = `---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: d, namespace: default }
spec: { outboundTrafficPolicy: { mode: REGISTRY_ONLY } }
`;

function resources(mesh: object, yaml = '', node = sidecar()) {
  const { clusters, listeners, routes } = resourcesOfNode(node, pushOf(service('web') + yaml, [], mesh));
  return {
    cluster: clusters.find(({ name }) => name === NAME)?.message as Cluster | undefined,
    listener: (name: string) => listeners.find((listener) => listener.name === name)?.message as Listener | undefined,
    routes: routes.find(({ name }) => name === '80')?.message as RouteConfiguration | undefined,
  };
}

function manager(listener: Listener | undefined, chain: string): HttpConnectionManager {
  const [filter] = listener!.filterChains.find(({ name }) => name === chain)!.filters;
  return unpackAny(HttpConnectionManager, filter!.configType!.value as never);
}

function dynamicType({ clusterDiscoveryType: type }: Cluster): DynamicForwardProxyClusterConfig {
  if (type?.$case !== 'clusterType') throw new Error('no type of its own');
  return unpackAny(DynamicForwardProxyClusterConfig, type.value.typedConfig!);
}

const CACHE = { name: 'allow_any_dfp_dns_cache', dnsLookupFamily: 1, maxHosts: 1024 };

describe('ALLOW_ANY_DYNAMIC_DNS', () => {
  it('leads what nobody owns on a port to a cluster that looks up the host, by way of a filter that waits for it', () => {
    const { cluster, routes, listener } = resources(DYNAMIC);
    expect(routes?.virtualHosts.at(-1)).toMatchObject({
      name: 'allow_any_dynamic_dns',
      domains: ['*'],
      routes: [{ name: 'allow_any_dynamic_dns', action: { value: { clusterSpecifier: { value: NAME } } } }],
    });
    const config = dynamicType(cluster!);
    expect(config.allowInsecureClusterOptions).toBe(true);
    expect(config.clusterImplementationSpecifier?.value).toMatchObject(CACHE);
    const { filters } = listener('0.0.0.0_80')!.filterChains[0]!;
    const { httpFilters } = unpackAny(HttpConnectionManager, filters[0]!.configType!.value as never);
    const lookup = httpFilters.at(-2)!;
    expect(lookup.name).toBe('envoy.filters.http.dynamic_forward_proxy');
    const filter = unpackAny(DynamicForwardProxyFilterConfig, lookup.configType!.value as never);
    expect(filter.implementationSpecifier?.value).toMatchObject(CACHE);
  });

  it('reads the requests of ports without a listener; bytes go on to their own address', () => {
    const listener = resources(DYNAMIC).listener('virtualOutbound');
    expect(listener?.listenerFilters.map(({ name }) => name)).toEqual(['envoy.filters.listener.http_inspector']);
    expect(listener?.filterChains.map(({ name }) => name)).toEqual([
      'virtualOutbound-blackhole',
      'virtualOutbound-catchall-tcp-http',
      'virtualOutbound-catchall-tcp',
    ]);
    const { statPrefix, routeSpecifier } = manager(listener, 'virtualOutbound-catchall-tcp-http');
    expect(statPrefix).toBe('outbound_virtualOutbound_allow_any_dynamic_dns;');
    expect(routeSpecifier).toMatchObject({ $case: 'routeConfig', value: { virtualHosts: [{ name: 'allow_any_dynamic_dns' }] } });
  });

  it('has routes there that no EnvoyFilter patches (Istio: ApplyRouteConfigurationPatches is asked for inbound, and for RDS)', () => {
    const patch = `---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: e, namespace: default }
spec: { configPatches: [{ applyTo: VIRTUAL_HOST, patch: { operation: MERGE, value: { request_headers_to_remove: [x-a] } } }] }
`;
    const { listener, routes } = resources(DYNAMIC, patch);
    const { routeSpecifier } = manager(listener('virtualOutbound'), 'virtualOutbound-catchall-tcp-http');
    expect(routeSpecifier).toMatchObject({ value: { virtualHosts: [{ requestHeadersToRemove: [] }] } });
    expect(routes?.virtualHosts.at(-1)?.requestHeadersToRemove).toEqual(['x-a']);
  });

  it.each([
    ['none without tls', undefined, false, true],
    ['none with mode DISABLE', { mode: 'DISABLE' }, false, true],
    ['TLS for the host of the request', { mode: 'SIMPLE' }, true, false],
    ['TLS for one server name', { mode: 'SIMPLE', sni: 'a.example' }, true, true],
    ['TLS with anybody', { mode: 'SIMPLE', insecureSkipVerify: true }, true, true],
    ['mTLS of the mesh', { mode: 'ISTIO_MUTUAL' }, true, false],
  ])('encrypts as its tls says: %s', (_name, tls, encrypts, insecure) => {
    const { cluster } = resources({ outboundTrafficPolicy: { ...DYNAMIC.outboundTrafficPolicy, tls } });
    expect(cluster!.transportSocket !== undefined).toBe(encrypts);
    expect(dynamicType(cluster!).allowInsecureClusterOptions).toBe(insecure);
  });

  it.each([
    ['a mesh of ALLOW_ANY', { outboundTrafficPolicy: { mode: 'ALLOW_ANY' } }, '', 'allow_any'],
    ['a Sidecar of REGISTRY_ONLY', DYNAMIC, REGISTRY_ONLY, 'block_all'],
  ])('is not of %s', (_name, mesh, yaml, host) => {
    const { cluster, routes, listener } = resources(mesh, yaml);
    expect(cluster).toBeUndefined();
    expect(routes?.virtualHosts.at(-1)?.name).toBe(host);
    expect(listener('virtualOutbound')?.filterChains).toHaveLength(2);
  });

  it('changes nothing for gRPC without a proxy', () => {
    const node = { ...sidecar(), dialect: 'grpc' as const };
    expect(resources(DYNAMIC, '', node).cluster).toBeUndefined();
  });
});
