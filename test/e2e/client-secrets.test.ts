import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { createControlPlane } from '@ripstop/control-plane';
import { createMesh, type Mesh } from '@ripstop/node';
import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const validity = { notBeforeMs: Date.now() - 1_000, notAfterMs: Date.now() + 3_600_000 };
const root = createSelfSignedRoot({ organization: 'partner', ...validity });

function issue(name: string): { readonly cert: string; readonly key: string } {
  const { publicKey, privateKey } = createKeyPair();
  const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
  return { cert: issueCertificate(issuer, { publicKey, names: { dns: [name] }, ...validity }), key: privateKeyPem(privateKey) };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const secretOf = ({ cert, key }: { readonly cert: string; readonly key: string }): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: { name: partner }\ntype: kubernetes.io/tls\ndata: { tls.crt: ${base64(cert)}, tls.key: ${base64(key)}, ca.crt: ${base64(root.certificatePem)} }\n`;

const rules = (port: number): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: partner }
spec:
  hosts: [partner.example.com]
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${port} }]
  endpoints: [{ address: 127.0.0.1 }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: partner }
spec:
  host: partner.example.com
  workloadSelector: { matchLabels: { app: shop } }
  trafficPolicy: { tls: { mode: MUTUAL, credentialName: partner, subjectAltNames: [partner.example.com] } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: partner-for-all }
spec:
  host: partner.example.com
  trafficPolicy: { tls: { mode: MUTUAL, credentialName: partner } }
`;

describe('a certificate of a Secret, for calls', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ripstop-client-secrets-'));
  const meshes: Mesh[] = [];
  let partner: Server;
  let plane: ReturnType<typeof createControlPlane>;

  beforeAll(async () => {
    const { cert, key } = issue('partner.example.com');
    partner = createServer({ cert, key, ca: root.certificatePem, requestCert: true, rejectUnauthorized: true }, (request, response) => {
      // A certificate is shown once per connection.
      response.setHeader('connection', 'close').end((request.socket as TLSSocket).getPeerCertificate().subjectaltname);
    });
    await new Promise<void>((resolve) => partner.listen(0, '127.0.0.1', resolve));
    writeFileSync(join(dir, 'rules.yaml'), rules((partner.address() as AddressInfo).port));
    writeFileSync(join(dir, 'secret.yaml'), secretOf(issue('shop.one')));
    plane = createControlPlane({ source: dir, xds: '', xdsTls: '127.0.0.1:0', http: '' });
    await plane.start();
  });

  afterAll(async () => {
    await Promise.all(meshes.map((mesh) => mesh.close({ drainMs: 0 })));
    await plane.close();
    partner.close();
    rmSync(dir, { recursive: true });
  });

  async function joined(service: string): Promise<Mesh> {
    const mesh = createMesh({
      service,
      xds: `grpcs://${plane.addresses.xdsTls}`,
      rootCertificatePem: plane.ca.rootCertificatePem,
      token: plane.tokens.issue({ namespace: 'default', serviceAccount: service, ttlSeconds: 60 }),
      admin: 'off',
    });
    meshes.push(mesh);
    await mesh.ready();
    return mesh;
  }

  it('is shown by the workloads that the rule selects, and changes with the Secret', async () => {
    const shop = await joined('shop');
    const asked = async (): Promise<string> => (await shop.fetch('http://partner.example.com/')).text();
    expect(await asked()).toBe('DNS:shop.one');
    writeFileSync(join(dir, 'secret.yaml'), secretOf(issue('shop.two')));
    await expect.poll(asked, { timeout: 10_000 }).toBe('DNS:shop.two');
  });

  it('is given to nobody else: their calls fail, and nothing goes out in plaintext', async () => {
    const other = await joined('other');
    const connections: unknown[] = [];
    partner.on('connection', (socket) => connections.push(socket));
    const { status } = await other.fetch('http://partner.example.com/');
    expect([status, connections.length]).toEqual([503, 0]);
  });
});
