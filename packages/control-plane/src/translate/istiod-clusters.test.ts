import { ClusterHttpProtocolOptions, Cluster_DiscoveryType as DiscoveryType, UpstreamTlsContext, unpackAny } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { core, doc, entry, NETWORKING, ROUTER, security, toldOf } from '../testing/told.ts';

/* Rules that random meshes told apart from istiod's (test/interop/istiod-meshes.test.ts), each by the smallest mesh that shows it. */

describe('clusters', () => {
  it('of ServiceEntries with one host hold the ports of all', () => {
    const { clusterNames } = toldOf(
      entry('a', '{ hosts: [db.example], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC }') +
        entry('b', '{ hosts: [db.example], ports: [{ number: 81, name: http, protocol: HTTP }], resolution: STATIC }'),
    );
    expect(clusterNames).toEqual(expect.arrayContaining(['outbound|80||db.example', 'outbound|81||db.example']));
  });

  it('of a host that is dialled as named keep the target port of its first ServiceEntry alone (Istio: PassthroughTargetPorts)', () => {
    const ported = (name: string, number: number): string =>
      entry(name, `{ hosts: [db.example], ports: [{ number: ${number}, name: http, protocol: HTTP, targetPort: 90 }] }`);
    const { cluster } = toldOf(ported('a', 80) + ported('b', 81));
    expect([80, 81].map((port) => cluster(`outbound|${port}||db.example`)?.lbConfig?.value)).toEqual([
      expect.objectContaining({ upstreamPortOverride: 90 }),
      undefined,
    ]);
  });

  it('of a port that a host outside the mesh has here say nothing of it, nor of its rule', () => {
    const { cluster } = toldOf(
      entry(
        'a',
        '{ hosts: [db.example], location: MESH_EXTERNAL, ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }] }',
      ) + doc('DestinationRule', 'a', '{ host: db.example, trafficPolicy: { connectionPool: { tcp: { maxConnections: 5 } } } }'),
      sidecar('web-1', 'default', { INSTANCE_IPS: '10.0.0.9' }),
    );
    expect(cluster('inbound|80||')?.circuitBreakers?.thresholds[0]?.maxConnections).toBe(5);
    expect(cluster('inbound|80||')?.metadata).toBeUndefined();
  });

  it('of a host that is dialled as named speak mTLS as the endpoints of all its ServiceEntries do (Istio: ServiceEndpointsByPort)', () => {
    const port = 'ports: [{ number: 443, name: http-tls, protocol: HTTP }]';
    const named = entry(
      'a',
      `{ hosts: [www.example], ${port}, resolution: DNS_ROUND_ROBIN, endpoints: [{ address: a.example, serviceAccount: cart }] }`,
    );
    const dialled = entry('b', `{ hosts: [www.example], ${port}, location: MESH_INTERNAL, exportTo: ['.'] }`);
    const socket = (yaml: string): string | undefined => toldOf(yaml).cluster('outbound|443||www.example')?.transportSocket?.name;
    expect(socket(named + dialled)).toBe('envoy.transport_sockets.tls');
    expect(socket(named.replace(', serviceAccount: cart', '') + dialled)).toBeUndefined();
    expect(socket(dialled)).toBeUndefined();
  });

  it('by server names are those of their service to an EnvoyFilter, too (Istio: ParseSubsetKey)', () => {
    const yaml =
      service('web') +
      doc(
        'Gateway',
        'gw',
        '{ selector: { istio: ingressgateway }, servers: [{ port: { number: 443, name: tls, protocol: TLS }, hosts: ["*"], tls: { mode: AUTO_PASSTHROUGH } }] }',
        'istio-system',
      );
    const removed = doc(
      'EnvoyFilter',
      'a',
      '{ configPatches: [{ applyTo: CLUSTER, match: { cluster: { service: web.default.svc.cluster.local } }, patch: { operation: REMOVE } }] }',
      'istio-system',
      'apiVersion: networking.istio.io/v1alpha3',
    );
    const name = 'outbound_.80_._.web.default.svc.cluster.local';
    expect(toldOf(yaml, ROUTER).clusterNames).toContain(name);
    expect(toldOf(yaml + removed, ROUTER).clusterNames).not.toContain(name);
  });

  it('of a port that several ServiceEntries of one host have here name it once', () => {
    const spec =
      '{ hosts: [db.example], location: MESH_INTERNAL, ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }] }';
    const { cluster } = toldOf(entry('a', spec) + entry('b', spec), sidecar('web-1', 'default', { INSTANCE_IPS: '10.0.0.9' }));
    expect(cluster('inbound|80||')?.metadata?.filterMetadata.istio?.services).toHaveLength(1);
  });

  it('follow a rule without exportTo as MeshConfig says: everybody, or its own namespace', () => {
    const yaml =
      service('web') + doc('DestinationRule', 'a', '{ host: web, trafficPolicy: { connectionPool: { tcp: { maxConnections: 5 } } } }');
    const limit = (names: readonly string[]): number | undefined =>
      toldOf(yaml, sidecar('b-1', 'other'), { defaultDestinationRuleExportTo: names }).cluster('outbound|80||web.default.svc.cluster.local')
        ?.circuitBreakers?.thresholds[0]?.maxConnections;
    expect([limit(['shop']), limit(['.', 'other'])]).toEqual([5, 4_294_967_295]);
  });

  it('expect the names of the newest document of a host', () => {
    const entryWith = (time: string): string =>
      `---\n${NETWORKING}\nkind: ServiceEntry\nmetadata: { name: web, namespace: default, creationTimestamp: "${time}" }\nspec: { hosts: [web.default.svc.cluster.local], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, subjectAltNames: [named.example] }\n`;
    const web =
      '---\napiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: default, creationTimestamp: "2026-01-02T00:00:00Z" }\nspec: { clusterIP: 10.96.0.9, ports: [{ name: http, port: 80 }] }\n';
    const named = (time: string): boolean => {
      const [match] = toldOf(web + entryWith(time)).cluster('outbound|80||web.default.svc.cluster.local')!.transportSocketMatches;
      return JSON.stringify(unpackAny(UpstreamTlsContext, match!.transportSocket!.configType!.value)).includes('named.example');
    };
    expect([named('2026-01-01T00:00:00Z'), named('2026-01-03T00:00:00Z')]).toEqual([false, true]);
  });

  it('of UDP ports of a ServiceEntry do not exist', () => {
    const { clusterNames } = toldOf(
      entry(
        'a',
        '{ hosts: [db.example], ports: [{ number: 53, name: dns, protocol: UDP }, { number: 80, name: http, protocol: HTTP }], resolution: DNS }',
      ),
    );
    expect(clusterNames.filter((name) => name.endsWith('db.example'))).toEqual(['outbound|80||db.example']);
  });

  it('of UDP ports of a ServiceEntry exist where they are served', () => {
    const { clusterNames } = toldOf(
      entry(
        'a',
        '{ hosts: [db.example], ports: [{ number: 53, name: dns, protocol: UDP }], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }] }',
      ),
      sidecar('web-1', 'default', { INSTANCE_IPS: '10.0.0.9' }),
    );
    expect(clusterNames).toContain('inbound|53||');
  });

  it('of DNS subsets without a host to look up are left out', () => {
    const { clusterNames } = toldOf(
      entry('a', '{ hosts: [db.example], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS }') +
        doc('DestinationRule', 'a', '{ host: db.example, subsets: [{ name: v1, labels: { version: v1 } }] }'),
    );
    expect(clusterNames).toContain('outbound|80||db.example');
    expect(clusterNames).not.toContain('outbound|80|v1|db.example');
  });

  it('of a headless service have endpoints at a gateway, which has no address that a caller meant', () => {
    const yaml = core('Service', 'db', '{ clusterIP: None, selector: { app: db }, ports: [{ name: http, port: 80 }] }');
    const typeAt = (node: ProxyNode): unknown =>
      toldOf(yaml, node).cluster('outbound|80||db.default.svc.cluster.local')?.clusterDiscoveryType;
    expect(typeAt(ROUTER)).toEqual({ $case: 'type', value: DiscoveryType.EDS });
    expect(typeAt(sidecar())).toEqual({ $case: 'type', value: DiscoveryType.ORIGINAL_DST });
  });

  it('of a subset that dials as named do so at every port, whatever balancer a port has', () => {
    const rule = doc(
      'DestinationRule',
      'web',
      '{ host: web, subsets: [{ name: v2, trafficPolicy: { loadBalancer: { simple: PASSTHROUGH }, portLevelSettings: [{ port: { number: 80 }, loadBalancer: {} }] } }] }',
    );
    const { cluster } = toldOf(service('web') + rule);
    const types = ['', 'v2'].map((subset) => cluster(`outbound|80|${subset}|web.default.svc.cluster.local`)?.clusterDiscoveryType?.value);
    expect(types).toEqual([DiscoveryType.EDS, DiscoveryType.ORIGINAL_DST]);
  });

  it.each([
    ['as one rule when both are exported to the same', '[.]', '[.]', 7],
    ['the later one alone when they are exported to others', '[.]', '[default]', 4_294_967_295],
    ['as one rule when the later one is exported to more', '[default]', '[default, shop]', 7],
  ])('take two rules of a host %s', (_what, first, second, limit) => {
    const rule = (name: string, exportTo: string, body: string): string =>
      doc('DestinationRule', name, `{ host: db.example, exportTo: ${exportTo}, ${body} }`);
    const { cluster } = toldOf(
      entry('a', '{ hosts: [db.example], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC }') +
        rule('a', first, 'trafficPolicy: { connectionPool: { tcp: { maxConnections: 7 } } }') +
        rule('b', second, 'subsets: [{ name: v1, labels: { version: v1 } }]'),
    );
    expect(cluster('outbound|80||db.example')?.circuitBreakers?.thresholds[0]?.maxConnections).toBe(limit);
  });

  it.each([
    ['', 30],
    ['PreferSameZone', 0],
  ])('of a service with trafficDistribution %j are called in panic below %d percent', (distribution, percent) => {
    const { cluster } = toldOf(
      core('Service', 'web', `{ ports: [{ port: 80, name: http }], selector: { app: web }, trafficDistribution: "${distribution}" }`) +
        doc('DestinationRule', 'web', '{ host: web, trafficPolicy: { outlierDetection: { minHealthPercent: 30 } } }'),
    );
    expect(cluster('outbound|80||web.default.svc.cluster.local')?.commonLbConfig?.healthyPanicThreshold?.value).toBe(percent);
  });

  it('try no mTLS where the namespace of the service forbids it', () => {
    const forbidden = security('PeerAuthentication', 'default', '{ mtls: { mode: DISABLE } }');
    const name = 'outbound|80||web.default.svc.cluster.local';
    expect(toldOf(service('web')).cluster(name)?.transportSocketMatches).toHaveLength(2);
    expect(toldOf(service('web') + forbidden).cluster(name)?.transportSocketMatches).toEqual([]);
  });

  it("take a port's policy of a subset as it stands, without what the rule says", () => {
    const { cluster } = toldOf(
      service('web') +
        doc(
          'DestinationRule',
          'web',
          '{ host: web, trafficPolicy: { outlierDetection: { consecutive5xxErrors: 3 } }, subsets: [{ name: v1, labels: { version: v1 }, trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: RANDOM } }] } }] }',
        ),
    );
    expect(cluster('outbound|80|v1|web.default.svc.cluster.local')?.outlierDetection).toBeUndefined();
    expect(cluster('outbound|80||web.default.svc.cluster.local')?.outlierDetection).toBeDefined();
  });

  it('verify the name of a request only where the rule names none', () => {
    const optionsWith = (tls: string) => {
      const yaml =
        entry('a', '{ hosts: [a.example], ports: [{ number: 443, name: http, protocol: HTTP }], resolution: DNS }') +
        doc('DestinationRule', 'a', `{ host: a.example, trafficPolicy: { tls: ${tls} } }`);
      const options = toldOf(yaml).cluster('outbound|443||a.example')?.typedExtensionProtocolOptions ?? {};
      const [message] = Object.values(options);
      return message === undefined ? undefined : unpackAny(ClusterHttpProtocolOptions, message).upstreamHttpProtocolOptions;
    };
    expect(optionsWith('{ mode: SIMPLE }')).toMatchObject({ autoSni: true, autoSanValidation: true });
    expect(optionsWith('{ mode: SIMPLE, subjectAltNames: [b.example] }')).toMatchObject({ autoSni: true, autoSanValidation: false });
    expect(optionsWith('{ mode: SIMPLE, sni: b.example }')).toBeUndefined();
  });
});

describe('identities of a cluster', () => {
  it('are those of every alias of the trust domain, also of names that are written down', () => {
    const push = pushOf(
      entry(
        'a',
        '{ hosts: [db.example], ports: [{ number: 80, name: http, protocol: HTTP }], location: MESH_INTERNAL, resolution: STATIC, endpoints: [{ address: 10.1.0.1, serviceAccount: db }], subjectAltNames: ["spiffe://cluster.local/ns/x/sa/y", dns.example] }',
      ),
      [],
      { trustDomainAliases: ['old'] },
    );
    expect(push.identitiesOf(push.services.find(({ hostname }) => hostname === 'db.example')!)).toEqual([
      'dns.example',
      'spiffe://cluster.local/ns/default/sa/db',
      'spiffe://cluster.local/ns/x/sa/y',
      'spiffe://old/ns/default/sa/db',
      'spiffe://old/ns/x/sa/y',
    ]);
  });

  it('are those that annotations of a Service name as well: accounts of its own namespace, and names (Istio: ConvertService)', () => {
    const annotations =
      '{ alpha.istio.io/kubernetes-serviceaccounts: "a,b", alpha.istio.io/canonical-serviceaccounts: "spiffe://x/ns/y/sa/z" }';
    const push = pushOf(service('web').replace('metadata: {', `metadata: { annotations: ${annotations},`), [], {
      trustDomain: 'mesh.example',
      trustDomainAliases: ['old'],
    });
    expect(push.identitiesOf(push.services[0]!)).toEqual([
      'spiffe://mesh.example/ns/default/sa/a',
      'spiffe://mesh.example/ns/default/sa/b',
      'spiffe://old/ns/default/sa/a',
      'spiffe://old/ns/default/sa/b',
      'spiffe://old/ns/y/sa/z',
      'spiffe://x/ns/y/sa/z',
    ]);
  });
});
