import { type KeyObject, X509Certificate } from 'node:crypto';
import { fromPem, isIssuedBy, verifyCsr } from '@ripstop/pki';
import type { CertificateAuthority, CertificateSigner, IssuedCertificate } from './certificate-authority.ts';

const MAX_INTERMEDIATES = 100;

/**
 * Whom the mesh trusts: the roots of the own CA, of which the control plane's own certificate is, and before them those of the signer that
 * issues in its place, if there is one.
 */
export class MeshTrust {
  private readonly ca: CertificateAuthority;
  private readonly signer: CertificateSigner | undefined;
  private signerRootsPem: string | undefined;
  private signerRoots: readonly X509Certificate[] = [];
  /** Of certificates that the signer gave, by fingerprint: a caller's is believed below them as well. */
  private readonly intermediates = new Map<string, X509Certificate>();

  /** Throws when the signer's roots are none. */
  constructor(ca: CertificateAuthority, signer: CertificateSigner | undefined) {
    this.ca = ca;
    this.signer = signer;
    this.lookAtSigner();
  }

  /** PEM; whose root signs now comes first. */
  get bundlePem(): string {
    return [...this.signerRoots.map(String), this.ca.rootCertificatePem].join('');
  }

  /** Takes files and signer as they are now; true when they differ. Throws when they cannot be taken; what was there stays. */
  reload(): boolean {
    const roots = this.lookAtSigner();
    const files = this.ca.reload();
    return roots || files;
  }

  /** Whether a leaf (DER) that TLS has verified once is believed now. */
  trusts(certificate: Uint8Array): boolean {
    if (this.ca.trusts(certificate)) return true;
    const leaf = new X509Certificate(certificate);
    if (!this.ca.isCurrent(leaf)) return false;
    return [...this.signerRoots, ...this.intermediatesNow()].some((parent) => isIssuedBy(leaf, parent));
  }

  /**
   * Asks the signer. What it gives has to be what was asked for, or nobody could use it; then, leaf, intermediates, and last the whole
   * trust bundle. Rejects with what is wrong with it.
   */
  async sign(signer: CertificateSigner, csrPem: string, spiffeId: string, ttlSeconds: number): Promise<IssuedCertificate> {
    const issued = await signer.issue(csrPem, spiffeId, ttlSeconds);
    const [leaf, ...rest] = readSigned(issued.chain);
    checkLeaf(leaf, spiffeId, verifyCsr(csrPem));
    const intermediates = rest.filter((one) => !isIssuedBy(one, one));
    if (!endsIn(leaf, this.signerRoots, intermediates))
      throw new Error(
        'the signer gave a certificate that ends in none of its rootCertificatePem: name its root there, and what lies between in chain',
      );
    for (const one of intermediates) {
      this.intermediates.delete(one.fingerprint256); // The one that is in use is the youngest.
      this.intermediates.set(one.fingerprint256, one);
    }
    for (const oldest of this.intermediates.keys()) {
      if (this.intermediates.size <= MAX_INTERMEDIATES) break;
      this.intermediates.delete(oldest);
    }
    return {
      chain: [leaf, ...intermediates].map(String),
      serialNumber: leaf.serialNumber,
      notAfterMs: leaf.validToDate.getTime(),
    };
  }

  /** Those that still end in a root of the signer's. */
  private intermediatesNow(): X509Certificate[] {
    const all = [...this.intermediates.values()];
    return all.filter((one) => this.ca.isCurrent(one) && endsIn(one, this.signerRoots, all));
  }

  /** True when its roots are others. */
  private lookAtSigner(): boolean {
    if (this.signer === undefined) return false;
    const pem = this.signer.rootCertificatePem;
    if (pem === this.signerRootsPem) return false;
    const roots = fromPem(pem, 'CERTIFICATE').map((der) => new X509Certificate(der));
    if (roots.length === 0)
      throw new Error('rootCertificatePem of the signer holds no certificate in PEM: put the roots of its leaves there');
    this.signerRootsPem = pem;
    this.signerRoots = roots;
    return true;
  }
}

function readSigned(chain: readonly string[]): [X509Certificate, ...X509Certificate[]] {
  const found = fromPem(chain.join('\n'), 'CERTIFICATE').map((der) => new X509Certificate(der));
  if (found.length === 0) throw new Error('the signer gave no certificate in PEM');
  return found as [X509Certificate, ...X509Certificate[]];
}

function checkLeaf(leaf: X509Certificate, spiffeId: string, publicKey: KeyObject): void {
  if (leaf.subjectAltName !== `URI:${spiffeId}`)
    throw new Error(`the signer gave a certificate for ${leaf.subjectAltName ?? 'no name'} instead of URI:${spiffeId}`);
  if (leaf.ca) throw new Error('the signer gave a CA certificate instead of a leaf');
  const der = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });
  if (!der(leaf.publicKey).equals(der(publicKey))) throw new Error('the signer gave a certificate for another key than the one of the CSR');
}

/** `between`: none of them signed itself. */
function endsIn(certificate: X509Certificate, roots: readonly X509Certificate[], between: readonly X509Certificate[]): boolean {
  let at: X509Certificate | undefined = certificate;
  for (let depth = 0; at !== undefined && depth <= between.length; depth++) {
    const here: X509Certificate = at;
    if (roots.some((root) => isIssuedBy(here, root))) return true;
    at = between.find((one) => isIssuedBy(here, one));
  }
  return false;
}
