/** Envoy v3 and Istio CA messages. Generated from the protos that `@grpc/grpc-js-xds` ships; see scripts/generate-xds.mjs. */

export * from './any.ts';
export * from './generated/index.ts';
export * from './json.ts';
export { loadProtoJsonWriter, type ProtoJsonWriter } from './proto-json-writer.ts';
export * from './type-urls.ts';
