import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { DownstreamTls, FilterChain, FilterChainMatch, IdentitySource, Snapshot, Svid } from '@ripstop/core';
import { createKeyPair, createSelfSignedRoot, type Issuer, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { GrpcParts } from './grpc-parts.ts';
import { MeshTlsServer, type SecuredConnection } from './mesh-tls-server.ts';
import { inboundChain, MeshDouble } from './testing/mesh-double.ts';
import { MESH_TLS } from './testing/test-identity.ts';

const PORT = 50051;
const CALLER = 'spiffe://cluster.local/ns/default/sa/web';
const TIMES = { notBeforeMs: Date.now() - 3_600_000, notAfterMs: Date.now() + 3_600_000 };

interface Leaf {
  readonly cert: string;
  readonly key: string;
}

function newRoot(): Issuer {
  const { certificatePem, keyPair } = createSelfSignedRoot({ organization: 'test', ...TIMES });
  return { certificatePem, privateKey: keyPair.privateKey };
}

function leafOf(issuer: Issuer, names: { uris?: string[]; dns?: string[] }, isCa = false): Leaf {
  const keys = createKeyPair();
  const cert = issueCertificate(issuer, { publicKey: keys.publicKey, names, isCa, ...TIMES });
  return { cert, key: privateKeyPem(keys.privateKey) };
}

let root: Issuer;
let own: Leaf;
let caller: Leaf;
beforeAll(() => {
  root = newRoot();
  own = leafOf(root, { uris: ['spiffe://cluster.local/ns/default/sa/greeter'] });
  caller = leafOf(root, { uris: [CALLER] });
});

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

/** An identity that counts who watches it. */
class CountedIdentity implements IdentitySource {
  watchers = 0;
  private readonly leaf: Leaf | undefined;
  constructor(leaf: Leaf | undefined) {
    this.leaf = leaf;
  }
  current(): Svid | undefined {
    if (this.leaf === undefined) return undefined;
    return { certificateChainPem: this.leaf.cert, privateKeyPem: this.leaf.key, trustBundlePem: root.certificatePem } as Svid;
  }
  onRotate(): () => void {
    this.watchers++;
    return () => this.watchers--;
  }
}

function chain(tls: Partial<DownstreamTls> = {}, match: Partial<FilterChainMatch> = {}): FilterChain {
  const any = { destinationPort: PORT, serverNames: [], transportProtocol: '', applicationProtocols: [] } as const;
  return inboundChain(PORT, [], { match: { ...any, ...match }, tls: { ...MESH_TLS, ...tls } });
}

interface Setting {
  readonly chains?: readonly FilterChain[];
  readonly identity?: IdentitySource | 'none';
  readonly snapshots?: GrpcParts['snapshots'];
  readonly quiet?: boolean;
}

/** A port, and what becomes of the next connection: secured, or the reason in the log. */
async function serve({ chains = [chain()], identity = new CountedIdentity(own), snapshots, quiet = false }: Setting = {}) {
  const waiting: ((end: SecuredConnection | string) => void)[] = [];
  const double = new MeshDouble({ inbound: chains });
  const parts: GrpcParts = {
    snapshots: snapshots ?? double.snapshots,
    pipeline: double.pipeline,
    telemetry: double.telemetry,
    clock: double.clock,
    random: double.random,
    identity: identity === 'none' ? undefined : identity,
    log: quiet ? undefined : (line) => waiting.shift()!(line),
  };
  const tlsServer = new MeshTlsServer(parts, PORT, (secured) => waiting.shift()!(secured));
  const accepted: Socket[] = [];
  const server: Server = createServer((socket) => {
    accepted.push(socket);
    tlsServer.accept(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  cleanups.push(() => tlsServer.close());
  const { port } = server.address() as AddressInfo;
  const call = (options: ConnectionOptions = {}): { socket: TLSSocket; end: Promise<SecuredConnection | string> } => {
    const end = new Promise<SecuredConnection | string>((resolve) => waiting.push(resolve));
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'], ...caller, ...options });
    socket.on('error', () => {});
    cleanups.push(() => socket.destroy());
    return { socket, end };
  };
  return { call, accepted, tlsServer };
}

/** Also after an error. */
function closed(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** The names of who was let in, or why nobody was. */
async function judged(setting: Setting, options: ConnectionOptions = {}): Promise<unknown> {
  const { call } = await serve(setting);
  const end = await call(options).end;
  return typeof end === 'string' ? end.replace(/^.* refused: /, '') : (end.names?.uriSans ?? 'nameless');
}

describe('TLS in front of a gRPC server', () => {
  it('tells whom it has let in, by what, and what was offered', async () => {
    const { call, accepted } = await serve();
    const { socket, end } = call({ servername: 'Shop.Example', ALPNProtocols: ['x', 'h2'] });
    const secured = (await end) as SecuredConnection;
    expect(secured.facts).toEqual({ port: PORT, tls: true, sni: 'shop.example', alpn: ['x', 'h2'] });
    expect([secured.names!.uriSans, secured.verifiedBy]).toEqual([[CALLER], root.certificatePem]);
    expect([secured.raw, secured.socket.alpnProtocol]).toEqual([accepted[0], 'h2']);
    expect(socket.getPeerX509Certificate()!.toString().trim()).toBe(own.cert.trim());
  });

  it('takes callers that say neither a server name nor a protocol', async () => {
    const { call } = await serve();
    const { facts, socket } = (await call({ ALPNProtocols: [] }).end) as SecuredConnection;
    expect([facts.sni, facts.alpn, socket.alpnProtocol]).toEqual(['', [], false]);
  });

  it.each<[chainAlpn: string[], offered: string[], chosen: string | undefined]>([
    [['h2', 'http/1.1'], ['istio', 'h2'], 'h2'],
    [['istio', 'h2'], ['h2', 'istio'], 'istio'],
    [['http/1.1', 'h2'], ['http/1.1', 'h2'], 'h2'],
    [['http/1.1', 'h2'], ['http/1.1'], undefined],
    [['http/1.1'], ['istio'], 'istio'],
    [['http/1.1'], ['h2', 'istio-h2'], 'istio-h2'],
    [[], ['istio', 'h2'], 'h2'],
    [[], ['http/1.1'], undefined],
  ])('of a chain with %j, speaks with who offers %j: %s', async (alpn, offered, chosen) => {
    const { call } = await serve({ chains: [chain({ alpn })] });
    const end = await call({ ALPNProtocols: offered }).end;
    expect(typeof end === 'string' ? undefined : end.socket.alpnProtocol).toBe(chosen);
    if (typeof end === 'string') expect(end).toMatch(/^gRPC port 50051: connection from .* refused: TLS_error: /);
  });

  it('is of the chain that the server name chooses', async () => {
    const chains = [chain({ alpn: ['istio'] }, { serverNames: ['shop.example'] }), chain({ alpn: ['h2'] })];
    for (const [servername, alpn] of [
      ['SHOP.example', 'istio'],
      ['other.example', 'h2'],
    ]) {
      const { call } = await serve({ chains });
      const { socket } = (await call({ servername: servername!, ALPNProtocols: ['h2', 'istio'] }).end) as SecuredConnection;
      expect(socket.alpnProtocol).toBe(alpn);
    }
  });

  it('refuses where no chain takes the caller, at its offer or behind the handshake', async () => {
    expect(await judged({ chains: [chain({}, { serverNames: ['a'] })] }, { servername: 'b' })).toMatch(/^TLS_error: /);
    expect(await judged({ chains: [] }, { ALPNProtocols: [] })).toBe('filter_chain_not_found');
    const [full, empty] = [new MeshDouble({ inbound: [chain()] }), new MeshDouble({ inbound: [] })].map(({ snapshots }) => snapshots);
    let looks = 0;
    const goes = {
      get current(): Snapshot | undefined {
        return (looks++ === 0 ? full! : empty!).current;
      },
    } as GrpcParts['snapshots'];
    expect(await judged({ snapshots: goes })).toBe('filter_chain_not_found');
  });

  it('refuses everybody while the workload has no certificate', async () => {
    for (const identity of ['none', new CountedIdentity(undefined)] as const) {
      const { call } = await serve({ identity });
      const { socket, end } = call();
      expect(await end).toMatch(/ refused: this workload has no certificate: the CA has not issued one$/);
      await closed(socket);
    }
  });

  it('says why bytes are no handshake', async () => {
    const { call, accepted } = await serve();
    const { end } = call({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    expect(await end).toMatch(/^gRPC port 50051: connection from 127\.0\.0\.1 refused: TLS_error: /);
    expect(accepted[0]!.destroyed).toBe(true);
  });

  it('refuses without a word where nobody keeps a log', async () => {
    const { call } = await serve({ quiet: true, identity: 'none' });
    await closed(call().socket);
  });

  it('watches the identity until it is closed', async () => {
    const identity = new CountedIdentity(own);
    const { tlsServer } = await serve({ identity });
    expect(identity.watchers).toBe(1);
    tlsServer.close();
    expect(identity.watchers).toBe(0);
  });
});

describe('a caller of a gRPC server', () => {
  const nobody = { cert: undefined, key: undefined } as unknown as ConnectionOptions;
  const AES256 = 'ECDHE-ECDSA-AES256-GCM-SHA384';
  const old = (ciphers: string): ConnectionOptions => ({ maxVersion: 'TLSv1.2', ciphers });

  it.each<[what: string, tls: Partial<DownstreamTls>, options: () => ConnectionOptions, end: unknown]>([
    ['with a certificate of the mesh', {}, () => ({}), [CALLER]],
    ['without a certificate', {}, () => nobody, 'the caller showed no certificate'],
    ['without a certificate, where none is demanded', { requireClientCertificate: false }, () => nobody, 'nameless'],
    ['whose certificate nobody looks at', { validationName: '', requireClientCertificate: false }, () => ({}), 'nameless'],
    ['where a certificate is demanded that nobody looks at', { validationName: '' }, () => ({}), 'the caller showed no certificate'],
    ['of another root', {}, () => leafOf(newRoot(), { uris: [CALLER] }), expect.stringMatching(/^CERTIFICATE_VERIFY_FAILED: \w/)],
    [
      'of another root, where none is demanded',
      { requireClientCertificate: false },
      () => leafOf(newRoot(), { uris: [CALLER] }),
      expect.stringMatching(/^CERTIFICATE_VERIFY_FAILED: \w/),
    ],
    [
      'that is a CA',
      {},
      () => leafOf(root, { uris: [CALLER] }, true),
      expect.stringMatching(/^CERTIFICATE_VERIFY_FAILED: (a CA certificate as a leaf|\w+)$/),
    ],
    ['of two identities', {}, () => leafOf(root, { uris: [CALLER, `${CALLER}2`] }), 'CERTIFICATE_VERIFY_FAILED: more than one URI SAN'],
    [
      'of another trust domain',
      {},
      () => leafOf(root, { uris: ['spiffe://other/ns/a/sa/b'], dns: ['a.b'] }),
      'CERTIFICATE_VERIFY_FAILED: SAN matcher, certificate SANs are [spiffe://other/ns/a/sa/b,a.b]',
    ],
    ['of TLS 1.2, where 1.3 is demanded', { minVersion: 'TLSv1.3' }, () => ({ maxVersion: 'TLSv1.2' }), 'TLS 1.3 is demanded'],
    ['of TLS 1.3, where it is demanded', { minVersion: 'TLSv1.3' }, () => ({}), [CALLER]],
    ['with an allowed cipher', { ciphers: ['x', AES256] }, () => old(AES256), [CALLER]],
    [
      'with another cipher',
      { ciphers: [AES256] },
      () => old('ECDHE-ECDSA-AES128-GCM-SHA256'),
      'cipher ECDHE-ECDSA-AES128-GCM-SHA256 is not among the allowed',
    ],
    ['of TLS 1.3, whose ciphers are its own', { ciphers: [AES256] }, () => ({}), [CALLER]],
    [
      'where the certificate is none that a gRPC server can show',
      { certificateName: 'kubernetes://x' },
      () => ({}),
      "certificate kubernetes://x is not supported; only the workload's own is",
    ],
    [
      'where the roots are none that a gRPC server can look at',
      { validationName: 'file-root:/a' },
      () => ({}),
      'trust bundle file-root:/a is not supported',
    ],
  ])('%s', async (_what, tls, options, end) => {
    expect(await judged({ chains: [chain(tls)] }, options())).toEqual(end);
  });
});
