import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, connect as open, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { DownstreamTls, TlsSecrets } from '@ripstop/core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PeerNames } from './peer-certificate.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { MESH_TLS } from './testing/server-double.ts';
import { type Leaf, TestAuthority, TestIdentity } from './testing/test-authority.ts';
import { TlsAcceptor } from './tls-acceptor.ts';

let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

const CALLER = 'spiffe://cluster.local/ns/default/sa/caller';
const AES128 = 'ECDHE-ECDSA-AES128-GCM-SHA256';
const AES256 = 'ECDHE-ECDSA-AES256-GCM-SHA384';
const nobody = {} as ConnectionOptions;

/** What a handshake came to: the socket, or why there is none. */
type End = { readonly socket: TLSSocket & { readonly server: TlsServer }; readonly names: PeerNames | undefined } | string;

/** A port where every connection meets one chain. */
async function serve(tls: Partial<DownstreamTls> = {}) {
  const identity = new TestIdentity(authority, 'spiffe://cluster.local/ns/default/sa/server');
  const acceptor = new TlsAcceptor(identity, new FakeClock());
  const chain = { ...MESH_TLS, ...tls };
  const waiting: ((end: End) => void)[] = [];
  const raws: Socket[] = [];
  let entered: () => void = () => {};
  const server = createServer((raw) => {
    raws.push(raw);
    cleanups.push(() => raw.destroy());
    raw.on('error', () => {});
    acceptor.accept(raw, chain, ['h2', 'http/1.1'], ['h2'], {
      secured: (socket, names) => waiting.shift()!({ socket: socket as TLSSocket & { server: TlsServer }, names }),
      refused: (why) => waiting.shift()!(why),
    });
    entered();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ended = (): Promise<End> => new Promise((resolve) => waiting.push(resolve));
  const call = (options: ConnectionOptions = authority.issue({ uris: [CALLER] })): { caller: TLSSocket; end: Promise<End> } => {
    const end = ended();
    const caller = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'], ...options });
    caller.on('error', () => {});
    cleanups.push(() => caller.destroy());
    return { caller, end };
  };
  /** Speaks as it likes, once the port has seen it. */
  const callRaw = async (): Promise<{ caller: Socket; end: Promise<End> }> => {
    const end = ended();
    const seen = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const caller = open(port, '127.0.0.1');
    caller.on('error', () => {});
    cleanups.push(() => caller.destroy());
    await seen;
    return { caller, end };
  };
  return { call, callRaw, identity, raws };
}

/** Who was let in, or why nobody was. */
async function judged(tls: Partial<DownstreamTls>, caller?: ConnectionOptions): Promise<unknown> {
  const end = await (await serve(tls)).call(caller).end;
  return typeof end === 'string' ? end : (end.names?.uriSans ?? 'nameless');
}

function secretsOf(secrets: Partial<TlsSecrets> & { readonly leaves: readonly Leaf[] }): Partial<DownstreamTls> {
  const { leaves, ...rest } = secrets;
  const keyPairs = leaves.map(({ cert, key }) => ({ certificateChainPem: cert, privateKeyPem: key }));
  const trustBundlePem = authority.certificatePem;
  return {
    certificateName: 'kubernetes://edge',
    validationName: 'kubernetes://edge-cacert',
    secrets: { keyPairs, trustBundlePem, revokedPem: '', missing: '', ...rest },
    acceptsSans: () => true,
  };
}

describe('a caller', () => {
  const failed = expect.stringMatching(/^CERTIFICATE_VERIFY_FAILED: [A-Z_]+$/);
  const two = (): Leaf => authority.issue({ uris: [CALLER, `${CALLER}-too`] });

  it.each<[what: string, tls: () => Partial<DownstreamTls>, caller: (() => ConnectionOptions) | undefined, end: unknown]>([
    ['with a certificate of the mesh', () => ({}), undefined, [CALLER]],
    ['without a certificate', () => ({}), () => nobody, 'the caller showed no certificate'],
    ['without a certificate, where none is demanded', () => ({ requireClientCertificate: false }), () => nobody, 'nameless'],
    ['whose certificate nobody asks for', () => ({ requireClientCertificate: false, validationName: '' }), undefined, 'nameless'],
    ['of another root', () => ({}), () => new TestAuthority().issue({ uris: [CALLER] }), failed],
    ['of two identities', () => ({}), two, 'CERTIFICATE_VERIFY_FAILED: more than one URI SAN'],
    ['of two identities, by a bundle of somebody else', () => secretsOf({ leaves: [authority.issue({})] }), two, [CALLER, `${CALLER}-too`]],
    [
      'of another trust domain',
      () => ({}),
      () => authority.issue({ uris: ['spiffe://other/ns/a/sa/b'], dns: ['a.b'] }),
      'CERTIFICATE_VERIFY_FAILED: SAN matcher, certificate SANs are [spiffe://other/ns/a/sa/b,a.b]',
    ],
    [
      'that is not the pinned one',
      () => ({ pins: { certificates: new Set(['00']), publicKeys: new Set() } }),
      undefined,
      expect.stringMatching(/^CERTIFICATE_VERIFY_FAILED: no pinned hash, certificate hash is [0-9a-f]{64}$/),
    ],
  ])('%s', async (_what, tls, caller, end) => {
    expect(await judged(tls(), caller?.())).toEqual(end);
  });

  it('that is the pinned one comes in', async () => {
    const caller = authority.issue({ uris: [CALLER] });
    const { fingerprint256 } = new X509Certificate(caller.cert);
    const pins = { certificates: new Set([fingerprint256.replaceAll(':', '').toLowerCase()]), publicKeys: new Set<string>() };
    expect(await judged({ pins }, caller)).toEqual([CALLER]);
  });

  it('whose certificate was taken back stays outside, others come in', async () => {
    const leaves = [authority.issue({})];
    const [gone, other] = [authority.issue({ uris: [CALLER] }), authority.issue({ uris: [CALLER] })];
    const revokedPem = authority.revoke(gone);
    expect(await judged(secretsOf({ leaves, revokedPem }), gone)).toBe('CERTIFICATE_VERIFY_FAILED: CERT_REVOKED');
    expect(await judged(secretsOf({ leaves, revokedPem }), other)).toEqual([CALLER]);
  });

  it('is refused where the list of those that were taken back cannot be read', async () => {
    const revokedPem = '-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n';
    expect(await judged(secretsOf({ leaves: [authority.issue({})], revokedPem }))).toBe(
      'TLS of certificate kubernetes://edge cannot be set up: Failed to parse CRL',
    );
  });
});

describe('TLS', () => {
  const spoken = async (tls: Partial<DownstreamTls>, options: ConnectionOptions = {}): Promise<string> => {
    const end = await (await serve(tls)).call({ ...authority.issue({ uris: [CALLER] }), ...options }).end;
    return typeof end === 'string' ? end : `${end.socket.getProtocol()} ${end.socket.getCipher().name}`;
  };

  it('is of the newest version that the chain takes', async () => {
    expect(await spoken({})).toMatch(/^TLSv1\.3 /);
    expect(await spoken({ maxVersion: 'TLSv1.2' })).toMatch(/^TLSv1\.2 /);
    expect(await spoken({ minVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' })).toMatch(/^TLS_error: /);
  });

  it('has the ciphers of the chain up to TLS 1.2, and from 1.3 on its own', async () => {
    const old = (ciphers: string): ConnectionOptions => ({ maxVersion: 'TLSv1.2', ciphers });
    const chain = { ciphers: [AES256, 'ECDHE-ECDSA-CHACHA20-POLY1305'] };
    expect(await spoken(chain, old(AES256))).toBe(`TLSv1.2 ${AES256}`);
    expect(await spoken(chain, old('ECDHE-ECDSA-CHACHA20-POLY1305'))).toBe('TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305');
    expect(await spoken(chain, old(AES128))).toMatch(/^TLS_error: .*no shared cipher/);
    expect(await spoken({}, old(AES128))).toBe(`TLSv1.2 ${AES128}`);
    for (const cipher of ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'])
      expect(await spoken(chain, { ciphers: cipher, minVersion: 'TLSv1.3' })).toBe(`TLSv1.3 ${cipher}`);
  });

  it('shows the certificate of the name that is asked for, else the first', async () => {
    const leaves = ['a.example', 'b.example'].map((name) => authority.issue({ dns: [name] }));
    const { call } = await serve(secretsOf({ leaves }));
    for (const [servername, shown] of [
      ['b.example', 'DNS:b.example'],
      ['a.example', 'DNS:a.example'],
      ['c.example', 'DNS:a.example'],
    ]) {
      const { caller, end } = call({ servername: servername!, ...authority.issue({ uris: [CALLER] }) });
      await end;
      expect(caller.getPeerX509Certificate()!.subjectAltName).toBe(shown);
    }
  });

  it('of one chain and protocol is made once, and anew with the next certificate', async () => {
    const { call, identity } = await serve();
    const madeBy = async (): Promise<TlsServer> => ((await call().end) as Exclude<End, string>).socket.server;
    const first = await madeBy();
    expect(await madeBy()).toBe(first);
    identity.rotate(authority, 'spiffe://cluster.local/ns/default/sa/server');
    const second = await madeBy();
    expect([second === first, (await madeBy()) === second]).toEqual([false, true]);
  });
});

describe('a handshake', () => {
  it('that is none is refused with what OpenSSL says of it, and closed', async () => {
    const { callRaw, raws } = await serve();
    const { caller, end } = await callRaw();
    caller.write(Buffer.of(0x16, 3, 1, 0, 4, 9, 0, 0, 0));
    expect(await end).toMatch(/^TLS_error: .*SSL routines/);
    expect(raws[0]!.destroyed).toBe(true);
  });

  it('whose caller goes before its end is refused once', async () => {
    const { callRaw } = await serve();
    const { caller, end } = await callRaw();
    caller.write(Buffer.of(0x16, 3, 1, 1, 0, 1));
    caller.resetAndDestroy();
    expect(await end).toBe('TLS_error: read ECONNRESET');
  });

  it('whose connection is closed here before its end is refused', async () => {
    const { callRaw, raws } = await serve();
    const { end } = await callRaw();
    raws[0]!.destroy();
    expect(await end).toBe('TLS_error: closed during the handshake');
  });

  it('that nobody waits for any more lets nobody in', async () => {
    const { call } = await serve();
    const { socket } = (await call().end) as Exclude<End, string>;
    let destroyed = 0;
    socket.server.emit('secureConnection', { destroy: () => destroyed++ } as unknown as TLSSocket);
    expect(destroyed).toBe(1);
  });
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
