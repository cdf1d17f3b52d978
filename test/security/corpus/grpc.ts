import grpc from '@grpc/grpc-js';
import type { ClientTls } from '../../../packages/server/src/testing/raw-client.ts';
import type { Seen } from './apps.ts';
import { sendStream } from './h2-client.ts';
import { type Fields, fields } from './row.ts';
import type { Cell } from './run.ts';
import { World } from './world.ts';

const PORT = 50_051;
const MODES = ['BASE', 'DECODE_AND_MERGE_SLASHES'] as const;

const POLICY = `apiVersion: v1
kind: Service
metadata: { name: greeter, namespace: default }
spec: { selector: { app: greeter }, ports: [{ name: grpc, port: ${PORT} }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny }
spec:
  action: DENY
  rules:
  - to: [{ operation: { paths: [/test.Echo/Admin, "*/Suffix"] } }]
  - to: [{ operation: { hosts: [secret.com] } }]
  - to: [{ operation: { methods: [GET, PUT] } }]
  - when: [{ key: "request.headers[x-role]", values: [admin] }]
  - to: [{ operation: { paths: [/test.Echo/MeshOnly] } }]
    from: [{ source: { notPrincipals: ["*"] } }]
  - from: [{ source: { principals: ["cluster.local/ns/default/sa/evil"] } }]
`;

interface CallRow {
  readonly id: string;
  readonly fields: Fields;
  /** Methods of the app that may be reached; none = refused, however. */
  readonly reaches?: string;
  /** Default: as over plaintext. */
  readonly mutual?: string;
}

const call = (path: string, ...more: (readonly [string, string])[]): Fields =>
  fields(path, [':method', 'POST'], ['content-type', 'application/grpc'], ['te', 'trailers'], ...more);
const refused = (id: string, sent: Fields): CallRow => ({ id, fields: sent });

const ROWS: readonly CallRow[] = [
  { id: 'S14', fields: call('/test.Echo/Public'), reaches: 'Public' },
  ...['Admin', 'Suffix'].map((name) => refused('S01', call(`/test.Echo/${name}`))),
  ...[
    '/test.Echo/Admin?x',
    '/test.Echo/Admin?',
    '/test.Echo/Admin#x',
    '//test.Echo/Admin',
    '/x/../test.Echo/Admin',
    '/./test.Echo/Admin',
  ].map((path) => refused('S06', call(path))),
  ...['/test.Echo/%41dmin', '/test.Echo%2fAdmin', '/test.Echo\\Admin', '/test.Echo/Admin/', '/test.Echo/admin', '/TEST.ECHO/ADMIN'].map(
    (path) => refused('S07', call(path)),
  ),
  ...['test.Echo/Admin', '', 'http://x/test.Echo/Admin', '*'].map((path) => refused('S14', call(path))),
  refused('S14', call('test.Echo/Admin', [':scheme', 'x'])),
  refused('S18', call('/test.Echo/Public', [':authority', 'secret.com'])),
  refused('S18', call('/test.Echo/Public', [':authority', 'SECRET.com'])),
  refused('S22', call('/test.Echo/Public', [':authority', 'secret.com'], ['host', 'a'])),
  { id: 'S22', fields: call('/test.Echo/Public', ['host', 'secret.com']), reaches: 'Public' },
  refused('S26', call('/test.Echo/Public', ['x-role', 'user'], ['x-role', 'admin'])),
  refused('S26', call('/test.Echo/Public', ['x-role', 'admin'], ['x-role', 'user'])),
  refused('S35', call('/test.Echo/Admin', ['x-envoy-original-path', '/test.Echo/Public'])),
  {
    id: 'S37',
    fields: call('/test.Echo/MeshOnly', ['x-forwarded-client-cert', 'By=a;URI=spiffe://cluster.local/ns/default/sa/b']),
    mutual: 'MeshOnly',
  },
  { id: 'S64', fields: call('/test.Echo/MeshOnly'), mutual: 'MeshOnly' },
  refused('S39', call('/test.Echo/Admin', [':scheme', 'ftp'])),
  refused('S41', call('/test.Echo/Public', [':method', 'GET'])),
  refused('S41', call('/test.Echo/Public', [':method', 'PUT'])),
  refused('S41', call('/test.Echo/Public', [':method', 'PATCH'])),
  refused('S41', call('/test.Echo/Public', [':method', 'GET'], ['x-ripstop-method', 'POST'])),
  { id: 'S41', fields: call('/test.Echo/Public', ['x-ripstop-method', 'GET']), reaches: 'Public' },
  refused('S40', call('/test.Echo/Public', ['connection', 'x-role'])),
  refused('S40', call('/test.Echo/Public', ['te', 'gzip'])),
  refused('S40', [...call('/test.Echo/Public'), [':path', '/test.Echo/Admin']]),
  { id: 'S55', fields: call('/test.Echo/Public', ['grpc-timeout', '99999999H']), reaches: 'Public' },
  { id: 'S51', fields: call('/test.Echo/Public', ['__proto__', 'x'], ['constructor', 'y']), reaches: 'Public' },
];

/** Rows that are tried. */
export const METHOD_IDS: ReadonlySet<string> = new Set(ROWS.map(({ id }) => id));

/** Calls to a grpc-js server: which of its methods ran is the verdict. */
export async function* runGrpc(): AsyncGenerator<Cell> {
  for (const mode of MODES) {
    await using world = await World.start(`pathNormalization: { normalization: ${mode} }\n---\n${POLICY}`, []);
    const seen: Seen[] = [];
    const { port } = await world.join('greeter').grpc.listen(echoServer(seen), PORT);
    await world.mesh.synced();
    for (const transport of ['plaintext', 'mTLS'] as const) {
      const tls = transport === 'mTLS' ? await world.tlsOf('caller') : undefined;
      for (const row of ROWS)
        yield await cell(row, transport === 'mTLS' ? (row.mutual ?? row.reaches) : row.reaches, tls, `grpc-js ${transport} ${mode}`);
    }
    yield await cell(refused('S62', call('/test.Echo/Public')), undefined, await world.tlsOf('evil'), `grpc-js evil ${mode}`);

    async function cell(row: CallRow, reaches: string | undefined, tls: ClientTls | undefined, where: string): Promise<Cell> {
      seen.splice(0);
      // One message, empty.
      await sendStream(port, row.fields, '\0\0\0\0\0', tls);
      const reached = seen.map(({ path }) => path).join();
      const name = row.fields
        .map(([field, value]) => `${field} ${value}`)
        .join(' ')
        .slice(0, 100);
      const finding =
        reached === (reaches ?? '')
          ? undefined
          : { kind: reaches === undefined ? ('bypass' as const) : ('wrong' as const), what: `it reached ${reached || 'nothing'}` };
      return { id: row.id, name, where, finding };
    }
  }
}

function echoServer(seen: Seen[]): grpc.Server {
  const server = new grpc.Server();
  const bytes = (value: Buffer): Buffer => value;
  const names = ['Admin', 'Suffix', 'Public', 'MeshOnly'];
  const service: grpc.ServiceDefinition = Object.fromEntries(
    names.map((name) => [
      name,
      {
        path: `/test.Echo/${name}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    ]),
  );
  const handlers = names.map((name) => {
    const handler: grpc.handleUnaryCall<Buffer, Buffer> = (received, respond) => {
      seen.push({ path: name, host: received.getHost(), headers: received.metadata.getMap() });
      respond(null, Buffer.alloc(0));
    };
    return [name, handler] as const;
  });
  server.addService(service, Object.fromEntries(handlers));
  return server;
}
