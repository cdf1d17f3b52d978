import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { TestMesh } from '../mesh/test-mesh.ts';
import { Upstreams } from '../mesh/upstream.ts';
import { documents, service, subsets, workloadEntry } from '../mesh/yaml.ts';
import { envoyClient } from '../runners/envoy-client.ts';
import { sdkClient } from '../runners/sdk-client.ts';
import { compare, compareByStatus } from './compare.ts';
import { unmet } from './meets.ts';
import type { MeshClient, Observation } from './observation.ts';
import type { Row, Table } from './row.ts';

const WORKLOADS = [
  { name: 'echo-v1', app: 'echo', version: 'v1' },
  { name: 'echo-v2', app: 'echo', version: 'v2' },
  { name: 'other-v1', app: 'other', version: 'v1' },
] as const;

/** One test per row: Envoy does what the YAML means, and the SDK does what Envoy does. */
export function runTable({ name, yaml, rows, findings }: Table): void {
  const { envoy } = inject('peers');
  if ('missing' in envoy) console.log(`skipped: ${name}: no Envoy: ${envoy.missing}`);
  describe.skipIf('missing' in envoy)(name, () => {
    const parts = new AsyncDisposableStack();
    let upstreams: Upstreams;
    let clients: { readonly envoy: MeshClient; readonly sdk: MeshClient };

    beforeAll(async () => {
      if ('missing' in envoy) return;
      upstreams = parts.use(await Upstreams.start(WORKLOADS.map((workload) => workload.name)));
      const mesh = parts.use(await TestMesh.start(meshYaml(yaml, upstreams), findings));
      clients = { envoy: parts.use(await envoyClient(envoy.path, mesh)), sdk: parts.use(await sdkClient(mesh)) };
      await mesh.synced();
    });
    afterAll(() => parts.disposeAsync());

    for (const row of rows) {
      it(row.name, async () => {
        const byEnvoy = await observe(clients.envoy, upstreams, row);
        expect(unmet(row.expect, byEnvoy), 'Envoy, by the YAML').toEqual([]);
        const bySdk = await observe(clients.sdk, upstreams, row);
        const byChance = row.expect.shares !== undefined;
        const lines = byChance ? [] : row.times === undefined ? compare(byEnvoy, bySdk) : compareByStatus(byEnvoy, bySdk);
        expect(lines, row.differs?.because ?? 'the SDK, by Envoy').toEqual(row.differs?.lines ?? []);
        if (row.differs === undefined) expect(unmet(row.expect, bySdk), 'the SDK, by the YAML').toEqual([]);
      });
    }
  });
}

function meshYaml(yaml: string, upstreams: Upstreams): string {
  return documents(
    service('echo'),
    service('other'),
    subsets('echo', ['v1', 'v2']),
    ...WORKLOADS.map((workload) => workloadEntry({ ...workload, port: upstreams.port(workload.name) })),
    yaml,
  );
}

async function observe(
  client: MeshClient,
  upstreams: Upstreams,
  { call, times = 1, concurrently = false, upstream }: Row,
): Promise<Observation> {
  upstreams.play(upstream);
  const calls = Array.from({ length: times }, () => call);
  const replies = concurrently ? await Promise.all(calls.map((each) => client.call(each))) : [];
  if (!concurrently) for (const each of calls) replies.push(await client.call(each));
  return { replies, requests: upstreams.requests };
}
