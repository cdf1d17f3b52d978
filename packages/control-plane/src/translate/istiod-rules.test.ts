import {
  type Cluster,
  ClusterHttpProtocolOptions,
  type ClusterLoadAssignment,
  Cluster_DiscoveryType as DiscoveryType,
  type Listener,
  type RouteAction,
  type RouteConfiguration,
  UpstreamTlsContext,
  unpackAny,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { resourcesOfNode } from './node-resources.ts';

/* Rules that random meshes told apart from istiod's (test/interop/istiod-meshes.test.ts), each by the smallest mesh that shows it. */

const NETWORKING = 'apiVersion: networking.istio.io/v1';
const doc = (kind: string, name: string, spec: string, namespace = 'default', group = NETWORKING): string =>
  `---\n${group}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;
const security = (kind: string, name: string, spec: string): string => doc(kind, name, spec, 'default', 'apiVersion: security.istio.io/v1');
const core = (kind: string, name: string, spec: string): string => doc(kind, name, spec, 'default', 'apiVersion: v1');

const ROUTER = proxyNodeOf({
  id: 'router~10.0.0.2~gw.istio-system~istio-system.svc.cluster.local',
  metadata: { NAMESPACE: 'istio-system', LABELS: { istio: 'ingressgateway' }, INSTANCE_IPS: '10.0.0.2' },
  locality: { region: '', zone: '', subZone: '' },
});

function of(yaml: string, node: ProxyNode = sidecar(), mesh: object = {}) {
  const { clusters, endpoints, listeners, routes } = resourcesOfNode(node, pushOf(yaml, [], mesh));
  const named = <T>(list: readonly { readonly name: string; readonly message: unknown }[], name: string): T | undefined =>
    list.find((resource) => resource.name === name)?.message as T | undefined;
  return {
    cluster: (name: string) => named<Cluster>(clusters, name),
    endpoints: (name: string) => named<ClusterLoadAssignment>(endpoints, name),
    listener: (name: string) => named<Listener>(listeners, name),
    routes: (name: string) => named<RouteConfiguration>(routes, name),
    clusterNames: clusters.map(({ name }) => name),
  };
}

const entry = (name: string, spec: string): string => doc('ServiceEntry', name, spec);

describe('clusters', () => {
  it('of ServiceEntries with one host hold the ports of all', () => {
    const { clusterNames } = of(
      entry('a', '{ hosts: [db.example], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC }') +
        entry('b', '{ hosts: [db.example], ports: [{ number: 81, name: http, protocol: HTTP }], resolution: STATIC }'),
    );
    expect(clusterNames).toEqual(expect.arrayContaining(['outbound|80||db.example', 'outbound|81||db.example']));
  });

  it('of a host that is dialled as named keep the target port of its first ServiceEntry alone (Istio: PassthroughTargetPorts)', () => {
    const ported = (name: string, number: number): string =>
      entry(name, `{ hosts: [db.example], ports: [{ number: ${number}, name: http, protocol: HTTP, targetPort: 90 }] }`);
    const { cluster } = of(ported('a', 80) + ported('b', 81));
    expect([80, 81].map((port) => cluster(`outbound|${port}||db.example`)?.lbConfig?.value)).toEqual([
      expect.objectContaining({ upstreamPortOverride: 90 }),
      undefined,
    ]);
  });

  it('of a port that a host outside the mesh has here say nothing of it, nor of its rule', () => {
    const { cluster } = of(
      entry(
        'a',
        '{ hosts: [db.example], location: MESH_EXTERNAL, ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }] }',
      ) + doc('DestinationRule', 'a', '{ host: db.example, trafficPolicy: { connectionPool: { tcp: { maxConnections: 5 } } } }'),
      sidecar('web-1', 'default', { INSTANCE_IPS: '10.0.0.9' }),
    );
    expect(cluster('inbound|80||')?.circuitBreakers?.thresholds[0]?.maxConnections).toBe(5);
    expect(cluster('inbound|80||')?.metadata).toBeUndefined();
  });

  it('of a port that several ServiceEntries of one host have here name it once', () => {
    const spec =
      '{ hosts: [db.example], location: MESH_INTERNAL, ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }] }';
    const { cluster } = of(entry('a', spec) + entry('b', spec), sidecar('web-1', 'default', { INSTANCE_IPS: '10.0.0.9' }));
    expect(cluster('inbound|80||')?.metadata?.filterMetadata.istio?.services).toHaveLength(1);
  });

  it('follow a rule without exportTo as MeshConfig says: everybody, or its own namespace', () => {
    const yaml =
      service('web') + doc('DestinationRule', 'a', '{ host: web, trafficPolicy: { connectionPool: { tcp: { maxConnections: 5 } } } }');
    const limit = (names: readonly string[]): number | undefined =>
      of(yaml, sidecar('b-1', 'other'), { defaultDestinationRuleExportTo: names }).cluster('outbound|80||web.default.svc.cluster.local')
        ?.circuitBreakers?.thresholds[0]?.maxConnections;
    expect([limit(['shop']), limit(['.', 'other'])]).toEqual([5, 4_294_967_295]);
  });

  it('expect the names of the newest document of a host', () => {
    const entryWith = (time: string): string =>
      `---\n${NETWORKING}\nkind: ServiceEntry\nmetadata: { name: web, namespace: default, creationTimestamp: "${time}" }\nspec: { hosts: [web.default.svc.cluster.local], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, subjectAltNames: [named.example] }\n`;
    const web =
      '---\napiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: default, creationTimestamp: "2026-01-02T00:00:00Z" }\nspec: { clusterIP: 10.96.0.9, ports: [{ name: http, port: 80 }] }\n';
    const named = (time: string): boolean => {
      const [match] = of(web + entryWith(time)).cluster('outbound|80||web.default.svc.cluster.local')!.transportSocketMatches;
      return JSON.stringify(unpackAny(UpstreamTlsContext, match!.transportSocket!.configType!.value)).includes('named.example');
    };
    expect([named('2026-01-01T00:00:00Z'), named('2026-01-03T00:00:00Z')]).toEqual([false, true]);
  });

  it('of UDP ports of a ServiceEntry do not exist', () => {
    const { clusterNames } = of(
      entry(
        'a',
        '{ hosts: [db.example], ports: [{ number: 53, name: dns, protocol: UDP }, { number: 80, name: http, protocol: HTTP }], resolution: DNS }',
      ),
    );
    expect(clusterNames.filter((name) => name.endsWith('db.example'))).toEqual(['outbound|80||db.example']);
  });

  it('of UDP ports of a ServiceEntry exist where they are served', () => {
    const { clusterNames } = of(
      entry(
        'a',
        '{ hosts: [db.example], ports: [{ number: 53, name: dns, protocol: UDP }], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }] }',
      ),
      sidecar('web-1', 'default', { INSTANCE_IPS: '10.0.0.9' }),
    );
    expect(clusterNames).toContain('inbound|53||');
  });

  it('of DNS subsets without a host to look up are left out', () => {
    const { clusterNames } = of(
      entry('a', '{ hosts: [db.example], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS }') +
        doc('DestinationRule', 'a', '{ host: db.example, subsets: [{ name: v1, labels: { version: v1 } }] }'),
    );
    expect(clusterNames).toContain('outbound|80||db.example');
    expect(clusterNames).not.toContain('outbound|80|v1|db.example');
  });

  it('of a headless service have endpoints at a gateway, which has no address that a caller meant', () => {
    const yaml = core('Service', 'db', '{ clusterIP: None, selector: { app: db }, ports: [{ name: http, port: 80 }] }');
    const typeAt = (node: ProxyNode): unknown => of(yaml, node).cluster('outbound|80||db.default.svc.cluster.local')?.clusterDiscoveryType;
    expect(typeAt(ROUTER)).toEqual({ $case: 'type', value: DiscoveryType.EDS });
    expect(typeAt(sidecar())).toEqual({ $case: 'type', value: DiscoveryType.ORIGINAL_DST });
  });

  it.each([
    ['as one rule when both are exported to the same', '[.]', '[.]', 7],
    ['the later one alone when they are exported to others', '[.]', '[default]', 4_294_967_295],
    ['as one rule when the later one is exported to more', '[default]', '[default, shop]', 7],
  ])('take two rules of a host %s', (_what, first, second, limit) => {
    const rule = (name: string, exportTo: string, body: string): string =>
      doc('DestinationRule', name, `{ host: db.example, exportTo: ${exportTo}, ${body} }`);
    const { cluster } = of(
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
    const { cluster } = of(
      core('Service', 'web', `{ ports: [{ port: 80, name: http }], selector: { app: web }, trafficDistribution: "${distribution}" }`) +
        doc('DestinationRule', 'web', '{ host: web, trafficPolicy: { outlierDetection: { minHealthPercent: 30 } } }'),
    );
    expect(cluster('outbound|80||web.default.svc.cluster.local')?.commonLbConfig?.healthyPanicThreshold?.value).toBe(percent);
  });

  it('try no mTLS where the namespace of the service forbids it', () => {
    const forbidden = security('PeerAuthentication', 'default', '{ mtls: { mode: DISABLE } }');
    const name = 'outbound|80||web.default.svc.cluster.local';
    expect(of(service('web')).cluster(name)?.transportSocketMatches).toHaveLength(2);
    expect(of(service('web') + forbidden).cluster(name)?.transportSocketMatches).toEqual([]);
  });

  it("take a port's policy of a subset as it stands, without what the rule says", () => {
    const { cluster } = of(
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
      const options = of(yaml).cluster('outbound|443||a.example')?.typedExtensionProtocolOptions ?? {};
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

describe('endpoints', () => {
  it.each([
    ['Always', true],
    ['OnFailure', false],
  ])('are found by the names of ports of init containers that stay (Istio: FindPort): restartPolicy %s', (restartPolicy, found) => {
    const pod = core(
      'Pod',
      'web-1',
      `{ containers: [{ ports: [{ containerPort: 80 }] }], initContainers: [{ restartPolicy: ${restartPolicy}, ports: [{ containerPort: 9090, name: metrics }] }] }\nstatus: { podIP: 10.0.0.7 }`,
    ).replace('metadata: {', 'metadata: { labels: { app: web },');
    const { endpoints } = of(
      core('Service', 'web', '{ selector: { app: web }, ports: [{ name: http, port: 80, targetPort: metrics }] }') + pod,
    );
    const assignment = endpoints('outbound|80||web.default.svc.cluster.local');
    expect(addresses(assignment)).toEqual(found ? ['10.0.0.7'] : []);
    expect(JSON.stringify(assignment).includes('9090')).toBe(found);
  });

  it.each([
    ['[]', ['10.0.0.7']],
    ['[{ containerPort: 8082 }]', []],
  ])('of a pod may be any number while its own containers declare none: %s', (ports, expected) => {
    const near = 'initContainers: [{ restartPolicy: Always, ports: [{ containerPort: 15090, name: stats }] }]';
    const pod = core('Pod', 'web-1', `{ containers: [{ ports: ${ports} }], ${near} }\nstatus: { podIP: 10.0.0.7 }`);
    const { endpoints } = of(service('web') + pod.replace('metadata: {', 'metadata: { labels: { app: web },'));
    expect(addresses(endpoints('outbound|80||web.default.svc.cluster.local'))).toEqual(expected);
  });

  it('of a ServiceEntry outside the mesh are marked as well; whether clients try is up to the cluster', () => {
    const { endpoints } = of(
      entry(
        'a',
        '{ hosts: [a.example], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 10.1.0.1, serviceAccount: vm, weight: 0 }] }',
      ),
    );
    const [only] = endpoints('outbound|80||a.example')?.endpoints[0]?.lbEndpoints ?? [];
    expect(only?.metadata?.filterMetadata['envoy.transport_socket_match']).toEqual({ tlsMode: 'istio' });
    expect(only?.loadBalancingWeight).toBe(1);
  });
});

const addresses = (assignment: ClusterLoadAssignment | undefined): unknown[] =>
  (assignment?.endpoints ?? []).flatMap(({ lbEndpoints }) =>
    lbEndpoints.map(({ hostIdentifier }) => {
      const socket = hostIdentifier?.$case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
      return socket?.$case === 'socketAddress' ? socket.value.address : undefined;
    }),
  );

describe('endpoints of another network', () => {
  it('come after all of ours where the network is asked for first', () => {
    const yaml =
      entry(
        'a',
        '{ hosts: [vm.example], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 10.1.0.1, network: other }, { address: 10.1.0.2, locality: eu }] }',
      ) +
      doc(
        'DestinationRule',
        'a',
        '{ host: vm.example, trafficPolicy: { outlierDetection: { consecutive5xxErrors: 5 }, loadBalancer: { localityLbSetting: { failoverPriority: [topology.istio.io/network, topology.kubernetes.io/region] } } } }',
      );
    const { endpoints } = of(yaml);
    const found = endpoints('outbound|80||vm.example')?.endpoints.map(({ priority, lbEndpoints: [first] }) => [
      JSON.stringify(first?.hostIdentifier).includes('10.1.0.1'),
      priority,
    ]);
    expect(found).toEqual(
      expect.arrayContaining([
        [true, 1],
        [false, 0],
      ]),
    );
  });
});

describe('a ServiceEntry that names a Service of Kubernetes', () => {
  it('has the endpoints of the Service, where that one is not seen', () => {
    const slice =
      '---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: db-1, namespace: default, labels: { kubernetes.io/service-name: db } }\nports: [{ name: tcp, port: 6000 }]\nendpoints: [{ addresses: [10.0.0.11] }]\n';
    const db =
      '---\napiVersion: v1\nkind: Service\nmetadata: { name: db, namespace: default, annotations: { networking.istio.io/exportTo: "~" } }\nspec: { ports: [{ name: tcp, port: 6000 }] }\n';
    const named = entry(
      'a',
      '{ hosts: [db.default.svc.cluster.local], ports: [{ number: 6000, name: tcp, protocol: TCP }], resolution: STATIC }',
    );
    const found = of(slice + db + named).endpoints('outbound|6000||db.default.svc.cluster.local');
    expect(JSON.stringify(found)).toContain('10.0.0.11');
  });
});

describe('what selects WorkloadEntries', () => {
  const port = (target: string): string =>
    core('Service', 'web', `{ clusterIP: 10.96.0.9, selector: { app: web }, ports: [{ name: http, port: 80, targetPort: ${target} }] }`);
  const web = 'outbound|80||web.default.svc.cluster.local';

  it.each([
    ['a number, whatever the entry names', '8080', '{ address: 10.2.0.1, labels: { app: web } }', ['10.2.0.1']],
    ['a name that the entry has', 'api', '{ address: 10.2.0.1, ports: { api: 9 }, labels: { app: web } }', ['10.2.0.1']],
    ['a name that the entry does not have', 'api', '{ address: 10.2.0.1, ports: { http: 9 }, labels: { app: web } }', []],
    ['a host, which a Kubernetes Service does not ask for', '8080', '{ address: vm.example, labels: { app: web } }', []],
  ])('takes the port by %s', (_what, target, spec, expected) => {
    expect(addresses(of(port(target) + doc('WorkloadEntry', 'vm', spec)).endpoints(web))).toEqual(expected);
  });

  it('has two groups for one place that is written in two ways', () => {
    const { endpoints } = of(
      port('8080') +
        doc('WorkloadEntry', 'a', '{ address: 10.2.0.1, locality: r/z, labels: { app: web } }') +
        doc('WorkloadEntry', 'b', '{ address: 10.2.0.2, locality: r/z/, labels: { app: web } }'),
    );
    expect(endpoints(web)?.endpoints.map(({ locality }) => locality?.zone)).toEqual(['z', 'z']);
  });
});

describe('ServiceEntries of one host in one namespace', () => {
  const http = 'ports: [{ number: 80, name: http, protocol: HTTP }]';
  const static_ = `{ hosts: [db.example], ${http}, resolution: STATIC, endpoints: [{ address: 10.1.0.1 }] }`;

  it('share the endpoints of a port by its name', () => {
    const named = (name: string): string =>
      entry('b', `{ hosts: [db.example], ports: [{ number: 81, name: ${name} }], resolution: STATIC, endpoints: [{ address: 10.1.0.2 }] }`);
    expect(addresses(of(entry('a', static_) + named('http')).endpoints('outbound|80||db.example'))).toEqual(['10.1.0.1', '10.1.0.2']);
    expect(addresses(of(entry('a', static_) + named('other')).endpoints('outbound|80||db.example'))).toEqual(['10.1.0.1']);
  });

  it('do not give names to a cluster that takes addresses', () => {
    const dns = entry('b', `{ hosts: [db.example], ${http}, resolution: DNS, endpoints: [{ address: a.example }] }`);
    expect(addresses(of(entry('a', static_) + dns).endpoints('outbound|80||db.example'))).toEqual(['10.1.0.1']);
  });

  it.each([
    ['neither says to whom it is exported', '', '', true],
    ['one says it, though it means the same', '', ', exportTo: ["*"]', false],
  ])('are one service when %s', (_what, first, second, joined) => {
    const yaml =
      entry('a', `{ hosts: [db.example], ${http}${first} }`) +
      entry('b', `{ hosts: [db.example], ports: [{ number: 81, name: b, protocol: HTTP }]${second} }`);
    expect(of(yaml, ROUTER).clusterNames.includes('outbound|81||db.example')).toBe(joined);
  });
});

describe('routes', () => {
  it('lead to the host of an ExternalName Service by its own name where a newer ServiceEntry has it', () => {
    const target = (time: string): string => {
      const named = (kind: string, group: string, spec: string, created: string): string =>
        `---\n${group}\nkind: ${kind}\nmetadata: { name: db, namespace: default, creationTimestamp: "${created}" }\nspec: ${spec}\n`;
      const { routes } = of(
        named(
          'Service',
          'apiVersion: v1',
          '{ type: ExternalName, externalName: web.other.svc.cluster.local, ports: [{ name: http, port: 80 }] }',
          time,
        ) +
          named(
            'ServiceEntry',
            NETWORKING,
            '{ hosts: [db.default.svc.cluster.local], ports: [{ number: 80, name: http, protocol: HTTP }] }',
            '2026-01-02T00:00:00Z',
          ) +
          doc('VirtualService', 'a', '{ hosts: [shop.example], http: [{ route: [{ destination: { host: db } }] }] }'),
      );
      return JSON.stringify(routes('80')?.virtualHosts.find(({ name }) => name === 'shop.example:80')?.routes[0]?.action);
    };
    expect(target('2026-01-01T00:00:00Z')).toContain('outbound|80||db.default.svc.cluster.local');
    expect(target('2026-01-03T00:00:00Z')).toContain('outbound|80||web.other.svc.cluster.local');
  });

  it.each([
    [', retryIgnorePreviousHosts: true', 1],
    ['', 0],
  ])('to a hashed destination with retries%s try %i other hosts first', (said, count) => {
    const { routes } = of(
      service('web') +
        doc('DestinationRule', 'a', '{ host: web, trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x } } } }') +
        doc(
          'VirtualService',
          'a',
          `{ hosts: [web], http: [{ retries: { attempts: 3${said} }, route: [{ destination: { host: web } }] }] }`,
        ),
    );
    const [route] = routes('80')?.virtualHosts[0]?.routes ?? [];
    const policy = (route?.action as { readonly value: RouteAction } | undefined)?.value.retryPolicy;
    expect([policy?.numRetries, policy?.retryHostPredicate.length]).toEqual([3, count]);
  });

  const routesOf = (spec: string) => of(service('web') + doc('VirtualService', 'web', spec)).routes('80')?.virtualHosts[0]?.routes ?? [];

  it('of a match with a name and a route without one begin with the dot', () => {
    const [route] = routesOf(
      '{ hosts: [web], http: [{ match: [{ name: first, uri: { prefix: /a } }], route: [{ destination: { host: web } }] }] }',
    );
    expect(route?.name).toBe('.first');
  });

  it('of a match that names gateways do not ask who the client is', () => {
    const [route] = routesOf(
      '{ hosts: [web], http: [{ match: [{ gateways: [mesh], sourceNamespace: other }], route: [{ destination: { host: web } }] }] }',
    );
    expect(route).toBeDefined();
  });

  it('are for hosts in small letters, however they are written', () => {
    const virtualService = doc('VirtualService', 'a', '{ hosts: [Shop.Example], http: [{ route: [{ destination: { host: web } }] }] }');
    const { routes } = of(
      service('web') + entry('b', '{ hosts: [API.Example], ports: [{ number: 80, name: http, protocol: HTTP }] }') + virtualService,
    );
    const domains = routes('80')?.virtualHosts.flatMap((host) => host.domains);
    expect(domains).toEqual(expect.arrayContaining(['shop.example', 'api.example']));
    expect(domains?.filter((name) => name !== name.toLowerCase())).toEqual([]);
  });

  it('redirect without the port that the scheme implies', () => {
    const [route] = routesOf('{ hosts: [web], http: [{ redirect: { scheme: https, port: 443 } }] }');
    expect(route?.action).toMatchObject({ $case: 'redirect', value: { portRedirect: 0 } });
  });

  it('rewrite the authority as the rewrite says, before the header', () => {
    const [route] = routesOf(
      '{ hosts: [web], http: [{ route: [{ destination: { host: web } }], rewrite: { authority: a.example }, headers: { request: { set: { ":authority": b.example } } } }] }',
    );
    expect(route?.action).toMatchObject({ value: { hostRewriteSpecifier: { value: 'a.example' } } });
  });

  it('to an ExternalName Service lead to the host that it stands for', () => {
    const { routes } = of(
      service('web') +
        core('Service', 'alias', '{ type: ExternalName, externalName: web.default.svc.cluster.local, ports: [{ name: http, port: 80 }] }') +
        doc('VirtualService', 'web', '{ hosts: [web], http: [{ route: [{ destination: { host: alias } }] }] }'),
    );
    expect(routes('80')?.virtualHosts[0]?.routes[0]?.action).toMatchObject({
      value: { clusterSpecifier: { value: 'outbound|80||web.default.svc.cluster.local' } },
    });
  });

  it.each([
    ['of the namespace that the root asks for', '{ sourceNamespace: default }', '{ sourceNamespace: default }', true],
    ['of no namespace, which is not inside of one', '{ sourceNamespace: default }', '{}', false],
    ['with an empty text, which is inside of nothing', '{ method: { exact: "" } }', '{ method: { exact: GET } }', false],
    ['with a prefix of the root', '{ uri: { prefix: /a } }', '{ uri: { prefix: /a/b } }', true],
  ])('of a delegate are taken for a match %s', (_what, root, leaf, taken) => {
    const { routes } = of(
      service('web') +
        doc('VirtualService', 'web', `{ hosts: [web], http: [{ match: [${root}], delegate: { name: leaf } }] }`) +
        doc('VirtualService', 'leaf', `{ http: [{ match: [${leaf}], route: [{ destination: { host: other } }] }] }`),
    );
    expect(JSON.stringify(routes('80')).includes('other.default')).toBe(taken);
  });

  it('of an ExternalName Service are those of the service that it stands for, where no other is called so', () => {
    const alias = core('Service', 'old', '{ type: ExternalName, externalName: web.default.svc.cluster.local }');
    const taken = entry('a', '{ hosts: [old.default.svc.cluster.local], ports: [{ number: 81, name: http, protocol: HTTP }] }');
    const domains = (yaml: string): string[] =>
      of(yaml)
        .routes('80')!
        .virtualHosts.find(({ name }) => name.startsWith('web.'))!.domains;
    expect(domains(service('web') + alias)).toContain('old.default.svc.cluster.local');
    // On another port it is no other.
    expect(domains(service('web') + alias + taken)).toContain('old.default.svc.cluster.local');
  });

  it('of a gateway lead to the only port of a service, also when that is for UDP', () => {
    const { routes } = of(
      core('Service', 'dns', '{ clusterIP: 10.96.0.9, ports: [{ name: dns, port: 53, protocol: UDP }] }') +
        doc(
          'Gateway',
          'gw',
          '{ selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }',
        ) +
        doc('VirtualService', 'dns', '{ hosts: ["*"], gateways: [gw], http: [{ route: [{ destination: { host: dns } }] }] }'),
      ROUTER,
    );
    expect(JSON.stringify(routes('http.80'))).toContain('outbound|53||dns.default.svc.cluster.local');
  });

  it('of a gateway hold no server that redirects a host which another one has', () => {
    const server = (host: string): string =>
      `{ port: { number: 80, name: http, protocol: HTTP }, hosts: [${host}], tls: { httpsRedirect: true } }`;
    const named = (name: string, host: string): string =>
      doc('Gateway', name, `{ selector: { istio: ingressgateway }, servers: [${server(host)}] }`);
    const { routes } = of(
      named('a', 'shop.example') +
        named('b', 'shop.example') +
        doc('VirtualService', 'v', '{ hosts: ["*"], gateways: [b], http: [{ route: [{ destination: { host: dns } }] }] }'),
      ROUTER,
    );
    expect(routes('http.80')?.virtualHosts.map(({ domains, routes: own }) => [domains, own.length])).toEqual([[['shop.example'], 0]]);
  });

  it('of a delegate are for the gateways that the root means by their short names', () => {
    const { routes } = of(
      doc(
        'Gateway',
        'gw',
        '{ selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }',
      ) +
        doc(
          'VirtualService',
          'root',
          '{ hosts: [a.example], gateways: [gw], http: [{ match: [{ uri: { prefix: /a }, gateways: [gw] }], delegate: { name: leaf, namespace: shop } }] }',
        ) +
        doc('VirtualService', 'leaf', '{ http: [{ route: [{ destination: { host: web } }] }] }', 'shop'),
      ROUTER,
    );
    expect(routes('http.80')?.virtualHosts.flatMap((host) => host.routes.map(({ match }) => match?.pathSpecifier?.value))).toEqual(['/a']);
  });

  it('give the names of an ExternalName Service to the first rule that has them', () => {
    const rule = (name: string, host: string): string =>
      doc('VirtualService', name, `{ hosts: [${host}], http: [{ route: [{ destination: { host: ${name} } }] }] }`);
    const services =
      core('Service', 'real', '{ clusterIP: 10.96.0.9, ports: [{ name: http, port: 80 }] }') +
      core('Service', 'alias', '{ type: ExternalName, externalName: real.default.svc.cluster.local, ports: [{ name: http, port: 80 }] }');
    const hostsOf = (yaml: string): string[] =>
      of(services + yaml)
        .routes('80')!
        .virtualHosts.filter(({ domains }) => domains.includes('alias.default.svc.cluster.local'))
        .map(({ name }) => name);
    expect(hostsOf(rule('a', 'alias') + rule('b', 'real'))).toEqual(['alias.default.svc.cluster.local:80']);
    expect(hostsOf(rule('a', 'real') + rule('b', 'alias'))).toEqual(['real.default.svc.cluster.local:80']);
  });

  it('of a gateway put what takes everything last, whichever VirtualService it comes from', () => {
    const rule = (name: string, match: string): string =>
      doc(
        'VirtualService',
        name,
        `{ hosts: [a.example], gateways: [istio-system/gw], http: [{ ${match} route: [{ destination: { host: ${name} } }] }] }`,
      );
    const { routes } = of(
      doc(
        'Gateway',
        'gw',
        '{ selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }',
        'istio-system',
      ) +
        rule('a', '') +
        rule('b', 'match: [{ uri: { prefix: /b } }],'),
      ROUTER,
    );
    expect(routes('http.80')?.virtualHosts[0]?.routes.map(({ match }) => match?.pathSpecifier?.value)).toEqual(['/b', '/']);
  });
});

describe('listeners', () => {
  it('of a port that two ServiceEntries of one host name speak as the one does whose endpoint is here', () => {
    const { listener } = of(
      entry('a', '{ hosts: [db.example], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS }') +
        entry(
          'b',
          '{ hosts: [db.example], ports: [{ number: 443, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }] }',
        ),
      sidecar('web-1', 'default', { INSTANCE_IPS: '10.0.0.9' }),
    );
    const filters = listener('virtualInbound')
      ?.filterChains.filter(({ filterChainMatch: match }) => match?.destinationPort === 443)
      .map(({ filters: [first] }) => first?.name);
    expect(new Set(filters)).toEqual(new Set(['envoy.filters.network.http_connection_manager']));
  });

  it('carry bytes as the tcp routes of a VirtualService say', () => {
    const { listener } = of(
      core('Service', 'db', '{ clusterIP: 10.96.0.9, ports: [{ name: tcp, port: 6000 }] }') +
        doc('VirtualService', 'db', '{ hosts: [db], tcp: [{ route: [{ destination: { host: other, port: { number: 7000 } } }] }] }'),
    );
    expect(JSON.stringify(listener('10.96.0.9_6000')?.filterChains[0]?.metadata)).toContain('virtual-service/db');
  });

  it('of a ServiceEntry are one for each address, and a chain for each range; a range of one address is that address', () => {
    const { listener } = of(
      entry(
        'a',
        '{ hosts: [git.example], addresses: [10.1.0.0/16, 10.2.0.9/32, 10.3.0.0/16], ports: [{ number: 22, name: tcp, protocol: TCP }] }',
      ),
    );
    const ranges = listener('0.0.0.0_22')?.filterChains.map(({ filterChainMatch: match }) =>
      match?.prefixRanges.map((range) => range.addressPrefix),
    );
    expect(ranges).toEqual([['10.1.0.0'], ['10.3.0.0']]);
    expect(listener('10.2.0.9_22')).toBeDefined();
  });

  it('of tls routes keep the subnets of a match for the later ones that name none', () => {
    const tls = `[
      { match: [{ sniHosts: [a.db.example], destinationSubnets: [10.1.0.0/16] }], route: [{ destination: { host: db.example } }] },
      { match: [{ sniHosts: [b.db.example] }], route: [{ destination: { host: db.example } }] }
    ]`;
    const { listener } = of(
      entry('a', '{ hosts: [db.example], addresses: [240.0.0.9], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS }') +
        doc('VirtualService', 'a', `{ hosts: ['*.example'], tls: ${tls} }`),
    );
    expect(
      listener('240.0.0.9_443')?.filterChains.map(({ filterChainMatch: match }) => [
        match?.serverNames,
        match?.prefixRanges.map(({ addressPrefix }) => addressPrefix),
      ]),
    ).toEqual([
      [['a.db.example'], ['10.1.0.0']],
      [['b.db.example'], ['10.1.0.0']],
    ]);
  });

  it('of a Sidecar with captureMode NONE are opened by an Envoy, and not by a process of ours', () => {
    const yaml =
      service('web') +
      doc(
        'Sidecar',
        'web',
        '{ workloadSelector: { labels: { app: web } }, ingress: [{ port: { number: 9000, protocol: HTTP, name: http }, bind: 10.0.0.9, captureMode: NONE }] }',
      );
    const receivers = (metadata: Record<string, unknown>): (number | undefined)[] => {
      const { listener } = of(yaml, sidecar('web-1', 'default', { LABELS: { app: 'web' }, ...metadata }));
      return [listener('10.0.0.9_9000'), listener('virtualInbound')].map(
        (found) => found?.filterChains.filter(({ name }) => name === '10.0.0.9_9000').length,
      );
    };
    expect(receivers({})).toEqual([2, 0]);
    expect(receivers({ RIPSTOP_VERSION: '1.0.0' })).toEqual([undefined, 2]);
  });

  it('of a port with HTTP and TLS services tell both by the first bytes', () => {
    const { listener } = of(
      entry('a', '{ hosts: [a.example], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS }') +
        entry('b', '{ hosts: [b.example], ports: [{ number: 443, name: http, protocol: HTTP }], resolution: DNS }'),
    );
    expect(
      listener('0.0.0.0_443')?.filterChains.map(({ filterChainMatch: match }) => match?.serverNames[0] ?? match?.applicationProtocols[0]),
    ).toEqual(['a.example', 'http/1.1']);
  });

  it('wait for the first bytes as MeshConfig says, where they are looked at', () => {
    const { listener } = of(
      core('Service', 'db', '{ clusterIP: 10.96.0.9, ports: [{ name: tcp, port: 6000 }, { name: auto, port: 6001 }] }'),
      sidecar(),
      { protocolDetectionTimeout: '5s' },
    );
    const seconds = ['10.96.0.9_6000', '10.96.0.9_6001', 'virtualInbound'].map((name) => listener(name)?.listenerFiltersTimeout?.seconds);
    expect(seconds).toEqual([0, 5, 5]);
  });

  it('log connections that no chain takes, unless MeshConfig says no', () => {
    const logs = (mesh: object): number | undefined =>
      of('', sidecar(), { accessLogFile: '/dev/stdout', ...mesh }).listener('virtualInbound')?.accessLog.length;
    expect([logs({}), logs({ disableEnvoyListenerLog: true })]).toEqual([1, 0]);
  });

  it('of a server have a mode of its own for a port that only the policy names', () => {
    const { listener } = of(
      service('web') +
        security(
          'PeerAuthentication',
          'web',
          '{ selector: { matchLabels: { app: web } }, mtls: { mode: STRICT }, portLevelMtls: { "9999": { mode: DISABLE } } }',
        ),
      sidecar('web-1', 'default', { LABELS: { app: 'web' } }),
    );
    const own = listener('virtualInbound')?.filterChains.filter(({ filterChainMatch: match }) => match?.destinationPort === 9999) ?? [];
    expect(own.map(({ filterChainMatch: match }) => match?.transportProtocol)).toEqual(['raw_buffer', 'raw_buffer']);
  });
});
