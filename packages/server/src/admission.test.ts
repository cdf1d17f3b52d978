import { createConnectionLimit, type Filter, localReply } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from './testing/fake-clock.ts';
import { RawClient } from './testing/raw-client.ts';
import { chainsOf, ServerDouble } from './testing/server-double.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

const chains = (filters: readonly Filter[], key = 'a') => chainsOf('DISABLE').map((chain) => ({ ...chain, admission: { key, filters } }));

async function serve(filters: readonly Filter[]): Promise<ServerDouble> {
  const double = await ServerDouble.start((_request, response) => response.end('ok'), { chains: chains(filters) });
  cleanups.push(() => double[Symbol.asyncDispose]());
  return double;
}

async function call(double: ServerDouble): Promise<RawClient> {
  const client = await RawClient.open(double.port);
  cleanups.push(() => client.close());
  return client;
}

const REPLY = localReply({ status: 403, details: 'rbac_access_denied_matched_policy[p]' });

describe('filters in front of a connection manager', () => {
  it('close a connection before a request of it is read, and say why in the log', async () => {
    const double = await serve([{ name: 'deny', onRequest: () => REPLY }]);
    const client = await call(double);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.rest()).toBe('');
    expect(double.started).toEqual([]);
    expect(double.log.join()).toContain('rbac_access_denied_matched_policy[p]');
  });

  it('see the caller and the port, and no request', async () => {
    const seen: unknown[] = [];
    const double = await serve([{ name: 'look', onRequest: (x) => void seen.push([x.protocol, x.peer.address, x.port, x.request.path]) }]);
    expect((await (await call(double)).get('/')).status).toBe(200);
    expect(seen).toEqual([['tcp', '127.0.0.1', 9080, '']]);
  });

  it('may take their time, while nothing is read; who leaves meanwhile is let go', async () => {
    let decide = (_reply: undefined | typeof REPLY): void => {};
    const ends: string[] = [];
    const double = await serve([
      {
        name: 'ask',
        onRequest: () =>
          new Promise((resolve) => {
            decide = resolve;
          }),
        onEnd: () => void ends.push('end'),
      },
    ]);
    const client = await call(double);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => decide.length, { interval: 1 }).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(double.started).toEqual([]);
    decide(undefined);
    expect((await client.response()).status).toBe(200);
    const gone = await call(double);
    gone.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 20));
    gone.socket.resetAndDestroy();
    client.close();
    await expect.poll(() => ends.length, { interval: 1 }).toBe(2);
    decide(undefined);
    expect(double.started).toHaveLength(1);
  });

  it('hear when a connection ends: a limit has room again', async () => {
    const env = {
      clock: new FakeClock(),
      random: () => 0,
      direction: 'inbound',
      state: <T>(_key: string, create: () => T) => create(),
    } as const;
    const double = await serve([createConnectionLimit({ statPrefix: 'l', maxConnections: 1, delayMs: 0 }, env)]);
    const first = await call(double);
    expect((await first.get('/')).status).toBe(200);
    const second = await call(double);
    second.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await second.rest()).toBe('');
    first.socket.destroy();
    await expect
      .poll(async () => {
        const next = await call(double);
        next.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        return (await next.rest()).slice(9, 12);
      })
      .toBe('200');
  });

  it('judge again when a push changes them: who was let in by others comes again', async () => {
    const double = await serve([]);
    const client = await call(double);
    expect((await client.get('/')).status).toBe(200);
    double.swap(chains([], 'a'));
    expect((await client.get('/')).status).toBe(200);
    double.swap(chains([{ name: 'deny', onRequest: () => REPLY }], 'b'));
    expect(await client.rest()).toBe('');
  });
});
