import { createServer, type IncomingMessage, type Server, request as send } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import type { BodyStart } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { readBodyStart } from './body-start.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

interface Seen {
  readonly start: BodyStart;
  readonly body: string;
}

/** A server that looks at the start of each body, before or after `wait`, and then reads it as an app would. */
async function serve(
  limit: number,
  wait: (request: IncomingMessage) => Promise<void> = async () => {},
): Promise<{ port: number; next(): Promise<Seen> }> {
  const seen: Seen[] = [];
  const waiting: ((seen: Seen) => void)[] = [];
  server = createServer(async (request, response) => {
    await wait(request);
    const start = await readBodyStart(request, limit);
    let body = '';
    for await (const chunk of request) body += chunk;
    const entry = { start, body };
    const take = waiting.shift();
    if (take === undefined) seen.push(entry);
    else take(entry);
    response.end();
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, next: () => (seen.length > 0 ? Promise.resolve(seen.shift()!) : new Promise((resolve) => waiting.push(resolve))) };
}

function post(port: number, body: string, headers: Record<string, string> = {}): void {
  const call = send({ port, host: '127.0.0.1', method: 'POST', headers });
  call.on('error', () => {});
  call.end(body);
}

const text = ({ start }: Seen): string => new TextDecoder().decode(start.bytes);

describe('the start of a request body', () => {
  it.each([
    ['a body with a length', { 'content-length': '5' }],
    ['a chunked one', { 'transfer-encoding': 'chunked' }],
  ])('is all of it when it is short, and the app still gets it: %s', async (_what, headers) => {
    const { port, next } = await serve(100);
    post(port, 'hello', headers);
    const seen = await next();
    expect([text(seen), seen.start.complete, seen.body]).toEqual(['hello', true, 'hello']);
  });

  it('is there at once when the body came before anybody asked', async () => {
    const { port, next } = await serve(100, (request) => new Promise((resolve) => waitForComplete(request, resolve)));
    post(port, 'hello', { 'content-length': '5' });
    const seen = await next();
    expect([text(seen), seen.start.complete, seen.body]).toEqual(['hello', true, 'hello']);
  });

  it('ends as soon as there is more than was asked for; a body far above all buffers arrives whole', async () => {
    const { port, next } = await serve(10);
    const body = 'x'.repeat(1_000_000);
    post(port, body, { 'content-length': String(body.length) });
    const seen = await next();
    expect(seen.start.bytes.length).toBeGreaterThan(10);
    expect(seen.start.bytes.length).toBeLessThan(200_000);
    expect([seen.start.complete, seen.body.length]).toEqual([false, body.length]);
  });

  it('is empty for a chunked body of nothing', async () => {
    const { port, next } = await serve(10);
    post(port, '', { 'transfer-encoding': 'chunked' });
    const seen = await next();
    expect([text(seen), seen.start.complete, seen.body]).toEqual(['', true, '']);
  });

  it('is what was there when the caller goes away', async () => {
    let got: ((start: BodyStart) => void) | undefined;
    const start = new Promise<BodyStart>((resolve) => {
      got = resolve;
    });
    server = createServer((request) => {
      request.on('error', () => {});
      void readBodyStart(request, 100).then(got);
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () =>
      socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhel', () => setImmediate(() => socket.destroy())),
    );
    socket.on('error', () => {});
    expect((await start).complete).toBe(false);
  });

  it('is told at once when the caller went away before, while an earlier filter waited', async () => {
    const left = new Promise<BodyStart>((resolve, reject) => {
      server = createServer((request) => {
        request.on('error', () => {});
        request.once('close', () => readBodyStart(request, 100).then(resolve, reject));
      });
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const socket = connect((server!.address() as AddressInfo).port, '127.0.0.1', () =>
      socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhel', () => setImmediate(() => socket.destroy())),
    );
    socket.on('error', () => {});
    expect((await left).complete).toBe(false);
  });
});

function waitForComplete(request: IncomingMessage, done: () => void): void {
  if (request.complete) done();
  else setImmediate(() => waitForComplete(request, done));
}

describe('the start of a body of an HTTP/2 stream', () => {
  it.each([
    ['is all of a short one', 'hello', true],
    ['ends above the limit, and the rest still arrives', 'x'.repeat(300_000), false],
    ['is empty where nothing comes', '', true],
  ])('%s', async (_what, body, complete) => {
    const http2 = createHttp2Server();
    const starts: BodyStart[] = [];
    http2.on('stream', async (stream) => {
      starts.push(await readBodyStart(stream, 100), await readBodyStart(stream, 50));
      let seen = '';
      for await (const chunk of stream) seen += chunk;
      stream.respond();
      stream.end(String(seen.length));
    });
    await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
    const client = connectHttp2(`http://127.0.0.1:${(http2.address() as AddressInfo).port}`);
    const call = client.request({ ':method': 'POST' });
    call.end(body);
    let answer = '';
    for await (const chunk of call) answer += chunk;
    client.close();
    http2.close();
    expect(answer).toBe(String(body.length));
    expect(starts[0]!.complete).toBe(complete);
    expect(starts[1]).toBe(starts[0]);
    if (complete) expect(new TextDecoder().decode(starts[0]!.bytes)).toBe(body);
    else expect(starts[0]!.bytes.length).toBeLessThan(200_000);
  });
});
