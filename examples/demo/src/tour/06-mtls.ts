import { fetchHost, rawHttp, rawTls } from '../outside.ts';
import { check } from '../report.ts';
import { once, until } from '../traffic.ts';
import type { Step } from './step.ts';

const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: default }
spec:
  mtls: { mode: STRICT }
`;

const SPIFFE_ID = 'spiffe://cluster.local/ns/default/sa/productpage';

export const mutualTls: Step = {
  id: '6',
  title: 'mTLS without a code change: PERMISSIVE, then STRICT',
  async run(world) {
    const { address } = await world.instance('details-v1-1').ready;
    const plain = await once(() => fetchHost(`http://${address}/details/0`, 'details:9080'));
    const meshed = await once(() => world.productpage.fetch('http://details:9080/details/0'));
    await world.apply('strict.yaml', STRICT);
    await until(async () => (await rawHttp(address)) === 'closed', 2000);
    const refused = await rawHttp(address);
    const strict = await once(() => world.productpage.fetch('http://details:9080/details/0'));
    const san = await rawTls(address);
    await world.remove('strict.yaml');
    await until(async () => (await rawHttp(address)).startsWith('HTTP'), 2000);
    const callerOf = (body: string): string => (body.startsWith('{') ? (JSON.parse(body) as { caller: string }).caller : body);
    return [
      check(
        'PERMISSIVE: plaintext is served',
        plain.status === 200 && callerOf(plain.body) === 'plaintext',
        `${plain.status}, caller ${callerOf(plain.body)}`,
      ),
      check(
        `PERMISSIVE: mTLS on the same port, the handler sees ${SPIFFE_ID}`,
        meshed.status === 200 && callerOf(meshed.body) === SPIFFE_ID,
        `${meshed.status}, caller ${callerOf(meshed.body)}`,
      ),
      check('STRICT: plaintext is refused', refused === 'closed', refused),
      check(
        'STRICT: mTLS is served',
        strict.status === 200 && callerOf(strict.body) === SPIFFE_ID,
        `${strict.status}, caller ${callerOf(strict.body)}`,
      ),
      check(
        'a raw socket sees TLS with the SPIFFE id of details, not HTTP',
        san.includes('spiffe://cluster.local/ns/default/sa/details'),
        san,
      ),
    ];
  },
};
