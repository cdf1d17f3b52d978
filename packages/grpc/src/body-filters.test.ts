import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import grpc from '@grpc/grpc-js';
import { type BodyStart, type Filter, formatResponseFlags, localReply } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { bindMeshServer } from './bind-mesh-server.ts';
import { createGrpcChannelOptions } from './channel-options.ts';
import { meshCredentials } from './mesh-credentials.ts';
import { meshTarget } from './mesh-target.ts';
import { failure, Greeter, type GreeterHandlers, greeterService, type Hello, startGreeter } from './testing/greeter.ts';
import { clusterSpec, endpointSpec, forwardTo, inboundChain, MeshDouble, managerOf, retryOn, routeOf } from './testing/mesh-double.ts';

const PORT = 50051;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

/** Looks at `limit` bytes and remembers them: their count, `…` = more may come, and the text behind the prefix of the first message. */
function looking(limit: number, verdict: (start: BodyStart | undefined) => boolean = () => true) {
  const seen: string[] = [];
  let asked = 0;
  const filter: Filter = {
    name: 'look',
    onRequest: async (x) => {
      asked++;
      const start = await x.body?.read(limit);
      if (start === undefined) seen.push('none');
      else seen.push(`${start.bytes.length}${start.complete ? '' : '…'} ${Buffer.from(start.bytes.subarray(5, 17))}`);
      return verdict(start) ? undefined : localReply({ status: 403, details: 'denied', body: 'denied by its body' });
    },
  };
  return { filter, seen, asked: () => asked };
}

const handlers: GreeterHandlers = {
  greet: (call, callback) => callback(null, { text: `hello ${call.request.text}` }),
  collect: (call, callback) => {
    const texts: string[] = [];
    call.on('data', ({ text }: { text: string }) => texts.push(text));
    call.on('end', () => callback(null, { text: texts.join() }));
  },
  chat: (call) => {
    call.on('data', (message: Hello) => call.write(message));
    call.on('end', () => call.end());
  },
};

const REFUSED_TEXT = '7 PERMISSION_DENIED: denied by its body';

describe.each(['server', 'client'] as const)('filters of a gRPC %s', (side) => {
  /** A client and a server, one of them in a mesh with this filter. */
  async function scene(filter: Filter, over: { idleMs?: number; retry?: boolean; handlers?: GreeterHandlers } = {}) {
    const { idleMs = 0 } = over;
    const served = over.handlers ?? handlers;
    let port: number;
    let double: MeshDouble;
    let client: Greeter;
    if (side === 'server') {
      const chain = inboundChain(PORT, [filter]);
      double = new MeshDouble({ inbound: [{ ...chain, http: { ...chain.http!, streamIdleTimeoutMs: idleMs } }] });
      const server = new grpc.Server();
      server.addService(greeterService, served as grpc.UntypedServiceImplementation);
      const binding = await bindMeshServer(server, double, { workloadPort: PORT, port: 0 });
      cleanups.push(() => binding.close({ drainMs: 0 }));
      port = binding.port;
      client = new Greeter(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    } else {
      const greeter = await startGreeter(served);
      port = greeter.port;
      cleanups.push(greeter.close);
      const action = forwardTo('greeter', { idleTimeoutMs: idleMs, retry: over.retry === true ? retryOn('unavailable') : undefined });
      double = new MeshDouble({
        clusters: [clusterSpec('greeter', [endpointSpec(greeter.port)])],
        routes: [routeOf(action, { filters: [filter] })],
      });
      client = new Greeter(meshTarget('greeter', PORT), meshCredentials(), createGrpcChannelOptions(double));
    }
    cleanups.push(() => client.close());
    return { client, double, port };
  }

  it('see a whole unary call as it is on the wire, and it goes on', async () => {
    const { filter, seen } = looking(100);
    const { client } = await scene(filter);
    expect(await client.greet('you')).toEqual({ text: 'hello you' });
    // Five bytes in front of {"text":"you"}.
    expect(seen).toEqual(['19 {"text":"you']);
  });

  it('see the start of a long message, and the server gets all of it', async () => {
    const { filter, seen } = looking(9);
    const { client } = await scene(filter);
    const long = 'x'.repeat(200_000);
    expect(await client.greet(long)).toEqual({ text: `hello ${long}` });
    expect(seen[0]).toMatch(/^\d+… \{"text":"xxx$/);
  });

  it('see what comes of a stream until it is enough; the rest streams on', async () => {
    const { filter, seen } = looking(20);
    const { client } = await scene(filter);
    const chat = client.chat();
    const answers: string[] = [];
    chat.on('data', ({ text }: { text: string }) => answers.push(text));
    chat.write({ text: 'one' });
    expect(answers).toEqual([]);
    chat.write({ text: 'two' });
    await expect.poll(() => answers, { interval: 1 }).toEqual(['one', 'two']);
    chat.write({ text: 'three' });
    await expect.poll(() => answers, { interval: 1 }).toEqual(['one', 'two', 'three']);
    chat.end();
    await new Promise((resolve) => chat.once('end', resolve));
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatch(/… \{"text":"one$/);
  });

  it('see a whole stream, however its messages come', async () => {
    const { filter, seen } = looking(10_000);
    const { client } = await scene(filter);
    const answer = await new Promise((resolve, reject) => {
      const call = client.collect((error, value) => (error === null ? resolve(value) : reject(error)));
      for (const text of ['a', 'b', 'c']) call.write({ text });
      setImmediate(() => call.end());
    });
    expect(answer).toEqual({ text: 'a,b,c' });
    expect(seen).toEqual(['51 {"text":"a"}']);
  });

  it('one after the other, later and wider, see the same call', async () => {
    const [first, second] = [looking(3), looking(100)];
    const both: Filter = {
      name: 'both',
      onRequest: async (x) => {
        await first.filter.onRequest!(x);
        await new Promise((resolve) => setImmediate(resolve));
        return second.filter.onRequest!(x);
      },
    };
    const { client } = await scene(both);
    expect(await client.greet('you')).toEqual({ text: 'hello you' });
    expect(second.seen).toEqual(['19 {"text":"you']);
  });

  it('refuse by it, and the handler hears nothing', async () => {
    const { filter } = looking(100, () => false);
    let called = 0;
    const { client, double } = await scene(filter, {
      handlers: {
        greet: (_call, callback) => {
          called++;
          callback(null, { text: '' });
        },
      },
    });
    expect((await failure(client.greet('you'))).message).toBe(REFUSED_TEXT);
    expect(called).toBe(0);
    await expect.poll(() => double.finished.map(({ x, outcome }) => [x.details, outcome.grpcStatus])).toEqual([['denied', 7]]);
  });

  it('do not wait longer than the idle timeout for a caller that sends nothing', async () => {
    const { filter, seen } = looking(100);
    const { client, double } = await scene(filter, { idleMs: 40 });
    const error = await new Promise<grpc.ServiceError>((resolve) => {
      const call = client.collect((cause) => resolve(cause as grpc.ServiceError));
      call.write({ text: 'a' });
    });
    expect([error.code, error.details]).toEqual([grpc.status.UNKNOWN, 'stream timeout']);
    expect(seen).toEqual(['none']);
    expect(formatResponseFlags(double.finished[0]!.x.flags)).toBe('SI');
  });

  const goneApp = async (): Promise<void> => {
    const { filter, seen, asked } = looking(100);
    const { client, double } = await scene(filter);
    const given = Promise.withResolvers<grpc.ServiceError>();
    const call = client.collect((cause) => given.resolve(cause as grpc.ServiceError));
    call.write({ text: 'a' });
    await expect.poll(asked, { timeout: 5000 }).toBe(1);
    call.cancel();
    const cancelled = given.promise;
    expect((await cancelled).code).toBe(grpc.status.CANCELLED);
    const late = await new Promise<grpc.ServiceError>((resolve) => {
      const chat = client.chat({ deadline: Date.now() + 200 });
      chat.on('error', resolve);
      chat.on('data', () => {});
      chat.write({ text: 'a' });
    });
    expect(late.code).toBe(grpc.status.DEADLINE_EXCEEDED);
    await expect.poll(() => seen).toEqual(['none', 'none']);
    expect(double.finished.map(({ outcome }) => outcome.grpcStatus)).toEqual([grpc.status.CANCELLED, grpc.status.DEADLINE_EXCEEDED]);
  };

  const goneCaller = async (): Promise<void> => {
    const { filter, seen, asked } = looking(100);
    const { double, port } = await scene(filter);
    const socket = connectTcp(port, '127.0.0.1');
    const session = connect(`http://127.0.0.1:${port}`, { createConnection: () => socket });
    session.on('error', () => {});
    const head = { ':method': 'POST', ':path': '/test.Greeter/Collect', 'content-type': 'application/grpc', te: 'trailers' };
    const late = session.request({ ...head, 'grpc-timeout': '40m' });
    late.write(Buffer.from([0, 0, 0, 0, 9]));
    const [headers] = (await once(late, 'response')) as [Record<string, string>];
    expect(headers['grpc-status']).toBe(String(grpc.status.DEADLINE_EXCEEDED));
    session.request(head).write(Buffer.from([0, 0]));
    await expect.poll(asked, { timeout: 5000 }).toBe(2);
    socket.destroy();
    await expect.poll(() => seen).toEqual(['none', 'none']);
    await expect.poll(() => double.finished.map(({ outcome }) => outcome.grpcStatus)).toEqual([4, 1]);
  };

  it('end with the call: with its deadline, and with whoever makes it', side === 'client' ? goneApp : goneCaller);
});

describe('an interceptor of the app', () => {
  it('stands behind the filters, which are shown the bytes of calls', async () => {
    const { filter, seen } = looking(100);
    const chain = inboundChain(PORT, []);
    const double = new MeshDouble({
      inbound: [{ ...chain, http: managerOf([routeOf(chain.http!.routes.virtualHosts[0]!.routes[0]!.action, { filters: [filter] })]) }],
    });
    const own: grpc.ServerInterceptor = (_method, call) => new grpc.ServerInterceptingCall(call);
    const server = new grpc.Server({ interceptors: [own] });
    server.addService(greeterService, handlers as grpc.UntypedServiceImplementation);
    const binding = await bindMeshServer(server, double, { workloadPort: PORT, port: 0 });
    cleanups.push(() => {
      server.forceShutdown();
      return binding.close({ drainMs: 0 });
    });
    const client = new Greeter(`127.0.0.1:${binding.port}`, grpc.credentials.createInsecure());
    cleanups.push(() => client.close());
    expect(await client.greet('you')).toEqual({ text: 'hello you' });
    expect(seen).toEqual(['19 {"text":"you']);
  });
});
