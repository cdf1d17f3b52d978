import { X509Certificate } from 'node:crypto';
import {
  createKeyPair,
  createSelfSignedRoot,
  fromPem,
  isIssuedBy,
  issueCertificate,
  privateKeyPem,
  type SubjectAltNames,
  verifyCsr,
} from '@ripstop/pki';
import type { CaMaterial } from './ca-material.ts';
import { BACKDATE_MS, RootFiles } from './root-files.ts';

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
  /** PEM: the leaf, then what lies between it and the root. What this CA issues has its roots last, in one text. */
  readonly chain: readonly string[];
  readonly serialNumber: string;
  readonly notAfterMs: number;
}

/** Of the control plane itself. PEM. */
export interface ServerCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Milliseconds since the epoch. */
  readonly notAfterMs: number;
}

/** Somebody who signs leaves: this CA, or another one behind a port of its own (Vault, a cloud's CA). */
export interface CertificateSigner {
  /** PEM: the roots that its leaves end in. Read again twenty times a second; everybody in the mesh is told when it has changed. */
  readonly rootCertificatePem: string;
  /** A leaf for this SPIFFE id and the CSR's key; names inside the CSR are ignored. What it rejects with, the caller is told. */
  issue(csrPem: string, spiffeId: string, ttlSeconds: number): IssuedCertificate | Promise<IssuedCertificate>;
}

/** A CA with its own root, or with Istio's files (`ca-cert.pem`, `ca-key.pem`, `root-cert.pem`, `cert-chain.pem`) found in the directory. */
export class CertificateAuthority implements CertificateSigner {
  readonly trustDomain: string;
  private readonly now: () => number;
  private readonly files: RootFiles | undefined;
  private material: CaMaterial;
  /** Fingerprint of the files that were loaded last. */
  private seen: string | undefined;

  constructor({ stateDir, trustDomain, now }: CertificateAuthorityOptions) {
    this.trustDomain = trustDomain;
    this.now = now;
    this.files = stateDir === undefined ? undefined : new RootFiles({ stateDir, trustDomain, now });
    // Before they are read: what changes meanwhile is seen by the next look.
    this.seen = this.files?.fingerprint();
    this.material = this.files?.load() ?? inMemory(trustDomain, now());
  }

  /** Whom everybody trusts: one root, or several while it is rotated; the one that signs comes first. */
  get rootCertificatePem(): string {
    return this.material.trustBundlePem;
  }

  /** Takes the files as they are now; true when they differ. Throws when they do not fit together; what was loaded stays. */
  reload(): boolean {
    if (this.files === undefined) return false;
    const seen = this.files.fingerprint();
    if (seen === this.seen) return false;
    const next = this.files.load();
    this.seen = seen;
    const before = this.material;
    this.material = next;
    // Another issuer is a root of the bundle, the first one, or one of the intermediates.
    return next.trustBundlePem !== before.trustBundlePem || next.intermediates.join() !== before.intermediates.join();
  }

  /** When the signing certificate or one above it runs out, milliseconds since the epoch. What is issued never outlives it. */
  get notAfterMs(): number {
    return this.material.notAfterMs;
  }

  /** When the root and the certificate that signs run out, milliseconds since the epoch. */
  get ends(): Pick<CaMaterial, 'rootNotAfterMs' | 'issuerNotAfterMs'> {
    return this.material;
  }

  /** Whether a leaf (DER) is of a root or an intermediate that is believed now, and of this time. */
  trusts(certificate: Uint8Array): boolean {
    const leaf = new X509Certificate(certificate);
    if (!this.isCurrent(leaf)) return false;
    const { trustBundlePem, intermediates } = this.material;
    return [trustBundlePem, ...intermediates]
      .flatMap((pem) => fromPem(pem, 'CERTIFICATE'))
      .map((der) => new X509Certificate(der))
      .some((parent) => isIssuedBy(leaf, parent));
  }

  /** Whether it is of this time. */
  isCurrent({ validFromDate, validToDate }: X509Certificate): boolean {
    const now = this.now();
    return validFromDate.getTime() <= now && validToDate.getTime() > now;
  }

  /** `labels`: what its holder is bound to. */
  issue(csrPem: string, spiffeId: string, ttlSeconds: number, labels?: Readonly<Record<string, string>>): IssuedCertificate {
    const publicKey = verifyCsr(csrPem);
    const now = this.now();
    const ttlMs = ttlSeconds > 0 ? Math.min(ttlSeconds * 1000, MAX_TTL_MS) : DEFAULT_TTL_MS;
    const { issuer, intermediates, trustBundlePem } = this.material;
    const names = { uris: [spiffeId] };
    const notAfterMs = this.until(now + ttlMs);
    const leaf = issueCertificate(issuer, { publicKey, names, labels, notBeforeMs: now - BACKDATE_MS, notAfterMs });
    return { chain: [leaf, ...intermediates, trustBundlePem], serialNumber: new X509Certificate(leaf).serialNumber, notAfterMs };
  }

  /** The control plane's own TLS certificate. */
  serverCertificate(names: SubjectAltNames): ServerCertificate {
    const keys = createKeyPair();
    const now = this.now();
    const { issuer, intermediates } = this.material;
    const notAfterMs = this.until(now + 365 * 24 * HOUR_MS);
    const leaf = issueCertificate(issuer, { publicKey: keys.publicKey, names, notBeforeMs: now - BACKDATE_MS, notAfterMs });
    return { certificatePem: [leaf, ...intermediates].join(''), privateKeyPem: privateKeyPem(keys.privateKey), notAfterMs };
  }

  /** A certificate that outlives its issuer would be refused before its holder thinks of a new one. */
  private until(wantedMs: number): number {
    const { notAfterMs } = this.material;
    if (notAfterMs <= this.now())
      throw new Error(`the certificate of this CA has expired on ${new Date(notAfterMs).toISOString()}: put a renewed one into its files`);
    return Math.min(wantedMs, notAfterMs);
  }
}

export function createCertificateAuthority(options: CertificateAuthorityOptions): CertificateAuthority {
  return new CertificateAuthority(options);
}

function inMemory(trustDomain: string, now: number): CaMaterial {
  const notAfterMs = now + MEMORY_ROOT_TTL_MS;
  const { certificatePem, keyPair } = createSelfSignedRoot({ organization: trustDomain, notBeforeMs: now - BACKDATE_MS, notAfterMs });
  return {
    issuer: { certificatePem, privateKey: keyPair.privateKey },
    trustBundlePem: certificatePem,
    intermediates: [],
    notAfterMs,
    rootNotAfterMs: notAfterMs,
    issuerNotAfterMs: notAfterMs,
  };
}
