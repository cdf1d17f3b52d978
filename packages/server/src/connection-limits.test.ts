import { connect as connectHttp2 } from 'node:http2';
import { CONNECTION_LIMITS, type ConnectionLimits } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from './testing/raw-client.ts';
import { ServerDouble } from './testing/server-double.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

async function serve(limits: Partial<ConnectionLimits>, more: { readonly maxHeaders?: number } = {}): Promise<ServerDouble> {
  const double = await ServerDouble.start((_request, response) => response.end('ok'), {
    mode: 'DISABLE',
    manager: { connectionLimits: { ...CONNECTION_LIMITS, ...limits }, ...more },
  });
  cleanups.push(() => double[Symbol.asyncDispose]());
  return double;
}

async function call(double: ServerDouble): Promise<RawClient> {
  const client = await RawClient.open(double.port);
  cleanups.push(() => client.close());
  return client;
}

/** One more GET: whether its response closes the connection. */
async function closes(double: ServerDouble, client: RawClient): Promise<boolean> {
  const before = double.finished.length;
  const { status, header } = await client.get('/');
  expect(status).toBe(200);
  await expect.poll(() => double.finished.length, { interval: 1 }).toBe(before + 1);
  return header('connection') === 'close';
}

describe('a connection of HTTP/1', () => {
  it('is kept for as long as idle_timeout says, and then for the drain time', async () => {
    const double = await serve({ idleTimeoutMs: 10_000 });
    const client = await call(double);
    expect(await closes(double, client)).toBe(false);
    double.clock.advance(9_999);
    expect(await closes(double, client)).toBe(false);
    double.clock.advance(1);
    double.clock.advance(9_999);
    double.clock.advance(4_999);
    expect(client.socket.readableEnded).toBe(false);
    double.clock.advance(1);
    await client.rest();
  });

  it('closes with the response to who asks while it drains', async () => {
    const double = await serve({ idleTimeoutMs: 10_000 });
    const client = await call(double);
    expect(await closes(double, client)).toBe(false);
    double.clock.advance(10_000);
    expect(await closes(double, client)).toBe(true);
    await client.rest();
  });

  it('is an hour by default, which node:http does not shorten', async () => {
    const double = await serve({});
    const client = await call(double);
    expect(await closes(double, client)).toBe(false);
    expect((double.app as { keepAliveTimeout?: number }).keepAliveTimeout).toBe(0);
    double.clock.advance(3_599_999);
    expect(await closes(double, client)).toBe(false);
  });

  it('ends at max_connection_duration, with a response that runs', async () => {
    const double = await serve({ maxDurationMs: 1_000 });
    const client = await call(double);
    expect(await closes(double, client)).toBe(false);
    double.clock.advance(1_000);
    expect(await closes(double, client)).toBe(true);
    await client.rest();
  });

  it('carries max_requests_per_connection, pipelined ones too', async () => {
    const double = await serve({ maxRequests: 2 });
    const client = await call(double);
    expect(await closes(double, client)).toBe(false);
    expect(await closes(double, client)).toBe(true);
    await client.rest();
    const pipelined = await call(double);
    pipelined.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(4));
    expect((await pipelined.rest()).match(/HTTP\/1\.1 200/g)).toHaveLength(2);
  });

  it('takes max_headers_count lines', async () => {
    const double = await serve({}, { maxHeaders: 3 });
    const client = await call(double);
    expect((await client.get('/', 'a: 1\r\nb: 2\r\n')).status).toBe(200);
    expect((await client.get('/', 'a: 1\r\nb: 2\r\nc: 3\r\n')).status).toBe(431);
  });
});

describe('a connection of HTTP/2', () => {
  function session(double: ServerDouble) {
    const opened = connectHttp2(`http://127.0.0.1:${double.port}`);
    opened.on('error', () => {});
    cleanups.push(() => opened.destroy());
    let goAways = 0;
    opened.on('goaway', () => goAways++);
    const ended = new Promise<void>((resolve) => opened.once('close', () => resolve()));
    const get = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const stream = opened.request({ ':path': '/' });
        let status = 0;
        stream.on('response', (headers) => (status = Number(headers[':status'])));
        stream.on('error', reject);
        stream.on('close', () => resolve(status));
        stream.resume();
      });
    return { opened, ended, get, told: () => goAways };
  }

  it('is told and closed when idle_timeout is over', async () => {
    const double = await serve({ idleTimeoutMs: 10_000 });
    const { ended, get, told } = session(double);
    expect(await get()).toBe(200);
    await expect.poll(() => double.finished.length, { interval: 1 }).toBe(1);
    double.clock.advance(9_999);
    expect(await get()).toBe(200);
    await expect.poll(() => double.finished.length, { interval: 1 }).toBe(2);
    double.clock.advance(1);
    double.clock.advance(9_999);
    await ended;
    expect(told()).toBeGreaterThan(0);
  });

  it('carries max_requests_per_connection, the last one whole', async () => {
    const double = await serve({ maxRequests: 2 });
    const { ended, get, told } = session(double);
    expect([await get(), told()]).toEqual([200, 0]);
    expect(await get()).toBe(200);
    await ended;
    expect(told()).toBeGreaterThan(0);
  });
});
