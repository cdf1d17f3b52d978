import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from './testing/fake-clock.ts';
import { MESH_TLS } from './testing/server-double.ts';
import { TestAuthority, TestIdentity } from './testing/test-authority.ts';
import { TlsAcceptor } from './tls-acceptor.ts';

let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

describe('handshakes', () => {
  it('that run at the same time over one Unix socket, which has no addresses, are told apart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-tls-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'tls.sock');
    const acceptor = new TlsAcceptor(new TestIdentity(authority, 'spiffe://cluster.local/ns/default/sa/server'), new FakeClock());
    const ended: string[] = [];
    let entered = 0;
    const server = createServer((raw: Socket) => {
      const number = entered++;
      raw.on('error', () => {});
      const alpn = number % 2 === 0 ? 'h2' : 'http/1.1';
      acceptor.accept(raw, MESH_TLS, [alpn], ['h2', 'http/1.1'], {
        secured: (_socket, names, protocol) => ended.push(`${number} ${protocol === alpn} ${names?.uriSans[0]?.split('/').at(-1)}`),
        refused: (why) => ended.push(`${number} ${why}`),
      });
    });
    server.listen(path);
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const sockets: TLSSocket[] = [];
    for (let number = 0; number < 6; number++) {
      const identity = authority.issue({ uris: [`spiffe://cluster.local/ns/default/sa/caller-${number}`] });
      const socket = connect({ path, ...identity, rejectUnauthorized: false, ALPNProtocols: [number % 2 === 0 ? 'h2' : 'http/1.1'] });
      socket.on('error', () => {});
      sockets.push(socket);
      cleanups.push(() => socket.destroy());
    }
    await expect.poll(() => ended.length, { interval: 1 }).toBe(6);
    expect(ended.sort()).toEqual([0, 1, 2, 3, 4, 5].map((number) => `${number} true caller-${number}`));
  });
});
