import { X509Certificate } from 'node:crypto';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const MAX_CHAIN = 10;

/** The certificates of a PEM text, in their order. */
export function readBundle(pem: string): readonly X509Certificate[] {
  return (pem.match(CERTIFICATE) ?? []).map((one) => new X509Certificate(one));
}

/** Whether a certificate that was verified once still ends in one of the roots, directly or by the intermediates that are known. */
export function endsIn(
  certificate: X509Certificate,
  roots: readonly X509Certificate[],
  intermediates: readonly X509Certificate[] = [],
): boolean {
  let at: X509Certificate | undefined = certificate;
  for (let depth = 0; at !== undefined && depth < MAX_CHAIN; depth++) {
    const here: X509Certificate = at;
    if (roots.some((root) => isIssuedBy(here, root))) return true;
    at = intermediates.find((one) => isIssuedBy(here, one));
  }
  return false;
}

/** Judges connections by the roots that are trusted now. */
export class TrustReview {
  private readonly roots: readonly X509Certificate[];
  private readonly prints: ReadonlySet<string>;
  private readonly intermediates: readonly X509Certificate[];
  private readonly kept = new Map<string, boolean>();

  constructor(bundlePem: string, intermediates: readonly X509Certificate[]) {
    this.roots = readBundle(bundlePem);
    this.prints = new Set(this.roots.map(({ fingerprint256 }) => fingerprint256));
    this.intermediates = intermediates;
  }

  /**
   * Whether a certificate is trusted that TLS has verified by other roots, `verifiedBy` (PEM). While all of those are trusted it ends in
   * one that is, whatever lies between; node:tls does not tell a server that. Once one is gone, the way has to be known.
   */
  trusts(certificate: X509Certificate, verifiedBy: string): boolean {
    return this.keepsAll(verifiedBy) || endsIn(certificate, this.roots, this.intermediates);
  }

  private keepsAll(bundlePem: string): boolean {
    let keeps = this.kept.get(bundlePem);
    if (keeps === undefined) {
      const before = readBundle(bundlePem);
      keeps = before.length > 0 && before.every(({ fingerprint256 }) => this.prints.has(fingerprint256));
      this.kept.set(bundlePem, keeps);
    }
    return keeps;
  }
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  // A name is no proof.
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/**
 * The intermediates of a workload's own certificates, of now and of before. node:tls does not tell a server the chain that its caller
 * sent, and callers have their certificates from the same CA.
 */
export class KnownIntermediates {
  private readonly known = new Map<string, X509Certificate>();

  /** `certificateChainPem`: leaf first. */
  learn(certificateChainPem: string | undefined): void {
    for (const one of readBundle(certificateChainPem ?? '').slice(1)) {
      this.known.delete(one.fingerprint256);
      this.known.set(one.fingerprint256, one);
    }
    for (const oldest of this.known.keys()) {
      if (this.known.size <= MAX_CHAIN) break;
      this.known.delete(oldest);
    }
  }

  get all(): readonly X509Certificate[] {
    return [...this.known.values()];
  }
}
