export { analyze } from './analysis/analyze.ts';
export * from './object.ts';
export { type Parsed, type ParseOptions, parseDocuments } from './parse.ts';
export { KINDS, type Kind, kindOf } from './schema/kinds.ts';
export type { Fields, Schema, Support } from './schema/schema.ts';
export * from './types/core.ts';
export * from './types/networking.ts';
export * from './types/security.ts';
export { formatPath, objectKey, parseDuration, validateObject } from './validate.ts';
