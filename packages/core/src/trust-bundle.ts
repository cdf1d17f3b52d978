import { X509Certificate } from 'node:crypto';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const MAX_CHAIN = 10;

/** The roots of a PEM bundle. */
export function readBundle(pem: string): readonly X509Certificate[] {
  return (pem.match(CERTIFICATE) ?? []).map((one) => new X509Certificate(one));
}

/** Whether a verified certificate, with the chain that came with it, still ends in one of the roots. */
export function endsIn(certificate: X509Certificate, roots: readonly X509Certificate[]): boolean {
  let at: X509Certificate | undefined = certificate;
  for (let depth = 0; at !== undefined && depth < MAX_CHAIN; depth++) {
    const here: X509Certificate = at;
    if (roots.some((root) => here.checkIssued(root) && here.verify(root.publicKey))) return true;
    at = here.issuerCertificate?.fingerprint256 === here.fingerprint256 ? undefined : here.issuerCertificate;
  }
  return false;
}
