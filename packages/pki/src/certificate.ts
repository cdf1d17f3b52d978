import { createHash, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import {
  binary,
  bits,
  bool,
  type DerNode,
  decodeDer,
  encodeDer,
  integer,
  nothing,
  octets,
  oid,
  sequence,
  set,
  tagged,
  time,
  toPem,
  utf8,
} from './der.ts';
import { createKeyPair, type KeyPair, publicKeyDer } from './keys.ts';
import { generalNames, type SubjectAltNames } from './subject-alt-names.ts';

const OID = {
  ecdsaSha256: '1.2.840.10045.4.3.2',
  rsaSha256: '1.2.840.113549.1.1.11',
  organization: '2.5.4.10',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  /** Ours: the labels that a workload is bound to, as JSON. */
  boundLabels: '2.25.1934671105',
} as const;

/** Who signs: a certificate with its key. */
export interface Issuer {
  readonly certificatePem: string;
  readonly privateKey: KeyObject;
}

export interface CertificateRequestSpec {
  readonly publicKey: KeyObject;
  readonly names: SubjectAltNames;
  /** Organisation in the subject; empty = empty subject, as istiod issues leaves. */
  readonly organization?: string;
  /** Milliseconds since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly isCa?: boolean;
  /** The labels that the holder may have as a workload; undefined = any. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Issues a certificate: SHA-256 with the issuer's key, elliptic or RSA, by node:crypto over a TBS built here. PEM. */
export function issueCertificate(issuer: Issuer, spec: CertificateRequestSpec): string {
  const parent = new X509Certificate(issuer.certificatePem);
  return buildCertificate(spec, subjectOf(parent), subjectKeyIdOf(parent), issuer.privateKey);
}

/** A self-signed root with its key, P-256. */
export function createSelfSignedRoot(options: {
  readonly organization: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}): { certificatePem: string; keyPair: KeyPair } {
  const keyPair = createKeyPair();
  const spec: CertificateRequestSpec = { publicKey: keyPair.publicKey, names: {}, isCa: true, ...options };
  return { certificatePem: buildCertificate(spec, subject(options.organization), keyId(keyPair.publicKey), keyPair.privateKey), keyPair };
}

function buildCertificate(spec: CertificateRequestSpec, issuerName: DerNode, issuerKeyId: string | undefined, key: KeyObject): string {
  const algorithm = signatureAlgorithmOf(key);
  const body = sequence(
    tagged(0, [integer(Uint8Array.of(2))]), // v3
    integer(serialNumber()),
    algorithm,
    issuerName,
    sequence(time(spec.notBeforeMs), time(spec.notAfterMs)),
    subject(spec.organization ?? ''),
    decodeDer(publicKeyDer(spec.publicKey)),
    tagged(3, [sequence(...extensions(spec, issuerKeyId))]),
  );
  const signature = sign('sha256', encodeDer(body), key);
  return toPem('CERTIFICATE', encodeDer(sequence(body, algorithm, bits(binary(signature)))));
}

/** What a CA's key signs with. Throws for keys that callers of the mesh do not verify. */
function signatureAlgorithmOf({ asymmetricKeyType: type }: KeyObject): DerNode {
  if (type === 'ec') return sequence(oid(OID.ecdsaSha256));
  if (type === 'rsa') return sequence(oid(OID.rsaSha256), nothing());
  throw new Error(`a CA's key must be an elliptic curve's or RSA, this one is ${type}`);
}

function extensions(spec: CertificateRequestSpec, issuerKeyId: string | undefined): DerNode[] {
  const isCa = spec.isCa ?? false;
  const emptySubject = (spec.organization ?? '') === '';
  const list = [
    // keyCertSign + cRLSign, or digitalSignature + keyEncipherment.
    extension(OID.keyUsage, true, bits(isCa ? '\x06' : '\xa0', isCa ? 1 : 5)),
    extension(OID.basicConstraints, true, isCa ? sequence(bool(true)) : sequence()),
    extension(OID.subjectKeyId, false, octets(keyId(spec.publicKey))),
  ];
  if (issuerKeyId !== undefined) list.push(extension(OID.authorityKeyId, false, sequence(tagged(0, issuerKeyId))));
  if (!isCa) list.push(extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth), oid(OID.clientAuth))));
  if (spec.labels !== undefined) list.push(extension(OID.boundLabels, false, utf8(JSON.stringify(spec.labels))));
  const { uris = [], dns = [], ips = [] } = spec.names;
  // With an empty subject the names are all there is, so they are critical (RFC 5280).
  if (uris.length + dns.length + ips.length > 0) list.push(extension(OID.subjectAltName, emptySubject, generalNames(spec.names)));
  return list;
}

/** Whether the issuer signed it: by its name and by its key, as either alone is no proof. Of times nothing is said. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** The labels that a certificate (DER) binds its holder to; undefined = none. Throws when they cannot be read: then nothing is known of them. */
export function boundLabelsOf(certificate: Uint8Array): Readonly<Record<string, string>> | undefined {
  const text = extensionOf(certificate, OID.boundLabels);
  if (text === undefined) return undefined;
  const labels: unknown = JSON.parse(Buffer.from(text.value as string, 'binary').toString());
  if (typeof labels !== 'object' || labels === null || Object.values(labels).some((value) => typeof value !== 'string'))
    throw new Error('the labels of the certificate cannot be read');
  return labels as Record<string, string>;
}

/** What an extension of a certificate (DER) holds; undefined = it has none of that kind. */
function extensionOf(certificate: Uint8Array, kind: string): DerNode | undefined {
  const id = oid(kind).value;
  const body = childrenOf(childrenOf(decodeDer(certificate))[0]!);
  const wrapper = body.find(({ tagClass, type }) => tagClass === 0x80 && type === 3);
  const found = (wrapper === undefined ? [] : childrenOf(childrenOf(wrapper)[0]!)).find((each) => childrenOf(each)[0]?.value === id);
  if (found === undefined) return undefined;
  const content = childrenOf(found).at(-1)!.value;
  // The reader looks into octets that hold DER themselves.
  return typeof content === 'string' ? decodeDer(Buffer.from(content, 'binary')) : content[0]!;
}

/** Whether others believe what is signed by the key of this certificate (DER): it is a CA's, and its key may be used for that (OpenSSL). */
export function mayIssueCertificates(certificate: Uint8Array): boolean {
  return new X509Certificate(certificate).ca;
}

/** A CA may number its keys as it likes: what it issues names that number, or none where it has none (RFC 5280, 4.2.1.1). */
function subjectKeyIdOf(certificate: X509Certificate): string | undefined {
  const id = extensionOf(certificate.raw, OID.subjectKeyId)?.value;
  return typeof id === 'string' ? id : undefined;
}

function childrenOf({ value }: DerNode): DerNode[] {
  return Array.isArray(value) ? (value as DerNode[]) : [];
}

function extension(id: string, critical: boolean, value: DerNode): DerNode {
  return critical ? sequence(oid(id), bool(true), octets(value)) : sequence(oid(id), octets(value));
}

function subject(organization: string): DerNode {
  return organization === '' ? sequence() : sequence(set(sequence(oid(OID.organization), utf8(organization))));
}

/** The issuer's subject as it stands in its certificate: names must be equal byte for byte. */
function subjectOf(certificate: X509Certificate): DerNode {
  const body = (decodeDer(certificate.raw).value as DerNode[])[0]!;
  const fields = body.value as DerNode[];
  const first = fields[0]!.tagClass === 0x80 ? 1 : 0; // explicit version
  return fields[first + 4]!;
}

function keyId(publicKey: KeyObject): string {
  return binary(createHash('sha1').update(publicKeyDer(publicKey)).digest());
}

/** 16 random bytes, positive and without a leading zero. */
function serialNumber(): Uint8Array {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}
