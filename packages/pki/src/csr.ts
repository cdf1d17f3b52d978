import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import {
  binary,
  bits,
  contentOfBits,
  type DerNode,
  decodeDer,
  encodeDer,
  fromPem,
  integer,
  octets,
  oid,
  sequence,
  set,
  tagged,
  toPem,
} from './der.ts';
import { type KeyPair, publicKeyDer } from './keys.ts';
import { generalNames, type SubjectAltNames } from './subject-alt-names.ts';

const MAX_CSR_BYTES = 16 * 1024;
const MAX_DEPTH = 16;
const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const SUBJECT_ALT_NAME = '2.5.29.17';

/** A PKCS#10 request for these names. A CA that knows its caller ignores the names; they are for CAs that do not. */
export function createCsr(keyPair: KeyPair, names: SubjectAltNames): string {
  const attributes = tagged(0, [
    sequence(oid(EXTENSION_REQUEST), set(sequence(sequence(oid(SUBJECT_ALT_NAME), octets(generalNames(names)))))),
  ]);
  const info = sequence(integer(Uint8Array.of(0)), sequence(), decodeDer(publicKeyDer(keyPair.publicKey)), attributes);
  const signature = sign('sha256', encodeDer(info), keyPair.privateKey);
  return toPem('CERTIFICATE REQUEST', encodeDer(sequence(info, sequence(oid(ECDSA_SHA256)), bits(binary(signature)))));
}

/** The public key of a request, after its signature was verified: proof that the caller holds the private key. Nothing else in it counts. */
export function verifyCsr(pem: string): KeyObject {
  if (pem.length > MAX_CSR_BYTES) throw new Error(`the CSR is larger than ${MAX_CSR_BYTES} bytes`);
  const [der] = fromPem(pem, '(?:NEW )?CERTIFICATE REQUEST');
  if (der === undefined) throw new Error('the CSR is no PEM CERTIFICATE REQUEST');
  const parts = children(decodeDer(der), 'CertificationRequest', 3);
  checkDepth(parts[0]!, 0);
  const [info, , signatureBits] = parts as [DerNode, DerNode, DerNode];
  const key = createPublicKey({ key: encodeDer(children(info, 'CertificationRequestInfo', 3)[2]!), format: 'der', type: 'spki' });
  checkKey(key);
  const signature = contentOfBits(signatureBits).subarray(1);
  if (!verify('sha256', encodeDer(info), key, signature)) throw new Error('the signature of the CSR does not verify');
  return key;
}

function checkKey(key: KeyObject): void {
  // Only keys on a curve name one; keys of RSA-PSS have a length as well.
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails!;
  const strong =
    namedCurve === 'prime256v1' ||
    namedCurve === 'secp384r1' ||
    (key.asymmetricKeyType === 'rsa' && modulusLength! >= 2048 && modulusLength! <= 8192);
  if (!strong) throw new Error('the key of the CSR must be P-256, P-384 or RSA of 2048 to 8192 bits');
}

function children(node: DerNode, what: string, least: number): DerNode[] {
  if (!Array.isArray(node.value) || node.value.length < least) throw new Error(`the CSR is malformed (${what})`);
  return node.value;
}

function checkDepth(node: DerNode, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error('the CSR is nested too deeply');
  if (Array.isArray(node.value)) for (const child of node.value) checkDepth(child, depth + 1);
}
