import { X509Certificate } from 'node:crypto';
import { createKeyPair, createSelfSignedRoot, type Issuer, issueCertificate } from '@ripstop/pki';
import { describe, expect, it } from 'vitest';
import { endsIn, KnownIntermediates, readBundle, TrustReview } from './trust-bundle.ts';

const times = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 };
const parsed = ({ certificatePem }: Issuer): X509Certificate => new X509Certificate(certificatePem);

/** Roots of one name: only their keys tell them apart. */
function createRoot(): Issuer {
  const { certificatePem, keyPair } = createSelfSignedRoot({ organization: 'same', ...times });
  return { certificatePem, privateKey: keyPair.privateKey };
}

/** A CA with a name, or a leaf without. */
function issue(issuer: Issuer, organization = ''): Issuer {
  const { publicKey, privateKey } = createKeyPair();
  const isCa = organization !== '';
  return { certificatePem: issueCertificate(issuer, { publicKey, names: {}, isCa, organization, ...times }), privateKey };
}

describe('a bundle', () => {
  it('is as many as stand in it, whatever stands between them', () => {
    const [first, second] = [createRoot(), createRoot()];
    const bundle = `# first\n${first.certificatePem}\n\ntext ${second.certificatePem}`;
    expect(readBundle(bundle).map((one) => one.toString())).toEqual([first.certificatePem, second.certificatePem]);
    expect(readBundle('no certificate')).toEqual([]);
  });
});

describe('a certificate ends in a root', () => {
  const root = createRoot();
  const roots = [parsed(root)];
  const impostor = [parsed(createRoot())];

  it('that has signed it, and in none of the same name', () => {
    const leaf = parsed(issue(root));
    expect(endsIn(leaf, roots)).toBe(true);
    expect(endsIn(leaf, [...impostor, ...roots])).toBe(true);
    expect(endsIn(leaf, impostor)).toBe(false);
    expect(endsIn(leaf, [])).toBe(false);
  });

  it('by its signature: what it says of its issuer is no proof', () => {
    const { publicKey, privateKey } = createKeyPair();
    const forged = issueCertificate({ certificatePem: root.certificatePem, privateKey }, { publicKey, names: {}, ...times });
    expect(new X509Certificate(forged).checkIssued(roots[0]!)).toBe(true);
    expect(endsIn(new X509Certificate(forged), roots)).toBe(false);
  });

  it('that has signed its intermediate, near or far, as long as those are known', () => {
    const near = issue(root, 'near');
    const far = issue(near, 'far');
    const leaf = parsed(issue(far));
    const known = [near, far].map(parsed);
    expect(endsIn(parsed(issue(near)), roots, known)).toBe(true);
    expect(endsIn(leaf, roots, known)).toBe(true);
    expect(endsIn(leaf, roots, [parsed(far)])).toBe(false);
    expect(endsIn(leaf, roots)).toBe(false);
    expect(endsIn(leaf, impostor, known)).toBe(false);
  });

  it('but not by an intermediate of the right name that did not sign it', () => {
    const removed = createRoot();
    const [theirs, mine] = [issue(root, 'x'), issue(removed, 'x')];
    const leaf = parsed(issue(mine));
    expect(endsIn(leaf, [parsed(removed)], [theirs, mine].map(parsed))).toBe(true);
    expect(endsIn(leaf, roots, [theirs, mine].map(parsed))).toBe(false);
  });

  it('and what issued itself ends there', () => {
    expect(endsIn(parsed(root), impostor, roots)).toBe(false);
    expect(endsIn(parsed(root), roots)).toBe(true);
  });

  it('within ten links', () => {
    const chain = [createRoot()];
    for (let link = 0; link < 11; link++) chain.push(issue(chain.at(-1)!, `ca ${link}`));
    const [top, ...links] = chain.map(parsed);
    expect(endsIn(parsed(issue(chain[9]!)), [top!], links)).toBe(true);
    expect(endsIn(parsed(issue(chain[10]!)), [top!], links)).toBe(false);
  });
});

describe('the intermediates of a workload', () => {
  it('are those behind its leaf, also of certificates that it had before', () => {
    const root = createRoot();
    const [first, second] = [issue(root, 'first'), issue(root, 'second')];
    const known = new KnownIntermediates();
    known.learn(undefined);
    known.learn(issue(root).certificatePem);
    expect(known.all).toEqual([]);
    for (const ca of [first, second, first]) known.learn(`${issue(ca).certificatePem}${ca.certificatePem}`);
    expect(known.all.map((one) => one.subject)).toEqual(['O=second', 'O=first']);
  });

  it('are the last ten', () => {
    const root = createRoot();
    const known = new KnownIntermediates();
    for (let at = 0; at < 12; at++) known.learn(`${issue(root).certificatePem}${issue(root, `${at}`).certificatePem}`);
    expect(known.all.map((one) => one.subject)).toEqual(Array.from({ length: 10 }, (_, at) => `O=${at + 2}`));
  });
});

describe('a review of connections', () => {
  const [root, other] = [createRoot(), createRoot()];
  const between = issue(root, 'between');
  const leaf = parsed(issue(between));
  const pemOf = (...issuers: readonly Issuer[]): string => issuers.map(({ certificatePem }) => certificatePem).join('');

  it.each<[what: string, verifiedBy: string, now: string, known: readonly Issuer[], trusted: boolean]>([
    ['all roots are as they were', pemOf(root), pemOf(root), [], true],
    ['there are more', pemOf(root), pemOf(other, root), [], true],
    ['they stand in another order', pemOf(root, other), pemOf(other, root), [], true],
    ['its root is gone', pemOf(root), pemOf(other), [between], false],
    ['another is gone, and the way to its own is known', pemOf(root, other), pemOf(root), [between], true],
    ['another is gone, and nobody knows the way', pemOf(root, other), pemOf(root), [], false],
    ['nobody knows by what it was verified', '', pemOf(root), [], false],
  ])('when %s', (_what, verifiedBy, now, known, trusted) => {
    const review = new TrustReview(now, known.map(parsed));
    expect([1, 2].map(() => review.trusts(leaf, verifiedBy))).toEqual([trusted, trusted]);
  });
});
