import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import grpc from '@grpc/grpc-js';
import type { Http2Limits } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { bindMeshServer, type MeshServerBinding } from './bind-mesh-server.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { type GreeterHandlers, greeterService } from './testing/greeter.ts';
import { inboundChain, MeshDouble } from './testing/mesh-double.ts';

const PORT = 50051;
const METHOD = '/test.Greeter/Greet';
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

class Served {
  readonly clock = new FakeClock();
  /** How many calls a handler was given. */
  calls = 0;
  readonly double = new MeshDouble({
    clock: this.clock,
    inbound: [
      inboundChain(PORT, [], {
        match: { destinationPort: PORT, serverNames: [], applicationProtocols: [], transportProtocol: 'raw_buffer' },
      }),
    ],
  });
  binding!: MeshServerBinding;

  static async start(greet: GreeterHandlers['greet'], options: grpc.ServerOptions = {}): Promise<Served> {
    const served = new Served();
    const server = new grpc.Server(options);
    const counted: GreeterHandlers['greet'] = (call, respond) => {
      served.calls++;
      greet!(call, respond);
    };
    server.addService(greeterService, { greet: counted } as grpc.UntypedServiceImplementation);
    served.binding = await bindMeshServer(server, served.double, { workloadPort: PORT, port: 0 });
    cleanups.push(() => {
      server.forceShutdown();
      return served.binding.close({ drainMs: 0 });
    });
    return served;
  }

  limit(http2Limits: Http2Limits): void {
    const [chain] = this.double.snapshots.current!.inbound;
    this.double.push({ inbound: [{ ...chain!, http: { ...chain!.http!, http2Limits } }] });
  }

  session(): ClientHttp2Session {
    const session = connectHttp2(`http://127.0.0.1:${this.binding.port}`);
    session.on('error', () => {});
    cleanups.push(() => session.destroy());
    return session;
  }

  /** Writes bytes on a connection of its own and waits for its end. */
  async flood(bytes: Buffer): Promise<void> {
    const socket = connect(this.binding.port, '127.0.0.1', () => socket.write(bytes));
    socket.on('error', () => {});
    socket.resume();
    cleanups.push(() => socket.destroy());
    await once(socket, 'close');
  }
}

const field = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
const HEAD = Buffer.concat(
  Object.entries({
    ':method': 'POST',
    ':scheme': 'http',
    ':authority': 'a',
    ':path': METHOD,
    'content-type': 'application/grpc',
    te: 'trailers',
  }).map(([name, value]) => field(name, value)),
);

/** HEADERS of a call, and RST_STREAM with CANCEL. */
function openAndReset(id: number): Buffer {
  const stream = [0, 0, id >> 8, id & 255];
  return Buffer.concat([Buffer.from([0, 0, HEAD.length, 1, 4, ...stream]), HEAD, Buffer.from([0, 0, 4, 3, 0, ...stream, 0, 0, 0, 8])]);
}
/** HEADERS of a call, whose message never comes. */
function openCall(id: number): Buffer {
  return Buffer.concat([Buffer.from([0, 0, HEAD.length, 1, 4, 0, 0, id >> 8, id & 255]), HEAD]);
}
const floodOf = (count: number): Buffer =>
  Buffer.concat([PREFACE, ...Array.from({ length: count }, (_, index) => openAndReset(2 * index + 1))]);

function begin(session: ClientHttp2Session, message = '{"text":"x"}'): ClientHttp2Stream {
  const stream = session.request({ ':method': 'POST', ':path': METHOD, 'content-type': 'application/grpc', te: 'trailers' });
  stream.on('error', () => {});
  const body = Buffer.from(message);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  stream.end(Buffer.concat([prefix, body]));
  return stream;
}

/** grpc-status of a call. */
async function statusOf(stream: ClientHttp2Stream): Promise<string> {
  let status = '';
  const take = (headers: { 'grpc-status'?: string }): void => {
    status = headers['grpc-status'] ?? status;
  };
  stream.on('response', take as never).on('trailers', take as never);
  stream.resume();
  await once(stream, 'close');
  return status;
}

const greet: GreeterHandlers['greet'] = (call, respond) => respond(null, { text: call.request.text });

describe('callers of a gRPC server', () => {
  it('lose their connection when they take a hundred calls back at once, of which nobody hears', async () => {
    const served = await Served.start(greet);
    const open = served.session();
    expect(await statusOf(begin(open))).toBe('0');
    await served.flood(floodOf(150));
    expect(served.calls).toBe(1);
    expect(await statusOf(begin(open))).toBe('0'); // whoever was there before stays
  });

  it('are let in late when they come again, and lose that connection sooner', async () => {
    const served = await Served.start(greet);
    await served.flood(floodOf(150));
    const answer = statusOf(begin(served.session()));
    expect(await Promise.race([answer, new Promise((resolve) => setTimeout(() => resolve('late'), 50))])).toBe('late');
    served.clock.advance(250);
    expect(await answer).toBe('0');
    const again = served.flood(floodOf(1_000));
    const late = setInterval(() => served.clock.advance(25), 5);
    cleanups.push(() => clearInterval(late));
    await again;
    expect(served.calls).toBe(1);
  });

  it('are served whole when they come late', async () => {
    const served = await Served.start(greet);
    await served.flood(floodOf(150));
    const answer = statusOf(begin(served.session(), JSON.stringify({ text: 'x'.repeat(300_000) })));
    const late = setInterval(() => served.clock.advance(250), 20);
    cleanups.push(() => clearInterval(late));
    expect(await answer).toBe('0');
  });

  it('are not let in any more when the port closes meanwhile', async () => {
    const served = await Served.start(greet);
    await served.flood(floodOf(150));
    const answer = statusOf(begin(served.session()));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closed = served.binding.close({ drainMs: 10_000 });
    served.clock.advance(250);
    await closed;
    expect([await answer, served.calls]).toEqual(['', 0]);
  });

  it('lose their connection when they take back half of what handlers work at', async () => {
    const served = await Served.start(() => {}); // never answers
    const session = served.session();
    const closed = once(session, 'close');
    for (let sent = 0; sent < 250; sent += 25) {
      const streams = Array.from({ length: 25 }, () => begin(session));
      await expect.poll(() => served.calls, { interval: 1 }).toBe(sent + 25);
      for (const stream of streams) stream.close(8);
    }
    await closed;
    expect(served.calls).toBe(250);
  });

  it('keep it when the calls were answered, or when they wait for a second', async () => {
    const served = await Served.start((call, respond) => {
      if (call.request.text === 'x') respond({ code: grpc.status.ABORTED });
    });
    const session = served.session();
    for (let sent = 0; sent < 300; sent += 50)
      expect(new Set(await Promise.all(Array.from({ length: 50 }, () => statusOf(begin(session)))))).toEqual(new Set(['10']));
    for (let sent = 300; sent < 600; sent += 50) {
      const streams = Array.from({ length: 50 }, () => begin(session, '{"text":"wait"}'));
      await expect.poll(() => served.calls, { interval: 1 }).toBe(sent + 50);
      served.clock.advance(1_001);
      for (const stream of streams) stream.close(8);
      await expect.poll(() => served.double.finished.length, { interval: 1 }).toBe(sent + 50);
    }
    expect(session.destroyed).toBe(false);
    expect(await statusOf(begin(session))).toBe('10');
  });

  it('have no more calls open at once than an Envoy lets them, unless the app or the mesh says how many', async () => {
    for (const [options, ofMesh, most] of [
      [{}, undefined, 1_024],
      [{ 'grpc.max_concurrent_streams': 3 }, undefined, 3],
      [{}, 5, 5],
      [{ 'grpc.max_concurrent_streams': 3 }, 2, 2],
    ] as const) {
      const served = await Served.start(() => {}, options); // never answers
      served.limit({ maxConcurrentStreams: ofMesh, streamWindowBytes: 66_000, connectionWindowBytes: 70_000 });
      const session = served.session();
      await once(session, 'remoteSettings');
      expect(session.remoteSettings).toMatchObject({ maxConcurrentStreams: most, initialWindowSize: 66_000 });
      await expect.poll(() => session.state.remoteWindowSize, { interval: 1 }).toBe(70_000);
      const socket = connect(served.binding.port, '127.0.0.1');
      cleanups.push(() => socket.destroy());
      let refused = 0;
      socket.on('data', (bytes: Buffer) => {
        refused += bytes.toString('latin1').split('\0\0\x04\x03\0').length - 1;
      });
      socket.write(Buffer.concat([PREFACE, ...Array.from({ length: most + 20 }, (_, index) => openCall(2 * index + 1))]));
      await expect.poll(() => refused, { interval: 1 }).toBe(20);
      expect(served.calls).toBe(0); // no message has come
      socket.destroy();
      await expect.poll(() => served.double.finished.length, { interval: 1 }).toBe(most);
    }
  });
});
