/**
 * Certificates, signing requests and SPIFFE ids: bytes in, bytes out, nothing kept. Used by `identity` and by the CA of `control-plane`.
 */

export * from './certificate.ts';
export * from './csr.ts';
export { fromPem, toPem } from './der.ts';
export * from './keys.ts';
export * from './spiffe-id.ts';
export type { SubjectAltNames } from './subject-alt-names.ts';
