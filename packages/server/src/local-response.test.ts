import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Exchange, localReply, Pipeline } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { writeLocalReply } from './local-response.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

const pipeline = new Pipeline({
  clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
  random: () => 0,
});
const x = { protocol: 'http1', manager: { serverName: 'istio-envoy' } } as unknown as Exchange;

/** All that a server that denies everything sends for these bytes, until it or the client closes. */
async function answerTo(bytes: string): Promise<string> {
  const reply = localReply({ status: 403, details: 'rbac_access_denied_matched_policy[none]', body: 'RBAC: access denied' });
  const server = createServer((_request, response) => writeLocalReply(x, reply, pipeline, response, 0));
  cleanups.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  cleanups.push(() => socket.destroy());
  socket.write(bytes);
  return text(socket);
}

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`;

describe('a reply of the mesh in the app’s place', () => {
  it('leaves the connection open for the next request', async () => {
    const answers = await answerTo(get('/one') + get('/two', 'connection: close\r\n'));
    expect(answers.match(/HTTP\/1\.1 403/g)).toHaveLength(2);
    expect(answers.match(/connection: close/gi)).toHaveLength(1);
  });

  it('closes the connection of a caller that is still sending', async () => {
    const answers = await answerTo('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe');
    expect(answers).toMatch(/^HTTP\/1\.1 403[\s\S]*connection: close[\s\S]*RBAC: access denied$/i);
  });
});
