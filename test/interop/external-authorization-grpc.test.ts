import grpc from '@grpc/grpc-js';
import { CheckRequest, CheckResponse } from '@ripstop/xds-api';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { baseMesh, UPSTREAMS } from '../simulation/base-mesh.ts';
import { compare } from '../simulation/compare.ts';
import { Upstreams } from '../simulation/mesh/upstreams.ts';
import type { Caller, Observation, Pair } from '../simulation/observation.ts';
import type { Call } from '../simulation/row.ts';
import { PodPort } from './envoy/pod-port.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { servers } from './runners/servers.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: external authorization over gRPC: no Envoy: ${envoy.missing}`);

type Fields = Parameters<typeof CheckResponse.fromPartial>[0];
type Script = Fields | 'UNAVAILABLE' | 'late';

/** A gRPC authorizer that answers as it is told, and remembers what it was asked last. */
class ScriptedAuthorizer implements AsyncDisposable {
  readonly server = new grpc.Server();
  port = 0;
  answer: Script = {};
  asked: CheckRequest | undefined;

  static async start(): Promise<ScriptedAuthorizer> {
    const authorizer = new ScriptedAuthorizer();
    const raw = (bytes: Buffer): Buffer => bytes;
    const Check: grpc.MethodDefinition<Buffer, Buffer> = {
      path: '/envoy.service.auth.v3.Authorization/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: raw,
      requestDeserialize: raw,
      responseSerialize: raw,
      responseDeserialize: raw,
    };
    authorizer.server.addService({ Check }, { Check: authorizer.check });
    authorizer.port = await new Promise((resolve, reject) =>
      authorizer.server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    );
    return authorizer;
  }

  private readonly check: grpc.handleUnaryCall<Buffer, Buffer> = (call, answer) => {
    this.asked = CheckRequest.decode(call.request);
    if (this.answer === 'UNAVAILABLE') answer({ code: grpc.status.UNAVAILABLE, details: 'down' });
    else if (this.answer !== 'late') answer(null, Buffer.from(CheckResponse.encode(CheckResponse.fromPartial(this.answer)).finish()));
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.forceShutdown();
  }
}

const YAML = (port: number): string => `
extensionProviders:
- name: authorizer
  envoyExtAuthzGrpc:
    service: default/authz.default.svc.cluster.local
    port: 9000
    timeout: 0.5s
    includeRequestBodyInCheck: { maxRequestBytes: 5, allowPartialMessage: true }
---
apiVersion: v1
kind: Service
metadata: { name: authz, namespace: default }
spec: { selector: { app: authz }, ports: [{ name: grpc, port: 9000, targetPort: 9000 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: authz, namespace: default }
spec: { address: 127.0.0.1, labels: { app: authz }, ports: { grpc: ${port} } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ask, namespace: default }
spec:
  selector: { matchLabels: { app: served } }
  action: CUSTOM
  provider: { name: authorizer }
  rules: [{ to: [{ operation: { notPaths: [/open*] } }] }]
`;

const option = (key: string, value: string, more: object = {}): object => ({ header: { key, value }, ...more });
const ok = (value: object): Fields => ({ httpResponse: { $case: 'okResponse', value } }) as Fields;
const denied = (value: object): Fields => ({ status: { code: 7 }, httpResponse: { $case: 'deniedResponse', value } }) as Fields;
const get = (more: Partial<Call> = {}): Call => ({ url: 'http://served/a?q=1&y=%20x', ...more });
const OLD = { 'x-have': 'old', 'x-joined': 'old', 'x-act': 'old', 'x-gone': 'old' };

const ROWS: readonly (readonly [name: string, call: Call, answer: Script, status: number])[] = [
  ['lets pass', get(), {}, 200],
  [
    'changes the request',
    get({ headers: OLD }),
    ok({
      headers: [
        option('x-new', '1'),
        option('x-have', '2'),
        option('x-joined', '3', { append: true }),
        option('x-missing', '4', { append: true }),
        option('x-act', '5', { appendAction: 1 }),
        option('x-absent', '6', { appendAction: 3 }),
      ],
      headersToRemove: ['x-gone', 'host', ':path'],
      queryParametersToSet: [{ key: 'z', value: 'ab' }],
      queryParametersToRemove: ['q'],
    }),
    200,
  ],
  [
    'adds to the response',
    get(),
    ok({
      responseHeadersToAdd: [
        option('x-a', '1'),
        option('x-a', '2'),
        option('x-b', '1', { append: false }),
        option('x-b', '2', { append: false }),
        option('content-type', 'text/other', { appendAction: 1 }),
        option('x-c', '1', { appendAction: 3 }),
        option('x-d', '1', { appendAction: 2 }),
      ],
    }),
    200,
  ],
  ['denies', get(), { status: { code: 7 } } as Fields, 403],
  [
    'denies with an answer of its own',
    get(),
    denied({
      status: { code: 401 },
      body: 'no',
      headers: [option('x-d', '1'), option('x-d', '2'), option('x-e', '3', { append: true }), option('content-type', 'text/html')],
    }),
    401,
  ],
  [
    'denies a gRPC call as gRPC',
    get({ method: 'POST', headers: { 'content-type': 'application/grpc' } }),
    denied({ status: { code: 401 }, body: 'no' }),
    200,
  ],
  ['denies with a success', get(), denied({ status: { code: 200 }, body: 'x' }), 200],
  ['denies with what would allow', get(), { status: { code: 7 }, httpResponse: { $case: 'okResponse', value: {} } } as Fields, 403],
  ['gives no answer', get(), 'UNAVAILABLE', 403],
  ['takes too long', get(), 'late', 403],
  ['sees a part of the body', get({ method: 'POST', body: 'hello world' }), {}, 200],
  ['sees all of a body', get({ method: 'POST', body: 'hell' }), denied({ body: 'no' }), 403],
];

/** What an authorizer is told of a request, without what differs from call to call. */
function told(request: CheckRequest | undefined): unknown {
  const { source, destination, request: shown, contextExtensions, metadataContext, tlsSession } = request!.attributes!;
  // The protocol is left out: the SDK takes a call that looks like gRPC for HTTP/2, which it is outside of tests.
  const { id, protocol: _, headers, ...seen } = shown!.http!;
  expect(id).toMatch(/^\d+$/);
  const { 'x-request-id': _id, 'x-forwarded-for': _from, ...rest } = headers;
  const principals = [source?.principal, destination?.principal];
  return { principals, http: { ...seen, headers: rest }, contextExtensions, metadataContext, tlsSession };
}

describe.skipIf('missing' in envoy)('external authorization over gRPC: the SDK does as Envoy when the authorizer', () => {
  const parts = new AsyncDisposableStack();
  let upstreams: Upstreams;
  let authorizer: ScriptedAuthorizer;
  let pair: Pair;

  beforeAll(async () => {
    if ('missing' in envoy) return;
    upstreams = parts.use(await Upstreams.start(UPSTREAMS));
    authorizer = parts.use(await ScriptedAuthorizer.start());
    const pod = parts.use(await PodPort.open());
    const yaml = baseMesh(YAML(authorizer.port), { port: (name) => upstreams.port(name), podPort: pod.port });
    const mesh = parts.use(await TestMesh.start(yaml));
    pair = await servers({ envoy: envoy.path, mesh, upstreams, pod, parts });
    await mesh.synced();
  });
  afterAll(() => parts.disposeAsync());

  async function observe(caller: Caller, call: Call, answer: Script): Promise<{ seen: Observation; asked: CheckRequest | undefined }> {
    upstreams.play([]);
    authorizer.answer = answer;
    authorizer.asked = undefined;
    const reply = await caller.call(call);
    return { seen: { replies: [reply], requests: upstreams.requests }, asked: authorizer.asked };
  }

  it.each(ROWS)('%s', async (_name, call, answer, status) => {
    const byEnvoy = await observe(pair.envoy, call, answer);
    const bySdk = await observe(pair.sdk, call, answer);
    expect(byEnvoy.seen.replies[0]!.status).toBe(status);
    expect(compare(byEnvoy.seen, bySdk.seen, 'server')).toEqual([]);
    expect(told(bySdk.asked)).toEqual(told(byEnvoy.asked));
  });

  it('is told who calls, by the certificate', async () => {
    const as = { serviceAccount: 'productpage' };
    const byEnvoy = await observe(pair.envoy, get({ as }), {});
    const bySdk = await observe(pair.sdk, get({ as }), {});
    expect(told(bySdk.asked)).toEqual(told(byEnvoy.asked));
    expect(told(bySdk.asked)).toMatchObject({
      principals: ['spiffe://cluster.local/ns/default/sa/productpage', 'spiffe://cluster.local/ns/default/sa/served'],
    });
  });

  it('is not asked about what no policy selects', async () => {
    for (const caller of [pair.envoy, pair.sdk]) {
      const { seen, asked } = await observe(caller, { url: 'http://served/open' }, denied({}));
      expect([seen.replies[0]!.status, asked]).toEqual([200, undefined]);
    }
  });
});
