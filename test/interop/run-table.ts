import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { baseMesh, UPSTREAMS } from '../simulation/base-mesh.ts';
import { compare, compareByStatus } from '../simulation/compare.ts';
import { unmet } from '../simulation/meets.ts';
import { Upstreams } from '../simulation/mesh/upstreams.ts';
import type { Pair } from '../simulation/observation.ts';
import { observe } from '../simulation/observe.ts';
import type { Table } from '../simulation/row.ts';
import { PodPort } from './envoy/pod-port.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import type { Runner } from './runners/context.ts';
import { gateways } from './runners/gateways.ts';
import { servers } from './runners/servers.ts';
import { sidecars } from './runners/sidecars.ts';
import { until } from './until.ts';

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
      upstreams = parts.use(await Upstreams.start(UPSTREAMS));
      const pod = parts.use(await PodPort.open());
      const mesh = parts.use(await TestMesh.start(baseMesh(yaml, { port: (name) => upstreams.port(name), podPort: pod.port }), findings));
      pair = await RUNNERS[place]({ envoy: envoy.path, mesh, upstreams, pod, parts });
      await mesh.synced();
    });
    afterAll(() => parts.disposeAsync());

    for (const row of rows) {
      it(row.name, async () => {
        const byEnvoy = await observe(pair.envoy, upstreams, row, arrived);
        expect(unmet(row.expect, byEnvoy), 'Envoy, by the YAML').toEqual([]);
        const bySdk = await observe(pair.sdk, upstreams, row, arrived);
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

const arrived = async (upstreams: Upstreams, count: number): Promise<void> => {
  await until(`${count} requests at the upstreams`, () => upstreams.requests.length >= count);
};
