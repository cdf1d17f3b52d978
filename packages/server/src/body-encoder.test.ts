import type { RequestListener } from 'node:http';
import { connect, createServer, type Http2Server, type IncomingHttpHeaders } from 'node:http2';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { type ContentCoding, createCompressor } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { BodyEncoder } from './body-encoder.ts';
import { ServerDouble } from './testing/server-double.ts';

type Answer = readonly [status: number | undefined, coding: unknown, body: string];

const GZIP: ContentCoding = { name: 'gzip', level: -1, windowBits: 12, memoryLevel: 5, strategy: 0 };

describe('an encoder', () => {
  it.each<[ContentCoding, (bytes: Buffer) => Buffer]>([
    [GZIP, gunzipSync],
    [{ name: 'br', quality: 3, windowBits: 18, mode: 0 }, brotliDecompressSync],
    [{ name: 'zstd', level: 3, checksum: true }, zstdDecompressSync],
  ])('of %j lets each chunk out at once', async (coding, decode) => {
    const chunks: Buffer[] = [];
    const first = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const encoder = new BodyEncoder(coding, {
      write: (chunk) => {
        chunks.push(chunk);
        first.resolve();
        return true;
      },
      end: ended.resolve,
      onDrain: () => {},
    });
    encoder.write('data: 1\n\n');
    await first.promise;
    encoder.end('data: 2\n\n');
    await ended.promise;
    expect(decode(Buffer.concat(chunks)).toString()).toBe('data: 1\n\ndata: 2\n\n');
  });

  it('waits when nobody takes more, and goes on', async () => {
    const chunks: Buffer[] = [];
    const full = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    let takes = false;
    const encoder = new BodyEncoder(GZIP, {
      write: (chunk) => {
        chunks.push(chunk);
        if (!takes) full.resolve();
        return takes;
      },
      end: ended.resolve,
      onDrain: () => {},
    });
    const text = Array.from({ length: 100_000 }, (_none, index) => index).join(' ');
    encoder.end(text);
    await full.promise;
    takes = true;
    encoder.resume();
    await ended.promise;
    expect(gunzipSync(Buffer.concat(chunks)).toString()).toBe(text);
  });
});

describe('an app whose responses are encoded', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const run of cleanups.splice(0).reverse()) await run();
  });

  const compressor = createCompressor({
    coding: GZIP,
    enabled: true,
    minimumBytes: 30,
    contentTypes: new Set(),
    disableOnEtag: false,
    removeAcceptEncoding: false,
    uncompressibleStatus: new Set(),
    chooseFirst: false,
  })!;
  const TEXT = 'all the same '.repeat(20);

  const serve = async (app: RequestListener | Http2Server): Promise<number> => {
    const double = await ServerDouble.start(app, { filters: [compressor] });
    cleanups.push(() => double[Symbol.asyncDispose]());
    return double.port;
  };

  async function overHttp1(port: number): Promise<Answer> {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'accept-encoding': 'gzip', connection: 'close' } });
    return [answer.status, answer.headers.get('content-encoding'), await answer.text()];
  }

  async function overHttp2(port: number): Promise<Answer> {
    const session = connect(`http://127.0.0.1:${port}`);
    const stream = session.request({ ':path': '/', 'accept-encoding': 'gzip' });
    const head = new Promise<IncomingHttpHeaders & { readonly ':status'?: number }>((resolve) => stream.once('response', resolve));
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    session.close();
    const { ':status': status, 'content-encoding': coding } = await head;
    return [status, coding, gunzipSync(Buffer.concat(chunks)).toString()];
  }

  it.each<[what: string, app: RequestListener]>([
    ['all at once', (_request, response) => response.end(TEXT)],
    ['with a head', (_request, response) => response.writeHead(200, { 'content-length': TEXT.length }).end(TEXT)],
    [
      'in pieces',
      (_request, response) => {
        response.write(TEXT.slice(0, 20));
        response.end(TEXT.slice(20));
      },
    ],
  ])('may write %s, over HTTP/1.1 and HTTP/2', async (_what, app) => {
    const port = await serve(app);
    expect(await overHttp1(port)).toEqual([200, 'gzip', TEXT]);
    expect(await overHttp2(port)).toEqual([200, 'gzip', TEXT]);
  });

  it('may be one of node:http2', async () => {
    expect(await overHttp2(await serve(createServer((_request, response) => response.end(TEXT))))).toEqual([200, 'gzip', TEXT]);
  });

  it('counts what went over the wire', async () => {
    const double = await ServerDouble.start((_request, response) => response.end(TEXT), { filters: [compressor] });
    cleanups.push(() => double[Symbol.asyncDispose]());
    await overHttp1(double.port);
    await new Promise((resolve) => setImmediate(resolve));
    expect(double.finished[0]!.outcome.responseBytes).toBeLessThan(TEXT.length / 2);
  });
});
