import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type BodyStart, createBuffer, createExtAuthz, type Filter, formatResponseFlags, localReply } from '@ripstop/core';
import { type Dispatcher, FormData, request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { extAuthzConfig, FakeAuthorizer, OK } from '../../core/src/testing/ext-authz-doubles.ts';
import { createMeshFetch } from './mesh-fetch.ts';
import { forwardTo, listen, MeshDouble, realClock, retryOn, TestCluster, testEndpoint } from './testing/mesh-double.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

interface Seen {
  readonly body: string;
  readonly length: string | undefined;
}

/** A filter that looks at `limit` bytes, in front of a server that tells what it got. */
async function scene(limit: number, verdict?: (start: BodyStart | undefined) => boolean, action: Parameters<typeof forwardTo>[1] = {}) {
  const starts: (string | undefined)[] = [];
  const seen: Seen[] = [];
  const { port, close } = await listen(async (req, res) => {
    seen.push({ body: await text(req), length: req.headers['content-length'] });
    res.statusCode = seen.length === 1 && action.retry !== undefined ? 503 : 200;
    res.end('served');
  });
  cleanups.push(close);
  const cluster = new TestCluster('c', [testEndpoint(port)]);
  const mesh = new MeshDouble([cluster], forwardTo(cluster, action));
  cleanups.push(() => mesh.dispatcher.destroy());
  const look: Filter = {
    name: 'look',
    onRequest: async (x) => {
      const start = await x.body?.read(limit);
      starts.push(start === undefined ? undefined : `${Buffer.from(start.bytes)}${start.complete ? '' : '…'}`);
      return verdict?.(start) === false ? localReply({ status: 403, details: 'denied', body: 'denied' }) : undefined;
    },
  };
  mesh.filters = [look];
  const post = (body: Dispatcher.DispatchOptions['body']) =>
    request('http://reviews/', { dispatcher: mesh.dispatcher, method: 'POST', body });
  return { mesh, starts, seen, post };
}

describe('filters of outbound calls', () => {
  it.each([
    ['a string', () => 'hello', 'hello'],
    ['bytes', () => Buffer.from('hello'), 'hello'],
    ['a stream', () => Readable.from(['he', 'llo']), 'hello'],
    ['the start of a long stream', () => Readable.from(['hello', 'world', '!']), 'helloworld…'],
  ])('see %s, and the server gets all of it', async (_what, body, start) => {
    const { post, starts, seen } = await scene(9);
    const reply = await post(body());
    expect([reply.statusCode, await reply.body.text()]).toEqual([200, 'served']);
    expect(starts).toEqual([start]);
    expect(seen[0]!.body).toBe(start.endsWith('…') ? 'helloworld!' : 'hello');
  });

  it('see what fetch sends: text, a Blob and a form', async () => {
    const { mesh, starts, seen } = await scene(1_000);
    const meshFetch = createMeshFetch(mesh.dispatcher);
    const form = new globalThis.FormData();
    form.set('field', 'value');
    for (const body of ['text', new Blob(['blob']), form])
      expect((await meshFetch('http://reviews/', { method: 'POST', body })).status).toBe(200);
    expect(starts.slice(0, 2)).toEqual(['text', 'blob']);
    expect(starts[2]).toContain('name="field"\r\n\r\nvalue');
    expect(seen.map(({ body }) => body)).toEqual(starts);
  });

  it('see the bytes of a form and of a Blob that undici itself is given', async () => {
    const { post, starts, seen } = await scene(1_000);
    const form = new FormData();
    form.set('field', 'value');
    expect((await post(form)).statusCode).toBe(200);
    expect((await post(new Blob(['0123456789']) as never)).statusCode).toBe(200);
    expect(starts[0]).toContain('name="field"\r\n\r\nvalue');
    expect(seen.map(({ body }) => body)).toEqual(starts);
  });

  it('have no body to look at where none is sent', async () => {
    const { starts, post } = await scene(9);
    await post(undefined);
    await post('');
    expect(starts).toEqual([undefined, undefined]);
  });

  it('may refuse by it; nothing of it is sent, and the stream of the app is ended', async () => {
    const { post, seen, mesh } = await scene(3, (start) => start?.complete === true);
    const body = Readable.from(['hello', 'world']);
    const reply = await post(body);
    expect([reply.statusCode, await reply.body.text()]).toEqual([403, 'denied']);
    expect(seen).toEqual([]);
    await expect.poll(() => body.destroyed).toBe(true);
    expect(mesh.finished).toHaveLength(1);
  });

  it('one after the other see the same bytes', async () => {
    const { mesh, starts, seen, post } = await scene(4);
    mesh.filters = [...mesh.filters, createBuffer(10), ...mesh.filters];
    expect((await post(Readable.from(['hello', 'again']))).statusCode).toBe(200);
    expect(starts).toEqual(['hello…', 'helloagain']);
    expect(seen).toEqual([{ body: 'helloagain', length: '10' }]);
    expect((await post(Readable.from(['hello', 'again', '!']))).statusCode).toBe(413);
  });

  it('leave a retry the body, while it fits the buffer', async () => {
    const retry = { retry: retryOn('5xx', { numRetries: 1 }) };
    const small = await scene(100, undefined, retry);
    expect((await small.post(Readable.from(['hello']))).statusCode).toBe(200);
    expect(small.seen.map(({ body }) => body)).toEqual(['hello', 'hello']);
    const large = await scene(100, undefined, { ...retry, bufferLimitBytes: 4 });
    expect((await large.post(Readable.from(['hello']))).statusCode).toBe(503);
    expect(large.seen.map(({ body }) => body)).toEqual(['hello']);
  });

  it('show it to an authorizer', async () => {
    const { mesh, post } = await scene(1);
    const authorizer = new FakeAuthorizer(OK);
    const filter = createExtAuthz(extAuthzConfig(authorizer, { body: { maxBytes: 5, allowPartial: true } }), undefined, {
      clock: realClock,
      random: Math.random,
      direction: 'outbound',
      state: (_key, create) => create(),
    });
    mesh.filters = [filter!];
    expect((await post(Readable.from(['hello', ' world']))).statusCode).toBe(200);
    expect((await post('hello world')).statusCode).toBe(200);
    expect(authorizer.asked.map(({ body }) => ({ ...body, bytes: Buffer.from(body!.bytes).toString() }))).toEqual([
      { bytes: 'hello', partial: false, received: 5 },
      { bytes: 'hello', partial: true, received: 11 },
    ]);
  });

  it('do not wait longer than the idle timeout for what the app does not send', async () => {
    const { mesh, post, starts } = await scene(9, undefined, { idleTimeoutMs: 30 });
    const body = new Readable({ read() {} });
    body.push('he');
    const reply = await post(body);
    expect([reply.statusCode, await reply.body.text()]).toEqual([408, 'stream timeout']);
    expect(formatResponseFlags(mesh.finished[0]!.x.flags)).toBe('SI');
    expect(mesh.finished[0]!.x.details).toBe('stream_idle_timeout');
    expect(starts).toEqual([undefined]);
  });

  it('end with the app that gives up, or whose stream breaks', async () => {
    const { mesh, post, seen } = await scene(9);
    const broken = Readable.from(
      (async function* () {
        yield 'he';
        throw new Error('disk gone');
      })(),
    );
    await expect(post(broken)).rejects.toThrow('disk gone');
    const abort = new AbortController();
    const silent = new Readable({ read() {} });
    const given = request('http://reviews/', { dispatcher: mesh.dispatcher, method: 'POST', body: silent, signal: abort.signal });
    setImmediate(() => abort.abort(new Error('no more')));
    await expect(given).rejects.toThrow('no more');
    expect(mesh.finished.map(({ x }) => formatResponseFlags(x.flags))).toEqual(['DC', 'DC']);
    expect(seen).toEqual([]);
  });
});
