import { type ClientTls, RawClient } from '../../../packages/server/src/testing/raw-client.ts';
import { FRAMEWORKS, type Framework, outside, type Protocol, speaks, type Transport } from './apps.ts';
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
const TRANSPORTS: readonly Transport[] = ['plaintext', 'mTLS'];

/** In a file called mesh.yaml, as TestMesh writes it, a document without kind. */
const meshConfig = (mode: Mode): string => `pathNormalization: { normalization: ${mode} }\n---\n`;

/** Every row of the HTTP door through every app, over HTTP/1 and HTTP/2, plaintext and mTLS, under one normalisation mode. */
export async function* runDoor(
  mode: Mode,
  frameworks: readonly Framework[] = FRAMEWORKS,
  wanted: (id: string) => boolean = () => true,
): AsyncGenerator<Cell> {
  await using world = await World.start(meshConfig(mode) + POLICY, frameworks);
  for (const target of world.targets) {
    for (const transport of TRANSPORTS) {
      const { framework } = target;
      const mutual = transport === 'mTLS' ? await world.tlsOf('caller') : undefined;
      for (const row of ROWS) {
        if ((row.mode !== undefined && row.mode !== mode) || !wanted(row.id)) continue;
        yield* cells(row, target, transport, mutual, mode);
      }
      for (const attack of mode === 'BASE' && speaks(framework, 'HTTP/2', transport) ? FRAME_ATTACKS : []) {
        if (!wanted(attack.id)) continue;
        const finding = await runFrames(target.port, attack, target.seen, mutual ?? outside(framework, 'HTTP/2'));
        yield { id: attack.id, name: attack.name, where: `${framework} HTTP/2 ${transport} ${mode}`, finding };
      }
      for (const run of speaks(framework, 'HTTP/1.1', transport) ? SEQUENCES : [])
        yield { ...(await run(target, mutual ?? outside(framework, 'HTTP/1.1'))), where: `${framework} ${transport} ${mode}` };
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

/** A row in every protocol that it can be said in and that the app can be asked by. `mutual`: of a caller of the mesh. */
export async function* cells(
  row: Row,
  target: Target,
  transport: Transport,
  mutual: ClientTls | undefined,
  mode: string,
): AsyncGenerator<Cell> {
  const { framework, port, seen } = target;
  const expected = expectedOf(row, transport, target);
  const cell = async (protocol: Protocol, wanted: Expected, ask: (tls: ClientTls | undefined) => Promise<Answer>): Promise<Cell> => {
    seen.splice(0);
    const finding = judge(wanted, await ask(mutual ?? outside(framework, protocol)), seen);
    return { id: row.id, name: row.name, where: `${framework} ${protocol} ${transport} ${mode}`.trim(), finding };
  };
  const { bytes, fields } = row;
  if (bytes !== undefined && speaks(framework, 'HTTP/1.1', transport))
    yield await cell('HTTP/1.1', expected, (tls) => sendBytes(port, bytes, tls, row.toItsEnd));
  if (fields !== undefined && speaks(framework, 'HTTP/2', transport))
    yield await cell('HTTP/2', row.stream ?? expected, (tls) => sendStream(port, fields, row.body, tls));
}

/** What the router of this app makes of a row, where that counts. */
function boundOf(row: Row, { framework }: Target): Expected | undefined {
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
