import { LISTENER_TYPE_URL, type Listener } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { pushOf } from '../testing/mesh.ts';
import { gatewayPorts } from './gateway-servers.ts';
import { translate } from './translate.ts';

const ROUTER = proxyNodeOf({
  id: 'router~10.0.0.2~gw.istio-system~istio-system.svc.cluster.local',
  metadata: { NAMESPACE: 'istio-system', LABELS: { istio: 'ingressgateway' } },
});
const SIMPLE = 'tls: { mode: SIMPLE, credentialName: c }';

/** One Gateway whose servers are `<protocol> <host> <bind>`; TLS ones have a certificate. */
function gateway(...servers: string[]): string {
  const written = servers.map((text, index) => {
    const [protocol, host, bind] = text.split(' ');
    const number = bind?.startsWith('unix:') === true ? 0 : 8443;
    const tls = protocol === 'HTTPS' || protocol === 'TLS' ? `, ${SIMPLE}` : '';
    const at = bind === undefined ? '' : `, bind: "${bind}"`;
    return `{ port: { number: ${number}, name: p${index}, protocol: ${protocol} }, hosts: ["${host}"]${tls}${at} }`;
  });
  return `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec: { selector: { istio: ingressgateway }, servers: [${written.join(', ')}] }
`;
}

/** Hosts by listener. */
function opened(...servers: string[]): Record<string, string[]> {
  const { ports } = gatewayPorts(ROUTER, pushOf(gateway(...servers)));
  return Object.fromEntries(ports.map((port) => [port.name, port.servers.flatMap(({ server }) => server.hosts)]));
}

describe('servers of one number', () => {
  it.each<[string, string[], Record<string, string[]>]>([
    [
      'at different addresses are different listeners, whatever they carry',
      ['HTTP a.b 10.0.0.1', 'TCP c.d 10.0.0.2', 'HTTPS e.f'],
      { '10.0.0.1_8443': ['a.b'], '10.0.0.2_8443': ['c.d'], '0.0.0.0_8443': ['e.f'] },
    ],
    ['at one address are one', ['HTTP a.b 10.0.0.1', 'GRPC c.d 10.0.0.1'], { '10.0.0.1_8443': ['a.b', 'c.d'] }],
    ['of TLS do not join plaintext at its address', ['HTTP a.b 10.0.0.1', 'HTTPS c.d 10.0.0.1'], { '10.0.0.1_8443': ['a.b'] }],
    [
      'are compared with the plaintext that came last',
      ['HTTP a.b 10.0.0.1', 'HTTP c.d 10.0.0.2', 'HTTPS e.f 10.0.0.2', 'HTTPS g.h 10.0.0.1'],
      { '10.0.0.1_8443': ['a.b', 'g.h'], '10.0.0.2_8443': ['c.d'] },
    ],
    [
      'may have a TLS host once per address',
      ['HTTPS a.b 10.0.0.1', 'HTTPS a.b 10.0.0.2'],
      { '10.0.0.1_8443': ['a.b'], '10.0.0.2_8443': ['a.b'] },
    ],
    ['have a TLS host once at one address', ['HTTPS a.b 10.0.0.1', 'HTTPS a.b 10.0.0.1'], { '10.0.0.1_8443': ['a.b'] }],
    ['stand in the order of their protocols', ['HTTPS a.b', 'TLS c.d', 'HTTPS e.f'], { '0.0.0.0_8443': ['a.b', 'e.f', 'c.d'] }],
    [
      'may be Unix sockets',
      ['HTTP a.b unix:///run/a', 'HTTP c.d unix:///run/b'],
      { 'unix:///run/a_0': ['a.b'], 'unix:///run/b_0': ['c.d'] },
    ],
  ])('%s', (_what, servers, expected) => expect(opened(...servers)).toEqual(expected));

  it('have routes of their own at each address, and the address of their listener', () => {
    const push = pushOf(gateway('HTTP a.b 10.0.0.1', 'HTTPS c.d 10.0.0.2', 'HTTP e.f unix:///run/a'));
    const servers = gatewayPorts(ROUTER, push).ports.flatMap((port) => port.servers);
    expect(servers.map(({ routeName }) => routeName)).toEqual([
      'http.0.unix:///run/a',
      'http.8443.10.0.0.1',
      'https.8443.p1.edge.istio-system.10.0.0.2',
    ]);
    const listeners = translate(LISTENER_TYPE_URL, ROUTER, push, []).map(({ message }) => message as Listener);
    expect(listeners.map(({ address }) => address?.address)).toMatchObject([
      { $case: 'pipe', value: { path: '/run/a' } },
      { $case: 'socketAddress', value: { address: '10.0.0.1' } },
      { $case: 'socketAddress', value: { address: '10.0.0.2' } },
    ]);
  });
});
