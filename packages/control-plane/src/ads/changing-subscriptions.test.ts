import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PushContext } from '../push/push-context.ts';
import { grpcNode } from '../testing/grpc-node.ts';
import { sidecar } from '../testing/mesh.ts';
import { drawing, RandomMesh } from '../testing/random-mesh.ts';
import { type Client, DeltaClient, type Names, type Options, SotwClient, TYPES } from '../testing/slow-client.ts';
import { encodeResources } from './encoded-resource.ts';

const HOSTS = ['a.default', 'b.default', 'c.shop', 'd.istio-system'].map((name) => `${name}.svc.cluster.local`);
const CLUSTERS = HOSTS.flatMap((host) => [80, 9000].map((port) => `outbound|${port}||${host}`));

const OF_SIDECARS: Names = {
  [CLUSTER_TYPE_URL]: CLUSTERS,
  [ENDPOINT_TYPE_URL]: CLUSTERS,
  [LISTENER_TYPE_URL]: ['virtualInbound', '0.0.0.0_80', '0.0.0.0_9000'],
  [ROUTE_TYPE_URL]: ['80', '9000', '443'],
};
const OF_GRPC: Names = {
  [CLUSTER_TYPE_URL]: CLUSTERS,
  [ENDPOINT_TYPE_URL]: CLUSTERS,
  [LISTENER_TYPE_URL]: HOSTS.map((host) => `${host}:80`),
  [ROUTE_TYPE_URL]: CLUSTERS,
};

const KINDS: readonly [string, (options: Pick<Options, 'push' | 'draw'>) => Client][] = [
  ['delta, as a sidecar', (rest) => new DeltaClient({ ...rest, node: sidecar('a-0'), names: OF_SIDECARS, wildcard: true })],
  ['delta, by names', (rest) => new DeltaClient({ ...rest, node: sidecar('a-0'), names: OF_SIDECARS, wildcard: false })],
  ['state of the world, as a sidecar', (rest) => new SotwClient({ ...rest, node: sidecar('a-0'), names: OF_SIDECARS, wildcard: true })],
  [
    'state of the world, as a gRPC library',
    (rest) => new SotwClient({ ...rest, node: grpcNode('gRPC Go'), names: OF_GRPC, wildcard: false }),
  ],
];

describe('a client that changes what it asks for while the mesh changes', () => {
  it.each(KINDS)('has in the end what one has that has just come: %s', async (_name, connect) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 20, max: 200 }), async (seed, steps) => {
        const draw = drawing(seed);
        const mesh = new RandomMesh(draw);
        let push = new PushContext(mesh.input);
        const client = connect({ push, draw }).begin();
        const history: string[] = [];
        for (let step = 0; step < steps; step++) {
          if (draw(8) === 0) {
            // New clusters are what a push waits for.
            history.push(draw(3) > 0 ? mesh.changeService() : mesh.change());
            push = new PushContext(mesh.input, push);
            client.update(push);
          } else await client.step();
        }
        await client.settle();
        const fresh = new PushContext(mesh.input);
        const clusters = new Set(encodeResources(CLUSTER_TYPE_URL, client.node, fresh, CLUSTERS).map(({ name }) => name));
        for (const typeUrl of TYPES) {
          // The endpoints of a cluster that leaves stay: a client that has it no longer does not ask for them.
          const counts = (name: string): boolean => typeUrl !== ENDPOINT_TYPE_URL || clusters.has(name);
          const sorted = (map: Map<string, string>) => [...map].filter(([name]) => counts(name)).sort();
          expect(sorted(client.holds(typeUrl)), `${typeUrl}\n${history.join('\n')}`).toEqual(sorted(client.wanted(typeUrl, fresh)));
        }
      }),
      { numRuns: Number(process.env.RIPSTOP_FUZZ_RUNS ?? 40) },
    );
  });
});
