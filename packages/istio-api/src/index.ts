/**
 * Istio, Gateway API and core Kubernetes documents, read from YAML with their places, checked against one schema that also says what of
 * them is honoured, and analysed together. What they mean is for `control-plane`.
 */

export { analyze, analyzeInSteps } from './analysis/analyze.ts';
export type { MessageType } from './analysis/message-type.ts';
export { MESSAGE_TYPES } from './analysis/message-types.ts';
export { keyPairProblem, trustProblem } from './certificate-problems.ts';
export { CA_SUFFIX, type KeyPairPem, readKeyPair, readTrust, SecretError, type TrustPem } from './certificate-secrets.ts';
export { type PublicJwk, publicKeysOf } from './jwks.ts';
export * from './object.ts';
export { type Parsed, type ParseOptions, parseDocuments } from './parse.ts';
export { MAX_REGEX_LENGTH } from './regex-check.ts';
export { routedClaim } from './routed-claim.ts';
export type { Kind, KindStatus } from './schema/kind.ts';
export { closesWorkloads, KINDS, kindOf } from './schema/kinds.ts';
export type { Fields, Schema, Support } from './schema/schema.ts';
export { GRPC_STATUS_NAMES } from './schema/virtual-service.ts';
export * from './types/core.ts';
export * from './types/networking.ts';
export * from './types/security.ts';
export * from './types/telemetry.ts';
export { formatPath, objectKey, parseDuration, validateObject } from './validate.ts';
export { proxyConfigOf } from './validation/proxy-config-annotation.ts';
