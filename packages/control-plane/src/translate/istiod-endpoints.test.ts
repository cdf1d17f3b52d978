import { type ClusterLoadAssignment, HealthStatus } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { service } from '../testing/mesh.ts';
import { core, doc, entry, ROUTER, toldOf } from '../testing/told.ts';

/* Rules that random meshes told apart from istiod's (test/interop/istiod-meshes.test.ts), each by the smallest mesh that shows it. */

const addresses = (assignment: ClusterLoadAssignment | undefined): unknown[] =>
  (assignment?.endpoints ?? []).flatMap(({ lbEndpoints }) =>
    lbEndpoints.map(({ hostIdentifier }) => {
      const socket = hostIdentifier?.$case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
      return socket?.$case === 'socketAddress' ? socket.value.address : undefined;
    }),
  );

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
    const { endpoints } = toldOf(
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
    const { endpoints } = toldOf(service('web') + pod.replace('metadata: {', 'metadata: { labels: { app: web },'));
    expect(addresses(endpoints('outbound|80||web.default.svc.cluster.local'))).toEqual(expected);
  });

  it('of a ServiceEntry outside the mesh are marked as well; whether clients try is up to the cluster', () => {
    const { endpoints } = toldOf(
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
    const { endpoints } = toldOf(yaml);
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
    const found = toldOf(slice + db + named).endpoints('outbound|6000||db.default.svc.cluster.local');
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
    expect(addresses(toldOf(port(target) + doc('WorkloadEntry', 'vm', spec)).endpoints(web))).toEqual(expected);
  });

  it('has two groups for one place that is written in two ways', () => {
    const { endpoints } = toldOf(
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
    expect(addresses(toldOf(entry('a', static_) + named('http')).endpoints('outbound|80||db.example'))).toEqual(['10.1.0.1', '10.1.0.2']);
    expect(addresses(toldOf(entry('a', static_) + named('other')).endpoints('outbound|80||db.example'))).toEqual(['10.1.0.1']);
  });

  it('do not give names to a cluster that takes addresses', () => {
    const dns = entry('b', `{ hosts: [db.example], ${http}, resolution: DNS, endpoints: [{ address: a.example }] }`);
    expect(addresses(toldOf(entry('a', static_) + dns).endpoints('outbound|80||db.example'))).toEqual(['10.1.0.1']);
  });

  it.each([
    ['neither says to whom it is exported', '', '', true],
    ['one says it, though it means the same', '', ', exportTo: ["*"]', false],
  ])('are one service when %s', (_what, first, second, joined) => {
    const yaml =
      entry('a', `{ hosts: [db.example], ${http}${first} }`) +
      entry('b', `{ hosts: [db.example], ports: [{ number: 81, name: b, protocol: HTTP }]${second} }`);
    expect(toldOf(yaml, ROUTER).clusterNames.includes('outbound|81||db.example')).toBe(joined);
  });
});

describe('endpoints of a slice', () => {
  const pod = (
    name: string,
    ip: string,
    more: { readonly labels?: string; readonly ready?: string; readonly meta?: string; readonly phase?: string } = {},
  ): string =>
    `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: default, labels: { app: web${more.labels ?? ''} }${more.meta ?? ''} }
spec: { serviceAccountName: ${name}, nodeName: node-a, containers: [] }
status: { podIP: ${ip}, phase: ${more.phase ?? 'Running'}, conditions: [{ type: Ready, status: "${more.ready ?? 'True'}" }] }
`;
  const slice = (name: string, ...endpoints: readonly string[]): string => `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}, namespace: default, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints: [${endpoints.map((text) => `{ ${text} }`).join(', ')}]
`;
  const NODE = `---
apiVersion: v1
kind: Node
metadata: { name: node-a, labels: { topology.kubernetes.io/region: eu } }
`;
  const of = (name: string): string => `targetRef: { kind: Pod, name: ${name}, namespace: default }`;
  const told = (yaml: string): ClusterLoadAssignment | undefined =>
    toldOf(service('web') + NODE + yaml).endpoints('outbound|80||web.default.svc.cluster.local');
  /** Each address with the workload and the region that it is of. */
  const found = (yaml: string): string[] =>
    (told(yaml)?.endpoints ?? []).flatMap(({ locality, lbEndpoints }) =>
      lbEndpoints.map((member) => {
        const [address] = addresses({ endpoints: [{ lbEndpoints: [member] }] } as unknown as ClusterLoadAssignment);
        const { istio } = member.metadata?.filterMetadata ?? {};
        return `${address} ${(istio as { workload: string }).workload.split(';')[0]} ${locality?.region ?? ''}`.trimEnd();
      }),
    );

  it('are those of the pod that it names, and where nobody is named of the one with that address', () => {
    const pods = pod('a', '10.0.0.7') + pod('b', '10.0.0.8');
    expect(found(pods + slice('s', `addresses: [10.0.0.7], ${of('a')}`, 'addresses: [10.0.0.8]', 'addresses: [10.0.0.9]'))).toEqual([
      '10.0.0.9',
      '10.0.0.7 a eu',
      '10.0.0.8 b eu',
    ]);
  });

  it.each([
    ['is not ready', { ready: 'False' }],
    ['leaves', { meta: ', deletionTimestamp: "2026-01-01T00:00:00Z"' }],
    ['has ended', { phase: 'Failed' }],
  ])('are not those of a pod with that address that %s', (_what, more) => {
    expect(found(pod('a', '10.0.0.7') + pod('b', '10.0.0.8', more) + slice('s', 'addresses: [10.0.0.8]'))).toEqual(['10.0.0.8']);
  });

  it('are left out where it names a pod that is not there, unless there are no pods at all', () => {
    const gone = slice('s', `addresses: [10.0.0.8], ${of('b')}`);
    expect(found(pod('a', '10.0.0.7') + gone)).toEqual([]);
    expect(found(gone)).toEqual(['10.0.0.8 web']);
  });

  it('are as the slice says, though the Service publishes those that are not ready; without a slice the Service decides', () => {
    const publishing = service('web').replace('spec: {', 'spec: { publishNotReadyAddresses: true,');
    const health = (yaml: string): unknown[] =>
      (toldOf(publishing + NODE + yaml).endpoints('outbound|80||web.default.svc.cluster.local')?.endpoints ?? []).flatMap(
        ({ lbEndpoints }) => lbEndpoints.map(({ healthStatus }) => healthStatus),
      );
    const unready = pod('a', '10.0.0.7', { ready: 'False' });
    const { HEALTHY, UNHEALTHY } = HealthStatus;
    const conditions = 'conditions: { ready: false, serving: false, terminating: false }';
    expect(health(unready + slice('s', `addresses: [10.0.0.7], ${of('a')}, ${conditions}`))).toEqual([UNHEALTHY]);
    expect(health(unready)).toEqual([HEALTHY]);
  });

  it('are there once, though an address moves from one slice to another', () => {
    expect(found(slice('s', 'addresses: [10.0.0.8]') + slice('t', 'addresses: [10.0.0.8]', 'addresses: [10.0.0.9]'))).toEqual([
      '10.0.0.8 web',
      '10.0.0.9 web',
    ]);
  });

  it('are where the pod says that it is, before its Node does', () => {
    expect(found(pod('a', '10.0.0.7', { labels: ', istio-locality: us.east' }) + slice('s', `addresses: [10.0.0.7], ${of('a')}`))).toEqual([
      '10.0.0.7 a us',
    ]);
  });
});
