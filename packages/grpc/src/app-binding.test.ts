import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import grpc from '@grpc/grpc-js';
import { type Filter, localReply } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { type AppAddress, takeOverBinding } from './app-binding.ts';
import { bindMeshServer } from './bind-mesh-server.ts';
import { failure, Greeter, type GreeterHandlers, greeterService } from './testing/greeter.ts';
import { inboundChain, MeshDouble } from './testing/mesh-double.ts';

const PORT = 50051;
const METHOD = '/test.Greeter/Greet';
const INSECURE = grpc.ServerCredentials.createInsecure();

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

const hello: GreeterHandlers = { greet: (call, respond) => respond(null, { text: `hello ${call.request.text}` }) };

/** Nobody whose first role is a guest's, and nobody by PUT. */
const noGuests: Filter = {
  name: 'no-guests',
  onRequest: ({ request }) =>
    request.headerLines('x-role').includes('guest') || request.method === 'PUT'
      ? localReply({ status: 403, details: 'rbac', body: 'denied' })
      : undefined,
};

interface Protected {
  readonly server: grpc.Server;
  readonly asked: AppAddress[];
  readonly double: MeshDouble;
}

function protect(handlers: GreeterHandlers = hello): Protected {
  const match = { destinationPort: PORT, serverNames: [], applicationProtocols: [], transportProtocol: 'raw_buffer' as const };
  const double = new MeshDouble({ inbound: [inboundChain(PORT, [noGuests], { match })] });
  const server = new grpc.Server();
  server.addService(greeterService, handlers as grpc.UntypedServiceImplementation);
  cleanups.push(() => server.forceShutdown());
  const asked: AppAddress[] = [];
  takeOverBinding(server, (address) => {
    asked.push(address);
    return bindMeshServer(server, double, { workloadPort: PORT, ...address });
  });
  return { server, asked, double };
}

function bind(server: grpc.Server, address = '127.0.0.1:0', credentials = INSECURE): Promise<number> {
  return new Promise((resolve, reject) =>
    server.bindAsync(address, credentials, (error, port) => (error === null ? resolve(port) : reject(error))),
  );
}

function greeter(port: number): Greeter {
  const client = new Greeter(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  cleanups.push(() => client.close());
  return client;
}

function sessionOf(port: number): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  cleanups.push(() => session.destroy());
  return session;
}

/** grpc-status of a call that is made by hand. */
async function statusOf(session: ClientHttp2Session, headers: Record<string, string | string[]>): Promise<string> {
  const stream = session.request({ ':method': 'POST', ':path': METHOD, 'content-type': 'application/grpc', te: 'trailers', ...headers });
  stream.end(Buffer.from('\0\0\0\0\x0c{"text":"x"}'));
  let status = '';
  const take = (head: { 'grpc-status'?: string }): void => {
    status = head['grpc-status'] ?? status;
  };
  stream.on('response', take as never).on('trailers', take as never);
  stream.resume();
  await once(stream, 'close');
  return status;
}

describe('a gRPC server that the app binds itself', () => {
  it('is bound by the mesh, at the address that the app gives', async () => {
    const { server, asked, double } = protect();
    const port = await bind(server);
    server.start(); // as apps did once
    expect(await greeter(port).greet('you')).toEqual({ text: 'hello you' });
    expect(asked).toEqual([{ host: '127.0.0.1', port: 0 }]);
    expect(double.finished.map(({ outcome }) => outcome.grpcStatus)).toEqual([0]);
    expect(await bind(server)).toBe(port); // as with grpc-js, the same address is bound once
  });

  it('is judged by each line of a header and by the method, which an interceptor would not see', async () => {
    const { server } = protect();
    const session = sessionOf(await bind(server));
    expect(await statusOf(session, { 'x-role': 'user' })).toBe('0');
    expect(await statusOf(session, { 'x-role': ['user', 'guest'] })).toBe('7');
    expect(await statusOf(session, { ':method': 'PUT' })).toBe('7');
    expect(await statusOf(session, { ':method': 'PUT', 'x-ripstop-method': 'POST' })).toBe('7');
  });

  it('has a budget of streams that are taken back', async () => {
    let calls = 0;
    const { server } = protect({ greet: () => void calls++ });
    const port = await bind(server);
    const head = ['\x83\x86', field(':path', METHOD), field(':authority', 'a'), field('content-type', 'application/grpc')].join('');
    const frames = ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'];
    for (let id = 1; id < 300; id += 2)
      frames.push(
        `\0\0${byte(head.length)}\x01\x04\0\0${byte(id >> 8)}${byte(id & 255)}${head}`,
        `\0\0\x04\x03\0\0\0${byte(id >> 8)}${byte(id & 255)}\0\0\0\x08`,
      );
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(frames.join(''), 'latin1')));
    socket.on('error', () => {}).resume();
    await once(socket, 'close');
    expect(calls).toBe(0);
  });

  it.each(['0.0.0.0:0', 'localhost:0', 'dns:127.0.0.1:0', 'ipv4:127.0.0.1:0'])('may be bound to %s', async (address) => {
    const { server } = protect();
    expect(await greeter(await bind(server, address)).greet('you')).toEqual({ text: 'hello you' });
  });

  it.each([
    ['unix:/tmp/greeter.sock', INSECURE, 'the mesh cannot bind "unix:/tmp/greeter.sock": give host:port'],
    ['127.0.0.1', INSECURE, 'give host:port'],
    ['127.0.0.1:70000', INSECURE, 'give host:port'],
    ['127.0.0.1:0', grpc.ServerCredentials.createSsl(null, []), 'TLS of its own'],
    ['127.0.0.1:0', {} as grpc.ServerCredentials, 'ServerCredentials object'],
  ])('is not bound to %s when the mesh cannot stand in front of it: %#', async (address, credentials, why) => {
    const { server, asked } = protect();
    await expect(bind(server, address, credentials)).rejects.toThrow(why);
    expect(asked).toEqual([]);
  });

  it('tells why a port cannot be had, and can be bound again', async () => {
    const port = await bind(protect().server);
    const { server } = protect();
    await expect(bind(server, `127.0.0.1:${port}`)).rejects.toThrow('EADDRINUSE');
    expect(await bind(server)).toBeGreaterThan(0);
  });

  it('is protected before it is bound, or not at all', async () => {
    const server = new grpc.Server();
    cleanups.push(() => server.forceShutdown());
    await bind(server);
    expect(() => takeOverBinding(server, () => Promise.reject(new Error('never')))).toThrow('bound already');
  });

  it.each<[how: string, shutDown: (server: grpc.Server) => Promise<void> | void]>([
    [
      'tryShutdown',
      (server) => new Promise<void>((resolve, reject) => server.tryShutdown((error) => (error === undefined ? resolve() : reject(error)))),
    ],
    ['forceShutdown', (server) => server.forceShutdown()],
    ['unbind', (server) => server.unbind('127.0.0.1:0')],
  ])('closes its port with %s', async (_how, shutDown) => {
    const { server } = protect();
    const port = await bind(server);
    await greeter(port).greet('you');
    await shutDown(server);
    await expect.poll(() => failure(greeter(port).greet('again')).then(({ code }) => code), { interval: 5 }).toBe(grpc.status.UNAVAILABLE);
  });

  it('ends its calls before it has shut down', async () => {
    let answer: (() => void) | undefined;
    const { server } = protect({
      greet: (_call, respond) => {
        answer = () => respond(null, { text: 'done' });
      },
    });
    const running = greeter(await bind(server)).greet('slow');
    await expect.poll(() => answer).toBeDefined();
    const down = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    answer!();
    expect(await running).toEqual({ text: 'done' });
    await down;
  });
});

/** A server whose addresses are bound by nobody: what is asked for is written down. */
class Unbound {
  readonly server = new grpc.Server();
  readonly asked: AppAddress[] = [];
  /** Time for calls of each binding that was closed, milliseconds. */
  readonly closed: (number | undefined)[] = [];
  /** What grpc-js itself was told. */
  readonly told: string[] = [];
  /** The next bindings fail. */
  broken = false;

  constructor() {
    this.server.forceShutdown = () => void this.told.push('forceShutdown');
    this.server.tryShutdown = (done) => {
      this.told.push('tryShutdown');
      done();
    };
    takeOverBinding(this.server, async (address) => {
      this.asked.push(address);
      if (this.broken) throw new Error('taken');
      const close = async (options?: { readonly drainMs?: number }) => void this.closed.push(options?.drainMs);
      return { ...address, close };
    });
  }

  /** What the app's callback gets. */
  bind(address: string, credentials = INSECURE): Promise<[error: string | undefined, port: number]> {
    return new Promise((resolve) => this.server.bindAsync(address, credentials, (error, port) => resolve([error?.message, port])));
  }
}

describe('the addresses of a gRPC server', () => {
  it.each<[string, AppAddress]>([
    ['[::1]:80', { host: '::1', port: 80 }],
    ['dns:///[fe80::a:1.2.3.4]:80', { host: 'fe80::a:1.2.3.4', port: 80 }],
    ['ipv6:[::]:0', { host: '::', port: 0 }],
    ['DNS:///greeter.example:65535', { host: 'greeter.example', port: 65_535 }],
  ])('may be %s', async (address, wanted) => {
    const one = new Unbound();
    expect(await one.bind(address)).toEqual([undefined, wanted.port]);
    expect(one.asked).toEqual([wanted]);
  });

  it.each(['http://127.0.0.1:80', '127.0.0.1:80/a', '127.0.0.1:8x', '127.0.0.1:65536', '[greeter]:80', '127.0.0.1:800000'])(
    'may not be %s',
    async (address) => {
      const one = new Unbound();
      expect(await one.bind(address)).toEqual([`the mesh cannot bind "${address}": give host:port`, 0]);
      expect(one.asked).toEqual([]);
    },
  );

  it('are bound anew when they could not be had, and no second time when they could', async () => {
    const one = new Unbound();
    one.broken = true;
    expect(await one.bind('a:1')).toEqual(['taken', 0]);
    one.broken = false;
    expect([await one.bind('a:1'), await one.bind('a:1')]).toEqual([
      [undefined, 1],
      [undefined, 1],
    ]);
    expect(one.asked).toHaveLength(2);
  });

  it.each<[how: string, shutDown: (server: grpc.Server) => void, drainMs: number, told: string[]]>([
    ['unbind', (server) => server.unbind('a:1'), 2_147_483_647, []],
    ['tryShutdown', (server) => server.tryShutdown(() => {}), 2_147_483_647, ['tryShutdown']],
    ['forceShutdown', (server) => server.forceShutdown(), 0, ['forceShutdown']],
  ])('are given back once by %s, which grpc-js hears of too, and can be bound again', async (_how, shutDown, drainMs, told) => {
    const one = new Unbound();
    await one.bind('a:1');
    shutDown(one.server);
    await new Promise(setImmediate);
    expect([one.closed, one.told]).toEqual([[drainMs], told]);
    shutDown(one.server); // nothing is bound any more
    await new Promise(setImmediate);
    expect(one.closed).toHaveLength(1);
    await one.bind('a:1');
    expect(one.asked).toHaveLength(2);
  });

  it('are taken over while grpc-js has bound none, whatever it keeps them in', () => {
    const never = () => Promise.reject(new Error('never'));
    const take = (fields: object) => () => takeOverBinding(fields as grpc.Server, never);
    const some = new Map([['a', 1]]);
    for (const bound of [{ boundPorts: some }, { http2Servers: some }, { boundPorts: some, http2Servers: new Map() }])
      expect(take(bound)).toThrow('bound already');
    for (const free of [{}, { boundPorts: new Map() }, { http2Servers: new Map() }]) expect(take(free)).not.toThrow();
  });
});

const byte = (value: number): string => String.fromCharCode(value);
/** RFC 7541 §6.2.2, without Huffman's code. */
function field(name: string, value: string): string {
  return `\0${byte(name.length)}${name}${byte(value.length)}${value}`;
}
