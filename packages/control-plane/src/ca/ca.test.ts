import { createHash, createHmac, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { createCsr, createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
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

  it('believes no leaf before its time, and none that another signed in its name', () => {
    let time = now();
    const ca = createCertificateAuthority({ trustDomain: 'cluster.local', now: () => time });
    const stranger = createCertificateAuthority({ trustDomain: 'cluster.local', now });
    const leafOf = (issuer: CertificateAuthority): Uint8Array =>
      new X509Certificate(issuer.issue(createCsr(createKeyPair(), {}), 'spiffe://cluster.local/ns/a/sa/b', 3600).chain[0]!).raw;
    const leaf = leafOf(ca);
    expect([ca.trusts(leaf), ca.trusts(leafOf(stranger))]).toEqual([true, false]);
    time -= 120_000; // Leaves are valid from two minutes before they were made.
    expect(ca.trusts(leaf)).toBe(true);
    time -= 1;
    expect(ca.trusts(leaf)).toBe(false);
  });

  it('believes a leaf by its signature, not by what it says of its issuer', () => {
    const ca = createCertificateAuthority({ trustDomain: 'cluster.local', now });
    const { publicKey, privateKey } = createKeyPair();
    const forged = issueCertificate(
      { certificatePem: ca.rootCertificatePem, privateKey },
      { publicKey, names: { uris: ['spiffe://cluster.local/ns/a/sa/b'] }, notBeforeMs: now() - 1000, notAfterMs: now() + 1000 },
    );
    expect(new X509Certificate(forged).checkIssued(new X509Certificate(ca.rootCertificatePem))).toBe(true);
    expect(ca.trusts(new X509Certificate(forged).raw)).toBe(false);
  });

  it('signs for its trust domain, with a root and a server certificate that last a year', () => {
    const ca = createCertificateAuthority({ trustDomain: 'cluster.local', now });
    const own = new X509Certificate(ca.serverCertificate({ dns: ['ripstop.local'], ips: ['127.0.0.1'] }).certificatePem);
    const root = new X509Certificate(ca.rootCertificatePem);
    expect([ca.trustDomain, root.subject, own.subjectAltName]).toEqual([
      'cluster.local',
      'O=cluster.local',
      'DNS:ripstop.local, IP Address:127.0.0.1',
    ]);
    for (const { validFromDate, validToDate } of [own, root]) {
      expect((validToDate.getTime() - now()) / 86_400_000).toBe(365);
      expect((validFromDate.getTime() - now()) / 1000).toBe(-120);
    }
  });

  it('takes other files when it is told to, and says whether they differ', () => {
    const stateDir = join(mkdtempSync(join(tmpdir(), 'ripstop-ca-')), 'state');
    const ca = createCertificateAuthority({ stateDir, trustDomain: 'cluster.local', now });
    const files = new RootFiles({ stateDir, trustDomain: 'cluster.local', now });
    expect([createCertificateAuthority({ trustDomain: 'a', now }).reload(), ca.reload()]).toEqual([false, false]);
    const before = ca.rootCertificatePem;
    files.begin();
    expect([ca.reload(), ca.reload()]).toEqual([true, false]);
    expect(ca.rootCertificatePem).toContain(before);
    files.switch();
    expect([ca.reload(), ca.reload()]).toEqual([true, false]);
    rmSync(stateDir, { recursive: true });
  });

  it('does not judge files anew that have not changed: who asks for a certificate is told that the CA has expired, not each look', () => {
    let time = now();
    const stateDir = join(mkdtempSync(join(tmpdir(), 'ripstop-ca-')), 'state');
    const options = { stateDir, trustDomain: 'cluster.local', now: () => time };
    new RootFiles(options).load();
    const ca = createCertificateAuthority(options);
    const start = time;
    for (const change of [() => {}, () => new RootFiles(options).begin()]) {
      change();
      ca.reload();
      time = ca.notAfterMs;
      expect(ca.reload()).toBe(false);
      expect(() => ca.issue(createCsr(createKeyPair(), {}), 'spiffe://cluster.local/ns/a/sa/b', 60)).toThrow('has expired');
      time = start;
    }
    rmSync(stateDir, { recursive: true });
  });

  it('has a server certificate of a year under a root of ten', () => {
    const stateDir = join(mkdtempSync(join(tmpdir(), 'ripstop-ca-')), 'state');
    const ca = createCertificateAuthority({ stateDir, trustDomain: 'cluster.local', now });
    const { validToDate } = new X509Certificate(ca.serverCertificate({ dns: ['a'] }).certificatePem);
    expect([validToDate.getTime(), ca.notAfterMs].map((at) => (at - now()) / 86_400_000)).toEqual([365, 3650]);
    rmSync(stateDir, { recursive: true });
  });

  it('behind an intermediate shows the way to the root, and signs on when that is renewed under the same roots', () => {
    const stateDir = join(mkdtempSync(join(tmpdir(), 'ripstop-ca-')), 'state');
    const times = { notBeforeMs: now() - 1000, notAfterMs: now() + 3_600_000 };
    const root = createSelfSignedRoot({ organization: 'corp', ...times });
    const place = (): string => {
      const keys = createKeyPair();
      const pem = issueCertificate(
        { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey },
        { publicKey: keys.publicKey, names: {}, organization: 'intermediate', isCa: true, ...times },
      );
      writeFileSync(join(stateDir, 'ca-cert.pem'), pem);
      writeFileSync(join(stateDir, 'ca-key.pem'), privateKeyPem(keys.privateKey));
      return pem;
    };
    mkdirSync(stateDir, { recursive: true });
    writeFileSync(join(stateDir, 'root-cert.pem'), root.certificatePem);
    const first = place();
    const ca = createCertificateAuthority({ stateDir, trustDomain: 'cluster.local', now });
    const issue = (): readonly string[] => ca.issue(createCsr(createKeyPair(), {}), 'spiffe://cluster.local/ns/a/sa/b', 3600).chain;
    expect(issue().slice(1)).toEqual([first, root.certificatePem]);
    expect(ca.trusts(new X509Certificate(issue()[0]!).raw)).toBe(true);
    expect(ca.serverCertificate({ dns: ['a'] }).certificatePem).toMatch(
      /^(-----BEGIN CERTIFICATE-----\n[\w+/=\n]+-----END CERTIFICATE-----\n){2}$/,
    );
    expect(ca.serverCertificate({ dns: ['a'] }).certificatePem).toContain(first);
    const second = place();
    expect([ca.reload(), issue()[1]]).toEqual([true, second]);
    writeFileSync(join(stateDir, 'cert-chain.pem'), `${second}${root.certificatePem}`);
    expect(createCertificateAuthority({ stateDir, trustDomain: 'a', now }).serverCertificate({ dns: ['a'] }).certificatePem).toContain(
      `${second}${root.certificatePem}`,
    );
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

  /** A token of this issuer's key with other claims. */
  const withClaims = (issuer: ReturnType<typeof createTokenIssuer>, stateKey: string, claims: object): string => {
    const [header, payload] = issuer.issue({ ...account, ttlSeconds: 60 }).split('.');
    const changed = { ...(JSON.parse(Buffer.from(payload!, 'base64url').toString()) as object), ...claims };
    const text = `${header}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}`;
    return `${text}.${createHmac('sha256', Buffer.from(stateKey, 'base64')).update(text).digest('base64url')}`;
  };

  it.each<[claims: object, why: string]>([
    [{ iss: 'x' }, 'for somebody else'],
    [{ aud: ['vault'] }, 'for somebody else'],
    [{ aud: 'istio-ca' }, 'for somebody else'],
    [{ aud: undefined }, 'for somebody else'],
    [{ exp: undefined }, 'has expired'],
    [{ exp: '9999999999' }, 'has expired'],
    [{ exp: now() / 1000 }, 'has expired'],
    [{ sub: 'jane' }, 'names no service account'],
  ])('signed by us with %j are refused: %s', (claims, why) => {
    const dir = join(mkdtempSync(join(tmpdir(), 'ripstop-tokens-')), 'state');
    const issuer = createTokenIssuer({ stateDir: dir, now });
    const key = readFileSync(join(dir, 'token-key'), 'utf8');
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dir, 'token-key')).mode & 0o777).toBe(0o600);
    expect(Buffer.from(key, 'base64')).toHaveLength(32);
    const again = createTokenIssuer({ stateDir: dir, now });
    expect(again.verify(withClaims(issuer, key, { aud: ['x', 'istio-ca'] }))).toEqual(account);
    expect(() => again.verify(withClaims(issuer, key, claims))).toThrow(why);
    rmSync(dir, { recursive: true });
  });

  it('have the claims of a Kubernetes token, and an id of their own', () => {
    const issuer = createTokenIssuer({ now });
    const claimsOf = (token: string): unknown => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    const [token, other] = [issuer.issue({ ...account, ttlSeconds: 60 }), issuer.issue({ ...account, ttlSeconds: 60, singleUse: true })];
    const seconds = now() / 1000;
    const common = { iss: 'ripstop', sub: 'system:serviceaccount:default:web', aud: ['istio-ca'], iat: seconds, exp: seconds + 60 };
    expect(claimsOf(token)).toEqual({ ...common, jti: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(claimsOf(other)).toMatchObject({ ...common, use: 'once' });
    expect((claimsOf(token) as { jti: string }).jti).not.toBe((claimsOf(other) as { jti: string }).jti);
    expect(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())).toEqual({ alg: 'HS256', typ: 'JWT' });
  });

  it.each(['', 'a', 'a.b', 'a..c', '.b.c', 'a.b.', 'a.b.c.d'])('of the form %j are none', (token) => {
    expect(() => createTokenIssuer({ now }).verify(token)).toThrow('the token is no JWT');
  });

  it('with a signature of another length, or beginning like ours, are not ours', () => {
    const issuer = createTokenIssuer({ now });
    const token = issuer.issue({ ...account, ttlSeconds: 60 });
    for (const wrong of [`${token}AAAA`, token.slice(0, -4), `${token.slice(0, -4)}AAAA`])
      expect(() => issuer.verify(wrong)).toThrow('not made by this control plane');
  });

  it.each<[payload: string, own: boolean]>([
    ['{"iss":"ripstop"}', true],
    ['{"iss":"other"}', false],
    ['{}', false],
    ['null', false],
    ['5', false],
    ['{', true], // `verify` says what is wrong with it
    ['', true],
  ])('with the payload %s are of our kind: %s', (payload, own) => {
    expect(createTokenIssuer({ now }).isOwn(`a.${Buffer.from(payload).toString('base64url')}.c`)).toBe(own);
    expect(createTokenIssuer({ now }).isOwn('opaque')).toBe(true);
  });

  it('for one certificate are written down when they are spent: a hash of the id, until they expire; another stays good', () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'ripstop-tokens-'));
    const issuer = createTokenIssuer({ stateDir, now });
    const token = issuer.issue({ ...account, ttlSeconds: 60, singleUse: true });
    const { jti, exp } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    issuer.redeem(issuer.verify(token).singleUse!);
    const hash = createHash('sha256').update(jti).digest('base64url');
    expect(readFileSync(join(stateDir, 'spent-tokens'), 'utf8')).toBe(`${hash} ${exp * 1000}\n`);
    const other = issuer.verify(issuer.issue({ ...account, ttlSeconds: 60, singleUse: true }));
    expect(() => issuer.redeem(other.singleUse!)).not.toThrow();
    rmSync(stateDir, { recursive: true });
  });

  it.each<[labels: unknown]>([['text'], [null], [5], [{ a: 1 }], [{ a: 'x', b: 1 }]])(
    'with labels that cannot be read are refused, whoever signed them: %j',
    (labels) => {
      const stateDir = mkdtempSync(join(tmpdir(), 'ripstop-tokens-'));
      const issuer = createTokenIssuer({ stateDir, now });
      const [header, payload] = issuer.issue({ ...account, ttlSeconds: 60 }).split('.');
      const key = Buffer.from(readFileSync(join(stateDir, 'token-key'), 'utf8'), 'base64');
      const signed = (claims: object): string => {
        const text = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
        return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
      };
      const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString());
      expect(issuer.verify(signed({ ...claims, labels: { a: 'x' } }))).toMatchObject({ labels: { a: 'x' } });
      expect(() => issuer.verify(signed({ ...claims, labels }))).toThrow('the labels of the token cannot be read');
      rmSync(stateDir, { recursive: true });
    },
  );

  it('for one certificate are spent until they expire', () => {
    let time = now();
    const issuer = createTokenIssuer({ now: () => time });
    const { singleUse } = issuer.verify(issuer.issue({ ...account, ttlSeconds: 60, singleUse: true }));
    issuer.redeem(singleUse!);
    expect(() => issuer.redeem(singleUse!)).toThrow('was used before');
    time += 60_000;
    expect(() => issuer.redeem(singleUse!)).toThrow('was used before');
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
