import type { EventEmitter } from 'node:events';
import type { Server } from 'node:net';
import { createGateway } from '@ripstop/gateway';
import { createMesh } from '@ripstop/node';
import { createVirtualMesh, type VirtualMesh } from '@ripstop/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UPSTREAMS } from '../base-mesh.ts';
import { peer } from '../in-memory/places.ts';
import { unmet } from '../meets.ts';
import { oddUpstreams } from '../mesh/odd-upstreams.ts';
import { Upstreams } from '../mesh/upstreams.ts';
import type { Caller } from '../observation.ts';
import { observe } from '../observe.ts';
import { accountsOf } from './accounts.ts';
import { staticSource } from './static-config.ts';
import type { XdsTable } from './xds-table.ts';

const FIRST_PORT = 20_000;
const FIRST_ODD_PORT = 21_000;
const PORT = 80;
const HOST = '127.0.0.1';

/** One test per row: our gateway does what the row says, in memory and in virtual time. */
export function runInMemory({ name, config, rows }: XdsTable): void {
  describe(name, () => {
    const parts = new AsyncDisposableStack();
    let upstreams: Upstreams;
    let caller: Caller;

    beforeAll(async () => {
      const mesh = parts.use(await createVirtualMesh({ yaml: '' }));
      upstreams = parts.use(await virtualUpstreams(mesh));
      const odd = oddUpstreams();
      const names = Object.keys(odd);
      for (const [at, server] of Object.values(odd).entries())
        await mesh.network.listen(server as EventEmitter, { host: HOST, port: FIRST_ODD_PORT + at });
      const port = (upstream: string): number =>
        names.includes(upstream) ? FIRST_ODD_PORT + names.indexOf(upstream) : upstreams.port(upstream);
      const source = staticSource(config(port), PORT);
      const edge = createMesh(
        { service: 'edge', namespace: 'default', role: 'router', admin: 'off', bind: HOST },
        { ...mesh.environment, configSource: () => source },
      );
      const accounts = accountsOf(edge);
      const gateway = createGateway({ mesh: edge, ports: { [PORT]: 0 } });
      parts.defer(() => mesh.until(gateway.close({ drainMs: 0 })));
      await gateway.start();
      const { port: open } = gateway.addresses()[0]!;
      const { call } = peer(mesh, () => mesh.network.connect({ host: HOST, port: open }, '127.0.0.2'));
      caller = { call, account: async () => accounts.at(-1) ?? 'none' };
    });
    afterAll(() => parts.disposeAsync());

    for (const row of rows) {
      it(row.name, async () => {
        const observed = await observe(caller, upstreams, row, nothingLater);
        if (row.stricter !== undefined) expect(unmet({ status: row.stricter.status, to: [] }, observed)).toEqual([]);
        else if (row.differs === undefined) expect(unmet(row.expect, observed), 'the SDK, by the row').toEqual([]);
        // How it differs is a comparison with Envoy: `npm run test:interop`. Here every call has to come to an end.
        else expect(observed.replies).toHaveLength(row.times ?? 1);
      });
    }
  });
}

async function virtualUpstreams({ network, clock }: VirtualMesh): Promise<Upstreams> {
  let next = FIRST_PORT;
  const listen = async (server: Server): Promise<number> => (await network.listen(server, { host: HOST, port: next++ })).port;
  return Upstreams.start(UPSTREAMS, { listen, sleep: (ms) => new Promise((resolve) => void clock.setTimer(resolve, ms)) });
}

const nothingLater = (): Promise<void> => Promise.reject(new Error('tables of xDS text have no mirrors'));
