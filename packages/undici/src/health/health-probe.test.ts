import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import type { CheckResult, Cluster, Endpoint, HealthCheckKind, HealthCheckSpec } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { forwardTo, MeshDouble, TestCluster, testEndpoint } from '../testing/mesh-double.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const http = (listener: RequestListener): Promise<number> => listen(createHttpServer(listener));

/** A health service that answers with this message and grpc-status. */
function grpcHealth(message: readonly number[], status: string, seen: (path: string, body: Buffer) => void = () => {}): Promise<number> {
  const server = createHttp2Server();
  server.on('stream', async (stream: ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    seen(String(headers[':path']), Buffer.concat(chunks));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
    stream.end(Buffer.from([0, 0, 0, 0, message.length, ...message]));
  });
  return listen(server as unknown as Server);
}

const HTTP: Extract<HealthCheckKind, { kind: 'http' }> = {
  kind: 'http',
  host: '',
  path: '/healthz',
  method: 'GET',
  http2: false,
  headers: [['user-agent', 'Envoy/HC']],
  expected: [{ start: 200, end: 201 }],
  retriable: [],
  receive: [],
};

/** What checks of a host at a port come to, one after the other. */
async function ask(port: number, check: HealthCheckKind, times = 1, endpoint: Partial<Endpoint> = {}): Promise<CheckResult[]> {
  const cluster = new TestCluster('c', [testEndpoint(port)]);
  const mesh = new MeshDouble([cluster], forwardTo(cluster));
  cleanups.push(() => mesh.dispatcher.destroy());
  const spec = { check, reuseConnection: true, port: 0 } as HealthCheckSpec;
  const session = mesh.dispatcher.healthProbe(spec, { ...cluster.endpoints[0]!, ...endpoint } as Endpoint, cluster as Cluster);
  cleanups.push(() => session.close());
  const results: CheckResult[] = [];
  for (let asked = 0; asked < times; asked++) results.push(await new Promise((resolve) => void session.ask(resolve)));
  return results;
}

const PASS: CheckResult = { kind: 'pass', degraded: false };
const BAD: CheckResult = { kind: 'fail', immediate: true };
const BROKEN: CheckResult = { kind: 'fail', immediate: false };

describe('health checks by HTTP', () => {
  it('ask for the path by the cluster’s name, over one connection', async () => {
    const seen: string[] = [];
    let sockets = 0;
    const server = createHttpServer((req, res) => {
      seen.push(`${req.method} ${req.url} ${req.headers.host} ${req.headers['user-agent']}`);
      res.end('fine');
    }).on('connection', () => sockets++);
    expect(await ask(await listen(server), HTTP, 3)).toEqual([PASS, PASS, PASS]);
    expect([seen, sockets]).toEqual([new Array(3).fill('GET /healthz c Envoy/HC'), 1]);
  });

  it('are put to the host, method, headers and port that the configuration names', async () => {
    const seen: string[] = [];
    const port = await http((req, res) => {
      seen.push(`${req.method} ${req.headers.host} ${req.headers['x-check']}`);
      res.end();
    });
    const check: HealthCheckKind = { ...HTTP, method: 'HEAD', headers: [['x-check', '1']] };
    await ask(1, check, 2, { checkPort: port, checkHostname: 'own' });
    await ask(port, { ...check, method: 'POST', host: 'check.example' });
    expect(seen).toEqual(['HEAD own 1', 'HEAD own 1', 'POST check.example 1']);
  });

  it.each<[what: string, status: number, headers: Record<string, string>, check: Partial<typeof HTTP>, result: CheckResult]>([
    ['200', 200, {}, {}, PASS],
    ['another status', 204, {}, {}, BAD],
    ['a bad one', 503, {}, {}, BAD],
    ['a retriable one', 503, {}, { retriable: [{ start: 500, end: 600 }] }, BROKEN],
    ['an expected range', 204, {}, { expected: [{ start: 200, end: 300 }] }, PASS],
    ['its end is not in it', 300, {}, { expected: [{ start: 200, end: 300 }] }, BAD],
    ['degraded', 200, { 'x-envoy-degraded': '' }, {}, { kind: 'pass', degraded: true }],
    ['the body that is expected', 200, {}, { receive: [Buffer.from('all'), Buffer.from('well')] }, PASS],
    ['another body', 200, {}, { receive: [Buffer.from('well'), Buffer.from('all')] }, BAD],
  ])('%s', async (_what, status, headers, check, result) => {
    const port = await http((_req, res) => res.writeHead(status, headers).end('all is well'));
    expect(await ask(port, { ...HTTP, ...check })).toEqual([result]);
  });

  it('a connection that is refused or breaks is a broken check; the next one dials again', async () => {
    let count = 0;
    const port = await http((req, res) => (++count === 2 ? req.socket.destroy() : res.end()));
    expect(await ask(port, HTTP, 3)).toEqual([PASS, BROKEN, PASS]);
    const closed = createTcpServer();
    const gone = await listen(closed);
    await new Promise((resolve) => closed.close(resolve));
    expect(await ask(gone, HTTP)).toEqual([BROKEN]);
  });

  it('speak HTTP/2 where the check says so', async () => {
    const port = await listen(createHttp2Server((req, res) => void res.end(req.httpVersion)) as unknown as Server);
    expect(await ask(port, { ...HTTP, http2: true, receive: [Buffer.from('2.0')] }, 2)).toEqual([PASS, PASS]);
  });
});

describe('health checks by gRPC', () => {
  const check: HealthCheckKind = { kind: 'grpc', service: 'shop.Cart', authority: '' };

  it('ask the standard service by name', async () => {
    const seen: [string, string][] = [];
    const port = await grpcHealth([0x08, 1], '0', (path, body) => seen.push([path, body.toString('latin1')]));
    expect(await ask(port, check, 2)).toEqual([PASS, PASS]);
    expect(seen[0]).toEqual(['/grpc.health.v1.Health/Check', '\0\0\0\0\x0b\n\tshop.Cart']);
  });

  it.each<[what: string, message: number[], status: string, result: CheckResult]>([
    ['NOT_SERVING', [0x08, 2], '0', BAD],
    ['UNKNOWN', [], '0', BAD],
    ['an error', [0x08, 1], '5', BAD],
  ])('%s is bad', async (_what, message, status, result) => {
    expect(await ask(await grpcHealth(message, status), check)).toEqual([result]);
  });
});

describe('health checks by TCP', () => {
  const tcp = (send: string | undefined, ...receive: string[]): HealthCheckKind => ({
    kind: 'tcp',
    send: send === undefined ? undefined : Buffer.from(send),
    receive: receive.map((text) => Buffer.from(text)),
  });

  it('are content with a connection, or wait for what is expected', async () => {
    const port = await listen(createTcpServer((socket) => socket.on('data', (data) => socket.write(`re: ${data}!`)).on('error', () => {})));
    expect(await ask(port, tcp(undefined), 2)).toEqual([PASS, PASS]);
    expect(await ask(port, tcp('ping', 're: ', 'ping', '!'))).toEqual([PASS]);
    const silent = await listen(createTcpServer((socket) => socket.on('error', () => {}).end('no')));
    expect(await ask(silent, tcp('ping', 'yes'))).toEqual([BROKEN]);
  });
});
