import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import type { ClientTls } from '../../../packages/server/src/testing/raw-client.ts';
import { ACCESS_SETS, CallerIssuer } from './access.ts';
import type { Seen } from './apps.ts';
import { runFrames } from './frame-runner.ts';
import { type StreamAnswer, sendStream } from './h2-client.ts';
import { CALL, CALL_FRAME_ATTACKS } from './h2-frames.ts';
import type { Expected, Fields, Row } from './row.ts';
import { POLICY, ROWS } from './rows.ts';
import type { Cell } from './run.ts';
import { type Finding, judge } from './verdict.ts';
import { World } from './world.ts';

/* The rows of HTTP/2 as calls to a grpc-js server: its methods stand at the paths that the rows ask for. */

const PORT = 9080;
const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: app-0, namespace: default }
spec: { selector: { app: app-0 }, ports: [{ name: grpc, port: 80, targetPort: ${PORT} }] }
`;
/** Of Envoy: what a gRPC caller reads in place of an HTTP status. */
const GRPC_STATUS: Readonly<Record<number, number>> = { 400: 13, 401: 16, 403: 7, 404: 12, 503: 14 };
const NO_SUCH_METHOD = 12;
const MAX_FIELDS = 100;

/** Rows that are tried as calls. */
export const CALL_IDS: ReadonlySet<string> = new Set(
  [...[ROWS, ...ACCESS_SETS.map(([, rows]) => rows)].flatMap((rows) => rows.filter(isCall)), ...CALL_FRAME_ATTACKS].map(({ id }) => id),
);

/** Hand-made frames, over plaintext and mTLS. A handler of streams hears of a call when its head is there. */
export async function* runGrpcFrames(): AsyncGenerator<Cell> {
  await using world = await World.start(meshOf(POLICY), []);
  const seen: Seen[] = [];
  const paths = new Set(CALL_FRAME_ATTACKS.flatMap((attack) => attack.seen));
  const { port } = await world.join('app-0').grpc.listen(streamServer([...paths, '/', '/admin', '/public?2'], seen), PORT);
  await world.mesh.synced();
  for (const transport of ['plaintext', 'mTLS'] as const) {
    const tls = transport === 'mTLS' ? await world.tlsOf('caller') : undefined;
    for (const attack of CALL_FRAME_ATTACKS) {
      const finding = await runFrames(port, attack, seen, tls);
      yield { id: attack.id, name: attack.name, where: `grpc-js frames ${transport}`, finding };
    }
  }
}

/** Every row that can be a call, over plaintext and mTLS. */
export async function* runGrpcDoors(): AsyncGenerator<Cell> {
  const door = ROWS.filter(({ mode }) => mode !== 'DECODE_AND_MERGE_SLASHES').filter(isCall);
  yield* behind(POLICY, door, async function* (world, ask) {
    for (const transport of ['plaintext', 'mTLS'] as const) {
      const tls = transport === 'mTLS' ? await world.tlsOf('caller') : undefined;
      for (const row of door) yield await ask(row, tls, `grpc-js ${transport}`);
    }
  });
  for (const [policy, rows] of ACCESS_SETS) {
    yield* behind(policy, rows, async function* (world, ask) {
      const issuer = new CallerIssuer(join(world.mesh.folder, 'state'));
      for (const row of rows) {
        if (!isCall(row)) continue;
        const tls = row.caller === 'plaintext' ? undefined : issuer.tlsOf(row.caller);
        yield await ask(row, tls, `grpc-js ${tls === undefined ? 'plaintext' : 'mTLS'}`);
      }
    });
  }
}

function meshOf(policy: string): string {
  return policy.startsWith('apiVersion') ? `${policy}---\n${SERVICE}` : policy.replace('\n---\n', `\n---\n${SERVICE}---\n`);
}

type Ask = (row: Row, tls: ClientTls | undefined, where: string) => Promise<Cell>;

async function* behind(policy: string, rows: readonly Row[], run: (world: World, ask: Ask) => AsyncGenerator<Cell>): AsyncGenerator<Cell> {
  await using world = await World.start(meshOf(policy), []);
  const seen: Seen[] = [];
  const { port } = await world.join('app-0').grpc.listen(serverOf(rows, seen), PORT);
  await world.mesh.synced();
  const ask: Ask = async (row, tls, where) => {
    seen.splice(0);
    const answer = await sendStream(port, callOf(row.fields!), '\0\0\0\0\0', tls);
    const expected = (row.stream ?? (tls === undefined ? row.expected : (row.mutual ?? row.expected))) as Expected;
    return { id: row.id, name: row.name, where, finding: verdict(expected, answer, seen) };
  };
  yield* run(world, ask);
}

/** A row without a body or a method of its own is a call when it is made by POST with the type of gRPC. */
function isCall({ fields, body }: Row): boolean {
  if (fields === undefined || body !== undefined) return false;
  // Rows about the limit are not about it any more with two fields added.
  if (fields.length <= MAX_FIELDS && fields.length + CALL.length > MAX_FIELDS) return false;
  const of = (name: string): string[] => fields.filter(([field]) => field === name).map(([, value]) => value);
  // A method's name has no query; grpc-js looks it up as it came.
  if (of(':path').join().includes('?')) return false;
  return of(':method').join() === 'GET' && of('te').length === 0 && of('content-length').length === 0;
}

function callOf(sent: Fields): Fields {
  const call = sent.map(([name, value]) => [name, name === ':method' ? 'POST' : value] as const);
  return [...call, ...CALL];
}

function verdict(expected: Expected, { status, grpcStatus, body }: StreamAnswer, seen: readonly Seen[]): Finding | undefined {
  // No method stands there: it passed, and grpc-js said so.
  if (typeof expected === 'object' && seen.length === 0 && grpcStatus === NO_SUCH_METHOD) return undefined;
  if (typeof expected === 'object' || seen.length > 0) return judge(expected, { status: grpcStatus === 0 ? 200 : status, body }, seen);
  const wanted = expected === 'D' ? 7 : typeof expected === 'number' ? GRPC_STATUS[expected] : undefined;
  if (wanted === undefined || grpcStatus === wanted) return undefined;
  return { kind: 'wrong', what: `gRPC status ${grpcStatus ?? 'none'}, not ${wanted} (HTTP ${status})` };
}

function serverOf(rows: readonly Row[], seen: Seen[]): grpc.Server {
  const server = new grpc.Server();
  const bytes = (value: Buffer): Buffer => value;
  const paths = new Set(
    rows.flatMap(({ fields = [], expected }) =>
      typeof expected === 'object' && expected.path !== undefined
        ? [expected.path]
        : fields.flatMap(([name, value]) => (name === ':path' ? [value] : [])),
    ),
  );
  const service: Record<string, grpc.MethodDefinition<Buffer, Buffer>> = {};
  const handlers: Record<string, grpc.handleUnaryCall<Buffer, Buffer>> = {};
  for (const path of ['/', ...paths]) {
    const name = `at ${path}`;
    service[name] = {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    };
    handlers[name] = (call, respond) => {
      seen.push({ path, host: call.getHost(), headers: call.metadata.getMap() });
      respond(null, Buffer.alloc(0));
    };
  }
  server.addService(service, handlers);
  return server;
}

function streamServer(paths: readonly string[], seen: Seen[]): grpc.Server {
  const server = new grpc.Server();
  const bytes = (value: Buffer): Buffer => value;
  const service: Record<string, grpc.MethodDefinition<Buffer, Buffer>> = {};
  const handlers: Record<string, grpc.handleBidiStreamingCall<Buffer, Buffer>> = {};
  for (const path of new Set(paths)) {
    const name = `at ${path}`;
    service[name] = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    };
    handlers[name] = (call) => {
      seen.push({ path, host: call.getHost(), headers: call.metadata.getMap() });
      call.on('error', () => {}).resume();
      call.end();
    };
  }
  server.addService(service, handlers);
  return server;
}
