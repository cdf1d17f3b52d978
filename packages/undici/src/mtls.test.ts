import { createServer as createSecureServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Cancel, formatResponseFlags, type IdentitySource, type Svid, type TlsTransport } from '@ripstop/core';
import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { subjectAltNames } from './mtls-connector.ts';
import { forwardTo, listen, MeshDouble, TestCluster, testEndpoint } from './testing/mesh-double.ts';

const CLIENT = 'spiffe://cluster.local/ns/default/sa/productpage';
const SERVER = 'spiffe://cluster.local/ns/default/sa/reviews';
const DAY_MS = 86_400_000;

/** A CA of a test, whose leaves carry one SPIFFE id. */
class TestAuthority {
  readonly #root = createSelfSignedRoot({ organization: 'test', notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS });

  get certificatePem(): string {
    return this.#root.certificatePem;
  }

  /** Valid from a day ago until so long from now; without a name only for `spiffeId` ''. */
  issue(spiffeId: string, notAfterMs = DAY_MS): { certificatePem: string; keyPem: string } {
    const keys = createKeyPair();
    const issuer = { certificatePem: this.certificatePem, privateKey: this.#root.keyPair.privateKey };
    const validity = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + notAfterMs };
    const names = spiffeId === '' ? { dns: ['reviews'] } : { uris: [spiffeId] };
    const certificatePem = issueCertificate(issuer, { publicKey: keys.publicKey, names, ...validity });
    return { certificatePem, keyPem: privateKeyPem(keys.privateKey) };
  }
}

/** An identity that is rotated by hand. */
class TestIdentity implements IdentitySource {
  readonly #authority: TestAuthority;
  readonly #watchers = new Set<(next: Svid) => void>();
  #svid: Svid | undefined;
  #generation = 0;

  constructor(authority: TestAuthority) {
    this.#authority = authority;
  }

  current(): Svid | undefined {
    return this.#svid;
  }

  onRotate(run: (next: Svid) => void): Cancel {
    this.#watchers.add(run);
    return () => this.#watchers.delete(run);
  }

  rotate(spiffeId: string): void {
    const { certificatePem, keyPem } = this.#authority.issue(spiffeId);
    this.#svid = {
      spiffeId,
      generation: ++this.#generation,
      certificateChainPem: certificatePem,
      privateKeyPem: keyPem,
      trustBundlePem: this.#authority.certificatePem,
      serialNumber: String(this.#generation),
      notBeforeMs: 0,
      notAfterMs: 0,
    };
    for (const run of this.#watchers) run(this.#svid);
  }
}

const authority = new TestAuthority();

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

function istioMutual(expected: string): TlsTransport {
  return {
    kind: 'tls',
    key: `mutual:${expected}`,
    sni: 'outbound_.9080_._.reviews.default.svc.cluster.local',
    alpn: ['istio-peer-exchange', 'istio'],
    alpnOverride: true,
    clientCertificate: { kind: 'identity' },
    trust: { kind: 'identity' },
    acceptsSans: (uris) => uris.includes(expected),
    expectedSans: [expected],
    autoSni: false,
  };
}

interface Seen {
  readonly peer: string;
  readonly serial: string;
  readonly alpn: string | false;
  readonly sni: string | false | null;
}

async function secureServer(
  seen: Seen[],
  ca = authority.certificatePem,
  { certificatePem, keyPem } = authority.issue(SERVER),
): Promise<number> {
  const server: Server = createSecureServer(
    {
      ...{ cert: certificatePem, key: keyPem, ca, requestCert: true, rejectUnauthorized: true },
      ALPNProtocols: ['istio-http/1.1', 'http/1.1'],
    },
    (req, res) => {
      const socket = req.socket as TLSSocket & { servername?: string | false };
      const certificate = socket.getPeerCertificate();
      seen.push({
        peer: certificate.subjectaltname ?? '',
        serial: certificate.serialNumber,
        alpn: socket.alpnProtocol ?? false,
        sni: socket.servername ?? null,
      });
      res.end('secure');
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function meshWith(cluster: TestCluster, identity: TestIdentity, rotationJitterMs = 50): MeshDouble {
  const mesh = new MeshDouble([cluster], forwardTo(cluster), { identity, rotationJitterMs });
  cleanups.push(() => mesh.dispatcher.destroy());
  return mesh;
}

async function call(mesh: MeshDouble): Promise<[number, string]> {
  const reply = await request('http://reviews:9080/', { dispatcher: mesh.dispatcher });
  return [reply.statusCode, await reply.body.text()];
}

describe('mutual TLS to endpoints', () => {
  it("shows the server our SPIFFE id, the configured SNI and Istio's ALPN", async () => {
    const seen: Seen[] = [];
    const cluster = new TestCluster('c', [testEndpoint(await secureServer(seen), istioMutual(SERVER))]);
    const identity = new TestIdentity(authority);
    identity.rotate(CLIENT);
    expect(await call(meshWith(cluster, identity))).toEqual([200, 'secure']);
    expect(seen[0]).toMatchObject({
      peer: `URI:${CLIENT}`,
      alpn: 'istio-http/1.1',
      sni: 'outbound_.9080_._.reviews.default.svc.cluster.local',
    });
  });

  it('answers 503 UF when the peer is another SPIFFE id or none, when it has expired, when its CA is strange, and while no certificate was issued', async () => {
    const stranger = new TestAuthority();
    const none = new TestIdentity(authority);
    const some = new TestIdentity(authority);
    some.rotate(CLIENT);
    const seen: Seen[] = [];
    const cases = [
      {
        port: await secureServer(seen),
        transport: istioMutual('spiffe://cluster.local/ns/default/sa/other'),
        identity: some,
        reason: 'SAN_matcher',
      },
      {
        port: await secureServer(seen, undefined, authority.issue('')),
        transport: istioMutual(SERVER),
        identity: some,
        reason: 'SAN_matcher',
      },
      {
        port: await secureServer(seen, undefined, authority.issue(SERVER, -1_000)),
        transport: istioMutual(SERVER),
        identity: some,
        reason: 'certificate_has_expired',
      },
      {
        port: await secureServer(seen, undefined, stranger.issue(SERVER)),
        transport: istioMutual(SERVER),
        identity: some,
        reason: 'TLS_error',
      },
      { port: await secureServer(seen), transport: istioMutual(SERVER), identity: none, reason: 'no workload certificate yet' },
    ];
    for (const { port, transport, identity, reason } of cases) {
      const mesh = meshWith(new TestCluster('c', [testEndpoint(port, transport)]), identity);
      expect(await call(mesh)).toEqual([
        503,
        'upstream connect error or disconnect/reset before headers. reset reason: remote connection failure',
      ]);
      const { x } = mesh.finished[0]!;
      expect(formatResponseFlags(x.flags)).toBe('UF');
      expect(x.transportFailure).toContain(reason);
    }
    expect(seen).toEqual([]);
  });

  it('answers 503 UC when the peer refuses our certificate, which TLS 1.3 says behind the handshake', async () => {
    const identity = new TestIdentity(authority);
    identity.rotate(CLIENT);
    const seen: Seen[] = [];
    const port = await secureServer(seen, new TestAuthority().certificatePem);
    const mesh = meshWith(new TestCluster('c', [testEndpoint(port, istioMutual(SERVER))]), identity);
    expect(await call(mesh)).toEqual([
      503,
      'upstream connect error or disconnect/reset before headers. reset reason: connection termination',
    ]);
    const { x } = mesh.finished[0]!;
    expect([formatResponseFlags(x.flags), x.details]).toEqual(['UC', 'upstream_reset_before_response_started{connection_termination}']);
    expect(seen).toEqual([]);
  });

  it('times a TLS handshake out that a plaintext server never answers', async () => {
    const { port, close } = await listen(() => {});
    cleanups.push(close);
    const identity = new TestIdentity(authority);
    identity.rotate(CLIENT);
    const { createServer } = await import('node:net');
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    cleanups.push(() => silent.close());
    const cluster = new TestCluster('c', [testEndpoint((silent.address() as AddressInfo).port, istioMutual(SERVER))]);
    cluster.connection = { ...cluster.connection, connectTimeoutMs: 40 };
    const mesh = meshWith(cluster, identity);
    expect(await call(mesh)).toEqual([503, 'upstream connect error or disconnect/reset before headers. reset reason: connection timeout']);
    const plain = meshWith(new TestCluster('c', [testEndpoint(port, istioMutual(SERVER))]), identity);
    expect((await call(plain))[0]).toBe(503);
  });

  it('survives 20 rotations under load without a failed request and without a handshake per request; peers see new serials', async () => {
    const seen: Seen[] = [];
    const cluster = new TestCluster('c', [testEndpoint(await secureServer(seen), istioMutual(SERVER))]);
    const identity = new TestIdentity(authority);
    identity.rotate(CLIENT);
    const mesh = meshWith(cluster, identity, 30);
    let stop = false;
    const statuses = new Map<number, number>();
    const worker = async (): Promise<void> => {
      while (!stop) {
        const [status] = await call(mesh);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const workers = [worker(), worker(), worker(), worker()];
    for (let n = 0; n < 20; n++) {
      identity.rotate(CLIENT);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const settled = expect.poll(() => new Set(seen.slice(-8).map(({ serial }) => serial)).size).toBe(1);
    await settled.finally(() => {
      stop = true;
      return Promise.all(workers);
    });
    expect([...statuses.keys()]).toEqual([200]);
    expect(new Set(seen.map(({ serial }) => serial)).size).toBeGreaterThan(2);
    expect(mesh.dispatcher.connections).toBeLessThanOrEqual(5);
  });

  it('lets a running response finish over the old identity while the next request uses the new one', async () => {
    const serials: string[] = [];
    const { certificatePem, keyPem } = authority.issue(SERVER);
    const server = createSecureServer(
      { cert: certificatePem, key: keyPem, ca: authority.certificatePem, requestCert: true },
      (req, res) => {
        serials.push((req.socket as TLSSocket).getPeerCertificate().serialNumber);
        res.write('a');
        setTimeout(() => res.end('b'), req.url === '/slow' ? 80 : 0);
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    const cluster = new TestCluster('c', [testEndpoint((server.address() as AddressInfo).port, istioMutual(SERVER))]);
    const identity = new TestIdentity(authority);
    identity.rotate(CLIENT);
    const mesh = meshWith(cluster, identity, 0);
    const slow = await request('http://reviews/slow', { dispatcher: mesh.dispatcher });
    identity.rotate(CLIENT);
    expect(await call(mesh)).toEqual([200, 'ab']);
    expect(await slow.body.text()).toBe('ab');
    expect(serials[0]).not.toBe(serials[1]);
    await expect.poll(() => mesh.dispatcher.connections).toBe(1);
  });

  it('closes connections to an endpoint that is gone, after their requests', async () => {
    const seen: Seen[] = [];
    const cluster = new TestCluster('c', [testEndpoint(await secureServer(seen), istioMutual(SERVER))]);
    const identity = new TestIdentity(authority);
    identity.rotate(CLIENT);
    const mesh = meshWith(cluster, identity);
    await call(mesh);
    expect(mesh.dispatcher.connections).toBe(1);
    cluster.endpoints[0]!.present = false;
    await expect.poll(() => mesh.dispatcher.connections, { timeout: 2_000 }).toBe(0);
  });
});

describe('subject alternative names', () => {
  it.each([
    ['URI:spiffe://a/b, DNS:x.y', { uris: ['spiffe://a/b'], dns: ['x.y'] }],
    ['DNS:"a, URI:spiffe://fake", URI:spiffe://real', { uris: ['spiffe://real'], dns: ['a, URI:spiffe://fake'] }],
    [undefined, { uris: [], dns: [] }],
  ])('of %s are told apart', (text, expected) => {
    expect(subjectAltNames(text)).toEqual(expected);
  });
});
