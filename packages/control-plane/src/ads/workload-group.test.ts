import grpc from '@grpc/grpc-js';
import { CLUSTER_TYPE_URL, HEALTH_TYPE_URL, LISTENER_TYPE_URL } from '@ripstop/xds-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { groupNameOf, memberOf } from '../registry/workload-groups.ts';
import { GRACE_MS } from '../registry/workload-registry.ts';
import { type SotwClient, sotwClient, wireNode } from '../testing/ads-client.ts';
import { TestAdsServer } from '../testing/ads-server.ts';
import { pushOf, service, sidecar } from '../testing/mesh.ts';

const GROUP = `---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: vms }
spec:
  metadata: { labels: { app: vm, tier: back } }
  template: { ports: { http: 8080 }, labels: { app: template, os: linux }, serviceAccount: vm, network: n1, locality: r/z, weight: 3 }
`;
const PROBED = GROUP.replace('spec:\n', 'spec:\n  probe: { httpGet: { port: 8080 } }\n');

let server: TestAdsServer;
const clients: { close(): void }[] = [];

async function serve(group: string): Promise<void> {
  server = await new TestAdsServer(pushOf(service('vm') + group)).start();
}

beforeEach(() => serve(GROUP));

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server[Symbol.asyncDispose]();
});

function connect(metadata: Readonly<Record<string, unknown>> = {}, name = 'vm-1'): SotwClient {
  const client = sotwClient({ address: server.address });
  clients.push(client);
  client.send({
    typeUrl: CLUSTER_TYPE_URL,
    node: wireNode(name, 'default', { AUTO_REGISTER_GROUP: 'vms', SERVICE_ACCOUNT: 'vm', ...metadata }),
  });
  return client;
}

/** Endpoints of Service `vm`, as the registry and the documents give them. */
function endpoints(): unknown[] {
  const push = pushOf(service('vm') + GROUP, server.registry.instances);
  const [found] = push.services;
  return push.endpoints(found!, found!.ports[0]!).map(({ address, port, labels, weight, locality, serviceAccount, mtls }) => ({
    address,
    port,
    labels,
    weight,
    locality,
    serviceAccount,
    mtls,
  }));
}

describe('a member of a WorkloadGroup', () => {
  it('is registered by connecting, with what the group says', async () => {
    connect({ LABELS: { version: 'v2' } });
    await server.event('registered vm-1.default');
    expect(endpoints()).toEqual([
      {
        address: '127.0.0.1',
        port: 8080,
        labels: {
          'topology.istio.io/network': 'n1',
          app: 'vm',
          os: 'linux',
          tier: 'back',
          version: 'v2',
        },
        weight: 3,
        locality: { region: 'r', zone: 'z', subZone: '' },
        serviceAccount: 'vm',
        mtls: true,
      },
    ]);
  });

  it('is gone ten seconds after its stream broke', async () => {
    const client = connect();
    await server.event('registered vm-1.default');
    client.break();
    await server.event('disconnected vm-1');
    server.scheduler.advance(GRACE_MS);
    await server.event('withdrawn vm-1.default');
    expect(endpoints()).toEqual([]);
  });

  it('with a probe serves when it has said that it is healthy, and no longer when it says that it is not', async () => {
    await server[Symbol.asyncDispose]();
    await serve(PROBED);
    const client = connect();
    await server.event('registered vm-1.default');
    expect(endpoints()).toEqual([]);
    client.send({ typeUrl: HEALTH_TYPE_URL });
    await expect.poll(() => endpoints().length).toBe(1);
    client.send({ typeUrl: HEALTH_TYPE_URL, errorDetail: { code: 14, message: 'probe failed' } });
    await expect.poll(() => endpoints().length).toBe(0);
    expect(server.registry.instances).toHaveLength(1);
  });

  it('of a group that nobody wrote is refused', async () => {
    const client = connect({ AUTO_REGISTER_GROUP: 'others' });
    expect(await client.status).toMatchObject({
      code: grpc.status.FAILED_PRECONDITION,
      details: expect.stringContaining('there is no WorkloadGroup default/others'),
    });
  });

  it('cannot take the name of one of another account', async () => {
    connect();
    await server.event('registered vm-1.default');
    expect(await connect({ SERVICE_ACCOUNT: 'thief' }).status).toMatchObject({ code: grpc.status.PERMISSION_DENIED });
  });

  it('is selected by policies and Sidecars through the labels of its group', async () => {
    const yaml = `${service('vm') + GROUP}---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: vm }
spec: { selector: { matchLabels: { app: vm } }, mtls: { mode: STRICT } }
`;
    const push = pushOf(yaml);
    const node = sidecar('vm-1', 'default', { AUTO_REGISTER_GROUP: 'vms' });
    const { node: member } = memberOf(node, push.workloadGroup('default', groupNameOf(node))!);
    expect(push.peerAuthentications.modeFor(member.namespace, member.labels)).toBe('STRICT');
    expect(push.peerAuthentications.modeFor(node.namespace, node.labels)).toBe('PERMISSIVE');
    const client = connect();
    await client.next();
    client.send({ typeUrl: LISTENER_TYPE_URL });
    const { resources } = await client.next();
    expect(resources.length).toBeGreaterThan(0);
  });

  it('is named as istiod names the entry that it would write', () => {
    const push = pushOf(GROUP);
    const node = { ...sidecar('vm-1', 'default', { AUTO_REGISTER_GROUP: 'vms', NETWORK: 'n2' }), ipAddresses: ['2001:db8::1'] };
    const { name, entry } = memberOf(node, push.workloadGroup('default', 'vms')!);
    expect(name).toBe('vms-2001-db8--1-n2');
    expect(entry).toMatchObject({ address: '2001:db8::1', network: 'n2' });
  });
});
