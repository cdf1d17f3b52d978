import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCsr, createKeyPair, createSelfSignedRoot, fromPem, type Issuer, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fingerprintOf, readMaterial } from './ca-material.ts';
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
/** Self-signed, of two names (O=corp, CN=leaf), basicConstraints CA:FALSE. */
const TWO_NAMES = `-----BEGIN CERTIFICATE-----
MIIBjTCCATSgAwIBAgIUS4ho6Z7KWjuedN2WRTWJs38FrT8wCgYIKoZIzj0EAwIw
HjENMAsGA1UECgwEY29ycDENMAsGA1UEAwwEbGVhZjAeFw0yNjExMjcwNDQyNTJa
Fw0zNjExMjQwNDQyNTJaMB4xDTALBgNVBAoMBGNvcnAxDTALBgNVBAMMBGxlYWYw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARwokD/VKUo9QmdgeTvaWp331cVnYcH
7ThLyp33TJbt5Ov9bYyYkzgshLi1s5OAkPL98wF56seo9WxfPq9+ch2vo1AwTjAd
BgNVHQ4EFgQUIpZjq1GaUvEHbbPATw5XNbvyQBYwHwYDVR0jBBgwFoAUIpZjq1Ga
UvEHbbPATw5XNbvyQBYwDAYDVR0TAQH/BAIwADAKBggqhkjOPQQDAgNHADBEAiBz
oynBNHX9dJknskGVLx9xCdipJ0yLu3CeVe/udeZW8AIgbYrvbZ+AI9K8v+9YainW
YBoTaxDoKtCNA94v/7uh+Qk=
-----END CERTIFICATE-----
`;

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
    const inOrder = [next, corp].map(({ certificatePem }) => String(new X509Certificate(certificatePem)));
    expect(load().trustBundlePem).toBe(inOrder.join(''));
  });

  it('may be those of a root, which needs no chain: what stands there is not read', () => {
    const short = newRoot('short', { ...LONG, notAfterMs: NOW + HOUR_MS });
    place(short, 'nonsense', corp.certificatePem + short.certificatePem);
    const { trustBundlePem, intermediates, notAfterMs } = load();
    expect(prints(trustBundlePem)).toEqual(prints(short.certificatePem + corp.certificatePem));
    expect([intermediates, notAfterMs]).toEqual([[], NOW + HOUR_MS]);
    expect(() => load(NOW + HOUR_MS)).toThrow(/ca-cert\.pem: O=short has expired/);
  });

  it('may name an intermediate as what is trusted: nobody asks who issued it', () => {
    place(lower, '', lower.certificatePem);
    expect(prints(load().trustBundlePem)).toEqual(prints(lower.certificatePem));
    expect(load().intermediates).toEqual([]);
  });

  it('may be of an RSA key', () => {
    place(below(corp, 'rsa', LONG, true, generateKeyPairSync('rsa', { modulusLength: 2048 })), '');
    const ca = new CertificateAuthority({ stateDir: dir, trustDomain: 'a', now: () => NOW });
    const leaf = new X509Certificate(ca.issue(createCsr(createKeyPair(), {}), 'spiffe://a/ns/b/sa/c', 3600).chain[0]!);
    expect([leaf.issuer, ca.trusts(leaf.raw)]).toEqual(['O=rsa', true]);
  });

  it('sign by the way to the root alone: what else stands in the chain may be anybody’s, and old', () => {
    const stranger = below(newRoot('stranger'), 'old', { ...LONG, notAfterMs: NOW });
    put('cert-chain.pem', stranger.certificatePem + upper.certificatePem);
    expect(load().notAfterMs).toBe(LONG.notAfterMs);
  });

  it('are valid from the very moment that they name', () => {
    expect(load(LONG.notBeforeMs).notAfterMs).toBe(LONG.notAfterMs);
  });

  it('may stand nine deep below the root, and no deeper', () => {
    const line = [corp];
    while (line.length < 11) line.push(below(line.at(-1)!, `depth ${line.length}`));
    const placed = (depth: number): void => {
      const chain = line.slice(1, depth).reverse();
      place(line[depth]!, chain.map(({ certificatePem }) => certificatePem).join(''));
    };
    placed(9);
    expect(prints(load().trustBundlePem)).toEqual(prints(corp.certificatePem));
    placed(10);
    expect(() => load()).toThrow(/cert-chain\.pem is longer than 10 certificates: put a shorter one there/);
  });

  it('are known again by what they hold and where, whatever their times', () => {
    const seen = [fingerprintOf(dir)];
    put('cert-chain.pem', lower.certificatePem);
    seen.push(fingerprintOf(dir), fingerprintOf(dir));
    expect(seen[1]).toBe(seen[2]);
    rmSync(join(dir, 'cert-chain.pem'));
    const roots = readFileSync(join(dir, 'root-cert.pem'), 'utf8');
    seen.push(fingerprintOf(dir));
    rmSync(join(dir, 'root-cert.pem'));
    put('cert-chain.pem', roots);
    seen.push(fingerprintOf(dir));
    expect(new Set(seen).size).toBe(4);
  });

  it.each<[what: string, spoil: () => void, why: RegExp]>([
    ['a leaf of several names', () => put('ca-cert.pem', TWO_NAMES), /ca-cert\.pem \(O=corp, CN=leaf\) is no CA certificate/],
    [
      'a root that has signed it by name alone',
      () => place(below({ ...corp, privateKey: createKeyPair().privateKey }, 'forged'), ''),
      /ends in no root of .*root-cert\.pem: O=forged was issued by O=corp, which is neither there/,
    ],
    [
      'a root that has its key alone, under another name',
      () => {
        const keys = createKeyPair();
        const signer = below(corp, 'signer', LONG, true, keys);
        place(below(signer, 'under'), '', below(newRoot('x'), 'renamed', LONG, true, keys).certificatePem);
      },
      /ends in no root of .*root-cert\.pem: O=under was issued by O=signer, which is neither there/,
    ],
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
