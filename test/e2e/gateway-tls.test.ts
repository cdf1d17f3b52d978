import { spawnSync } from 'node:child_process';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type AddressInfo, connect as tcpConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import { type ControlPlane, createControlPlane } from '@ripstop/control-plane';
import { createGateway, type Gateway } from '@ripstop/gateway';
import { createMesh, type Mesh } from '@ripstop/node';
import { createCsr, createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
const OPENSSL = 'openssl';
const hasOpenssl = spawnSync(OPENSSL, ['version']).status === 0;
if (!hasOpenssl) console.log('skipped: revoked callers (no openssl)');

/** A CA outside of the mesh. */
class Authority {
  private readonly root = createSelfSignedRoot({ organization: 'shop', notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS });

  get pem(): string {
    return this.root.certificatePem;
  }

  /** A revocation list, made by openssl. */
  revoke({ cert }: Pair): string {
    const at = mkdtempSync(join(tmpdir(), 'ripstop-crl-'));
    const file = (name: string, text: string): string => {
      writeFileSync(join(at, name), text);
      return join(at, name);
    };
    const { serialNumber } = new X509Certificate(cert);
    const index = file('index', `R\t491231235959Z\t250101000000Z\t${serialNumber}\tunknown\t/O=somebody\n`);
    const config = file('config', `[ca]\ndefault_ca = own\n[own]\ndatabase = ${index}\ndefault_md = sha256\ndefault_crl_days = 1\n`);
    const root = ['-keyfile', file('key', privateKeyPem(this.root.keyPair.privateKey)), '-cert', file('root', this.pem)];
    const made = spawnSync(OPENSSL, ['ca', '-config', config, '-gencrl', ...root], { encoding: 'utf8' });
    rmSync(at, { recursive: true });
    if (made.status !== 0) throw new Error(made.stderr);
    return made.stdout;
  }

  issue(names: { readonly dns?: readonly string[]; readonly uris?: readonly string[] }): Pair {
    const { publicKey, privateKey } = createKeyPair();
    const validity = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS };
    const issuer = { certificatePem: this.pem, privateKey: this.root.keyPair.privateKey };
    const cert = issueCertificate(issuer, { publicKey, names, organization: 'somebody', ...validity });
    return { cert, key: privateKeyPem(privateKey) };
  }
}

const authority = new Authority();
const callers = new Authority();
const shop = authority.issue({ dns: ['shop.example.com'] });
const wild = authority.issue({ dns: ['*.apps.example.com'] });
const admin = authority.issue({ dns: ['admin.example.com'], uris: ['spiffe://outside/admin'] });
const operator = callers.issue({ uris: ['spiffe://outside/operator'], dns: ['operator.example.com'] });
const visitor = callers.issue({ uris: ['spiffe://outside/visitor'] });

const dir = mkdtempSync(join(tmpdir(), 'ripstop-gateway-tls-'));
const source = join(dir, 'mesh');
const cacheDir = join(dir, 'cache');
const logs: string[] = [];
const events: unknown[] = [];

const secret = (name: string, data: Readonly<Record<string, string>>, namespace = 'istio-system'): string =>
  `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: data })}\n`;

const SECRETS: Readonly<Record<string, string>> = {
  shop: secret('shop', { 'tls.crt': shop.cert, 'tls.key': shop.key }),
  wild: secret('wild', { cert: wild.cert, key: wild.key }),
  admin: secret('admin', { 'tls.crt': admin.cert, 'tls.key': admin.key, 'ca.crt': callers.pem }),
};

const CONFIG = (port: number): string => `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: ${port} }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-1 }
spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: web } }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: [shop.example.com], tls: { httpsRedirect: true } }
  - { port: { number: 443, name: shop, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: SIMPLE, credentialName: shop } }
  - { port: { number: 443, name: apps, protocol: HTTPS }, hosts: ["*.apps.example.com"], tls: { mode: SIMPLE, credentialName: wild, minProtocolVersion: TLSV1_3 } }
  - port: { number: 443, name: admin, protocol: HTTPS }
    hosts: [admin.example.com]
    tls: { mode: MUTUAL, credentialName: admin, subjectAltNames: ["spiffe://outside/operator"] }
  - { port: { number: 443, name: maybe, protocol: HTTPS }, hosts: [maybe.example.com], tls: { mode: OPTIONAL_MUTUAL, credentialName: admin } }
  - { port: { number: 443, name: mesh, protocol: HTTPS }, hosts: [mesh.example.com], tls: { mode: ISTIO_MUTUAL } }
  - { port: { number: 443, name: files, protocol: HTTPS }, hosts: [files.example.com], tls: { mode: SIMPLE, serverCertificate: "${dir}/file.crt", privateKey: "${dir}/file.key" } }
  - { port: { number: 443, name: missing, protocol: HTTPS }, hosts: [missing.example.com], tls: { mode: SIMPLE, credentialName: nowhere } }
  - { port: { number: 443, name: foreign, protocol: HTTPS }, hosts: [foreign.example.com], tls: { mode: SIMPLE, credentialName: foreign } }
  - { port: { number: 443, name: pass, protocol: TLS }, hosts: [pass.example.com], tls: { mode: PASSTHROUGH } }
  - { port: { number: 9000, name: tcp, protocol: TCP }, hosts: ["*"] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: ["*"]
  gateways: [edge]
  http: [{ route: [{ destination: { host: web, port: { number: 80 } } }] }]
  tls: [{ match: [{ port: 443, sniHosts: [pass.example.com] }], route: [{ destination: { host: web, port: { number: 80 } } }] }]
  tcp: [{ match: [{ port: 9000 }], route: [{ destination: { host: web, port: { number: 80 } } }] }]
`;

let app: Server;
let plane: ControlPlane;
let mesh: Mesh;
let gateway: Gateway;

function save(name: string, text: string): void {
  writeFileSync(join(source, `${name}.yaml`), text);
}

function createRouter(): Mesh {
  const account = { namespace: 'istio-system', serviceAccount: 'istio-ingressgateway' };
  return createMesh({
    ...account,
    role: 'router',
    service: 'istio-ingressgateway',
    labels: { istio: 'ingressgateway' },
    xds: `grpcs://${plane.addresses.xdsTls}`,
    ca: `grpcs://${plane.addresses.xdsTls}`,
    token: plane.tokens.issue({ ...account, ttlSeconds: 3_600 }),
    rootCertificatePem: plane.ca.rootCertificatePem,
    admin: 'off',
    cacheDir,
    log: (line) => logs.push(line),
  });
}

beforeAll(async () => {
  mkdirSync(source);
  app = createServer((request, response) => response.end(JSON.stringify(request.headers)));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  writeFileSync(join(dir, 'file.crt'), authority.issue({ dns: ['files.example.com'] }).cert);
  writeFiles();
  for (const [name, text] of Object.entries(SECRETS)) save(name, text);
  save('foreign', secret('foreign', { 'tls.crt': shop.cert, 'tls.key': shop.key }, 'default'));
  save('config', CONFIG((app.address() as AddressInfo).port));
  plane = createControlPlane({
    source,
    stateDir: join(dir, 'state'),
    xds: '127.0.0.1:0',
    xdsTls: '127.0.0.1:0',
    http: '127.0.0.1:0',
    onEvent: (event) => events.push(event),
  });
  await plane.start();
  mesh = createRouter();
  gateway = createGateway({ mesh, ports: { 80: 0, 443: 0, 9000: 0 } });
  await gateway.start();
}, 30_000);

function writeFiles(): Pair {
  const pair = authority.issue({ dns: ['files.example.com'] });
  writeFileSync(join(dir, 'file.crt'), pair.cert);
  writeFileSync(join(dir, 'file.key'), pair.key);
  return pair;
}

afterEach(async () => {
  for (const [name, text] of Object.entries(SECRETS)) save(name, text);
  await vi.waitFor(() => expect(plane.syncState().every(({ synced }) => synced)).toBe(true), { timeout: 5_000 });
});

afterAll(async () => {
  await gateway?.close({ drainMs: 0 });
  await mesh?.close({ drainMs: 0 });
  await plane?.close();
  app?.close();
  rmSync(dir, { recursive: true, force: true });
});

function portOf(listenerPort: number): number {
  return gateway.addresses().find((entry) => entry.listenerPort === listenerPort)?.port ?? 0;
}

/** A handshake; rejects when the gateway refuses it. */
function handshake(servername: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: portOf(443), servername, ca: authority.pem, ...options }, () => resolve(socket));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}

/** Fingerprint of the certificate that is shown for a host. */
async function shown(servername: string, options: ConnectionOptions = {}): Promise<string> {
  const socket = await handshake(servername, options);
  const { fingerprint256 = '' } = socket.getPeerX509Certificate() ?? {};
  socket.destroy();
  return fingerprint256;
}

function fingerprint({ cert }: Pair): string {
  return new X509Certificate(cert).fingerprint256;
}

interface Reply {
  readonly status: number;
  /** Request headers that the app saw. */
  readonly seen: Readonly<Record<string, string>>;
}

function call(host: string, options: ConnectionOptions = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const settings = {
      host: '127.0.0.1',
      port: portOf(443),
      servername: host,
      ca: authority.pem,
      agent: false,
      headers: { host },
    } as const;
    const request = httpsRequest({ ...settings, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, seen: text.startsWith('{') ? (JSON.parse(text) as Reply['seen']) : {} });
      });
    });
    request.on('error', reject);
    request.end();
  });
}

/** A request without TLS. */
function plain(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: portOf(80), path, headers: { host: 'shop.example.com' }, agent: false } as const;
    httpRequest(options, (response) => resolve(response.resume()))
      .on('error', reject)
      .end();
  });
}

/** A certificate as the mesh issues it to a workload. */
function ofTheMesh(spiffeId: string): Pair {
  const keys = createKeyPair();
  const { chain } = plane.ca.issue(createCsr(keys, { uris: [spiffeId] }), spiffeId, 600);
  return { cert: chain.join('\n'), key: privateKeyPem(keys.privateKey) };
}

describe('HTTPS servers of a Gateway', () => {
  it('show the certificate of the host that is named, and forward its requests', async () => {
    expect(await shown('shop.example.com')).toBe(fingerprint(shop));
    expect(await shown('a.apps.example.com')).toBe(fingerprint(wild));
    const { status, seen } = await call('shop.example.com');
    expect(status).toBe(200);
    expect(seen).toMatchObject({ host: 'shop.example.com', 'x-forwarded-proto': 'https' });
    expect(seen['x-forwarded-client-cert']).toBeUndefined();
  });

  it.each(['other.example.com', 'apps.example.com', 'missing.example.com', 'foreign.example.com'])(
    'reset a handshake for %s',
    async (host) => {
      await expect(handshake(host)).rejects.toThrow(/ECONNRESET|closed|disconnected/);
    },
  );

  it('reset plaintext on a TLS port', async () => {
    const socket = tcpConnect(portOf(443), '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nhost: shop.example.com\r\n\r\n');
    await expect(new Promise((resolve) => socket.once('error', resolve))).resolves.toMatchObject({ code: 'ECONNRESET' });
  });

  it('stand beside servers of bytes, and say why no connection is let in where one is refused', () => {
    expect(gateway.addresses().map(({ listenerPort }) => listenerPort)).toEqual([80, 443, 9000]);
    const text = logs.join('\n');
    expect(text).not.toMatch(/port 9000|pass\.example\.com/);
    expect(text).toMatch(
      /port 443 refuses connections for missing\.example\.com: the control plane gives no certificate kubernetes:\/\/nowhere/,
    );
    expect(text).toMatch(/foreign\.example\.com: the control plane gives no certificate kubernetes:\/\/foreign/);
  });

  it('speak the versions that the server allows', async () => {
    await expect(handshake('a.apps.example.com', { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version|ECONNRESET|closed/);
    const socket = await handshake('shop.example.com', { maxVersion: 'TLSv1.2' });
    expect(socket.getProtocol()).toBe('TLSv1.2');
    socket.destroy();
  });

  it('MUTUAL lets in who has a certificate of the bundle with a name of the list, and says who called', async () => {
    await expect(call('admin.example.com')).rejects.toThrow();
    await expect(call('admin.example.com', { ...authority.issue({ uris: ['spiffe://outside/operator'] }) })).rejects.toThrow();
    await expect(call('admin.example.com', { ...visitor })).rejects.toThrow();
    const { status, seen } = await call('admin.example.com', { ...operator });
    expect(status).toBe(200);
    const hash = createHash('sha256').update(new X509Certificate(operator.cert).raw).digest('hex');
    const pem = encodeURIComponent(new X509Certificate(operator.cert).toString());
    expect(seen['x-forwarded-client-cert']).toBe(
      `By=spiffe://outside/admin;Hash=${hash};Cert="${pem}";Subject="O=somebody";URI=spiffe://outside/operator;DNS=operator.example.com`,
    );
  });

  it('OPTIONAL_MUTUAL lets in who shows none, and verifies who shows one', async () => {
    const anyName = { checkServerIdentity: () => undefined };
    expect((await call('maybe.example.com', anyName)).seen['x-forwarded-client-cert']).toBeUndefined();
    expect((await call('maybe.example.com', { ...anyName, ...visitor })).seen['x-forwarded-client-cert']).toContain(
      'URI=spiffe://outside/visitor',
    );
    await expect(call('maybe.example.com', { ...anyName, ...shop })).rejects.toThrow();
  });

  it('ISTIO_MUTUAL shows the identity of the mesh and asks for one', async () => {
    const ofMesh = { ca: plane.ca.rootCertificatePem, checkServerIdentity: () => undefined };
    await expect(call('mesh.example.com', ofMesh)).rejects.toThrow();
    const caller = ofTheMesh('spiffe://cluster.local/ns/default/sa/caller');
    const { status, seen } = await call('mesh.example.com', { ...ofMesh, ...caller });
    expect(status).toBe(200);
    expect(seen['x-forwarded-client-cert']).toContain('By=spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway;');
    expect(seen['x-forwarded-client-cert']).toContain('URI=spiffe://cluster.local/ns/default/sa/caller');
    await expect(call('mesh.example.com', { ...ofMesh, ...operator })).rejects.toThrow();
  });

  it('read certificates from files, and again when they change', async () => {
    const before = await shown('files.example.com');
    const renewed = writeFiles();
    expect(before).not.toBe(fingerprint(renewed));
    await vi.waitFor(async () => expect(await shown('files.example.com')).toBe(fingerprint(renewed)), { timeout: 5_000, interval: 100 });
  });

  it('redirect from port 80 where the Gateway says so', async () => {
    const { statusCode, headers } = await plain('/a?b=c');
    expect([statusCode, headers.location]).toEqual([301, 'https://shop.example.com/a?b=c']);
  });

  it('take a renewed Secret for new handshakes without a failed request, and keep live connections', async () => {
    const live = await handshake('shop.example.com');
    let stop = false;
    const seen = new Set<string>();
    let failed = 0;
    const load = (async () => {
      while (!stop) {
        try {
          if ((await call('shop.example.com')).status !== 200) failed++;
          seen.add(await shown('shop.example.com'));
        } catch {
          failed++;
        }
      }
    })();
    const renewed = [1, 2, 3].map(() => authority.issue({ dns: ['shop.example.com'] }));
    for (const pair of renewed) {
      save('shop', secret('shop', { 'tls.crt': pair.cert, 'tls.key': pair.key }));
      await vi.waitFor(async () => expect(await shown('shop.example.com')).toBe(fingerprint(pair)), { timeout: 5_000, interval: 20 });
    }
    stop = true;
    await load;
    expect(failed).toBe(0);
    expect(seen.size).toBeGreaterThan(1);
    const answer = new Promise<string>((resolve) => live.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1', 0, 15))));
    live.write('GET / HTTP/1.1\r\nhost: shop.example.com\r\n\r\n');
    expect(await answer).toBe('HTTP/1.1 200 OK');
    live.destroy();
  });

  it('close for a broken Secret alone, with a finding that names Secret and Gateway, and open again', async () => {
    save('shop', secret('shop', { 'tls.crt': shop.cert, 'tls.key': wild.key }));
    await vi.waitFor(async () => expect(handshake('shop.example.com')).rejects.toThrow(), { timeout: 5_000, interval: 50 });
    expect(await shown('a.apps.example.com')).toBe(fingerprint(wild));
    expect(plane.findings.map(({ object, message }) => `${object}: ${message}`).join('\n')).toMatch(
      /Gateway default\/edge: .*Secret istio-system\/shop.*tls\.key is not the key/,
    );
    save('shop', SECRETS.shop!);
    await vi.waitFor(async () => expect(await shown('shop.example.com')).toBe(fingerprint(shop)), { timeout: 5_000, interval: 50 });
  });

  it('ends connections of callers whose root is taken out of the bundle', async () => {
    const live = await handshake('admin.example.com', { ...operator });
    const closed = new Promise((resolve) => live.once('close', resolve));
    save('admin', secret('admin', { 'tls.crt': admin.cert, 'tls.key': admin.key, 'ca.crt': new Authority().pem }));
    await closed;
    await expect(call('admin.example.com', { ...operator })).rejects.toThrow();
  });

  it.skipIf(!hasOpenssl)('refuse callers that the list of the Secret revokes', async () => {
    const anyName = { checkServerIdentity: () => undefined };
    save(
      'admin',
      secret('admin', { 'tls.crt': admin.cert, 'tls.key': admin.key, 'ca.crt': callers.pem, 'ca.crl': callers.revoke(visitor) }),
    );
    await vi.waitFor(async () => expect(call('maybe.example.com', { ...anyName, ...visitor })).rejects.toThrow(), {
      timeout: 5_000,
      interval: 50,
    });
    expect((await call('maybe.example.com', { ...anyName, ...operator })).status).toBe(200);
  });

  it('are closed at a gateway that has joined without TLS: it is given no certificate', async () => {
    const lines: string[] = [];
    const { namespace, labels } = { namespace: 'istio-system', labels: { istio: 'ingressgateway' } };
    const xds = `grpc://${plane.addresses.xds}`;
    const bare = createMesh({ role: 'router', service: 'bare', namespace, labels, xds, admin: 'off', log: (line) => lines.push(line) });
    const edge = createGateway({ mesh: bare, ports: { 80: 0, 443: 0, 9000: 0 } });
    await edge.start();
    const { port } = edge.addresses().find(({ listenerPort }) => listenerPort === 443)!;
    await expect(handshake('shop.example.com', { port })).rejects.toThrow();
    expect(lines.join('\n')).toMatch(
      /shop\.example\.com: the control plane gives no certificate kubernetes:\/\/shop: .* has not joined over TLS/,
    );
    await edge.close({ drainMs: 0 });
    await bare.close({ drainMs: 0 });
  });

  it('give their keys to no log, dump, page or file', async () => {
    const page = async (path: string): Promise<string> => (await fetch(`http://${plane.addresses.http}${path}`)).text();
    const pages = ['/debug/configz', '/debug/syncz', '/debug/adsz', '/api/state', '/metrics'].map(page);
    const dump = await page(`/debug/config_dump?proxyID=${encodeURIComponent(proxyId())}`);
    expect(dump).toContain('kubernetes://shop');
    const cache = filesUnder(cacheDir);
    expect(cache.length).toBeGreaterThan(0);
    const places = [
      ...(await Promise.all(pages)),
      dump,
      logs.join('\n'),
      JSON.stringify(events),
      ...cache,
      ...filesUnder(join(dir, 'state')),
      inspect(mesh.parts.snapshots.current, { depth: 30 }),
      JSON.stringify(mesh.parts.snapshots.current?.gateways),
    ];
    for (const { key } of [shop, wild, admin]) {
      const needles = spellings(key);
      for (const place of places) for (const needle of needles) expect(place.includes(needle)).toBe(false);
    }
  });

  it('are not opened from the cache of a run before: there is no key in it', async () => {
    await gateway.close({ drainMs: 0 });
    await mesh.close({ drainMs: 0 });
    const { addresses } = plane;
    await plane.close();
    logs.length = 0;
    mesh = createMesh({
      role: 'router',
      service: 'istio-ingressgateway',
      namespace: 'istio-system',
      labels: { istio: 'ingressgateway' },
      xds: `grpcs://${addresses.xdsTls}`,
      rootCertificatePem: plane.ca.rootCertificatePem,
      token: 'none',
      admin: 'off',
      cacheDir,
      log: (line) => logs.push(line),
    });
    gateway = createGateway({ mesh, ports: { 80: 0, 443: 0, 9000: 0 } });
    await gateway.start();
    expect((await plain('/')).statusCode).toBe(301);
    await expect(handshake('shop.example.com')).rejects.toThrow();
    expect(logs.join('\n')).toMatch(
      /shop\.example\.com: the certificate kubernetes:\/\/shop has not come from the control plane; it is never kept on disk/,
    );
  });
});

function proxyId(): string {
  const { name, namespace } = plane.syncState()[0]!;
  return `${name}.${namespace}`;
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
}

/** A private key as it may stand somewhere: PEM, its base64, the bytes of it in hex and base64, the bare scalar. */
function spellings(pem: string): string[] {
  const key = createPrivateKey(pem);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const scalar = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
  const line = pem.split('\n')[1]!;
  const shifts = [0, 1, 2].map((shift) => Buffer.from(pem.slice(shift)).toString('base64').slice(4, 84));
  return [
    line,
    ...shifts,
    der.toString('hex'),
    der.toString('latin1'),
    scalar.toString('hex'),
    scalar.toString('latin1'),
    scalar.toString('base64url'),
  ];
}
