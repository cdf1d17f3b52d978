import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import grpc from '@grpc/grpc-js';
import { CONNECTION_LIMITS, type ConnectionLimits, type Filter, localReply } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { bindMeshServer } from './bind-mesh-server.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { type GreeterHandlers, greeterService } from './testing/greeter.ts';
import { inboundChain, MeshDouble } from './testing/mesh-double.ts';

const PORT = 50051;
const MESSAGE = Buffer.from('{"text":"x"}');

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

/** A server under these limits, and a caller's connection to it. */
async function connected(
  limits: Partial<ConnectionLimits>,
  greet: GreeterHandlers['greet'] = (_call, respond) => respond(null, { text: 'hi' }),
) {
  const clock = new FakeClock();
  const chain = inboundChain(PORT, []);
  const http = { ...chain.http!, connectionLimits: { ...CONNECTION_LIMITS, ...limits } };
  const double = new MeshDouble({ clock, inbound: [{ ...chain, http }] });
  const server = new grpc.Server();
  server.addService(greeterService, { greet } as grpc.UntypedServiceImplementation);
  const binding = await bindMeshServer(server, double, { workloadPort: PORT, port: 0 });
  const session = connectHttp2(`http://127.0.0.1:${binding.port}`);
  session.on('error', () => {});
  cleanups.push(() => {
    session.destroy();
    server.forceShutdown();
    return binding.close({ drainMs: 0 });
  });
  await once(session, 'remoteSettings');
  return { clock, session, double };
}

/** The status of a call. */
function call(session: ClientHttp2Session): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/test.Greeter/Greet',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const tell = (headers: object): void => {
      const status = (headers as { 'grpc-status'?: string })['grpc-status'];
      if (status !== undefined) resolve(status);
    };
    stream.on('response', tell).on('trailers', tell);
    stream.on('error', reject);
    stream.resume();
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, MESSAGE.length]), MESSAGE]));
  });
}

describe('a connection whose chain is gone', () => {
  it('ends at once when it is idle', async () => {
    const { session, double } = await connected({});
    expect(await call(session)).toBe('0');
    const closed = once(session, 'close');
    double.push({ inbound: [] });
    await closed;
  });

  it('has 45 s for the calls that run, and takes no other', async () => {
    const running = Promise.withResolvers<(text: string) => void>();
    const { clock, session, double } = await connected({}, (_call, respond) => running.resolve((text) => respond(null, { text })));
    const status = call(session);
    const answer = await running.promise;
    const told = once(session, 'goaway');
    double.push({ inbound: [] });
    double.push({ inbound: [] }); // Its time is counted from the first.
    await told;
    clock.advance(44_999);
    expect(session.destroyed).toBe(false);
    answer('late');
    expect(await status).toBe('0');
    await once(session, 'close');
  });

  it('is cut when its calls take longer', async () => {
    const running = Promise.withResolvers<void>();
    const { clock, session, double } = await connected({}, () => running.resolve());
    void call(session).catch(() => {});
    await running.promise;
    const told = once(session, 'goaway');
    double.push({ inbound: [] });
    await told;
    clock.advance(30_000);
    double.push({ inbound: [] });
    const closed = once(session, 'close');
    clock.advance(15_000);
    await closed;
  });
});

describe('filters in front of a gRPC server', () => {
  it('close a connection before a call of it is heard', async () => {
    const chain = inboundChain(PORT, []);
    const asked: string[] = [];
    const judge: Filter = {
      name: 'judge',
      onRequest: async (x) => {
        asked.push(`${x.protocol} ${x.port}`);
        return asked.length > 1 ? localReply({ status: 403, details: 'rbac_access_denied_matched_policy[p]' }) : undefined;
      },
    };
    const double = new MeshDouble({ inbound: [{ ...chain, admission: { key: 'a', filters: [judge] } }] });
    const server = new grpc.Server();
    server.addService(greeterService, {
      greet: (_call: unknown, respond: (error: null, reply: object) => void) => respond(null, { text: 'hi' }),
    } as grpc.UntypedServiceImplementation);
    const binding = await bindMeshServer(server, double, { workloadPort: PORT, port: 0 });
    cleanups.push(() => {
      server.forceShutdown();
      return binding.close({ drainMs: 0 });
    });
    const first = connectHttp2(`http://127.0.0.1:${binding.port}`);
    cleanups.push(() => first.destroy());
    expect(await call(first)).toBe('0');
    const second = connectHttp2(`http://127.0.0.1:${binding.port}`);
    second.on('error', () => {});
    await once(second, 'close');
    expect(asked).toEqual(['tcp 50051', 'tcp 50051']);
    // A push with other filters: who was let in by these comes again.
    const closed = once(first, 'close');
    double.push({ inbound: [{ ...chain, admission: { key: 'b', filters: [] } }] });
    await closed;
  });
});

describe('a connection to a gRPC server', () => {
  it('is told and closed when idle_timeout is over', async () => {
    const { clock, session, double } = await connected({ idleTimeoutMs: 10_000 });
    for (let round = 1; round <= 2; round++) {
      expect(await call(session)).toBe('0');
      await expect.poll(() => double.finished.length, { interval: 1 }).toBe(round);
      clock.advance(9_000);
    }
    expect(session.closed).toBe(false);
    const told = once(session, 'goaway');
    clock.advance(1_000);
    clock.advance(9_000);
    await told;
    await expect.poll(() => session.destroyed, { interval: 1 }).toBe(true);
  });

  it('ends too when no call ever came', async () => {
    const { clock, session } = await connected({ idleTimeoutMs: 10_000 });
    clock.advance(10_000);
    clock.advance(5_000);
    await expect.poll(() => session.destroyed, { interval: 1 }).toBe(true);
  });

  it('outlives idle_timeout with a call that runs, and ends at its age behind it', async () => {
    let answer: (() => void) | undefined;
    const { clock, session } = await connected({ idleTimeoutMs: 1_000, maxDurationMs: 20_000 }, (_call, respond) => {
      answer = () => respond(null, { text: 'late' });
    });
    const status = call(session);
    await expect.poll(() => answer, { interval: 1 }).toBeDefined();
    clock.advance(10_000);
    expect(session.closed).toBe(false);
    clock.advance(10_000);
    answer!();
    expect(await status).toBe('0');
    await expect.poll(() => session.destroyed, { interval: 1 }).toBe(true);
  });

  it('carries max_requests_per_connection', async () => {
    const { session } = await connected({ maxRequests: 2 });
    expect([await call(session), await call(session)]).toEqual(['0', '0']);
    await expect.poll(() => session.destroyed, { interval: 1 }).toBe(true);
  });
});
