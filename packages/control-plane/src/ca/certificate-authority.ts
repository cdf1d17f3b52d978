import { X509Certificate } from 'node:crypto';
import {
  createKeyPair,
  createSelfSignedRoot,
  fromPem,
  issueCertificate,
  privateKeyPem,
  type SubjectAltNames,
  verifyCsr,
} from '@ripstop/pki';
import { BACKDATE_MS, type CaMaterial, RootFiles } from './root-files.ts';

const HOUR_MS = 3_600_000;
/** Lifetimes as istiod has them. */
const DEFAULT_TTL_MS = 24 * HOUR_MS;
const MAX_TTL_MS = 90 * 24 * HOUR_MS;
const MEMORY_ROOT_TTL_MS = 365 * 24 * HOUR_MS;

export interface CertificateAuthorityOptions {
  /** Directory of the root and its key, made with mode 0700; without one the root lives in memory. */
  readonly stateDir?: string;
  readonly trustDomain: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface IssuedCertificate {
  /** PEM: leaf, intermediates, and last the roots, which may be several in one text. */
  readonly chain: readonly string[];
  readonly serialNumber: string;
  readonly notAfterMs: number;
}

/** Somebody who signs leaves: this CA, or another one behind a port of its own (Vault, a cloud's CA). */
export interface CertificateSigner {
  /** A leaf for this SPIFFE id and the CSR's key, roots last in the chain; names inside the CSR are ignored. Rejects on a bad CSR. */
  issue(csrPem: string, spiffeId: string, ttlSeconds: number): IssuedCertificate | Promise<IssuedCertificate>;
}

/** A CA with its own root, or with Istio's files (`ca-cert.pem`, `ca-key.pem`, `root-cert.pem`, `cert-chain.pem`) found in the directory. */
export class CertificateAuthority implements CertificateSigner {
  readonly trustDomain: string;
  private readonly now: () => number;
  private readonly files: RootFiles | undefined;
  private material: CaMaterial;

  constructor({ stateDir, trustDomain, now }: CertificateAuthorityOptions) {
    this.trustDomain = trustDomain;
    this.now = now;
    this.files = stateDir === undefined ? undefined : new RootFiles({ stateDir, trustDomain, now });
    this.material = this.files?.load() ?? inMemory(trustDomain, now());
  }

  /** Whom everybody trusts: one root, or several while it is rotated; the one that signs comes first. */
  get rootCertificatePem(): string {
    return this.material.trustBundlePem;
  }

  /** Takes the files as they are now; true when they differ. Throws when they do not fit together; what was loaded stays. */
  reload(): boolean {
    if (this.files === undefined) return false;
    const next = this.files.load();
    const before = this.material;
    const same = next.trustBundlePem === before.trustBundlePem && next.issuer.certificatePem === before.issuer.certificatePem;
    if (!same) this.material = next;
    return !same;
  }

  /** Whether a leaf (DER) is of a root or an intermediate that is believed now, and of this time. */
  trusts(certificate: Uint8Array): boolean {
    const leaf = new X509Certificate(certificate);
    const now = this.now();
    if (leaf.validFromDate.getTime() > now || leaf.validToDate.getTime() <= now) return false;
    const { trustBundlePem, intermediates } = this.material;
    return [trustBundlePem, ...intermediates]
      .flatMap((pem) => fromPem(pem, 'CERTIFICATE'))
      .map((der) => new X509Certificate(der))
      .some((parent) => leaf.checkIssued(parent) && leaf.verify(parent.publicKey));
  }

  /** `labels`: what its holder is bound to. */
  issue(csrPem: string, spiffeId: string, ttlSeconds: number, labels?: Readonly<Record<string, string>>): IssuedCertificate {
    const publicKey = verifyCsr(csrPem);
    const now = this.now();
    const ttlMs = ttlSeconds > 0 ? Math.min(ttlSeconds * 1000, MAX_TTL_MS) : DEFAULT_TTL_MS;
    const { issuer, intermediates, trustBundlePem } = this.material;
    const names = { uris: [spiffeId] };
    const leaf = issueCertificate(issuer, { publicKey, names, labels, notBeforeMs: now - BACKDATE_MS, notAfterMs: now + ttlMs });
    return {
      chain: [leaf, ...intermediates, trustBundlePem],
      serialNumber: new X509Certificate(leaf).serialNumber,
      notAfterMs: now + ttlMs,
    };
  }

  /** The control plane's own TLS certificate. */
  serverCertificate(names: SubjectAltNames): { readonly certificatePem: string; readonly privateKeyPem: string } {
    const keys = createKeyPair();
    const now = this.now();
    const { issuer, intermediates } = this.material;
    const leaf = issueCertificate(issuer, {
      publicKey: keys.publicKey,
      names,
      notBeforeMs: now - BACKDATE_MS,
      notAfterMs: now + 365 * 24 * HOUR_MS,
    });
    return { certificatePem: [leaf, ...intermediates].join(''), privateKeyPem: privateKeyPem(keys.privateKey) };
  }
}

export function createCertificateAuthority(options: CertificateAuthorityOptions): CertificateAuthority {
  return new CertificateAuthority(options);
}

function inMemory(trustDomain: string, now: number): CaMaterial {
  const root = createSelfSignedRoot({ organization: trustDomain, notBeforeMs: now - BACKDATE_MS, notAfterMs: now + MEMORY_ROOT_TTL_MS });
  const { certificatePem } = root;
  return { issuer: { certificatePem, privateKey: root.keyPair.privateKey }, trustBundlePem: certificatePem, intermediates: [] };
}
