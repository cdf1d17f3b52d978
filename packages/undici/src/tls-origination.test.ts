import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatResponseFlags, type TlsTransport } from '@ripstop/core';
import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { request } from 'undici';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { forwardTo, MeshDouble, TestCluster, testEndpoint } from './testing/mesh-double.ts';

const DAY_MS = 86_400_000;
const validity = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS };
const root = createSelfSignedRoot({ organization: 'test', ...validity });
const dir = mkdtempSync(join(tmpdir(), 'ripstop-origination-'));
const ca = join(dir, 'ca.pem');
writeFileSync(ca, root.certificatePem);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

afterAll(() => rmSync(dir, { recursive: true }));

/** DestinationRule tls SIMPLE without sni and subjectAltNames, as the control plane compiles it. */
const simple: TlsTransport = {
  kind: 'tls',
  key: 'simple',
  sni: '',
  alpn: [],
  alpnOverride: false,
  clientCertificate: undefined,
  trust: { kind: 'files', ca },
  acceptsSans: () => true,
  expectedSans: [],
  autoSni: true,
  autoSanValidation: true,
};

async function serverNamed(dns: string): Promise<number> {
  const keys = createKeyPair();
  const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
  const cert = issueCertificate(issuer, { publicKey: keys.publicKey, names: { dns: [dns] }, ...validity });
  const server: Server = createServer({ cert, key: privateKeyPem(keys.privateKey) }, (_req, res) => res.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe('TLS to a host that only the URL names', () => {
  it.each([
    ['the host of the URL', 'api.example.com', 200, '-'],
    ['another host, though of a trusted CA', 'evil.example.com', 503, 'UF'],
  ])('accepts the certificate by name: %s', async (_what, dns, status, flags) => {
    const cluster = new TestCluster('c', [testEndpoint(await serverNamed(dns), simple)]);
    const mesh = new MeshDouble([cluster], forwardTo(cluster));
    cleanups.push(() => mesh.dispatcher.destroy());
    const reply = await request('http://api.example.com:9080/', { dispatcher: mesh.dispatcher });
    await reply.body.dump();
    expect(reply.statusCode).toBe(status);
    expect(formatResponseFlags(mesh.finished[0]!.x.flags)).toBe(flags);
  });
});

describe('a name that no TLS has', () => {
  it.each([`${'a'.repeat(300)}.example.com`, `${'a.'.repeat(400)}com`, 'xn--zz', '1.2.3.4', '[::1]'])(
    'fails the call and nothing else: %.20s',
    async (host) => {
      const cluster = new TestCluster('c', [testEndpoint(await serverNamed('api.example.com'), simple)]);
      const mesh = new MeshDouble([cluster], forwardTo(cluster));
      cleanups.push(() => mesh.dispatcher.destroy());
      const statusOf = async (name: string): Promise<number> => {
        const reply = await request(`http://${name}/`, { dispatcher: mesh.dispatcher });
        await reply.body.dump();
        return reply.statusCode;
      };
      expect([await statusOf(host), await statusOf('api.example.com')]).toEqual([503, 200]);
    },
  );
});

describe('the protocol of a TLS connection', () => {
  async function serverWith(alpn: 'h2' | 'http/1.1'): Promise<number> {
    const keys = createKeyPair();
    const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
    const cert = issueCertificate(issuer, { publicKey: keys.publicKey, names: { dns: ['api.example.com'] }, ...validity });
    const options = { cert, key: privateKeyPem(keys.privateKey) };
    const answer = (req: { readonly httpVersion: string }, res: { end(text: string): unknown }): unknown => res.end(req.httpVersion);
    const server = alpn === 'h2' ? createSecureServer({ ...options, allowHTTP1: true }, answer) : createServer(options, answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    return (server.address() as AddressInfo).port;
  }

  it.each([
    ['auto', 'h2', '2.0'],
    ['auto', 'http/1.1', '1.1'],
    ['http2', 'h2', '2.0'],
    ['http1', 'h2', '1.1'],
    ['downstream', 'h2', '1.1'],
  ] as const)('%s, with a server of %s: HTTP/%s', async (protocol, alpn, version) => {
    const cluster = new TestCluster('c', [testEndpoint(await serverWith(alpn), simple)]);
    cluster.connection = { ...cluster.connection, protocol };
    const mesh = new MeshDouble([cluster], forwardTo(cluster));
    cleanups.push(() => mesh.dispatcher.destroy());
    const replies = [1, 2, 3].map(() => request('http://api.example.com:9080/', { dispatcher: mesh.dispatcher }));
    for (const reply of await Promise.all(replies)) expect([reply.statusCode, await reply.body.text()]).toEqual([200, version]);
  });
});
