import { createServer, type Socket, connect as tcp } from 'node:net';
import grpc from '@grpc/grpc-js';
import { CLUSTER_TYPE_URL, HEALTH_TYPE_URL } from '@ripstop/xds-api';
import { afterEach, describe, expect, it } from 'vitest';
import { type DeltaClient, deltaClient, wireNode } from '../testing/ads-client.ts';
import { TestAdsServer } from '../testing/ads-server.ts';
import { pushOf, service } from '../testing/mesh.ts';

let parts = new AsyncDisposableStack();

afterEach(async () => {
  await parts.disposeAsync();
  parts = new AsyncDisposableStack();
});

async function connected(address: string, name: string): Promise<DeltaClient> {
  const client = parts.adopt(deltaClient({ address }), (each) => each.close());
  client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode(name) });
  await client.next();
  return client;
}

describe('a control plane that ends', () => {
  it('ends streams one after the other, ten milliseconds apart, with OK: their clients come back elsewhere', async () => {
    const server = parts.use(await new TestAdsServer(pushOf(service('web'))).start());
    const clients = [await connected(server.address, 'a'), await connected(server.address, 'b'), await connected(server.address, 'c')];
    const ended: number[] = [];
    for (const [index, { status }] of clients.entries()) void status.then(() => ended.push(index));
    const done = server.shutDown(5_000);
    expect((await clients[0]!.status).code).toBe(grpc.status.OK);
    expect(server.scheduler.waiting).toBe(1);
    expect(ended).toEqual([0]);
    server.scheduler.advance(10);
    expect((await clients[1]!.status).code).toBe(grpc.status.OK);
    expect(ended).toEqual([0, 1]);
    server.scheduler.advance(10);
    await done;
    expect((await clients[2]!.status).code).toBe(grpc.status.OK);
  });

  it('of a thousand streams would take no longer than it is given', async () => {
    const server = parts.use(await new TestAdsServer(pushOf(service('web'))).start());
    const clients = [await connected(server.address, 'a'), await connected(server.address, 'b')];
    const done = server.shutDown(6);
    await clients[0]!.status;
    server.scheduler.advance(3);
    await done;
    expect((await clients[1]!.status).code).toBe(grpc.status.OK);
  });

  it('takes no new connection', async () => {
    const server = parts.use(await new TestAdsServer(pushOf(service('web'))).start());
    await server.shutDown(0);
    const late = parts.adopt(deltaClient({ address: server.address }), (each) => each.close());
    late.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('late') });
    expect((await late.status).code).toBe(grpc.status.UNAVAILABLE);
  });
});

describe('keepalive', () => {
  it('finds a client whose machine is gone without a word, and its registration ends as with any lost stream', async () => {
    const keepalive = { everyMs: 40, timeoutMs: 40 };
    const server = parts.use(await new TestAdsServer(pushOf(service('web')), { keepalive }).start());
    const relay = await silentRelay(server.address);
    const client = await connected(relay.address, 'web-1');
    client.send({ typeUrl: HEALTH_TYPE_URL, node: wireNode('web-1') });
    await server.event('registered web-1.default');
    relay.fallSilent();
    await server.event('disconnected web-1: connection lost');
    expect(server.registry.instances).toHaveLength(1);
    server.scheduler.advance(10_000);
    expect(server.events.at(-1)).toBe('withdrawn web-1.default: the stream was lost');
  });
});

/** A relay that can stop relaying, with every connection open: a machine that lost power. */
async function silentRelay(target: string): Promise<{ readonly address: string; fallSilent(): void }> {
  const sockets: Socket[] = [];
  const [host, port] = target.split(':') as [string, string];
  const relay = createServer((near) => {
    const far = tcp(Number(port), host);
    for (const socket of [near, far]) {
      sockets.push(socket);
      socket.on('error', () => {}); // The other end closes it.
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  parts.defer(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  const bound = relay.address();
  if (bound === null || typeof bound === 'string') throw new Error('not listening');
  return {
    address: `127.0.0.1:${bound.port}`,
    fallSilent: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}
