import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { describe, expect, it } from 'vitest';
import { RawClient } from '../../packages/server/src/testing/raw-client.ts';
import { World } from './corpus/world.ts';

const TIMES = { notBeforeMs: Date.now() - 3_600_000, notAfterMs: Date.now() + 3_600_000 };

/** The CA of another mesh. */
class Partner {
  private readonly root = createSelfSignedRoot({ organization: 'partner', ...TIMES });

  get pem(): string {
    return this.root.certificatePem;
  }

  tlsOf(trustDomain: string, account = 'shop') {
    const keys = createKeyPair();
    const issuer = { certificatePem: this.pem, privateKey: this.root.keyPair.privateKey };
    const names = { uris: [`spiffe://${trustDomain}/ns/default/sa/${account}`] };
    const cert = issueCertificate(issuer, { publicKey: keys.publicKey, names, ...TIMES });
    return { cert, key: privateKeyPem(keys.privateKey), ALPNProtocols: ['istio-http/1.1', 'istio'] };
  }
}

const meshOf = (partner: Partner): string => `trustDomainAliases: [old.example]
caCertificates: [{ pem: ${JSON.stringify(partner.pem)}, trustDomains: [partner.example] }]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow }
spec:
  rules:
  - from: [{ source: { principals: [partner.example/ns/default/sa/shop, cluster.local/ns/default/sa/caller] } }]
`;

describe('callers of several trust domains', { timeout: 60_000 }, () => {
  it('are admitted by the roots that the mesh configuration names, for the trust domains that it names, as what they are', async () => {
    const partner = new Partner();
    await using world = await World.start(meshOf(partner), ['node:http']);
    const [{ port, seen }] = world.targets as [(typeof world.targets)[0]];
    const status = async (tls: Parameters<typeof RawClient.open>[1]): Promise<number> => {
      const client = await RawClient.open(port, tls);
      try {
        return (await client.get('/')).status;
      } catch {
        return 0; // reset at the door
      } finally {
        client.close();
      }
    };
    // The bundle is pushed after the first certificate.
    await expect.poll(() => status(partner.tlsOf('partner.example')), { timeout: 15_000 }).toBe(200);
    expect(String(seen.at(-1)?.headers['x-forwarded-client-cert'])).toContain('URI=spiffe://partner.example/ns/default/sa/shop');
    expect(await status(partner.tlsOf('partner.example', 'other'))).toBe(403);
    expect(await status(await world.tlsOf('caller'))).toBe(200);
    expect(await status(await world.tlsOf('other'))).toBe(403);
    // An alias stands for the mesh's own trust domain in policies; which root speaks for it is not asked, as istiod merges them (docs/security.md).
    expect(await status(partner.tlsOf('old.example', 'caller'))).toBe(200);
    for (const domain of ['stranger.example', 'partner.example.evil']) expect(await status(partner.tlsOf(domain))).toBe(0);
    expect(await status(new Partner().tlsOf('partner.example'))).toBe(0);
  });

  it('stay admitted when the server has renewed its certificate, whose answer says all the roots', async () => {
    const partner = new Partner();
    await using world = await World.start(meshOf(partner), []);
    const mesh = world.join('app');
    const { port } = await mesh.listen((_request, response) => response.end('ok'), 9080);
    await world.mesh.synced();
    await mesh.rotateIdentity();
    const client = await RawClient.open(port, partner.tlsOf('partner.example'));
    expect((await client.get('/')).status).toBe(200);
    client.close();
  });
});
