import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { proxyNodeOf, translate } from '@ripstop/control-plane';
import { LISTENER_TYPE_URL } from '@ripstop/xds-api';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents, subsets, workloadEntry } from './mesh/yaml.ts';
import { runTool } from './peers/run-tool.ts';

const { grpcGo } = inject('peers');
if ('missing' in grpcGo) console.log(`skipped: gRPC-Go: ${grpcGo.missing}`);

const HOST = 'greeter.default.svc.cluster.local';
const TARGET = `${HOST}:7070`;
const NODE = {
  id: 'sidecar~127.0.0.1~caller.default~default.svc.cluster.local',
  metadata: { GENERATOR: 'grpc', NAMESPACE: 'default', LABELS: { app: 'caller' } },
};
const METHOD = '/ripstop.test.Greeter/Say';

/** What the Go program prints for one call. */
interface GoOutcome {
  readonly code: number;
  readonly message?: string;
  readonly reply?: string;
}

const yaml = (ports: ReadonlyMap<string, number>): string =>
  documents(
    `apiVersion: v1
kind: Service
metadata: { name: greeter, namespace: default }
spec: { selector: { app: greeter }, ports: [{ name: grpc, port: 7070 }] }
`,
    subsets('greeter', ['v1', 'v2']),
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: greeter, namespace: default }
spec:
  hosts: [greeter]
  http:
  - match: [{ headers: { end-user: { exact: jason } } }]
    route: [{ destination: { host: greeter, subset: v2 } }]
  - match: [{ headers: { x-split: { exact: "yes" } } }]
    route:
    - { destination: { host: greeter, subset: v1 }, weight: 90 }
    - { destination: { host: greeter, subset: v2 }, weight: 10 }
  - match: [{ headers: { x-abort: { exact: "yes" } } }]
    fault: { abort: { grpcStatus: UNAVAILABLE, percentage: { value: 100 } } }
    route: [{ destination: { host: greeter, subset: v1 } }]
  - route: [{ destination: { host: greeter, subset: v1 } }]
`,
    ...[...ports].map(([version, port]) =>
      workloadEntry({ name: `greeter-${version}`, app: 'greeter', version, port }).replace('http:', 'grpc:'),
    ),
  );

describe.skipIf('missing' in grpcGo)('a stock gRPC-Go client', () => {
  const parts = new AsyncDisposableStack();
  const ports = new Map<string, number>();
  const client = 'path' in grpcGo ? grpcGo.path : '';
  let mesh: TestMesh;
  let served = false;

  beforeAll(async () => {
    for (const version of ['v1', 'v2']) ports.set(version, await greeter(version, parts));
    mesh = parts.use(await TestMesh.start(yaml(ports)));
    const listeners = translate(LISTENER_TYPE_URL, proxyNodeOf(NODE), mesh.controlPlane.push, [TARGET]);
    served = listeners.some(({ name }) => name === TARGET);
    if (!served) console.log('skipped: gRPC-Go over xds:///: the control plane has no resources for proxyless gRPC clients yet');
  });
  afterAll(() => parts.disposeAsync());

  async function call(target: string, args: readonly string[] = []): Promise<GoOutcome[]> {
    const bootstrap = join(mesh.folder, 'grpc-bootstrap.json');
    const server = { server_uri: mesh.controlPlane.addresses.xds, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] };
    writeFileSync(bootstrap, JSON.stringify({ xds_servers: [server], node: NODE }));
    const output = await runTool(client, ['-target', target, '-method', METHOD, ...args], {
      env: { GRPC_XDS_BOOTSTRAP: bootstrap },
      timeoutMs: 20_000,
    });
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as GoOutcome);
  }

  it('calls a server without a mesh (the program works)', async () => {
    expect(await call(`dns:///127.0.0.1:${ports.get('v2')}`)).toEqual([{ code: 0, reply: 'v2' }]);
  });

  it('follows the default route', async ({ skip }) => {
    if (!served) skip();
    expect(await call(`xds:///${TARGET}`, ['-calls', '5'])).toEqual(Array.from({ length: 5 }, () => ({ code: 0, reply: 'v1' })));
  });

  it('follows a header route', async ({ skip }) => {
    if (!served) skip();
    expect(await call(`xds:///${TARGET}`, ['-headers', 'end-user=jason'])).toEqual([{ code: 0, reply: 'v2' }]);
  });

  it('follows weights', async ({ skip }) => {
    if (!served) skip();
    const outcomes = await call(`xds:///${TARGET}`, ['-headers', 'x-split=yes', '-calls', '1000']);
    const share = outcomes.filter(({ reply }) => reply === 'v2').length / outcomes.length;
    expect(outcomes.every(({ code }) => code === 0)).toBe(true);
    expect(Math.abs(share - 0.1)).toBeLessThan(0.043); // 4.5 standard deviations
  });

  it('meets an injected fault', async ({ skip }) => {
    if (!served) skip();
    expect(await call(`xds:///${TARGET}`, ['-headers', 'x-abort=yes'])).toMatchObject([{ code: 14 }]);
  });
});

/** A gRPC server that answers any message with its version. */
async function greeter(version: string, parts: AsyncDisposableStack): Promise<number> {
  const raw = (bytes: Buffer): Buffer => bytes;
  const server = new grpc.Server();
  server.addService(
    {
      Say: {
        path: METHOD,
        requestStream: false,
        responseStream: false,
        requestSerialize: raw,
        requestDeserialize: raw,
        responseSerialize: raw,
        responseDeserialize: raw,
      },
    },
    { Say: (_call: unknown, done: grpc.sendUnaryData<Buffer>) => done(null, Buffer.from(version)) },
  );
  parts.defer(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}
