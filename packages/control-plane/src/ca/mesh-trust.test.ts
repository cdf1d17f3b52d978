import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCsr, createKeyPair, createSelfSignedRoot, fromPem, type Issuer, issueCertificate, verifyCsr } from '@ripstop/pki';
import { describe, expect, it } from 'vitest';
import { type CertificateSigner, createCertificateAuthority } from './certificate-authority.ts';
import { MeshTrust } from './mesh-trust.ts';
import { RootFiles } from './root-files.ts';

const HOUR_MS = 3_600_000;
const ID = 'spiffe://cluster.local/ns/default/sa/web';
const TIMES = { notBeforeMs: Date.UTC(2026, 5, 1), notAfterMs: Date.UTC(2026, 5, 1) + 24 * HOUR_MS };
let nowMs = TIMES.notBeforeMs + HOUR_MS;
const own = createCertificateAuthority({ trustDomain: 'cluster.local', now: () => nowMs });

function newRoot(): Issuer {
  const { certificatePem, keyPair } = createSelfSignedRoot({ organization: 'corp', ...TIMES });
  return { certificatePem, privateKey: keyPair.privateKey };
}

function below(parent: Issuer, organization = 'between', keys = createKeyPair(), times = TIMES): Issuer {
  const spec = { publicKey: keys.publicKey, names: {}, organization, isCa: true, ...times };
  return { certificatePem: issueCertificate(parent, spec), privateKey: keys.privateKey };
}

const keys = createKeyPair();
const csr = createCsr(keys, {});
const leafOf = (issuer: Issuer, uri: string = ID, publicKey = verifyCsr(csr), isCa = false): string =>
  issueCertificate(issuer, { publicKey, names: { uris: [uri] }, isCa, ...TIMES });
const root = newRoot();
const middle = below(root);

const signerThat = (...chain: readonly string[]): CertificateSigner => ({
  rootCertificatePem: root.certificatePem,
  issue: async () => ({ chain, serialNumber: 'as it says', notAfterMs: 1 }),
});
const signBy = (signer: CertificateSigner) => new MeshTrust(own, signer).sign(signer, csr, ID, 60);
const prints = (pem: string): string[] => fromPem(pem, 'CERTIFICATE').map((der) => new X509Certificate(der).fingerprint256);

describe('a signer in the place of the CA', () => {
  it('is trusted beside it, the roots that sign first', () => {
    const trust = new MeshTrust(own, signerThat());
    expect(trust.bundlePem).toBe(`${new X509Certificate(root.certificatePem)}${own.rootCertificatePem}`);
    expect(new MeshTrust(own, undefined).bundlePem).toBe(own.rootCertificatePem);
  });

  it('gives the leaf and what lies between; serial number and time are those of the leaf, roots are left out', async () => {
    const leaf = leafOf(middle);
    const signed = await signBy(signerThat(leaf, `${middle.certificatePem}${root.certificatePem}`));
    expect(signed.chain.map((pem) => new X509Certificate(pem).fingerprint256)).toEqual(prints(`${leaf}${middle.certificatePem}`));
    expect(signed).toMatchObject({ serialNumber: new X509Certificate(leaf).serialNumber, notAfterMs: TIMES.notAfterMs });
  });

  it('may give certificates beside the way, in texts that end without a line break', async () => {
    const stranger = below(newRoot());
    const chain = [leafOf(middle), stranger.certificatePem, middle.certificatePem].map((pem) => pem.trimEnd());
    expect((await signBy(signerThat(...chain))).chain).toHaveLength(3);
  });

  it('may end in any of its roots', async () => {
    const other = newRoot();
    const signer = { ...signerThat(leafOf(root)), rootCertificatePem: other.certificatePem + root.certificatePem };
    expect((await signBy(signer)).chain).toHaveLength(1);
  });

  it.each<[what: string, chain: () => string[], why: RegExp]>([
    [
      'intermediates that have signed each other',
      () => {
        const [a, b] = [createKeyPair(), createKeyPair()];
        const first = below({ certificatePem: below(newRoot(), 'b', b).certificatePem, privateKey: b.privateKey }, 'a', a);
        return [leafOf(first), first.certificatePem, below(first, 'b', b).certificatePem];
      },
      /ends in none of its rootCertificatePem/,
    ],
    [
      'what a stranger has signed in the name of its root',
      () => [leafOf({ ...root, privateKey: createKeyPair().privateKey })],
      /ends in none of its rootCertificatePem/,
    ],
    ['nothing', () => [], /gave no certificate in PEM/],
    ['another name', () => [leafOf(root, `${ID}x`)], /for URI:spiffe:.*webx instead of URI:/],
    ['another key', () => [leafOf(root, ID, createKeyPair().publicKey)], /another key than the one of the CSR/],
    ['a CA', () => [leafOf(root, ID, undefined, true)], /a CA certificate instead of a leaf/],
    ['a root that it does not name', () => [leafOf(newRoot())], /ends in none of its rootCertificatePem: name its root there/],
    ['half a chain', () => [leafOf(middle)], /what lies between in chain/],
  ])('is told when it gives %s', async (_what, chain, why) => {
    await expect(signBy(signerThat(...chain()))).rejects.toThrow(why);
  });

  it('must have a root', () => {
    expect(() => new MeshTrust(own, { ...signerThat(), rootCertificatePem: '' })).toThrow(/holds no certificate in PEM: put the roots/);
  });

  it('may take other roots while it runs; bad ones leave those before in force', () => {
    let pem = root.certificatePem;
    const signer = {
      ...signerThat(),
      get rootCertificatePem() {
        return pem;
      },
    };
    const trust = new MeshTrust(own, signer);
    expect(trust.reload()).toBe(false);
    const next = newRoot().certificatePem;
    pem = `${next}${root.certificatePem}`;
    expect([trust.reload(), trust.reload()]).toEqual([true, false]);
    const before = trust.bundlePem;
    for (pem of ['', 'nonsense']) expect(() => trust.reload()).toThrow(/rootCertificatePem of the signer/);
    expect(trust.bundlePem).toBe(before);
  });

  it('has files of the own CA beside it, whose changes are told as well', () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'ripstop-trust-'));
    const options = { stateDir, trustDomain: 'cluster.local', now: () => nowMs };
    const trust = new MeshTrust(createCertificateAuthority(options), signerThat());
    expect(trust.reload()).toBe(false);
    new RootFiles(options).begin();
    expect([trust.reload(), trust.reload()]).toEqual([true, false]);
    rmSync(stateDir, { recursive: true });
  });
});

describe('a certificate that was verified once', () => {
  const raw = (pem: string): Uint8Array => new X509Certificate(pem).raw;

  it('is believed when the CA gave it, or the signer, below an intermediate that it has shown', async () => {
    const signer = signerThat(leafOf(middle), middle.certificatePem);
    const trust = new MeshTrust(own, signer);
    expect(trust.trusts(raw(own.issue(csr, ID, 60).chain[0]!))).toBe(true);
    expect(trust.trusts(raw(leafOf(root)))).toBe(true);
    expect(trust.trusts(raw(leafOf(newRoot())))).toBe(false);
    expect(trust.trusts(raw(leafOf(middle)))).toBe(false);
    await trust.sign(signer, csr, ID, 60);
    expect(trust.trusts(raw(leafOf(middle)))).toBe(true);
  });

  it('is not believed once the intermediate above it has expired', async () => {
    const short = below(root, 'short', undefined, { ...TIMES, notAfterMs: nowMs + 1000 });
    const signer = signerThat(leafOf(short), short.certificatePem);
    const trust = new MeshTrust(own, signer);
    await trust.sign(signer, csr, ID, 60);
    expect(trust.trusts(raw(leafOf(short)))).toBe(true);
    nowMs += 1000;
    expect(trust.trusts(raw(leafOf(short)))).toBe(false);
    nowMs -= 1000;
  });

  it('is believed below a hundred intermediates, those that were used last', async () => {
    const shared = createKeyPair();
    const many = Array.from({ length: 101 }, (_none, index) => below(root, `number ${index}`, shared));
    let chain: Issuer[] = many.slice(0, 100);
    const signer = {
      ...signerThat(),
      issue: async () => ({ chain: [leafOf(root), ...chain.map(({ certificatePem }) => certificatePem)], serialNumber: '', notAfterMs: 1 }),
    };
    const trust = new MeshTrust(own, signer);
    const believed = (...numbers: number[]): boolean[] => numbers.map((number) => trust.trusts(raw(leafOf(many[number]!))));
    await trust.sign(signer, csr, ID, 60);
    expect(believed(0, 99, 100)).toEqual([true, true, false]);
    for (chain of [[many[0]!], [many[100]!]]) await trust.sign(signer, csr, ID, 60);
    expect(believed(0, 1, 2, 100)).toEqual([true, false, true, true]);
  });

  it('is not believed after its time, nor once its root is gone', async () => {
    let pem = root.certificatePem;
    const signer = {
      ...signerThat(leafOf(middle), middle.certificatePem),
      get rootCertificatePem() {
        return pem;
      },
    };
    const trust = new MeshTrust(own, signer);
    await trust.sign(signer, csr, ID, 60);
    const before = nowMs;
    nowMs = TIMES.notAfterMs;
    expect(trust.trusts(raw(leafOf(root)))).toBe(false);
    nowMs = before;
    expect(trust.trusts(raw(leafOf(middle)))).toBe(true);
    pem = newRoot().certificatePem;
    trust.reload();
    expect(trust.trusts(raw(leafOf(middle)))).toBe(false);
    expect(trust.trusts(raw(leafOf(root)))).toBe(false);
  });
});
