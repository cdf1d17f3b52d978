import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromPem, type Issuer, isIssuedBy, mayIssueCertificates, readPrivateKey } from '@ripstop/pki';

/** Files of a certificate authority, by Istio's names (cacerts). */
export const CA_FILES = { key: 'ca-key.pem', certificate: 'ca-cert.pem', roots: 'root-cert.pem', chain: 'cert-chain.pem' } as const;

const MAX_CHAIN = 10;

/** Who signs, and whom everybody trusts. */
export interface CaMaterial {
  readonly issuer: Issuer;
  /** PEM, one or several; first the root that the issuer is or ends in: workloads see by the order that another one signs. */
  readonly trustBundlePem: string;
  /** Between the issuer's leaves and the root; empty for a root that signs itself. */
  readonly intermediates: readonly string[];
  /** When the first certificate from the issuer up to its root runs out, milliseconds since the epoch. */
  readonly notAfterMs: number;
  /** When the root does. */
  readonly rootNotAfterMs: number;
  /** When the issuer does. */
  readonly issuerNotAfterMs: number;
}

/** Changes when one of the files does; a hash, as one of them is a key. */
export function fingerprintOf(dir: string): string {
  const hash = createHash('sha256');
  for (const name of Object.values(CA_FILES)) {
    const path = join(dir, name);
    if (existsSync(path)) hash.update(`${name}\n`).update(readFileSync(path));
  }
  return hash.digest('base64');
}

/** What the files of a directory make of a CA at a time. Throws naming the file that does not fit, and what to do. */
export function readMaterial(dir: string, nowMs: number): CaMaterial {
  const paths = pathsIn(dir);
  const certificatePem = read(paths.certificate);
  const certificate = certificatesOf(paths.certificate, certificatePem)[0]!;
  if (!mayIssueCertificates(certificate.raw))
    throw new Error(
      `${paths.certificate} (${nameOf(certificate)}) is no CA certificate (basicConstraints CA:TRUE, keyCertSign): a leaf signs nothing; put the certificate of a root or an intermediate CA there`,
    );
  const privateKey = keyIn(paths.key);
  if (!certificate.checkPrivateKey(privateKey))
    throw new Error(`${paths.key} is not the key of ${paths.certificate}: put a key and a certificate there that belong together`);
  const roots = certificatesOf(paths.roots, read(paths.roots));
  const own = roots.find((root) => root.fingerprint256 === certificate.fingerprint256);
  const chainPem = own === undefined && existsSync(paths.chain) ? read(paths.chain) : '';
  const chain = chainPem === '' ? [] : certificatesOf(paths.chain, chainPem);
  const way = own === undefined ? wayToRoot(certificate, chain, roots, paths) : [certificate];
  for (const one of way) checkTime(one, nowMs, fileOf(one, certificate, chain, paths));
  const issuer: Issuer = { certificatePem: certificate.toString(), privateKey };
  const ends = way.map(({ validToDate }) => validToDate.getTime());
  const times = { notAfterMs: Math.min(...ends), rootNotAfterMs: ends.at(-1)!, issuerNotAfterMs: ends[0]! };
  if (own !== undefined) return { issuer, trustBundlePem: bundleOf([own, ...roots]), intermediates: [], ...times };
  // The chain goes out as it stands (it may be cross-signed); callers need the issuer itself, which some leave out of it.
  const whole = chain.some((one) => one.fingerprint256 === certificate.fingerprint256) ? chain : [certificate, ...chain];
  return { issuer, trustBundlePem: bundleOf([way.at(-1)!, ...roots]), intermediates: [whole.map(String).join('')], ...times };
}

/** Whether a file holds the private key of a certificate. */
export function keyIsOf(path: string, certificate: X509Certificate): boolean {
  return certificate.checkPrivateKey(keyIn(path));
}

/** Each once, in the order in which they first stand. */
export function bundleOf(roots: readonly X509Certificate[]): string {
  const byPrint = new Map(roots.map((root) => [root.fingerprint256, root]));
  return [...byPrint.values()].map((root) => root.toString()).join('');
}

type CaPaths = Readonly<Record<keyof typeof CA_FILES, string>>;

function pathsIn(dir: string): CaPaths {
  const path = (name: string): string => join(dir, name);
  return { key: path(CA_FILES.key), certificate: path(CA_FILES.certificate), roots: path(CA_FILES.roots), chain: path(CA_FILES.chain) };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error(`the certificate authority needs ${path}: put it there`, { cause });
  }
}

/** At least one. */
function certificatesOf(path: string, pem: string): X509Certificate[] {
  const found = fromPem(pem, 'CERTIFICATE');
  if (found.length === 0) throw new Error(`${path} holds no certificate in PEM (-----BEGIN CERTIFICATE-----): put one there`);
  return found.map((der, index) => {
    try {
      return new X509Certificate(der);
    } catch (cause) {
      throw new Error(`${path}: its ${found.length === 1 ? '' : `${index + 1}. `}certificate cannot be read: put a whole one there`, {
        cause,
      });
    }
  });
}

/** OpenSSL's own words are not told: a key's text is nobody's business. */
function keyIn(path: string): KeyObject {
  const pem = read(path);
  if (/ENCRYPTED/.test(pem))
    throw new Error(
      `${path} is encrypted, and nobody is there to say the passphrase: put it there in the clear (openssl pkey -in it), for its owner alone`,
    );
  let key: KeyObject;
  try {
    key = readPrivateKey(pem);
  } catch {
    // What node:crypto says may quote the text: it is left out.
    throw new Error(`${path} holds no private key in PEM: put the key of ${CA_FILES.certificate} there`);
  }
  if (key.asymmetricKeyType !== 'ec' && key.asymmetricKeyType !== 'rsa')
    throw new Error(
      `${path} is a key of kind ${key.asymmetricKeyType}, which many TLS stacks do not verify: use a CA with an RSA or an elliptic key`,
    );
  return key;
}

/** From the issuer up to one of the roots, that among them. */
function wayToRoot(
  certificate: X509Certificate,
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  paths: CaPaths,
): X509Certificate[] {
  const way = [certificate];
  while (way.length < MAX_CHAIN) {
    const last = way.at(-1)!;
    const root = roots.find((one) => isIssuedBy(last, one));
    if (root !== undefined) return [...way, root];
    const next = chain.find((one) => !way.some((done) => done.fingerprint256 === one.fingerprint256) && isIssuedBy(last, one));
    if (next === undefined) throw new Error(`${paths.certificate} ends in no root of ${paths.roots}: ${missingAfter(last, paths)}`);
    way.push(next);
  }
  throw new Error(`${paths.chain} is longer than ${MAX_CHAIN} certificates: put a shorter one there`);
}

function missingAfter(last: X509Certificate, paths: CaPaths): string {
  if (isIssuedBy(last, last)) return `by ${paths.chain} it ends in ${nameOf(last)}, another root than those; put that one there`;
  return `${nameOf(last)} was issued by ${lineOf(last.issuer)}, which is neither there nor in ${paths.chain}; put the root there, and what lies between into ${CA_FILES.chain}`;
}

function checkTime(certificate: X509Certificate, nowMs: number, path: string): void {
  const { validFromDate: from, validToDate: to } = certificate;
  if (to.getTime() <= nowMs) throw new Error(`${path}: ${nameOf(certificate)} has expired on ${to.toISOString()}: put a renewed one there`);
  if (from.getTime() > nowMs)
    throw new Error(`${path}: ${nameOf(certificate)} is not valid before ${from.toISOString()}: wait, or set this machine's clock right`);
}

function fileOf(one: X509Certificate, certificate: X509Certificate, chain: readonly X509Certificate[], paths: CaPaths): string {
  if (one === certificate) return paths.certificate;
  return chain.includes(one) ? paths.chain : paths.roots;
}

function nameOf({ subject }: X509Certificate): string {
  return lineOf(subject);
}

/** A subject or an issuer; OpenSSL writes each part of it on a line of its own. */
function lineOf(name: string | undefined): string {
  return (name ?? '') === '' ? 'a certificate without subject' : name!.replaceAll('\n', ', ');
}
