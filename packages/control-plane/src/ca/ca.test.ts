import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { createCsr, createKeyPair } from '@ripstop/pki';
import { describe, expect, it } from 'vitest';
import { Attestation } from './attest/attestation.ts';
import { type CertificateAuthority, createCertificateAuthority } from './certificate-authority.ts';
import { RootFiles } from './root-files.ts';
import { createTokenIssuer } from './token-issuer.ts';

const now = (): number => Date.UTC(2026, 5, 1);

describe('certificate authority', () => {
  it("issues the caller's identity, whatever names the CSR asks for", () => {
    const ca = createCertificateAuthority({ trustDomain: 'cluster.local', now });
    const csr = createCsr(createKeyPair(), { uris: ['spiffe://cluster.local/ns/kube-system/sa/admin'], dns: ['evil.example'] });
    const { chain } = ca.issue(csr, 'spiffe://cluster.local/ns/default/sa/web', 3600);
    const leaf = new X509Certificate(chain[0]!);
    expect(leaf.subjectAltName).toBe('URI:spiffe://cluster.local/ns/default/sa/web');
    expect(chain.at(-1)).toBe(ca.rootCertificatePem);
    expect(leaf.verify(new X509Certificate(ca.rootCertificatePem).publicKey)).toBe(true);
  });

  it.each([
    [0, 24],
    [3600, 1],
    [10_000 * 3600, 90 * 24],
  ])('a wish of %d s becomes %d h', (wish, hours) => {
    const ca = createCertificateAuthority({ trustDomain: 'cluster.local', now });
    const { notAfterMs } = ca.issue(createCsr(createKeyPair(), {}), 'spiffe://cluster.local/ns/a/sa/b', wish);
    expect((notAfterMs - now()) / 3_600_000).toBe(hours);
  });

  it('believes its own leaves while they last and their root is there', () => {
    let time = now();
    const stateDir = join(mkdtempSync(join(tmpdir(), 'ripstop-ca-')), 'state');
    const ca = createCertificateAuthority({ stateDir, trustDomain: 'cluster.local', now: () => time });
    const leafOf = (issuer: CertificateAuthority): Uint8Array =>
      new X509Certificate(issuer.issue(createCsr(createKeyPair(), {}), 'spiffe://cluster.local/ns/a/sa/b', 3600).chain[0]!).raw;
    const old = leafOf(ca);
    expect(ca.trusts(old)).toBe(true);
    expect(ca.trusts(leafOf(createCertificateAuthority({ trustDomain: 'cluster.local', now })))).toBe(false);
    const files = new RootFiles({ stateDir, trustDomain: 'cluster.local', now });
    files.begin();
    files.switch();
    ca.reload();
    expect(ca.trusts(old)).toBe(true);
    const renewed = leafOf(ca);
    files.finish();
    ca.reload();
    expect([ca.trusts(old), ca.trusts(renewed)]).toEqual([false, true]);
    time += 3600_000;
    expect(ca.trusts(renewed)).toBe(false);
    rmSync(stateDir, { recursive: true });
  });

  it('keeps its root over a restart, in a directory that nobody else may enter', () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'ripstop-ca-')), 'state');
    const first = createCertificateAuthority({ stateDir: dir, trustDomain: 'cluster.local', now });
    const again = createCertificateAuthority({ stateDir: dir, trustDomain: 'cluster.local', now });
    expect(again.rootCertificatePem).toBe(first.rootCertificatePem);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dir, 'ca-key.pem')).mode & 0o777).toBe(0o600);
    rmSync(dir, { recursive: true });
  });
});

describe('join tokens', () => {
  const account = { namespace: 'default', serviceAccount: 'web' };

  it('say who carries them', () => {
    const issuer = createTokenIssuer({ now });
    expect(issuer.verify(issuer.issue({ ...account, ttlSeconds: 60 }))).toEqual(account);
  });

  it.each([
    ['expired', () => createTokenIssuer({ now: () => now() - 120_000 }), /not made by/],
    ['another issuer', () => createTokenIssuer({ now }), /not made by/],
  ])('of %s are refused', (_what, other, message) => {
    const token = other().issue({ ...account, ttlSeconds: 60 });
    expect(() => createTokenIssuer({ now }).verify(token)).toThrow(message);
  });

  it('are refused after their time, and when the payload or the algorithm was changed', () => {
    let time = now();
    const issuer = createTokenIssuer({ now: () => time });
    const token = issuer.issue({ ...account, ttlSeconds: 60 });
    const [header, payload, mac] = token.split('.');
    const forged = Buffer.from(
      JSON.stringify({ ...JSON.parse(Buffer.from(payload!, 'base64url').toString()), sub: 'system:serviceaccount:default:admin' }),
    ).toString('base64url');
    expect(() => issuer.verify(`${header}.${forged}.${mac}`)).toThrow(/not made by/);
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    expect(() => issuer.verify(`${none}.${payload}.`)).toThrow(/no JWT/);
    time += 61_000;
    expect(() => issuer.verify(token)).toThrow(/expired/);
  });

  it('opens nothing but the way to a certificate when it is good for one', async () => {
    const tokens = createTokenIssuer({ now });
    const attestation = new Attestation({ trustDomain: 'cluster.local', tokens, trusts: () => true });
    const account = { namespace: 'default', serviceAccount: 'web' };
    const callWith = (singleUse: boolean) => {
      const metadata = new grpc.Metadata();
      metadata.set('authorization', `Bearer ${tokens.issue({ ...account, ttlSeconds: 60, singleUse })}`);
      return { metadata, getAuthContext: () => ({}) };
    };
    expect((await attestation.identify(callWith(true))).account).toEqual(account);
    await expect(attestation.account(callWith(true))).rejects.toThrow('good for one certificate and nothing else');
    expect(await attestation.account(callWith(false))).toEqual(account);
  });
});
