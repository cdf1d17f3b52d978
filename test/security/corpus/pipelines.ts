import { type ClientTls, RawClient } from '../../../packages/server/src/testing/raw-client.ts';
import type { Finding } from './verdict.ts';
import type { Target } from './world.ts';

interface SequenceResult {
  readonly id: string;
  readonly name: string;
  readonly finding: Finding | undefined;
}

/** Rows that they try. */
export const SEQUENCE_IDS: ReadonlySet<string> = new Set(['S46', 'S50']);

/** Attacks that take more than one request on a connection. */
export const SEQUENCES: readonly ((target: Target, tls: ClientTls | undefined) => Promise<SequenceResult>)[] = [
  pipelined,
  ...[
    'GET /admin HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    'CONNECT evil:443 HTTP/1.1\r\nHost: a\r\n\r\n',
  ].map((first) => (target: Target, tls: ClientTls | undefined) => behind(first, target, tls)),
];

async function pipelined(target: Target, tls: ClientTls | undefined): Promise<SequenceResult> {
  target.seen.splice(0);
  const client = await RawClient.open(target.port, tls);
  client.write(['/public', '/admin', '/public?2'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  const statuses = [await client.response(), await client.response(), await client.response()].map(({ status }) => status);
  client.close();
  const paths = target.seen.map(({ path }) => path);
  const name = 'pipelined requests are judged one by one, and answered in order';
  if (paths.includes('/admin')) return { id: 'S50', name, finding: { kind: 'bypass', what: paths.join() } };
  const good = statuses.join() === '200,403,200' && paths.join() === '/public,/public?2';
  return { id: 'S50', name, finding: good ? undefined : { kind: 'wrong', what: `${statuses.join()} ${paths.join()}` } };
}

async function behind(first: string, target: Target, tls: ClientTls | undefined): Promise<SequenceResult> {
  target.seen.splice(0);
  const client = await RawClient.open(target.port, tls);
  client.write(`${first}GET /public HTTP/1.1\r\nHost: a\r\n\r\n`);
  const { status } = await client.response();
  await client.rest();
  client.close();
  const name = `bytes behind ${first.slice(0, first.indexOf('\r'))} reach nobody`;
  if (target.seen.length > 0) return { id: 'S46', name, finding: { kind: 'bypass', what: target.seen[0]!.path } };
  return { id: 'S46', name, finding: status >= 403 ? undefined : { kind: 'wrong', what: `status ${status}` } };
}
