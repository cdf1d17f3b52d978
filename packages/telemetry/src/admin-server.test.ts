import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type AdminServer, createAdminServer } from './admin-server.ts';
import { createTelemetry } from './telemetry.ts';

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const node = { workload: 'web', namespace: 'default', principal: '', app: 'web', version: '', canonicalService: 'web' };

/** The answer to one request, as it comes. */
function ask(address: string, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(address.split(':')[1]), '127.0.0.1', () => {
      socket.write(`GET ${target} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n`);
    });
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text)).on('error', reject);
  });
}

describe('the admin server', () => {
  let server: AdminServer | undefined;
  afterEach(() => server?.close());

  it.each([
    ['/ready', 'HTTP/1.1 200 OK'],
    ['/nothing', 'HTTP/1.1 404 Not Found'],
    ['//', 'HTTP/1.1 400 Bad Request'],
    ['http://[', 'HTTP/1.1 400 Bad Request'],
  ])('answers GET %s with %s', async (target, expected) => {
    const telemetry = createTelemetry({
      node: { ...node, canonicalRevision: 'latest', cluster: 'Kubernetes', meshId: 'cluster.local' },
      clock,
      random: () => 0,
    });
    server = await createAdminServer({ address: { host: '127.0.0.1', port: 0 }, telemetry, ready: () => true });
    expect((await ask(server.address, target)).split('\r\n')[0]).toBe(expected);
  });
});
