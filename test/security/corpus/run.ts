import { type ClientTls, RawClient } from '../../../packages/server/src/testing/raw-client.ts';
import { FRAMEWORKS, type Framework } from './apps.ts';
import { runFrames } from './frame-runner.ts';
import { sendStream } from './h2-client.ts';
import { FRAME_ATTACKS } from './h2-frames.ts';
import { SEQUENCES } from './pipelines.ts';
import type { Expected, Mode, Row } from './row.ts';
import { POLICY, ROWS } from './rows.ts';
import { type Answer, type Finding, judge } from './verdict.ts';
import { type Target, World } from './world.ts';

/** One request of the corpus in one place. */
export interface Cell {
  readonly id: string;
  readonly name: string;
  /** Framework, protocol, transport, and what else tells it apart. */
  readonly where: string;
  readonly finding: Finding | undefined;
}

export const MODES: readonly Mode[] = ['BASE', 'DECODE_AND_MERGE_SLASHES'];
const TRANSPORTS = ['plaintext', 'mTLS'] as const;
type Transport = (typeof TRANSPORTS)[number];

/** In a file called mesh.yaml, as TestMesh writes it, a document without kind. */
const meshConfig = (mode: Mode): string => `pathNormalization: { normalization: ${mode} }\n---\n`;

/** Every row of the HTTP door through every app, over HTTP/1 and HTTP/2, plaintext and mTLS, under one normalisation mode. */
export async function* runDoor(mode: Mode, frameworks: readonly Framework[] = FRAMEWORKS): AsyncGenerator<Cell> {
  await using world = await World.start(meshConfig(mode) + POLICY, frameworks);
  for (const target of world.targets) {
    for (const transport of TRANSPORTS) {
      const tls = transport === 'mTLS' ? await world.tlsOf('caller') : outside(target);
      for (const row of ROWS) {
        if (row.mode !== undefined && row.mode !== mode) continue;
        yield* cells(row, target, transport, tls, mode);
      }
      for (const attack of mode === 'BASE' && speaksHttp2(target, transport) ? FRAME_ATTACKS : []) {
        const finding = await runFrames(target.port, attack, target.seen, tls);
        yield { id: attack.id, name: attack.name, where: `${target.framework} HTTP/2 ${transport} ${mode}`, finding };
      }
      if (speaksHttp1(target))
        for (const run of SEQUENCES) yield { ...(await run(target, tls)), where: `${target.framework} ${transport} ${mode}` };
    }
    const evil = await world.tlsOf('evil');
    const principal: Row = { id: 'S62', name: 'a principal that is denied', ...BOTH_FORMS, expected: 'D' };
    yield* cells(principal, target, 'mTLS', evil, mode);
  }
}

const BOTH_FORMS: Pick<Row, 'bytes' | 'fields'> = {
  bytes: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  fields: [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':authority', 'a'],
    [':path', '/'],
  ],
};

export function speaksHttp1({ framework }: Target): boolean {
  return !framework.startsWith('http2');
}

/** How a caller that is not of the mesh comes: by the app's own TLS where it has one. */
export function outside({ framework }: Target): ClientTls | undefined {
  return framework === 'node:https' ? { ALPNProtocols: ['http/1.1'] } : undefined;
}

export function speaksHttp2({ framework }: Target, transport: Transport): boolean {
  return framework !== 'node:https' || transport === 'mTLS';
}

async function* cells(row: Row, target: Target, transport: Transport, tls: ClientTls | undefined, mode: Mode): AsyncGenerator<Cell> {
  const expected = expectedOf(row, transport, target);
  if (row.bytes !== undefined && speaksHttp1(target)) {
    target.seen.splice(0);
    const finding = judge(expected, await sendBytes(target.port, row.bytes, tls, row.toItsEnd), target.seen);
    yield { id: row.id, name: row.name, where: `${target.framework} HTTP/1.1 ${transport} ${mode}`, finding };
  }
  if (row.fields !== undefined && speaksHttp2(target, transport)) {
    target.seen.splice(0);
    const answer = await sendStream(target.port, row.fields, row.body, tls);
    const finding = judge(row.stream ?? expected, answer, target.seen);
    yield { id: row.id, name: row.name, where: `${target.framework} HTTP/2 ${transport} ${mode}`, finding };
  }
}

/** What the router of this app makes of a row, where that counts. */
export function boundOf(row: Row, { framework }: Target): Expected | undefined {
  if (framework.startsWith('Express')) return row.bound?.express;
  if (framework.startsWith('Fastify')) return framework.endsWith('lenient') ? row.bound?.lenient : row.bound?.fastify;
  return undefined;
}

function expectedOf(row: Row, transport: Transport, target: Target): Expected {
  const bound = boundOf(row, target);
  if (bound !== undefined) return bound;
  return transport === 'mTLS' ? (row.mutual ?? row.expected) : row.expected;
}

export async function sendBytes(port: number, bytes: string, tls: ClientTls | undefined, toItsEnd = false): Promise<Answer> {
  let client: RawClient | undefined;
  try {
    client = await RawClient.open(port, tls);
    client.write(bytes);
    const answer = await client.response(bytes.startsWith('HEAD') ? 'HEAD' : 'GET');
    if (toItsEnd) {
      client.socket.end();
      await client.rest();
    }
    return answer;
  } catch {
    return { status: 0, body: '' }; // The connection ended before a response.
  } finally {
    client?.close();
  }
}
