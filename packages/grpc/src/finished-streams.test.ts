import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2, createServer, type Http2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { letGoOfStreams } from './finished-streams.ts';

let server: Http2Server;
const sessions: ClientHttp2Session[] = [];

beforeEach(async () => {
  server = createServer((_request, response) => response.end('answer'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  server.close();
  await once(server, 'close');
});

async function session(ours: boolean): Promise<ClientHttp2Session> {
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  if (ours) letGoOfStreams(socket);
  const made = connectHttp2(`http://127.0.0.1:${port}`, { createConnection: () => socket });
  sessions.push(made);
  return made;
}

/** A request to its end; what its listeners were told. */
async function request(of: ClientHttp2Session): Promise<{ stream: ReturnType<ClientHttp2Session['request']>; told: string[] }> {
  const told: string[] = [];
  const stream = of.request({ ':path': '/' });
  stream.on('response', () => told.push('response'));
  stream.on('data', () => told.push('data'));
  stream.on('end', () => told.push('end'));
  stream.on('close', () => told.push('close'));
  stream.on('close', () => told.push('close, too'));
  await once(stream, 'close');
  return { stream, told };
}

describe('a stream of a connection of ours', () => {
  it('has told all of its listeners, and has let go of them when it is closed', async () => {
    const { stream, told } = await request(await session(true));
    expect(told).toEqual(['response', 'data', 'end', 'close', 'close, too']);
    expect(stream.eventNames()).toEqual(['error']);
  });

  it('does not end the process by an error that comes after its end', async () => {
    const { stream } = await request(await session(true));
    expect(() => stream.emit('error', new Error('late'))).not.toThrow();
  });

  it('lets go of its listeners when it is cut off, once they know', async () => {
    const stream = (await session(true)).request({ ':path': '/' });
    const told: string[] = [];
    stream.on('error', (error) => told.push(error.message));
    stream.on('close', () => told.push('close'));
    stream.destroy(new Error('cut'));
    await once(stream, 'close').catch(() => turn());
    await turn();
    expect(told).toEqual(['cut', 'close']);
    expect(stream.eventNames()).toEqual(['error']);
  });
});

it('a stream of a connection of somebody else keeps its listeners', async () => {
  await session(true);
  const { stream } = await request(await session(false));
  expect(stream.listenerCount('close')).toBe(2);
  expect(stream.listenerCount('data')).toBe(1);
});

it('streams are watched while a connection of ours is open', async () => {
  const created = channel('http2.client.stream.created');
  const before = created.hasSubscribers;
  const [first, second] = [await session(true), await session(true)];
  for (const open of [first, second]) {
    expect(created.hasSubscribers).toBe(true);
    await request(open);
    open.destroy();
    await once(open, 'close');
    await turn();
  }
  expect(created.hasSubscribers).toBe(before);
});
