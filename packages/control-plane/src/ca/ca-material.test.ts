import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCsr, createKeyPair, createSelfSignedRoot, fromPem, type Issuer, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMaterial } from './ca-material.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import { RootFiles } from './root-files.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.UTC(2026, 5, 1);
const LONG = { notBeforeMs: NOW - HOUR_MS, notAfterMs: NOW + 1000 * HOUR_MS };

function newRoot(organization: string, times = LONG): Issuer {
  const { certificatePem, keyPair } = createSelfSignedRoot({ organization, ...times });
  return { certificatePem, privateKey: keyPair.privateKey };
}

function below(parent: Issuer, organization: string, times = LONG, isCa = true, keys = createKeyPair()): Issuer {
  const spec = { publicKey: keys.publicKey, names: {}, organization, isCa, ...times };
  return { certificatePem: issueCertificate(parent, spec), privateKey: keys.privateKey };
}

const corp = newRoot('corp');
const upper = below(corp, 'upper');
const lower = below(upper, 'lower');
const prints = (pem: string): string[] => fromPem(pem, 'CERTIFICATE').map((der) => new X509Certificate(der).fingerprint256);

describe('the files of somebody else’s CA', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-ca-'));
    place(lower, `${lower.certificatePem}${upper.certificatePem}${corp.certificatePem}`);
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const put = (name: string, text: string): void => writeFileSync(join(dir, name), text);
  const place = ({ certificatePem, privateKey }: Issuer, chain: string, roots = corp.certificatePem): void => {
    put('ca-cert.pem', certificatePem);
    put('ca-key.pem', privateKeyPem(privateKey));
    put('root-cert.pem', roots);
    put('cert-chain.pem', chain);
  };
  const load = (nowMs = NOW) => readMaterial(dir, nowMs);

  it('sign below two intermediates, which go out as they stand', () => {
    const { issuer, trustBundlePem, intermediates, notAfterMs } = load();
    expect(prints(issuer.certificatePem)).toEqual(prints(lower.certificatePem));
    expect(prints(trustBundlePem)).toEqual(prints(corp.certificatePem));
    expect(prints(intermediates.join(''))).toEqual(prints(lower.certificatePem + upper.certificatePem + corp.certificatePem));
    expect(notAfterMs).toBe(LONG.notAfterMs);
  });

  it('may leave the signing certificate out of the chain, and the chain away below a root', () => {
    put('cert-chain.pem', upper.certificatePem);
    expect(prints(load().intermediates.join(''))).toEqual(prints(lower.certificatePem + upper.certificatePem));
    place(upper, '');
    expect(prints(load().intermediates.join(''))).toEqual(prints(upper.certificatePem));
  });

  it('show by the order of the roots which of them signs, so that workloads see a change', () => {
    const next = newRoot('next');
    const both = corp.certificatePem + next.certificatePem;
    put('root-cert.pem', both);
    expect(prints(load().trustBundlePem)).toEqual(prints(both));
    const signer = below(next, 'lower');
    place(signer, signer.certificatePem, both);
    expect(prints(load().trustBundlePem)).toEqual(prints(next.certificatePem + corp.certificatePem));
  });

  it.each<[what: string, spoil: () => void, why: RegExp]>([
    ['no certificate', () => put('ca-cert.pem', ''), /ca-cert\.pem holds no certificate in PEM/],
    [
      'half a certificate',
      () => put('ca-cert.pem', lower.certificatePem.replace(/(?<=-----\n)[^-]{200}/, '')),
      /ca-cert\.pem: its certificate cannot be read: put a whole one there/,
    ],
    [
      'a leaf',
      () => place(below(corp, 'leaf', LONG, false), ''),
      /ca-cert\.pem \(O=leaf\) is no CA certificate .* put the certificate of a root or an intermediate CA there/,
    ],
    [
      'another key',
      () => put('ca-key.pem', privateKeyPem(createKeyPair().privateKey)),
      /ca-key\.pem is not the key of .*ca-cert\.pem: put/,
    ],
    ['no key', () => rmSync(join(dir, 'ca-key.pem')), /needs .*ca-key\.pem: put it there/],
    ['no text of a key', () => put('ca-key.pem', 'x'), /ca-key\.pem holds no private key in PEM: put/],
    [
      'an encrypted key',
      () => put('ca-key.pem', lower.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }) as string),
      /ca-key\.pem is encrypted, .*: put it there in the clear/,
    ],
    [
      'a key that few verify',
      () => put('ca-key.pem', privateKeyPem(generateKeyPairSync('ed25519').privateKey)),
      /ca-key\.pem is a key of kind ed25519, .*: use a CA with an RSA or an elliptic key/,
    ],
    ['no roots', () => put('root-cert.pem', '\n'), /root-cert\.pem holds no certificate in PEM/],
    [
      'another root',
      () => put('root-cert.pem', newRoot('stranger').certificatePem),
      /ca-cert\.pem ends in no root of .*root-cert\.pem: by .*cert-chain\.pem it ends in O=corp, another root than those; put that one there/,
    ],
    [
      'a chain with a gap',
      () => put('cert-chain.pem', lower.certificatePem),
      /ends in no root of .*root-cert\.pem: O=lower was issued by O=upper, which is neither there nor in .*cert-chain\.pem; put the root there, and what lies between into cert-chain\.pem/,
    ],
    ['nonsense for a chain', () => put('cert-chain.pem', 'x'), /cert-chain\.pem holds no certificate in PEM/],
  ])('are refused with %s, naming file and fix', (_what, spoil, why) => {
    spoil();
    expect(() => load()).toThrow(why);
  });

  it.each<[file: string, issuers: () => [Issuer, string, string]]>([
    [
      'ca-cert.pem',
      () => {
        const short = below(corp, 'short', { ...LONG, notAfterMs: NOW + HOUR_MS });
        return [short, '', corp.certificatePem];
      },
    ],
    [
      'cert-chain.pem',
      () => {
        const short = below(corp, 'short', { ...LONG, notAfterMs: NOW + HOUR_MS });
        return [below(short, 'under'), short.certificatePem, corp.certificatePem];
      },
    ],
    [
      'root-cert.pem',
      () => {
        const short = newRoot('short', { ...LONG, notAfterMs: NOW + HOUR_MS });
        return [below(short, 'under'), '', short.certificatePem];
      },
    ],
  ])('are refused once what stands in %s has expired, and sign nothing that outlives it', (file, issuers) => {
    place(...issuers());
    expect(load().notAfterMs).toBe(NOW + HOUR_MS);
    expect(() => load(NOW + HOUR_MS)).toThrow(
      new RegExp(`${file.replace('.', '\\.')}: O=short has expired on 2026-06-01T01:00:00\\.000Z: put a renewed one there`),
    );
    let now = NOW;
    const ca = new CertificateAuthority({ stateDir: dir, trustDomain: 'a', now: () => now });
    const issue = () => ca.issue(createCsr(createKeyPair(), {}), 'spiffe://a/ns/b/sa/c', 24 * 3600);
    expect(issue().notAfterMs).toBe(NOW + HOUR_MS);
    expect(new X509Certificate(ca.serverCertificate({ dns: ['a'] }).certificatePem).validToDate.getTime()).toBe(NOW + HOUR_MS);
    now += HOUR_MS;
    expect(issue).toThrow(/the certificate of this CA has expired on 2026-06-01T01:00:00\.000Z: put a renewed one/);
  });

  it('are refused before their time', () => {
    expect(() => load(NOW - 2 * HOUR_MS)).toThrow(
      /ca-cert\.pem: O=lower is not valid before 2026-05-31T23:00:00\.000Z: .* set this machine's clock right/,
    );
  });

  it('are never taken for none: what is there is not written over', () => {
    const now = (): number => NOW;
    const files = new RootFiles({ stateDir: dir, trustDomain: 'a', now });
    rmSync(join(dir, 'ca-cert.pem'));
    const key = readFileSync(join(dir, 'ca-key.pem'), 'utf8');
    expect(() => files.load()).toThrow(/ca-cert\.pem is missing beside ca-key\.pem, root-cert\.pem, cert-chain\.pem: put the certificate/);
    expect(readFileSync(join(dir, 'ca-key.pem'), 'utf8')).toBe(key);
    for (const name of ['ca-key.pem', 'root-cert.pem', 'cert-chain.pem']) rmSync(join(dir, name));
    put('tls.crt', lower.certificatePem);
    expect(() => files.load()).toThrow(/missing beside tls\.crt: .*Istio's names/);
  });

  it('of our own are completed when a crash came before the last of them', () => {
    const now = (): number => NOW;
    const mine = mkdtempSync(join(tmpdir(), 'ripstop-ca-'));
    const files = new RootFiles({ stateDir: mine, trustDomain: 'a', now });
    const before = files.load().issuer.certificatePem;
    rmSync(join(mine, 'ca-cert.pem'));
    expect(files.load().issuer.certificatePem).toBe(before);
    rmSync(mine, { recursive: true });
  });

  it('have a root that is not ours to rotate: no step touches it', () => {
    const files = new RootFiles({ stateDir: dir, trustDomain: 'a', now: () => NOW });
    for (const roots of [corp.certificatePem, corp.certificatePem + newRoot('next').certificatePem]) {
      put('root-cert.pem', roots);
      expect(files.step()).toBe('foreign');
      for (const step of ['begin', 'switch', 'finish'] as const)
        expect(() => files[step]()).toThrow(/ca-cert\.pem is an intermediate, and its root somebody else's: ask for new files/);
      expect(readFileSync(join(dir, 'root-cert.pem'), 'utf8')).toBe(roots);
    }
  });
});
