import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKeyPair, createSelfSignedRoot, fromPem, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RootFiles } from './root-files.ts';

const now = (): number => Date.UTC(2026, 5, 1);
const prints = (pem: string): string[] => fromPem(pem, 'CERTIFICATE').map((der) => new X509Certificate(der).fingerprint256);

describe('the files of a certificate authority', () => {
  let dir: string;
  let files: RootFiles;
  beforeEach(() => {
    dir = join(mkdtempSync(join(tmpdir(), 'ripstop-roots-')), 'state');
    files = new RootFiles({ stateDir: dir, trustDomain: 'cluster.local', now });
    files.load();
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const signer = (): string => new X509Certificate(files.load().issuer.certificatePem).fingerprint256;
  const trusted = (): string[] => prints(files.load().trustBundlePem);

  it('rotate the root in three steps: trusted beside the old one, signing, alone', () => {
    const old = signer();
    files.begin();
    expect(files.step()).toBe('distributing');
    expect(signer()).toBe(old);
    const [first, next] = trusted();
    expect(first).toBe(old);
    const oldKey = readFileSync(join(dir, 'ca-key.pem'), 'utf8');
    files.switch();
    expect(files.step()).toBe('switched');
    expect(signer()).toBe(next);
    expect(trusted()).toEqual([next, old]); // the one that signs comes first
    files.finish();
    expect(files.step()).toBe('settled');
    expect(trusted()).toEqual([next]);
    expect(existsSync(join(dir, 'next-ca-key.pem'))).toBe(false);
    expect(readFileSync(join(dir, 'ca-key.pem'), 'utf8')).not.toBe(oldKey);
    expect(statSync(join(dir, 'ca-key.pem')).mode & 0o777).toBe(0o600);
  });

  it('refuse a step that is not the next one, naming that', () => {
    expect(() => files.switch()).toThrow(/is settled: the next step is begin/);
    files.begin();
    expect(() => files.begin()).toThrow(/is distributing: the next step is switch/);
    files.switch();
    expect(() => files.switch()).toThrow(/is switched: the next step is finish/);
  });

  it('are whole again after a crash between the two files of the switch', () => {
    files.begin();
    const [, next] = trusted();
    renameSync(join(dir, 'next-ca-key.pem'), join(dir, 'ca-key.pem')); // … and then the lights went out
    expect(signer()).toBe(next);
    expect(files.step()).toBe('switched');
  });

  it('leave the root of somebody else to its owner', () => {
    const times = { notBeforeMs: now(), notAfterMs: now() + 3_600_000 };
    const root = createSelfSignedRoot({ organization: 'corp', ...times });
    const keys = createKeyPair();
    const intermediate = issueCertificate(
      { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey },
      { publicKey: keys.publicKey, names: {}, organization: 'intermediate', isCa: true, ...times },
    );
    writeFileSync(join(dir, 'ca-cert.pem'), intermediate);
    writeFileSync(join(dir, 'ca-key.pem'), privateKeyPem(keys.privateKey));
    writeFileSync(join(dir, 'root-cert.pem'), root.certificatePem);
    expect(() => files.begin()).toThrow(/intermediate/);
  });

  it('hold a root of ten years for the trust domain, whose key nobody else reads', () => {
    const root = new X509Certificate(files.load().issuer.certificatePem);
    expect([root.subject, root.ca]).toEqual(['O=cluster.local', true]);
    expect((root.validToDate.getTime() - now()) / 86_400_000).toBe(3650);
    expect((root.validFromDate.getTime() - now()) / 1000).toBe(-120);
    for (const name of ['ca-cert.pem', 'root-cert.pem']) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o644);
    files.begin();
    for (const [name, mode] of [
      ['next-ca-key.pem', 0o600],
      ['next-ca-cert.pem', 0o644],
      ['root-cert.pem', 0o644],
    ] as const)
      expect(statSync(join(dir, name)).mode & 0o777, name).toBe(mode);
  });

  it('are written whole, whatever a crash has left', () => {
    writeFileSync(join(dir, 'root-cert.pem.tmp'), 'half', { mode: 0o400 });
    files.begin();
    expect(trusted()).toHaveLength(2);
    expect(existsSync(join(dir, 'root-cert.pem.tmp'))).toBe(false);
  });

  it('refuse to finish what has not been switched', () => {
    expect(() => files.finish()).toThrow(/is settled: the next step is begin/);
    files.begin();
    expect(() => files.finish()).toThrow(/is distributing: the next step is switch/);
    expect(trusted()).toHaveLength(2);
  });

  it('rotate a root that is trusted among others, each of which stands once', () => {
    const other = createSelfSignedRoot({ organization: 'x', notBeforeMs: now(), notAfterMs: now() + 3_600_000 }).certificatePem;
    const own = files.load().issuer.certificatePem;
    writeFileSync(join(dir, 'root-cert.pem'), `${other}${own}${other}`);
    expect(trusted()).toEqual([signer(), ...prints(other)]);
  });

  it('are refused when the certificate is no CA, or one of them is gone', () => {
    const { issuer } = files.load();
    const keys = createKeyPair();
    const leaf = issueCertificate(issuer, {
      publicKey: keys.publicKey,
      names: { dns: ['a'] },
      notBeforeMs: now(),
      notAfterMs: now() + 1000,
    });
    writeFileSync(join(dir, 'ca-cert.pem'), leaf);
    writeFileSync(join(dir, 'ca-key.pem'), privateKeyPem(keys.privateKey));
    expect(() => files.load()).toThrow(/ca-cert\.pem \(a certificate without subject\) is no CA certificate .*: a leaf signs nothing; put/);
    writeFileSync(join(dir, 'ca-cert.pem'), issuer.certificatePem);
    rmSync(join(dir, 'ca-key.pem'));
    expect(() => files.load()).toThrow(/the certificate authority needs .*ca-key\.pem/);
  });

  it('are refused when the key is another one', () => {
    writeFileSync(join(dir, 'ca-key.pem'), privateKeyPem(createKeyPair().privateKey));
    expect(() => files.load()).toThrow(/ca-key\.pem is not the key of .*ca-cert\.pem: put/);
  });
});
