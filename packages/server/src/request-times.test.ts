import { connect as connectHttp2 } from 'node:http2';
import { localReply } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from './testing/raw-client.ts';
import { type DoubleOptions, ServerDouble } from './testing/server-double.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\n';

async function serve(manager: DoubleOptions['manager'], options: DoubleOptions = {}): Promise<ServerDouble> {
  const double = await ServerDouble.start(
    (request, response) => {
      if (request.url === '/early') response.write('early');
      else request.resume().on('end', () => response.end('ok'));
    },
    { mode: 'DISABLE', manager, ...options },
  );
  cleanups.push(() => double[Symbol.asyncDispose]());
  return double;
}

async function call(double: ServerDouble, text: string): Promise<RawClient> {
  const client = await RawClient.open(double.port);
  cleanups.push(() => client.close());
  client.write(text);
  return client;
}

/** Time passes until there is an answer: nobody tells when a byte was read. */
async function answerInTime(double: ServerDouble, client: RawClient): Promise<string> {
  await expect
    .poll(
      () => {
        double.clock.advance(100);
        return client.unread;
      },
      { interval: 5 },
    )
    .not.toBe('');
  const { status, body, header } = await client.response();
  return `${status} ${body}, ${header('connection')}`;
}

describe('request_timeout', () => {
  it('answers 408 when the body does not come to its end, and closes', async () => {
    const double = await serve({ requestTimeoutMs: 500 });
    const client = await call(double, `${HEAD}content-length: 5\r\n\r\nhe`);
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(1);
    double.clock.advance(499);
    expect(client.unread).toBe('');
    double.clock.advance(1);
    const response = await client.response();
    expect([response.status, response.body, response.header('connection')]).toEqual([408, 'request timeout', 'close']);
    await expect.poll(() => double.finished.length, { interval: 1 }).toBe(1);
    const { x, outcome } = double.finished[0]!;
    expect([x.details, x.flags, outcome.status]).toEqual(['request_overall_timeout', 0, 408]);
  });

  it('ends with the body, and with the first byte of a response', async () => {
    const double = await serve({ requestTimeoutMs: 500 });
    const whole = await call(double, `${HEAD}content-length: 2\r\n\r\nhe`);
    expect((await whole.response()).status).toBe(200);
    const early = await call(double, 'POST /early HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\nhe');
    await expect.poll(() => early.unread, { interval: 1 }).toContain('early');
    double.clock.advance(1000);
    expect(early.unread).toMatch(/^HTTP\/1.1 200 /);
    early.write('llo');
    expect(double.finished.map(({ outcome }) => outcome.status)).toEqual([200]);
  });

  it('counts while a filter waits for the body', async () => {
    const double = await serve(
      { requestTimeoutMs: 500 },
      {
        filters: [
          {
            name: 'reads',
            onRequest: async (x) => ((await x.body!.read(100)) !== undefined ? undefined : localReply({ status: 413, details: '' })),
          },
        ],
      },
    );
    const client = await call(double, `${HEAD}content-length: 5\r\n\r\nhe`);
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(1);
    double.clock.advance(500);
    expect((await client.response()).status).toBe(408);
  });

  it('counts for heads, too', async () => {
    const double = await serve({ requestTimeoutMs: 500, requestHeadersTimeoutMs: 700 });
    expect(await answerInTime(double, await call(double, HEAD))).toBe('408 request timeout, close');
  });

  it('is answered on a stream of HTTP/2', async () => {
    const double = await serve({ requestTimeoutMs: 500 });
    const session = connectHttp2(`http://127.0.0.1:${double.port}`);
    cleanups.push(() => session.destroy());
    const ask = (body: (stream: ReturnType<typeof session.request>) => void): Promise<number> =>
      new Promise((resolve) => {
        const stream = session.request({ ':method': 'POST', ':path': '/' });
        stream.on('response', (headers) => resolve(Number(headers[':status'])));
        stream.on('error', () => {}); // The rest of it is refused.
        stream.resume();
        body(stream);
      });
    expect(await ask((stream) => stream.end('whole'))).toBe(200);
    const late = ask((stream) => stream.write('he'));
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(2);
    double.clock.advance(500);
    expect(await late).toBe(408);
    await expect.poll(() => double.finished.at(-1)!.x.details, { interval: 1 }).toBe('request_overall_timeout');
  });
});

describe('request_headers_timeout', () => {
  it('answers 408 when a head does not come to its end, the first one or a later one, and closes', async () => {
    for (const before of ['', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n']) {
      const double = await serve({ requestHeadersTimeoutMs: 500 });
      const client = await call(double, before);
      if (before !== '') expect((await client.response()).status).toBe(200);
      client.write(HEAD);
      expect(await answerInTime(double, client)).toBe('408 request header timeout, close');
    }
  });

  it('counts for a head behind requests that wait for one another', async () => {
    const held: (() => void)[] = [];
    const double = await ServerDouble.start((_request, response) => void held.push(() => response.end('ok')), {
      mode: 'DISABLE',
      manager: { requestHeadersTimeoutMs: 500 },
    });
    cleanups.push(() => double[Symbol.asyncDispose]());
    const client = await call(
      double,
      'GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    await expect.poll(() => held.length, { interval: 1 }).toBe(1);
    client.write(HEAD);
    const other = await call(double, 'GET /d HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => held.length, { interval: 1 }).toBe(2);
    for (const at of [0, 2, 3]) {
      await expect.poll(() => held.length, { interval: 1 }).toBeGreaterThan(at);
      held[at]!();
      expect((await client.response()).status).toBe(200);
    }
    double.clock.advance(500);
    expect((await client.response()).status).toBe(408);
    other.close();
  });

  it('says nothing of connections without a byte, of bodies, and of heads that come whole', async () => {
    const double = await serve({ requestHeadersTimeoutMs: 500 });
    const client = await call(double, `${HEAD}content-length: 5\r\n\r\nhe`);
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(1);
    client.write('l');
    double.clock.advance(1000);
    client.write('lo');
    expect((await client.response()).status).toBe(200);
    double.clock.advance(1000);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.response()).status).toBe(200);
  });
});
