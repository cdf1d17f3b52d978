import { createHash, type X509Certificate } from 'node:crypto';
import { type CertificatePins, endsIn, readBundle } from '@ripstop/core';

/** The names of a caller's certificate, read once per connection. */
export interface PeerNames {
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  /** RFC 2253: last relative name first. */
  readonly subject: string;
  /** Lower-case hex of the SHA-256 of the DER. */
  readonly hash: string;
  readonly pem: string;
  /** Every certificate that was sent, leaf first; undefined where Node does not tell all of them. */
  readonly chainPem: () => string | undefined;
}

/** `trustBundlePem`: what the certificate was verified by. */
export function readPeerNames(certificate: X509Certificate, trustBundlePem: string): PeerNames {
  const { uris, dns } = splitSubjectAltName(certificate.subjectAltName);
  return {
    uriSans: uris,
    dnsSans: dns,
    subject: subjectOf(certificate),
    hash: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    pem: certificate.toString(),
    chainPem: () => chainPemOf(certificate, trustBundlePem),
  };
}

/**
 * As issuers of a peer's certificate node:tls has those that were sent, and none of the trust store; in Node 24 a server has the first
 * one alone. A chain that leads to no root is therefore not the one that was sent, and nobody is told a part of it.
 */
function chainPemOf(leaf: X509Certificate, trustBundlePem: string): string | undefined {
  if (!endsIn(leaf, readBundle(trustBundlePem))) return undefined;
  let pem = '';
  for (let certificate: X509Certificate | undefined = leaf; certificate !== undefined; certificate = certificate.issuerCertificate)
    pem += certificate.toString();
  return pem;
}

/** Splits Node's `URI:…, DNS:…`. Entries with awkward characters come as JSON strings, whose commas must not split. */
export function splitSubjectAltName(text: string | undefined): { uris: string[]; dns: string[] } {
  const uris: string[] = [];
  const dns: string[] = [];
  for (const entry of (text ?? '').match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []) {
    const trimmed = entry.trim();
    const raw = trimmed.slice(trimmed.indexOf(':') + 1);
    const value = raw.startsWith('"') ? (JSON.parse(raw) as string) : raw;
    if (trimmed.startsWith('URI:')) uris.push(value);
    else if (trimmed.startsWith('DNS:')) dns.push(value);
  }
  return { uris, dns };
}

/** Envoy's verify_certificate_hash and verify_certificate_spki: a hit in either list is enough. */
export function isPinned(certificate: X509Certificate, { certificates, publicKeys }: CertificatePins): boolean {
  if (certificates.has(certificate.fingerprint256.replaceAll(':', '').toLowerCase())) return true;
  if (publicKeys.size === 0) return false;
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return publicKeys.has(createHash('sha256').update(key).digest('base64'));
}

const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/;
const MAX_SPIFFE_ID_BYTES = 2048;

/** Why a certificate that chains to the trust bundle is refused all the same; undefined = it may speak. The SPIFFE X.509-SVID rules. */
export function refusalOf(certificate: X509Certificate, { uriSans, dnsSans }: PeerNames): string | undefined {
  if (certificate.ca) return 'a CA certificate as a leaf';
  if (uriSans.length > 1) return 'more than one URI SAN';
  const id = uriSans[0];
  if (id !== undefined && (id.length > MAX_SPIFFE_ID_BYTES || !SPIFFE_ID.test(id))) return 'a URI SAN that is no SPIFFE id';
  if (dnsSans.some((name) => /\p{Cc}/u.test(name))) return 'a control character in a DNS SAN';
  return undefined;
}

/** RFC 2253. */
export function subjectOf({ subject }: X509Certificate): string {
  return (subject ?? '').split('\n').reverse().join(',');
}
