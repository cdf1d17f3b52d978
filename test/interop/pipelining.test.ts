import { connect } from 'node:net';
import { createGateway } from '@ripstop/gateway';
import { createMesh, systemEnvironment } from '@ripstop/node';
import { RouteConfiguration } from '@ripstop/xds-api';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { staticSource } from '../simulation/xds/static-config.ts';
import { ServerBed } from './differential/server/bed.ts';
import { clusterName } from './differential/server/clusters.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: pipelining: no Envoy: ${envoy.missing}`);

const TO_APP = {
  name: 'app',
  virtualHosts: [
    {
      name: 'any',
      domains: ['*'],
      routes: [
        {
          match: { pathSpecifier: { $case: 'prefix', value: '/' } },
          action: { $case: 'route', value: { clusterSpecifier: { $case: 'cluster', value: clusterName('http1') } } },
        },
      ],
    },
  ],
} as const;

const APP = { app: 'http1', mode: 'DISABLE', manager: {}, filters: [], routes: RouteConfiguration.fromPartial(TO_APP as never) } as const;

type Address = { readonly host: string; readonly port: number };

describe.skipIf('missing' in envoy)('pipelined requests of one connection', () => {
  let bed: ServerBed;
  let places: Readonly<Record<'envoy' | 'sdk' | 'gateway', Address>>;
  const parts = new AsyncDisposableStack();

  beforeAll(async () => {
    if ('missing' in envoy) return;
    bed = parts.use(await ServerBed.start(envoy.path));
    const app = await bed.apps.listen(bed.apps.app('http1'));
    const virtualHosts = [{ name: 'any', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] }];
    const source = staticSource({ filters: [], virtualHosts, clusters: { app: { ports: [app] } } }, 80);
    const mesh = createMesh(
      { service: 'edge', role: 'router', admin: 'off', log: () => {} },
      { ...systemEnvironment, configSource: () => source },
    );
    parts.defer(() => mesh.close({ drainMs: 0 }));
    const gateway = parts.use(createGateway({ mesh, ports: { 80: 0 } }));
    await gateway.start();
    places = { ...(await bed.serve(APP)), gateway: { host: '127.0.0.1', port: gateway.addresses()[0]!.port } };
  });
  afterAll(() => parts.disposeAsync());

  it.each([
    ['an Envoy', 'envoy'],
    ['a server behind the SDK', 'sdk'],
    ['our gateway', 'gateway'],
  ] as const)('are taken one by one, each when the one before it was answered: %s', async (_who, place) => {
    bed.apps.mostAtOnce = 0;
    bed.apps.play('slow', { afterMs: 50, body: 'slow' });
    bed.apps.play('fast', { body: 'fast' });
    const text = await sent(places[place], [get('slow'), post('fast'), get('fast'), get('slow'), get('fast', 'connection: close')]);
    expect(text.match(/slow|fast/g)).toEqual(['slow', 'fast', 'fast', 'slow', 'fast']);
    expect(bed.apps.mostAtOnce).toBe(1);
  });

  it.each(['envoy', 'sdk', 'gateway'] as const)(
    'behind one that closes the connection are not taken, and bytes that are none are answered last: %s',
    async (place) => {
      bed.apps.play('slow', { afterMs: 50, body: 'slow' });
      const closing = await sent(places[place], [get('slow', 'connection: close'), get('slow')]);
      expect(closing.match(/slow/g)).toEqual(['slow']);
      const garbage = await sent(places[place], [get('slow'), get('slow'), 'nonsense\r\n\r\n']);
      expect(garbage.match(/slow|HTTP\/1.1 400/g)).toEqual(['slow', 'slow', 'HTTP/1.1 400']);
    },
  );
});

function get(probe: string, ...lines: readonly string[]): string {
  return ['GET / HTTP/1.1', 'host: a', `x-probe: ${probe}`, ...lines, '', ''].join('\r\n');
}

function post(probe: string): string {
  return `POST / HTTP/1.1\r\nhost: a\r\nx-probe: ${probe}\r\ncontent-length: 4\r\n\r\nbody`;
}

/** All that is said until the other side closes. */
function sent({ host, port }: Address, requests: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, localAddress: '127.0.0.2' });
    let text = '';
    socket.setEncoding('latin1').on('data', (more) => (text += more));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
    socket.write(requests.join(''));
  });
}
