import { describe, expect, inject, it } from 'vitest';
import { GATEWAY_MEMBER, GatewayWorld } from '../security/corpus/gateway.ts';
import { HOPS, PROXIED } from '../security/corpus/gateway-rows.ts';
import { sendBytes } from '../security/corpus/run.ts';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: x-forwarded-for at a gateway beside an Envoy: ${envoy.missing}`);

/* What the corpus expects of our gateways is what an Envoy does. */
describe.skipIf('missing' in envoy)('x-forwarded-for at an Envoy', () => {
  it.each(HOPS.flatMap((hops) => [false, true].map((behindProxy) => [hops, behindProxy] as const)))(
    'behind %i trusted proxies, PROXY protocol %s',
    { timeout: 60_000 },
    async (hops, behindProxy) => {
      if ('missing' in envoy) return;
      await using world = await GatewayWorld.start(hops, behindProxy);
      const options = { ...GATEWAY_MEMBER, role: 'router', variant: 'delta', name: 'edge-envoy', joins: true } as const;
      await using peer = await MeshEnvoy.start(envoy.path, world.mesh, options);
      const port = await peer.process.listenerPort('0.0.0.0_8080');
      const first = behindProxy ? 'PROXY TCP4 8.8.8.8 10.0.0.9 4660 8080\r\n' : '';
      const ready = `${first}GET /open HTTP/1.1\r\nHost: shop.example.com\r\n\r\n`;
      await until('Envoy answers', async () => (await sendBytes(port, ready, undefined)).status === 200);
      const found: string[] = [];
      for (const proxied of PROXIED)
        if ((proxied !== '') === behindProxy)
          for await (const { name, where, finding } of world.run(port, hops, proxied, false))
            if (finding !== undefined) found.push(`${name.slice(0, 80)} [${where}]: ${finding.what}`);
      expect(found).toEqual([]);
    },
  );
});
