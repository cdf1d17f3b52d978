export * from './certificate.ts';
export * from './csr.ts';
export { fromPem, toPem } from './der.ts';
export * from './keys.ts';
export * from './spiffe-id.ts';
export type { SubjectAltNames } from './subject-alt-names.ts';
