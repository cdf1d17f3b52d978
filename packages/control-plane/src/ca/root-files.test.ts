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

  it('are refused when the key is another one', () => {
    writeFileSync(join(dir, 'ca-key.pem'), privateKeyPem(createKeyPair().privateKey));
    expect(() => files.load()).toThrow(/is not the key of ca-cert.pem/);
  });
});
