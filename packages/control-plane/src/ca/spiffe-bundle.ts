import { X509Certificate } from 'node:crypto';

interface BundleDocument {
  readonly keys?: readonly { readonly use?: unknown; readonly x5c?: unknown }[];
}

/**
 * The roots of a SPIFFE bundle (a JWKS whose X.509 roots have the use `x509-svid`, SPIFFE Trust Domain and Bundle §4), PEM. Throws what is
 * wrong with it; keys of other uses are passed over.
 */
export function rootsOfBundle(text: string): string {
  const { keys = [] } = readJson(text) as BundleDocument;
  if (!Array.isArray(keys)) throw new Error('it is no SPIFFE bundle: "keys" is no list');
  const roots = keys.flatMap(({ use, x5c }, index) => (use === 'x509-svid' ? [rootOf(x5c, index)] : []));
  if (roots.length === 0) throw new Error('it is a SPIFFE bundle without a root for X.509-SVIDs');
  return roots.join('');
}

function readJson(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below, without the text.
  }
  throw new Error('it is no SPIFFE bundle: no JSON object');
}

function rootOf(x5c: unknown, index: number): string {
  const [encoded, ...more] = Array.isArray(x5c) ? (x5c as unknown[]) : [];
  if (typeof encoded !== 'string' || more.length > 0)
    throw new Error(`keys[${index}]: an entry for X.509-SVIDs has exactly one certificate`);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(Buffer.from(encoded, 'base64'));
  } catch {
    throw new Error(`keys[${index}]: its certificate cannot be read`);
  }
  if (!certificate.ca) throw new Error(`keys[${index}]: its certificate is not that of a CA`);
  return certificate.toString().replace(/\n?$/, '\n');
}
