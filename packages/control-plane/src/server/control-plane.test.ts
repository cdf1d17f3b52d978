import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { createCsr, createKeyPair } from '@ripstop/pki';
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, HEALTH_TYPE_URL, IstioCertificateRequest, IstioCertificateResponse } from '@ripstop/xds-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ControlPlaneEvent } from '../events.ts';
import { type DeltaClient, deltaClient, wireNode } from '../testing/ads-client.ts';
import { testAuthority } from '../testing/certificates.ts';
import { service } from '../testing/mesh.ts';
import { type ControlPlane, createControlPlane, rootCertificateFile } from './control-plane.ts';

const WEB = 'outbound|80||web.default.svc.cluster.local';

let dir: string;
let plane: ControlPlane;
let events: ControlPlaneEvent[];
const clients: { close(): void }[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ripstop-plane-'));
  writeFileSync(join(dir, 'services.yaml'), service('web'));
  events = [];
  plane = createControlPlane({
    source: dir,
    stateDir: join(dir, '.state'),
    xds: '127.0.0.1:0',
    xdsTls: '127.0.0.1:0',
    http: '',
    onEvent: (event) => events.push(event),
  });
  await plane.start();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await plane.close();
  rmSync(dir, { recursive: true });
});

function tls(token?: string): DeltaClient {
  const client = deltaClient({
    address: plane.addresses.xdsTls,
    rootCertificatePem: plane.ca.rootCertificatePem,
    ...(token === undefined ? {} : { token }),
  });
  clients.push(client);
  return client;
}

const tokenOf = (serviceAccount: string, namespace = 'default', ttlSeconds = 60): string =>
  plane.tokens.issue({ namespace, serviceAccount, ttlSeconds });

/** The first character of its signature is another: of the last one not every bit counts, and two characters may be the same by chance. */
const changed = (token: string): string =>
  token.replace(/\.([^.])([^.]*)$/, (_, first: string, rest: string) => `.${first === 'A' ? 'B' : 'A'}${rest}`);

const web = (metadata: object = {}) =>
  wireNode('web-1', 'default', {
    LABELS: { app: 'web', 'security.istio.io/tlsMode': 'istio' },
    RIPSTOP_PORTS: [{ workloadPort: 80, name: '', address: '127.0.0.1', port: 4001 }],
    ...metadata,
  });

describe('the TLS port', () => {
  it.each([
    ['no token', () => undefined, /no join token/],
    ['a token that was changed', () => changed(tokenOf('web')), /not made by this control plane/],
    ['a token of yesterday', () => tokenOf('web', 'default', -60), /expired/],
  ])('refuses a caller with %s as UNAUTHENTICATED', async (_what, token, reason) => {
    const client = tls(token());
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: web() });
    const { code, details } = await client.status;
    expect(code).toBe(grpc.status.UNAUTHENTICATED);
    expect(details).toMatch(reason);
    expect(client.unread).toBe(0);
  });

  it.each([
    ['service account', web({ SERVICE_ACCOUNT: 'admin' })],
    ['namespace', wireNode('web-1', 'payments', { SERVICE_ACCOUNT: 'web' })],
    ['namespace in the metadata', web({ NAMESPACE: 'payments' })],
  ])('refuses a caller that claims another %s than its token has', async (_what, node) => {
    const client = tls(tokenOf('web'));
    client.send({ typeUrl: CLUSTER_TYPE_URL, node });
    const { code, details } = await client.status;
    expect(code).toBe(grpc.status.PERMISSION_DENIED);
    expect(details).toContain('the token is for default/web');
    expect(client.unread).toBe(0);
  });

  it('refuses a stream that claims another account later, when it registers', async () => {
    const client = tls(tokenOf('web'));
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: web({ SERVICE_ACCOUNT: 'web' }) });
    await client.next();
    client.send({ typeUrl: HEALTH_TYPE_URL, node: web({ SERVICE_ACCOUNT: 'admin' }) });
    expect((await client.status).code).toBe(grpc.status.PERMISSION_DENIED);
    expect(plane.push.instances).toEqual([]);
  });

  it('refuses labels that the token is not bound to, also later, when the workload registers', async () => {
    const token = plane.tokens.issue({ namespace: 'default', serviceAccount: 'web', ttlSeconds: 60, labels: { app: 'web' } });
    const labelled = (labels: object) => web({ LABELS: { 'security.istio.io/tlsMode': 'istio', ...labels } });
    const thief = tls(token);
    thief.send({ typeUrl: CLUSTER_TYPE_URL, node: labelled({ app: 'pay' }) });
    expect(await thief.status).toMatchObject({
      code: grpc.status.PERMISSION_DENIED,
      details: 'the token is bound to label app=web, the node says pay',
    });
    const late = tls(token);
    late.send({ typeUrl: CLUSTER_TYPE_URL, node: labelled({ app: 'web' }) });
    await late.next();
    late.send({ typeUrl: HEALTH_TYPE_URL, node: labelled({ app: 'web', role: 'pay' }) });
    expect((await late.status).details).toContain('role=pay is none of them');
    expect(plane.push.instances).toEqual([]);
  });

  it("takes a node that names no account for its token's, and what it proved is not replaced over the plaintext port", async () => {
    const client = tls(tokenOf('web'));
    client.send({ typeUrl: ENDPOINT_TYPE_URL, node: web(), resourceNamesSubscribe: [WEB] });
    await client.next();
    client.send({ typeUrl: HEALTH_TYPE_URL, node: web() });
    await client.next();
    expect(plane.push.instances).toMatchObject([{ key: 'web-1.default', serviceAccount: 'web' }]);
    const stranger = deltaClient({ address: plane.addresses.xds });
    clients.push(stranger);
    stranger.send({ typeUrl: HEALTH_TYPE_URL, node: web({ SERVICE_ACCOUNT: 'web', RIPSTOP_PORTS: [] }) });
    expect((await stranger.status).code).toBe(grpc.status.PERMISSION_DENIED);
    expect(plane.push.instances[0]!.ports).toHaveLength(1);
  });
});

describe('the certificate service', () => {
  function createCertificate(
    address: string,
    csr: string,
    token: string | undefined,
  ): Promise<{ code: grpc.status; details: string; chain: string[] }> {
    const secure = address === plane.addresses.xdsTls;
    const client = new grpc.Client(
      address,
      secure ? grpc.credentials.createSsl(Buffer.from(plane.ca.rootCertificatePem)) : grpc.credentials.createInsecure(),
      { 'grpc.ssl_target_name_override': 'localhost' },
    );
    clients.push(client);
    const metadata = new grpc.Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return new Promise((resolve) => {
      client.makeUnaryRequest(
        '/istio.v1.auth.IstioCertificateService/CreateCertificate',
        (message: IstioCertificateRequest) => Buffer.from(IstioCertificateRequest.encode(message).finish()),
        (bytes: Buffer) => IstioCertificateResponse.decode(bytes),
        IstioCertificateRequest.fromPartial({ csr, validityDuration: 3600 }),
        metadata,
        (error, response) => {
          resolve({ code: error?.code ?? grpc.status.OK, details: error?.details ?? '', chain: response?.certChain ?? [] });
        },
      );
    });
  }

  it("issues the token's identity, never what the CSR asks for", async () => {
    const csr = createCsr(createKeyPair(), { uris: ['spiffe://cluster.local/ns/kube-system/sa/admin'], dns: ['evil.example'] });
    const { code, chain } = await createCertificate(plane.addresses.xdsTls, csr, tokenOf('web'));
    expect(code).toBe(grpc.status.OK);
    expect(new X509Certificate(chain[0]!).subjectAltName).toBe('URI:spiffe://cluster.local/ns/default/sa/web');
    expect(chain.at(-1)).toBe(plane.ca.rootCertificatePem);
    expect(events).toContainEqual(expect.objectContaining({ type: 'issued', spiffeId: 'spiffe://cluster.local/ns/default/sa/web' }));
    expect(JSON.stringify(events)).not.toContain('PRIVATE KEY');
  });

  it('tells with a certificate whom the whole mesh trusts, as its pushes do: roots of the mesh configuration, too', async () => {
    const { root } = testAuthority('partner');
    const mesh = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'istio', namespace: 'istio-system' } };
    writeFileSync(join(dir, 'mesh.yaml'), JSON.stringify({ ...mesh, data: { mesh: JSON.stringify({ caCertificates: [{ pem: root }] }) } }));
    await expect.poll(() => plane.push.trustBundlePem.includes(root.trimEnd())).toBe(true);
    const { chain } = await createCertificate(plane.addresses.xdsTls, createCsr(createKeyPair(), {}), tokenOf('web'));
    expect(chain.at(-1)).toBe(plane.push.trustBundlePem);
  });

  it.each([
    ['nobody', () => undefined, grpc.status.UNAUTHENTICATED],
    ['a caller with a token of another control plane', () => 'e30.e30.e30', grpc.status.UNAUTHENTICATED],
  ])('gives %s nothing', async (_who, token, status) => {
    const { code, chain } = await createCertificate(plane.addresses.xdsTls, createCsr(createKeyPair(), {}), token());
    expect([code, chain]).toEqual([status, []]);
  });

  it('refuses what is no CSR, and does not exist on the plaintext port', async () => {
    expect((await createCertificate(plane.addresses.xdsTls, 'no CSR', tokenOf('web'))).code).toBe(grpc.status.INVALID_ARGUMENT);
    const csr = createCsr(createKeyPair(), {});
    expect((await createCertificate(plane.addresses.xds, csr, tokenOf('web'))).code).toBe(grpc.status.UNIMPLEMENTED);
  });

  it('keeps its root where `ripstop run` finds it, and its key to itself', () => {
    const file = rootCertificateFile(join(dir, '.state'));
    expect(statSync(file).isFile()).toBe(true);
    expect(statSync(join(dir, '.state')).mode & 0o777).toBe(0o700);
    for (const name of ['ca-key.pem', 'token-key']) expect(statSync(join(dir, '.state', name)).mode & 0o077).toBe(0);
  });
});

describe('a control plane', () => {
  it('brings a saved file to its clients, and shows when they have it', async () => {
    const client = deltaClient({ address: plane.addresses.xds });
    clients.push(client);
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: web() });
    const first = await client.next();
    client.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: first.nonce });
    writeFileSync(join(dir, 'cart.yaml'), service('cart'));
    const { resources, nonce } = await client.next();
    expect(resources.map(({ name }) => name)).toEqual(['outbound|80||cart.default.svc.cluster.local']);
    expect(plane.syncState()).toMatchObject([{ name: 'web-1', synced: false }]);
    client.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: nonce });
    client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe: [resources[0]!.name] });
    const endpoints = await client.next();
    client.send({ typeUrl: ENDPOINT_TYPE_URL, responseNonce: endpoints.nonce });
    await expect.poll(() => plane.syncState()[0]).toMatchObject({ synced: true, nack: '' });
  });

  it('keeps the last good version of what was saved broken, and says where and what to do', async () => {
    writeFileSync(join(dir, 'services.yaml'), service('web').replace('port: 80,', 'port: eighty,'));
    await expect.poll(() => plane.findings.length).toBeGreaterThan(0);
    expect(plane.findings[0]).toMatchObject({ severity: 'error', position: { file: 'services.yaml', line: 5 } });
    expect(plane.push.services.map(({ hostname }) => hostname)).toEqual(['web.default.svc.cluster.local']);
  });

  it('asks a client that only calls for its metrics, too: its calls are arrows of the graph', async () => {
    const asked = new Set<string>();
    const admin = createServer((request, response) => {
      asked.add(request.url ?? '');
      response.end();
    });
    await new Promise<void>((resolve) => admin.listen(0, '127.0.0.1', resolve));
    clients.push(admin);
    const { port } = admin.address() as AddressInfo;
    const client = deltaClient({ address: plane.addresses.xds });
    clients.push(client);
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('caller-1', 'default', { RIPSTOP_ADMIN: `127.0.0.1:${port}` }) });
    await expect.poll(() => [...asked], { timeout: 5000 }).toEqual(['/stats/prometheus']);
  });

  it('says which port is taken', async () => {
    const second = createControlPlane({ source: dir, xds: plane.addresses.xds, xdsTls: '', http: '' });
    await expect(second.start()).rejects.toThrow(`cannot listen on ${plane.addresses.xds}`);
  });

  it('says which folder does not exist', async () => {
    await expect(createControlPlane({ source: join(dir, 'nowhere'), xds: '', xdsTls: '', http: '' }).start()).rejects.toThrow(/nowhere/);
  });
});
