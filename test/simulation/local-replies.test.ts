import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type Exchange, formatResponseFlags } from '@ripstop/core';
import { createMesh, type Mesh } from '@ripstop/node';
import { createVirtualMesh, type VirtualMesh } from '@ripstop/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { baseMesh, UPSTREAMS } from './base-mesh.ts';
import { replyOf } from './calls/reply-of.ts';
import { Upstreams } from './mesh/upstreams.ts';
import type { Reply } from './observation.ts';
import type { Answer, Call } from './row.ts';

/*
 * Every reply that a mesh makes itself on the way out, from the YAML to the access log: status, body, headers, flags and details as
 * Envoy 1.40 was seen to answer. In memory and in virtual time. What belongs to the way in: test/security/envoy-refusals.test.ts.
 */

const FIRST_PORT = 20_000;
const GARBAGE_PORT = 21_000;
const CUT_PORT = 21_001;
const SILENT_PORT = 21_002;
const CLOSED_PORT = 1;

const RESET = 'upstream connect error or disconnect/reset before headers. reset reason: ';
const AGAIN = 'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: ';
const reset = (reason: string): string => `upstream_reset_before_response_started{${reason}}`;
const PLAIN = { 'content-type': 'text/plain' };
const EMPTY = { 'content-length': '0', 'content-type': undefined };
/** As long as anybody waits. */
const FOREVER: readonly Answer[] = [{ afterMs: 3_600_000 }];

interface Cause {
  readonly name: string;
  readonly path: string;
  readonly call?: Partial<Call>;
  readonly upstream?: readonly Answer[];
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly flags: string;
  readonly details: string;
}

const grpc = { method: 'POST', headers: { 'content-type': 'application/grpc' } };

const CAUSES: readonly Cause[] = [
  { name: 'no route', path: '/none', status: 404, body: '', headers: EMPTY, flags: 'NR', details: 'route_not_found' },
  {
    name: 'no route, gRPC',
    path: '/none',
    call: grpc,
    status: 200,
    headers: { 'grpc-status': '12', 'grpc-message': undefined },
    flags: 'NR',
    details: 'route_not_found',
  },
  { name: 'no cluster', path: '/no-cluster', status: 503, body: '', headers: EMPTY, flags: 'NC', details: 'cluster_not_found' },
  {
    name: 'no endpoint',
    path: '/empty',
    status: 503,
    body: 'no healthy upstream',
    headers: PLAIN,
    flags: 'UH',
    details: 'no_healthy_upstream',
  },
  {
    name: 'no endpoint, gRPC',
    path: '/empty',
    call: grpc,
    status: 200,
    headers: { 'grpc-status': '14', 'grpc-message': 'no healthy upstream' },
    flags: 'UH',
    details: 'no_healthy_upstream',
  },
  {
    name: 'refused',
    path: '/refused',
    status: 503,
    body: `${RESET}remote connection failure`,
    headers: PLAIN,
    flags: 'UF',
    details: reset('remote_connection_failure|delayed_connect_error:_Connection_refused'),
  },
  {
    name: 'refused, after a retry',
    path: '/refused-again',
    status: 503,
    body: `${AGAIN}remote connection failure`,
    flags: 'URX,UF',
    details: reset('remote_connection_failure|delayed_connect_error:_Connection_refused'),
  },
  {
    name: 'connect timeout',
    path: '/silent',
    status: 503,
    body: `${RESET}connection timeout`,
    headers: PLAIN,
    flags: 'UF',
    details: reset('connection_timeout'),
  },
  {
    name: 'closed before headers',
    path: '/echo',
    upstream: [{ hangUp: true }],
    status: 503,
    body: `${RESET}connection termination`,
    headers: PLAIN,
    flags: 'UC',
    details: reset('connection_termination'),
  },
  {
    name: 'closed before headers, after a retry',
    path: '/reset-again',
    upstream: [{ hangUp: true }],
    status: 503,
    body: `${AGAIN}connection termination`,
    flags: 'URX,UC',
    details: reset('connection_termination'),
  },
  {
    name: 'garbage',
    path: '/garbage',
    status: 502,
    body: `${RESET}protocol error`,
    headers: PLAIN,
    flags: 'UPE',
    details: reset('protocol_error'),
  },
  { name: 'cut short', path: '/cut', status: 0, flags: 'UPE', details: 'upstream_reset_after_response_started{protocol_error}' },
  {
    name: 'retries used up on a status',
    path: '/5xx',
    upstream: [{ status: 503, body: 'mine' }],
    status: 503,
    body: 'mine',
    flags: 'URX',
    details: 'via_upstream',
  },
  {
    name: 'route timeout',
    path: '/timeout',
    upstream: FOREVER,
    status: 504,
    body: 'upstream request timeout',
    headers: PLAIN,
    flags: 'UT',
    details: 'response_timeout',
  },
  {
    name: 'route timeout, gRPC',
    path: '/timeout',
    call: grpc,
    upstream: FOREVER,
    status: 200,
    headers: { 'grpc-status': '14', 'grpc-message': 'upstream request timeout' },
    flags: 'UT',
    details: 'response_timeout',
  },
  {
    name: 'per-try timeout',
    path: '/per-try',
    upstream: FOREVER,
    status: 504,
    body: 'upstream request timeout',
    flags: 'URX,UT',
    details: 'upstream_per_try_timeout',
  },
  { name: 'fault', path: '/fault', status: 418, body: 'fault filter abort', headers: PLAIN, flags: 'FI', details: 'fault_filter_abort' },
  { name: 'delay and fault', path: '/delay-fault', status: 418, body: 'fault filter abort', flags: 'DI,FI', details: 'fault_filter_abort' },
  { name: 'delay', path: '/delay', status: 200, flags: 'DI', details: 'via_upstream' },
  {
    name: 'fault with a gRPC status',
    path: '/fault-grpc',
    call: grpc,
    status: 200,
    headers: { 'grpc-status': '5', 'grpc-message': 'fault filter abort' },
    flags: 'FI',
    details: 'fault_filter_abort',
  },
  {
    name: 'redirect',
    path: '/redirect',
    status: 301,
    body: '',
    headers: { location: 'http://replies.test/there', 'content-length': '0' },
    flags: '-',
    details: 'direct_response',
  },
  {
    name: 'direct response',
    path: '/direct',
    status: 418,
    body: 'short',
    headers: { ...PLAIN, 'content-length': '5' },
    flags: '-',
    details: 'direct_response',
  },
  {
    name: 'direct response without a body',
    path: '/direct-empty',
    status: 403,
    body: '',
    headers: EMPTY,
    flags: '-',
    details: 'direct_response',
  },
  {
    name: 'direct response of 301',
    path: '/direct-301',
    status: 301,
    body: '',
    headers: { location: 'http://replies.test/direct-301' },
    flags: '-',
    details: 'direct_response',
  },
  {
    name: 'a preflight',
    path: '/cors',
    call: { method: 'OPTIONS', headers: { origin: 'http://o', 'access-control-request-method': 'GET' } },
    status: 200,
    body: '',
    headers: { 'access-control-allow-origin': 'http://o' },
    flags: '-',
    details: 'cors_response',
  },
];

describe('replies that the mesh makes', () => {
  const accounts: Pick<Exchange, 'flags' | 'details'>[] = [];
  let mesh: VirtualMesh;
  let client: Mesh;
  let upstreams: Upstreams;

  beforeAll(async () => {
    const port = (name: string): number => FIRST_PORT + UPSTREAMS.indexOf(name);
    mesh = await createVirtualMesh({ yaml: baseMesh(YAML, { port, podPort: 8080 }), findings: ['IST0101'] });
    const { network, clock } = mesh;
    let next = FIRST_PORT;
    const listen = async (server: Server): Promise<number> => (await network.listen(server, { host: '127.0.0.1', port: next++ })).port;
    upstreams = await Upstreams.start(UPSTREAMS, { listen, sleep: (ms) => new Promise((resolve) => void clock.setTimer(resolve, ms)) });
    await network.listen(rawServer('this is no HTTP\r\n\r\n'), { host: '127.0.0.1', port: GARBAGE_PORT });
    await network.listen(rawServer('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'), { host: '127.0.0.1', port: CUT_PORT });
    network.blackhole({ host: '127.0.0.1', port: SILENT_PORT });
    client = createMesh({ service: 'client', labels: { app: 'client' }, admin: 'off' }, mesh.environment);
    await client.ready();
    const sink = client.parts.telemetry;
    const end = sink.onEnd.bind(sink);
    sink.onEnd = (x, outcome) => {
      accounts.push({ flags: x.flags, details: x.details });
      end(x, outcome);
    };
  });
  afterAll(async () => {
    await mesh.until(client.close({ drainMs: 0 }));
    await upstreams[Symbol.asyncDispose]();
    await mesh[Symbol.asyncDispose]();
  });

  const make = async ({ path, call, upstream }: Pick<Cause, 'path' | 'call' | 'upstream'>): Promise<Reply> => {
    upstreams.play(upstream);
    accounts.length = 0;
    const broken: Reply = { status: 0, headers: {}, body: '', tookMs: 0 };
    return mesh.until(replyOf(client.dispatcher, { url: `http://replies.test${path}`, ...call }).catch(() => broken));
  };
  const account = (): string[] =>
    accounts.map(({ flags, details }) => `${formatResponseFlags(flags)} ${details === '' ? 'via_upstream' : details.replaceAll(' ', '_')}`);

  it.each(CAUSES)('$name', async (cause) => {
    const reply = await make(cause);
    expect(reply.status).toBe(cause.status);
    if (cause.body !== undefined) expect(reply.body).toBe(cause.body);
    for (const [name, value] of Object.entries(cause.headers ?? {})) expect([name, reply.headers[name]]).toEqual([name, value]);
    if (reply.status !== 0 && !cause.details.startsWith('via'))
      expect(reply.headers).toMatchObject({ server: 'envoy', date: expect.any(String) });
    expect(account()).toEqual([`${cause.flags} ${cause.details}`]);
  });

  it('a full queue: x-envoy-overloaded', async () => {
    upstreams.play([{ afterMs: 1000 }]);
    accounts.length = 0;
    const calls = [1, 2, 3].map(() => replyOf(client.dispatcher, { url: 'http://replies.test/pool' }));
    const replies = await mesh.until(Promise.all(calls));
    expect(replies.filter(({ status }) => status === 200)).not.toEqual([]);
    const refused = replies.filter(({ status }) => status === 503).map(({ body, headers }) => [body, headers['x-envoy-overloaded']]);
    expect(refused).not.toEqual([]);
    for (const reply of refused) expect(reply).toEqual([`${RESET}overflow`, 'true']);
    expect(account()[0]).toBe(`UO ${reset('overflow')}`);
  });

  it('a caller that goes away', async () => {
    upstreams.play(FOREVER);
    accounts.length = 0;
    const controller = new AbortController();
    mesh.clock.setTimer(() => controller.abort(), 100);
    const call = client.fetch('http://replies.test/echo', { signal: controller.signal });
    await expect(mesh.until(call)).rejects.toThrow('aborted');
    expect(account()).toEqual(['DC downstream_remote_disconnect']);
  });
});

/** Answers every connection with these bytes and closes it. */
function rawServer(bytes: string): EventEmitter {
  return new EventEmitter().on('connection', (socket: Socket) => {
    socket.once('data', () => socket.end(bytes));
  });
}

const ROUTES: Readonly<Record<string, string>> = {
  'no-cluster': 'route: [{ destination: { host: echo, subset: v9 } }]',
  empty: 'route: [{ destination: { host: empty } }]',
  refused: 'route: [{ destination: { host: refused } }], retries: { attempts: 0 }',
  'refused-again': 'route: [{ destination: { host: refused } }], retries: { attempts: 1, retryOn: connect-failure }',
  silent: 'route: [{ destination: { host: silent } }], retries: { attempts: 0 }',
  garbage: 'route: [{ destination: { host: garbage } }], retries: { attempts: 0 }',
  cut: 'route: [{ destination: { host: cut } }], retries: { attempts: 0 }',
  pool: 'route: [{ destination: { host: other } }], retries: { attempts: 0 }',
  echo: 'route: [{ destination: { host: echo, subset: v1 } }], retries: { attempts: 0 }',
  'reset-again': 'route: [{ destination: { host: echo, subset: v1 } }], retries: { attempts: 1, retryOn: reset }',
  '5xx': 'route: [{ destination: { host: echo, subset: v1 } }], retries: { attempts: 1, retryOn: 5xx }',
  timeout: 'route: [{ destination: { host: echo, subset: v1 } }], timeout: 1s, retries: { attempts: 0 }',
  'per-try':
    'route: [{ destination: { host: echo, subset: v1 } }], timeout: 10s, retries: { attempts: 1, perTryTimeout: 1s, retryOn: 5xx }',
  fault: 'route: [{ destination: { host: echo } }], fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }',
  'delay-fault':
    'route: [{ destination: { host: echo } }], fault: { delay: { fixedDelay: 60s, percentage: { value: 100 } }, abort: { httpStatus: 418, percentage: { value: 100 } } }',
  delay: 'route: [{ destination: { host: echo } }], fault: { delay: { fixedDelay: 60s, percentage: { value: 100 } } }',
  'fault-grpc': 'route: [{ destination: { host: echo } }], fault: { abort: { grpcStatus: NOT_FOUND, percentage: { value: 100 } } }',
  redirect: 'redirect: { uri: /there }',
  direct: 'directResponse: { status: 418, body: { string: short } }',
  'direct-empty': 'directResponse: { status: 403 }',
  'direct-301': 'directResponse: { status: 301 }',
  cors: 'route: [{ destination: { host: echo } }], corsPolicy: { allowOrigins: [{ exact: "http://o" }], allowMethods: [GET] }',
};

const PORTS: Readonly<Record<string, number>> = { refused: CLOSED_PORT, silent: SILENT_PORT, garbage: GARBAGE_PORT, cut: CUT_PORT };

const YAML = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: replies, namespace: default }
spec:
  hosts: [replies.test]
  http:
${Object.entries(ROUTES)
  .map(([name, route]) => `  - { match: [{ uri: { exact: /${name} } }], ${route} }\n`)
  .join('')}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: other, namespace: default }
spec:
  host: other
  trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } } }
---
apiVersion: v1
kind: Service
metadata: { name: empty, namespace: default }
spec: { selector: { app: empty }, ports: [{ name: http, port: 80 }] }
${Object.entries(PORTS)
  .map(
    ([name, port]) => `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: default }
spec: { address: 127.0.0.1, labels: { app: ${name} }, ports: { http: ${port} } }
`,
  )
  .join('')}`;
