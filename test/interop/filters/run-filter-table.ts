import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { UPSTREAMS } from '../../simulation/base-mesh.ts';
import { compare } from '../../simulation/compare.ts';
import { unmet } from '../../simulation/meets.ts';
import { oddUpstreams } from '../../simulation/mesh/odd-upstreams.ts';
import { Upstreams } from '../../simulation/mesh/upstreams.ts';
import type { Pair } from '../../simulation/observation.ts';
import { observe } from '../../simulation/observe.ts';
import type { XdsTable } from '../../simulation/xds/xds-table.ts';
import { startStaticPair } from './static-mesh.ts';

/** One test per row: Envoy does what the row says, and our gateway does what Envoy does. */
export function runFilterTable({ name, config, rows }: XdsTable): void {
  const { envoy } = inject('peers');
  if ('missing' in envoy) console.log(`skipped: ${name}: no Envoy: ${envoy.missing}`);
  describe.skipIf('missing' in envoy)(name, () => {
    const parts = new AsyncDisposableStack();
    let upstreams: Upstreams;
    let pair: Pair;
    beforeAll(async () => {
      if ('missing' in envoy) return;
      upstreams = parts.use(await Upstreams.start(UPSTREAMS));
      const odd = await listening(parts);
      pair = await startStaticPair(
        envoy.path,
        config((upstream) => odd.get(upstream) ?? upstreams.port(upstream)),
        parts,
      );
    });
    afterAll(() => parts.disposeAsync());

    for (const row of rows) {
      it(row.name, async () => {
        const byEnvoy = await observe(pair.envoy, upstreams, row, nothingLater);
        expect(unmet(row.expect, byEnvoy), 'Envoy, by the row').toEqual([]);
        const bySdk = await observe(pair.sdk, upstreams, row, nothingLater);
        const lines: string[] = [];
        for (const at of byEnvoy.replies.keys()) {
          const one = { replies: [byEnvoy.replies[at]!], requests: row.times === undefined ? byEnvoy.requests : [] };
          const other = { replies: [bySdk.replies[at]!], requests: row.times === undefined ? bySdk.requests : [] };
          lines.push(...compare(one, other, 'gateway').map((line) => (row.times === undefined ? line : `call ${at + 1}: ${line}`)));
        }
        expect(lines, row.differs?.because ?? 'the SDK, by Envoy').toEqual(row.differs?.lines ?? []);
        if (row.differs === undefined) expect(unmet(row.expect, bySdk), 'the SDK, by the row').toEqual([]);
      });
    }
  });
}

const nothingLater = (): Promise<void> => Promise.reject(new Error('rows of filters have no mirrors'));

/** Ports of the odd upstreams. */
async function listening(parts: AsyncDisposableStack): Promise<ReadonlyMap<string, number>> {
  const ports = new Map<string, number>();
  for (const [name, server] of Object.entries(oddUpstreams())) {
    const open = new Set<Socket>();
    server.on('connection', (socket: Socket) => open.add(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    parts.defer(() => {
      for (const socket of open) socket.destroy();
      server.close();
    });
    ports.set(name, (server.address() as AddressInfo).port);
  }
  return ports;
}
