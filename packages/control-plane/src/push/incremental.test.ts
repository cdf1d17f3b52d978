import { parseDocuments } from '@ripstop/istio-api';
import { ENDPOINT_TYPE_URL, EXTENSION_TYPE_URL, SECRET_TYPE_URL } from '@ripstop/xds-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeResources } from '../ads/encoded-resource.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { grpcNode } from '../testing/grpc-node.ts';
import { sidecar } from '../testing/mesh.ts';
import { drawing, RandomMesh } from '../testing/random-mesh.ts';
import { resourcesOfNode } from '../translate/node-resources.ts';
import { PushContext } from './push-context.ts';

const NODES: readonly ProxyNode[] = [
  sidecar('a-0', 'default', { LABELS: { app: 'a', version: 'v1' } }),
  sidecar('b-0', 'default', { LABELS: { app: 'b' }, RIPSTOP_VERSION: '1' }),
  sidecar('pod-c', 'shop', { LABELS: { app: 'c', version: 'v2' } }),
  sidecar('d-0', 'istio-system', { LABELS: { app: 'd' } }),
  {
    ...proxyNodeOf({ id: 'router~10.0.0.9~gate-1.istio-system~istio-system.svc.cluster.local', metadata: { LABELS: { app: 'gate' } } }),
    verified: true,
  },
  grpcNode('gRPC Go'),
  sidecar('vm-1', 'default', { LABELS: { app: 'a' }, AUTO_REGISTER_GROUP: 'vms', CLUSTER_ID: 'other' }),
];

/** Asked of every node beside what its own resources name. */
const ALWAYS: readonly (readonly [typeUrl: string, names: readonly string[]])[] = [
  [EXTENSION_TYPE_URL, ['extension']],
  [SECRET_TYPE_URL, ['kubernetes://cert-cacert', 'kubernetes://other-cacert', 'ROOTCA']],
];

/** Type and name → version of everything that a node has. */
function versions(node: ProxyNode, push: PushContext, names: ReadonlyMap<string, readonly string[]>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [typeUrl, asked] of names)
    for (const { name, version } of encodeResources(typeUrl, node, push, asked)) found[`${typeUrl.split('.').at(-1)} ${name}`] = version;
  return found;
}

/** What a client of these resources asks for, by type. */
function namesOf(node: ProxyNode, push: PushContext): Map<string, readonly string[]> {
  const { clusters, endpoints, listeners, routes } = resourcesOfNode(node, push);
  return new Map([
    ...ALWAYS,
    ...[clusters, endpoints, listeners, routes]
      .filter(([first]) => first !== undefined)
      .map((list): readonly [string, readonly string[]] => [list[0]!.typeUrl, list.map(({ name }) => name)]),
  ]);
}

describe('a push made of the one before', () => {
  it('is what it would be from scratch, for every node, after any sequence of changes', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 12 }), (seed, steps) => {
        const draw = drawing(seed);
        const mesh = new RandomMesh(draw);
        let push = new PushContext(mesh.input);
        const history: string[] = [];
        for (let step = 0; step < steps; step++) {
          for (let more = 1 + draw(3); more > 0; more--) history.push(mesh.change());
          push = new PushContext(mesh.input, push);
          const fresh = new PushContext(mesh.input);
          for (const node of NODES) {
            const names = namesOf(node, fresh);
            expect(versions(node, push.tracked, names), `${node.id} after:\n${history.join('\n')}`).toEqual(versions(node, fresh, names));
          }
        }
      }),
      { numRuns: Number(process.env.RIPSTOP_FUZZ_RUNS ?? 25) },
    );
  });

  it('is so, too, while push after push changes where services run and now and then something else', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawing(seed);
        const mesh = new RandomMesh(draw);
        for (let more = 20; more > 0; more--) mesh.change();
        let push = new PushContext(mesh.input);
        const history: string[] = [];
        for (let step = 0; step < 40; step++) {
          history.push(draw(12) === 0 ? mesh.change() : mesh.changeEndpoints());
          push = new PushContext(mesh.input, push);
          // Not everybody asks each time.
          const asking = NODES.filter(() => draw(3) === 0);
          const fresh = new PushContext(mesh.input);
          for (const node of asking) {
            const names = namesOf(node, fresh);
            expect(versions(node, push.tracked, names), `${node.id} after:\n${history.join('\n')}`).toEqual(versions(node, fresh, names));
          }
        }
      }),
      { numRuns: Number(process.env.RIPSTOP_FUZZ_RUNS ?? 8) },
    );
  });

  it('knows the new endpoints of a Service that a ServiceEntry names', () => {
    const read = (yaml: string, file: string) => parseDocuments(yaml, { file }).objects;
    const rest = read(
      `apiVersion: v1
kind: Service
metadata: { name: db, namespace: default, annotations: { networking.istio.io/exportTo: "~" } }
spec: { ports: [{ name: tcp, port: 6000 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db, namespace: default }
spec: { hosts: [db.default.svc.cluster.local], ports: [{ number: 6000, name: tcp, protocol: TCP }], resolution: STATIC }
`,
      'db.yaml',
    );
    const slice = (address: string) =>
      read(
        `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: db-1, namespace: default, labels: { kubernetes.io/service-name: db } }
ports: [{ name: tcp, port: 6000 }]
endpoints: [{ addresses: [${address}] }]
`,
        'slice.yaml',
      );
    const asked = new Map([[ENDPOINT_TYPE_URL, ['outbound|6000||db.default.svc.cluster.local']]]);
    const first = new PushContext({ objects: [...rest, ...slice('10.0.0.1')], workloads: [] });
    const before = versions(NODES[0]!, first.tracked, asked);
    const input = { objects: [...rest, ...slice('10.0.0.2')], workloads: [] };
    const after = versions(NODES[0]!, new PushContext(input, first).tracked, asked);
    expect(after).toEqual(versions(NODES[0]!, new PushContext(input), asked));
    expect(after).not.toEqual(before);
  });
});
