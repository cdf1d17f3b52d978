import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createKeyPair,
  createSelfSignedRoot,
  type Issuer,
  issueCertificate,
  privateKeyPem,
  readPrivateKey,
  type SubjectAltNames,
  verifyCsr,
} from '@ripstop/pki';

const HOUR_MS = 3_600_000;
/** Lifetimes as istiod has them. */
const DEFAULT_TTL_MS = 24 * HOUR_MS;
const MAX_TTL_MS = 90 * 24 * HOUR_MS;
const ROOT_TTL_MS = 10 * 365 * 24 * HOUR_MS;
/** Clocks differ: a fresh certificate is valid a little before it was made. */
const BACKDATE_MS = 2 * 60_000;

export interface CertificateAuthorityOptions {
  /** Directory of the root and its key, made with mode 0700; without one the root lives in memory. */
  readonly stateDir?: string;
  readonly trustDomain: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface IssuedCertificate {
  /** PEM: leaf, intermediates, root last. */
  readonly chain: readonly string[];
  readonly serialNumber: string;
  readonly notAfterMs: number;
}

/** Somebody who signs leaves: this CA, or another one behind a port of its own (Vault, a cloud's CA). */
export interface CertificateSigner {
  /** A leaf for this SPIFFE id and the CSR's key, root last in the chain; names inside the CSR are ignored. Rejects on a bad CSR. */
  issue(csrPem: string, spiffeId: string, ttlSeconds: number): IssuedCertificate | Promise<IssuedCertificate>;
}

export interface CertificateAuthority extends CertificateSigner {
  readonly trustDomain: string;
  readonly rootCertificatePem: string;
  /** A leaf for this SPIFFE id and the CSR's key; names inside the CSR are ignored. Throws on a bad CSR. */
  issue(csrPem: string, spiffeId: string, ttlSeconds: number): IssuedCertificate;
  /** The control plane's own TLS certificate. */
  serverCertificate(names: SubjectAltNames): { readonly certificatePem: string; readonly privateKeyPem: string };
}

/** A CA with its own root, or with Istio's files (`ca-cert.pem`, `ca-key.pem`, `root-cert.pem`, `cert-chain.pem`) found in the directory. */
export function createCertificateAuthority(options: CertificateAuthorityOptions): CertificateAuthority {
  const { issuer, rootCertificatePem, intermediates } = load(options);
  const authority: CertificateAuthority = {
    trustDomain: options.trustDomain,
    rootCertificatePem,
    issue: (csrPem, spiffeId, ttlSeconds) => {
      const publicKey = verifyCsr(csrPem);
      const now = options.now();
      const ttlMs = ttlSeconds > 0 ? Math.min(ttlSeconds * 1000, MAX_TTL_MS) : DEFAULT_TTL_MS;
      const leaf = issueCertificate(issuer, {
        publicKey,
        names: { uris: [spiffeId] },
        notBeforeMs: now - BACKDATE_MS,
        notAfterMs: now + ttlMs,
      });
      return {
        chain: [leaf, ...intermediates, rootCertificatePem],
        serialNumber: new X509Certificate(leaf).serialNumber,
        notAfterMs: now + ttlMs,
      };
    },
    serverCertificate: (names) => {
      const keys = createKeyPair();
      const now = options.now();
      const leaf = issueCertificate(issuer, {
        publicKey: keys.publicKey,
        names,
        notBeforeMs: now - BACKDATE_MS,
        notAfterMs: now + 365 * 24 * HOUR_MS,
      });
      return { certificatePem: [leaf, ...intermediates].join(''), privateKeyPem: privateKeyPem(keys.privateKey) };
    },
  };
  return authority;
}

interface Loaded {
  readonly issuer: Issuer;
  readonly rootCertificatePem: string;
  readonly intermediates: readonly string[];
}

function load(options: CertificateAuthorityOptions): Loaded {
  const { stateDir } = options;
  if (stateDir === undefined) return create(options).loaded;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const file = (name: string): string => join(stateDir, name);
  if (!existsSync(file('ca-cert.pem'))) {
    const { loaded, keyPem } = create(options);
    writeFileSync(file('ca-key.pem'), keyPem, { mode: 0o600 });
    writeFileSync(file('ca-cert.pem'), loaded.issuer.certificatePem, { mode: 0o644 });
    writeFileSync(file('root-cert.pem'), loaded.rootCertificatePem, { mode: 0o644 });
    return loaded;
  }
  const certificatePem = read(file('ca-cert.pem'));
  const rootCertificatePem = read(file('root-cert.pem'));
  const issuer: Issuer = { certificatePem, privateKey: readPrivateKey(read(file('ca-key.pem'))) };
  const certificate = new X509Certificate(certificatePem);
  if (!certificate.ca) throw new Error(`${file('ca-cert.pem')} is no CA certificate`);
  if (!certificate.checkPrivateKey(issuer.privateKey)) throw new Error(`${file('ca-key.pem')} is not the key of ca-cert.pem`);
  const selfSigned = certificate.fingerprint256 === new X509Certificate(rootCertificatePem).fingerprint256;
  return {
    issuer,
    rootCertificatePem,
    intermediates: selfSigned ? [] : [existsSync(file('cert-chain.pem')) ? read(file('cert-chain.pem')) : certificatePem],
  };
}

function create({ trustDomain, now }: CertificateAuthorityOptions): { loaded: Loaded; keyPem: string } {
  const root = createSelfSignedRoot({ organization: trustDomain, notBeforeMs: now() - BACKDATE_MS, notAfterMs: now() + ROOT_TTL_MS });
  const { certificatePem } = root;
  return {
    loaded: { issuer: { certificatePem, privateKey: root.keyPair.privateKey }, rootCertificatePem: certificatePem, intermediates: [] },
    keyPem: privateKeyPem(root.keyPair.privateKey),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error(`the certificate authority needs ${path}`, { cause });
  }
}
