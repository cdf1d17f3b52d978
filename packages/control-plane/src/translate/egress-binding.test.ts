import type { Listener } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { pushOf } from '../testing/mesh.ts';
import { resourcesOfNode } from './node-resources.ts';

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: db, namespace: default }
spec: { clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ports: [{ name: tcp, port: 6000 }, { name: http, port: 80 }] }
`;

function listeners(egress: string, metadata: object = {}): Map<string, Listener> {
  const sidecar = `---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec: { egress: [${egress}] }
`;
  const node = proxyNodeOf({
    id: 'sidecar~10.0.0.1~web-1.default~default.svc.cluster.local',
    metadata: { NAMESPACE: 'default', INSTANCE_IPS: '10.0.0.1', ...metadata },
  });
  const { listeners: found } = resourcesOfNode(node, pushOf(SERVICE + sidecar));
  return new Map(found.map(({ name, message }) => [name, message as Listener]));
}

/* Istio: buildSidecarOutboundListeners. */
describe('an egress listener of a Sidecar', () => {
  it('is where its bind says, for HTTP without a look at the first bytes', () => {
    const found = listeners("{ bind: 10.0.0.99, hosts: ['*/*'] }");
    expect([...found.keys()].sort()).toEqual(['10.0.0.99_6000', '10.0.0.99_80', 'virtualInbound', 'virtualOutbound']);
    expect(found.get('10.0.0.99_80')!.bindToPort).toBe(false);
    expect(found.get('10.0.0.99_80')!.filterChains.map(({ filterChainMatch }) => filterChainMatch)).toEqual([undefined]);
  });

  it('that captures nothing opens a port of the machine itself', () => {
    const found = listeners("{ port: { number: 80, protocol: HTTP, name: http }, captureMode: NONE, hosts: ['*/*'] }, { hosts: ['*/*'] }");
    expect([...found.keys()].sort()).toEqual(['0.0.0.0_80', '10.96.0.1_6000', '127.0.0.1_80', 'virtualInbound', 'virtualOutbound']);
    expect(found.get('127.0.0.1_80')!.bindToPort).toBeUndefined();
  });

  it('means nothing to a process of ours, which has no listeners', () => {
    const found = listeners("{ bind: 10.0.0.99, captureMode: NONE, hosts: ['*/*'] }", { RIPSTOP_VERSION: '1' });
    expect([...found.keys()].sort()).toEqual(['0.0.0.0_80', '10.96.0.1_6000', 'virtualInbound', 'virtualOutbound']);
  });
});
