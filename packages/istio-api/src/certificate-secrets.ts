import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { MeshObject } from './object.ts';

/** A certificate and its key, PEM. Never to be printed. */
export interface KeyPairPem {
  readonly certificateChain: string;
  readonly privateKey: string;
}

/** Who may call, PEM. */
export interface TrustPem {
  readonly roots: string;
  /** Certificates that are revoked; '' = no list is given. */
  readonly revoked: string;
}

/** Why a Secret cannot be used. Holds nothing of its content. */
export class SecretError extends Error {}

/** Istio: a CA bundle is asked for under the certificate's name with this behind it. */
export const CA_SUFFIX: string = '-cacert';

/** Key names of generic Secrets come before those of `kubernetes.io/tls`, as in istiod (ExtractCertInfo, ExtractRoot). */
const PAIRS = [
  { certificate: 'cert', key: 'key' },
  { certificate: 'tls.crt', key: 'tls.key' },
] as const;
const ROOTS = [
  { roots: 'cacert', revoked: 'crl' },
  { roots: 'ca.crt', revoked: 'ca.crl' },
] as const;

/** The certificate that a Secret holds; throws a {@link SecretError} naming the entry that is wrong. */
export function readKeyPair({ rest }: MeshObject): KeyPairPem {
  const data = dataOf(rest);
  const names = PAIRS.find(({ certificate, key }) => (data[certificate] ?? '') !== '' && (data[key] ?? '') !== '');
  if (names === undefined) throw new SecretError('it needs tls.crt and tls.key, or cert and key');
  const certificateChain = data[names.certificate]!;
  const privateKey = data[names.key]!;
  const leaf = certificatesIn(certificateChain, names.certificate)[0]!;
  let belongs: boolean;
  try {
    belongs = leaf.checkPrivateKey(createPrivateKey(privateKey));
  } catch {
    // What node:crypto says may quote the text: it is left out.
    throw new SecretError(`${names.key} is not a private key in PEM without a password`);
  }
  if (!belongs) throw new SecretError(`${names.key} is not the key of the first certificate in ${names.certificate}`);
  return { certificateChain, privateKey };
}

/** The CA bundle that a Secret (or a ConfigMap) holds; throws a {@link SecretError}. */
export function readTrust({ kind, rest }: MeshObject): TrustPem {
  const data = kind === 'Secret' ? dataOf(rest) : texts(rest.data);
  const names = ROOTS.find(({ roots }) => (data[roots] ?? '') !== '');
  if (names === undefined) throw new SecretError('it needs ca.crt, or cacert');
  const roots = data[names.roots]!;
  certificatesIn(roots, names.roots);
  const revoked = data[names.revoked] ?? '';
  if (revoked !== '' && !revoked.includes('-----BEGIN X509 CRL-----'))
    throw new SecretError(`${names.revoked} is not a revocation list in PEM`);
  return { roots, revoked };
}

function certificatesIn(text: string, name: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new SecretError(`${name} holds no certificate in PEM`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new SecretError(`certificate ${index + 1} of ${name} cannot be read`);
    }
  });
}

/** As the API server joins them: `stringData` wins. */
function dataOf({ data, stringData }: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const decoded = Object.entries(texts(data)).map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]);
  return { ...Object.fromEntries(decoded), ...texts(stringData) };
}

function texts(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
