import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { compare, compareByStatus } from '../simulation/compare.ts';
import { unmet } from '../simulation/meets.ts';
import type { Caller, Observation, Pair } from '../simulation/observation.ts';
import type { Row, Table } from '../simulation/row.ts';
import { PodPort } from './envoy/pod-port.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { Upstreams } from './mesh/upstream.ts';
import { documents, service, subsets, workloadEntry } from './mesh/yaml.ts';
import type { Runner } from './runners/context.ts';
import { gateways } from './runners/gateways.ts';
import { servers } from './runners/servers.ts';
import { sidecars } from './runners/sidecars.ts';
import { until } from './until.ts';

const WORKLOADS = [
  { name: 'echo-v1', app: 'echo', version: 'v1' },
  { name: 'echo-v2', app: 'echo', version: 'v2' },
  { name: 'other-v1', app: 'other', version: 'v1' },
] as const;

const RUNNERS: Readonly<Record<Table['place'], Runner>> = { sidecar: sidecars, gateway: gateways, server: servers };

/** One test per row: Envoy does what the YAML means, and the SDK does what Envoy does. */
export function runTable({ name, place, yaml, rows, findings }: Table): void {
  const { envoy } = inject('peers');
  if ('missing' in envoy) console.log(`skipped: ${name}: no Envoy: ${envoy.missing}`);
  describe.skipIf('missing' in envoy)(name, () => {
    const parts = new AsyncDisposableStack();
    let upstreams: Upstreams;
    let pair: Pair;

    beforeAll(async () => {
      if ('missing' in envoy) return;
      upstreams = parts.use(await Upstreams.start([...WORKLOADS.map((workload) => workload.name), 'served-v1']));
      const pod = parts.use(await PodPort.open());
      const mesh = parts.use(await TestMesh.start(meshYaml(yaml, upstreams, pod), findings));
      pair = await RUNNERS[place]({ envoy: envoy.path, mesh, upstreams, pod, parts });
      await mesh.synced();
    });
    afterAll(() => parts.disposeAsync());

    for (const row of rows) {
      it(row.name, async () => {
        const byEnvoy = await observe(pair.envoy, upstreams, row);
        expect(unmet(row.expect, byEnvoy), 'Envoy, by the YAML').toEqual([]);
        const bySdk = await observe(pair.sdk, upstreams, row);
        if (row.stricter !== undefined) {
          const { because, status } = row.stricter;
          expect(unmet({ status, to: [] }, bySdk), `the SDK refuses: ${because}`).toEqual([]);
          return;
        }
        const byChance = row.expect.shares !== undefined;
        const lines = byChance ? [] : row.times === undefined ? compare(byEnvoy, bySdk, place) : compareByStatus(byEnvoy, bySdk, place);
        expect(lines, row.differs?.because ?? 'the SDK, by Envoy').toEqual(row.differs?.lines ?? []);
        if (row.differs === undefined) expect(unmet(row.expect, bySdk), 'the SDK, by the YAML').toEqual([]);
      });
    }
  });
}

/** What every table stands on: Services `echo` and `other` on port 80, and `served`, whose port is the pod's. */
function meshYaml(yaml: string, upstreams: Upstreams, pod: PodPort): string {
  return documents(
    service('echo'),
    service('other'),
    service('served', { targetPort: pod.port }),
    subsets('echo', ['v1', 'v2']),
    ...WORKLOADS.map((workload) => workloadEntry({ ...workload, port: upstreams.port(workload.name) })),
    yaml.replace(/\$\{port:([\w-]+)\}/g, (_, name: string) => String(upstreams.port(name))),
  );
}

async function observe(
  caller: Caller,
  upstreams: Upstreams,
  { call, times = 1, concurrently = false, upstream, arrives }: Row,
): Promise<Observation> {
  upstreams.play(upstream);
  const calls = Array.from({ length: times }, () => call);
  const replies = concurrently ? await Promise.all(calls.map((each) => caller.call(each))) : [];
  if (!concurrently) for (const each of calls) replies.push(await caller.call(each));
  if (arrives === undefined) return { replies, requests: upstreams.requests };
  await until(`${arrives} requests at the upstreams`, () => upstreams.requests.length >= arrives);
  return { replies, requests: [...upstreams.requests].sort((one, other) => (one.workload < other.workload ? -1 : 1)) };
}
