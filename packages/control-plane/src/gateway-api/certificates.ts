import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { MeshObject } from '@ripstop/istio-api';

/** Key names of generic secrets and of `kubernetes.io/tls`; the first pair that is there counts. */
const PAIRS: readonly (readonly [string, string])[] = [
  ['cert', 'key'],
  ['tls.crt', 'tls.key'],
];
const ROOTS: readonly string[] = ['cacert', 'ca.crt'];

type Data = Readonly<Record<string, string>>;

/** Looks into Secrets and ConfigMaps. No answer ever holds a key, or text of a document. */
export class Certificates {
  private readonly documents = new Map<string, Data>();

  constructor(objects: readonly MeshObject[]) {
    for (const { apiVersion, kind, metadata, rest } of objects) {
      if (apiVersion !== 'v1' || (kind !== 'Secret' && kind !== 'ConfigMap')) continue;
      this.documents.set(`${kind} ${metadata.namespace}/${metadata.name}`, kind === 'Secret' ? secretData(rest) : texts(rest.data));
    }
  }

  has(kind: 'Secret' | 'ConfigMap', key: string): boolean {
    return this.documents.has(`${kind} ${key}`);
  }

  /** What is wrong with a certificate and its key; undefined when they can be served. */
  pairProblem(key: string): string | undefined {
    const data = this.documents.get(`Secret ${key}`) ?? {};
    const pair = PAIRS.find((names) => names.every((name) => (data[name] ?? '') !== ''));
    if (pair === undefined) return `it has no certificate and key under ${PAIRS.map((names) => names.join(' and ')).join(', or ')}`;
    const [certificate, privateKey] = [data[pair[0]]!, data[pair[1]]!];
    if (!isCertificate(certificate)) return `the certificate is malformed: ${pair[0]} is not PEM`;
    try {
      if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey))) return undefined;
      return `the certificate is malformed: ${pair[1]} is the key of another certificate`;
    } catch {
      // The reason that node:crypto gives can quote the key.
      return `the certificate is malformed: ${pair[1]} is not a private key in PEM`;
    }
  }

  /** The CA certificates of a Secret or ConfigMap, PEM; undefined when it has none. */
  bundle(kind: 'Secret' | 'ConfigMap', key: string): string | undefined {
    const data = this.documents.get(`${kind} ${key}`) ?? {};
    const name = ROOTS.find((entry) => (data[entry] ?? '') !== '');
    return name === undefined ? undefined : data[name];
  }
}

/** True for PEM text whose first certificate can be read. */
export function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

function secretData({ data, stringData }: Readonly<Record<string, unknown>>): Data {
  const decoded = Object.entries(texts(data)).map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]);
  return { ...Object.fromEntries(decoded), ...texts(stringData) };
}

function texts(value: unknown): Data {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
