import { type Listener, TrafficDirection } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { core, doc, entry, security, toldOf } from '../testing/told.ts';
import { resourcesOfNode } from './node-resources.ts';

/* Rules that random meshes told apart from istiod's (test/interop/istiod-meshes.test.ts), each by the smallest mesh that shows it. */

describe('listeners', () => {
  it('of a port that two ServiceEntries of one host name speak as the one does whose endpoint is here', () => {
    const { listener } = toldOf(
      entry('a', '{ hosts: [db.example], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS }') +
        entry(
          'b',
          '{ hosts: [db.example], ports: [{ number: 443, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }] }',
        ),
      sidecar('web-1', 'default', { INSTANCE_IPS: '10.0.0.9' }),
    );
    const filters = listener('virtualInbound')
      ?.filterChains.filter(({ filterChainMatch: match }) => match?.destinationPort === 443)
      .map(({ filters: [first] }) => first?.name);
    expect(new Set(filters)).toEqual(new Set(['envoy.filters.network.http_connection_manager']));
  });

  it('carry bytes as the tcp routes of a VirtualService say', () => {
    const { listener } = toldOf(
      core('Service', 'db', '{ clusterIP: 10.96.0.9, ports: [{ name: tcp, port: 6000 }] }') +
        doc('VirtualService', 'db', '{ hosts: [db], tcp: [{ route: [{ destination: { host: other, port: { number: 7000 } } }] }] }'),
    );
    expect(JSON.stringify(listener('10.96.0.9_6000')?.filterChains[0]?.metadata)).toContain('virtual-service/db');
  });

  it('of a ServiceEntry are one for each address, and a chain for each range; a range of one address is that address', () => {
    const { listener } = toldOf(
      entry(
        'a',
        '{ hosts: [git.example], addresses: [10.1.0.0/16, 10.2.0.9/32, 10.3.0.0/16], ports: [{ number: 22, name: tcp, protocol: TCP }] }',
      ),
    );
    const ranges = listener('0.0.0.0_22')?.filterChains.map(({ filterChainMatch: match }) =>
      match?.prefixRanges.map((range) => range.addressPrefix),
    );
    expect(ranges).toEqual([['10.1.0.0'], ['10.3.0.0']]);
    expect(listener('10.2.0.9_22')).toBeDefined();
  });

  it('of tls routes keep the subnets of a match for the later ones that name none', () => {
    const tls = `[
      { match: [{ sniHosts: [a.db.example], destinationSubnets: [10.1.0.0/16] }], route: [{ destination: { host: db.example } }] },
      { match: [{ sniHosts: [b.db.example] }], route: [{ destination: { host: db.example } }] }
    ]`;
    const { listener } = toldOf(
      entry('a', '{ hosts: [db.example], addresses: [240.0.0.9], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS }') +
        doc('VirtualService', 'a', `{ hosts: ['*.example'], tls: ${tls} }`),
    );
    expect(
      listener('240.0.0.9_443')?.filterChains.map(({ filterChainMatch: match }) => [
        match?.serverNames,
        match?.prefixRanges.map(({ addressPrefix }) => addressPrefix),
      ]),
    ).toEqual([
      [['a.db.example'], ['10.1.0.0']],
      [['b.db.example'], ['10.1.0.0']],
    ]);
  });

  it('of a Sidecar with captureMode NONE are opened by an Envoy, and not by a process of ours', () => {
    const yaml =
      service('web') +
      doc(
        'Sidecar',
        'web',
        '{ workloadSelector: { labels: { app: web } }, ingress: [{ port: { number: 9000, protocol: HTTP, name: http }, bind: 10.0.0.9, captureMode: NONE }] }',
      );
    const receivers = (metadata: Record<string, unknown>): (number | undefined)[] => {
      const { listener } = toldOf(yaml, sidecar('web-1', 'default', { LABELS: { app: 'web' }, ...metadata }));
      return [listener('10.0.0.9_9000'), listener('virtualInbound')].map(
        (found) => found?.filterChains.filter(({ name }) => name === '10.0.0.9_9000').length,
      );
    };
    expect(receivers({})).toEqual([2, 0]);
    expect(receivers({ RIPSTOP_VERSION: '1.0.0' })).toEqual([undefined, 2]);
  });

  it('of a Sidecar that serves where a listener to others would be are its own: of two with one name an Envoy takes none', () => {
    const ingress = '{ port: { number: 80, protocol: HTTP, name: http }, bind: 0.0.0.0, captureMode: NONE }';
    const yaml =
      service('web') + service('other') + doc('Sidecar', 'web', `{ workloadSelector: { labels: { app: web } }, ingress: [${ingress}] }`);
    const directions = (metadata: Record<string, unknown>): unknown[] => {
      const { listeners } = resourcesOfNode(sidecar('web-1', 'default', { LABELS: { app: 'web' }, ...metadata }), pushOf(yaml));
      return listeners.filter(({ name }) => name === '0.0.0.0_80').map(({ message }) => (message as Listener).trafficDirection);
    };
    expect(directions({})).toEqual([TrafficDirection.INBOUND]);
    expect(directions({ RIPSTOP_VERSION: '1.0.0' })).toEqual([TrafficDirection.OUTBOUND]);
  });

  it('of a port with HTTP and TLS services tell both by the first bytes', () => {
    const { listener } = toldOf(
      entry('a', '{ hosts: [a.example], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS }') +
        entry('b', '{ hosts: [b.example], ports: [{ number: 443, name: http, protocol: HTTP }], resolution: DNS }'),
    );
    expect(
      listener('0.0.0.0_443')?.filterChains.map(({ filterChainMatch: match }) => match?.serverNames[0] ?? match?.applicationProtocols[0]),
    ).toEqual(['a.example', 'http/1.1']);
  });

  it('wait for the first bytes as MeshConfig says, where they are looked at', () => {
    const { listener } = toldOf(
      core('Service', 'db', '{ clusterIP: 10.96.0.9, ports: [{ name: tcp, port: 6000 }, { name: auto, port: 6001 }] }'),
      sidecar(),
      { protocolDetectionTimeout: '5s' },
    );
    const seconds = ['10.96.0.9_6000', '10.96.0.9_6001', 'virtualInbound'].map((name) => listener(name)?.listenerFiltersTimeout?.seconds);
    expect(seconds).toEqual([0, 5, 5]);
  });

  it('log connections that no chain takes, unless MeshConfig says no', () => {
    const logs = (mesh: object): number | undefined =>
      toldOf('', sidecar(), { accessLogFile: '/dev/stdout', ...mesh }).listener('virtualInbound')?.accessLog.length;
    expect([logs({}), logs({ disableEnvoyListenerLog: true })]).toEqual([1, 0]);
  });

  it('of a server have a mode of its own for a port that only the policy names', () => {
    const { listener } = toldOf(
      service('web') +
        security(
          'PeerAuthentication',
          'web',
          '{ selector: { matchLabels: { app: web } }, mtls: { mode: STRICT }, portLevelMtls: { "9999": { mode: DISABLE } } }',
        ),
      sidecar('web-1', 'default', { LABELS: { app: 'web' } }),
    );
    const own = listener('virtualInbound')?.filterChains.filter(({ filterChainMatch: match }) => match?.destinationPort === 9999) ?? [];
    expect(own.map(({ filterChainMatch: match }) => match?.transportProtocol)).toEqual(['raw_buffer', 'raw_buffer']);
  });
});
