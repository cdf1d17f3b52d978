import type { Server } from 'node:http';
import { createVirtualMesh, type VirtualMesh } from '@ripstop/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { baseMesh, UPSTREAMS } from '../base-mesh.ts';
import { unmet } from '../meets.ts';
import { Upstreams } from '../mesh/upstreams.ts';
import type { Caller } from '../observation.ts';
import { observe } from '../observe.ts';
import type { Table } from '../row.ts';
import { PLACES } from './places.ts';

const POD_PORT = 20_080;
/** Of the upstream at place 0. */
const FIRST_PORT = 20_000;
/** A mirrored copy that does not come in this time does not come. */
const LATEST_MS = 10_000;

/** One test per row: the SDK does what the YAML means, in memory and in virtual time. */
export function runTable({ name, place, yaml, rows, findings }: Table): void {
  describe(name, () => {
    const parts = new AsyncDisposableStack();
    let mesh: VirtualMesh;
    let upstreams: Upstreams;
    let caller: Caller;

    beforeAll(async () => {
      const port = (upstream: string): number => FIRST_PORT + UPSTREAMS.indexOf(upstream);
      mesh = parts.use(
        await createVirtualMesh({ yaml: baseMesh(yaml, { port, podPort: POD_PORT }), ...(findings === undefined ? {} : { findings }) }),
      );
      let next = FIRST_PORT;
      const listen = async (server: Server): Promise<number> =>
        (await mesh.network.listen(server, { host: '127.0.0.1', port: next++ })).port;
      const sleep = (ms: number): Promise<void> => new Promise((resolve) => void mesh.clock.setTimer(resolve, ms));
      upstreams = parts.use(await Upstreams.start(UPSTREAMS, { listen, sleep }));
      caller = await PLACES[place]({ mesh, upstreams, podPort: POD_PORT, parts });
    });
    afterAll(() => parts.disposeAsync());

    const arrived = async ({ requests }: Upstreams, count: number): Promise<void> => {
      const end = mesh.clock.now() + LATEST_MS;
      while (requests.length < count && mesh.clock.now() < end) await mesh.pass(1);
    };

    for (const row of rows) {
      it(row.name, async () => {
        const observed = await observe(caller, upstreams, row, arrived);
        if (row.stricter !== undefined) {
          const { because, status } = row.stricter;
          expect(unmet({ status, to: [] }, observed), `the SDK refuses: ${because}`).toEqual([]);
        } else if (row.differs === undefined) expect(unmet(row.expect, observed), 'the SDK, by the YAML').toEqual([]);
        // How it differs is a comparison with Envoy: `npm run test:interop`. Here every call has to come to an end.
        else expect(observed.replies).toHaveLength(row.times ?? 1);
      });
    }
  });
}
