/**
 * xDS → `Snapshot`: decodes each resource by itself, refuses what cannot be honoured with its reason, and compiles the rest to what
 * `core` runs. It knows protobuf and has no run-time state but that of filters; it never learns where resources came from.
 */

export { compileCluster, edsName } from './cluster/cluster.ts';
export { compileDownstreamTls, compileTransportSocket } from './cluster/tls-context.ts';
export type { SnapshotCompilerOptions } from './compiler-environment.ts';
export type { AnyFilterFactory } from './filters/decoded-filter.ts';
export { erase } from './filters/decoded-filter.ts';
export type { HeaderMatch, PathBindingMode, RbacSettings } from './filters/rbac.ts';
export { compileRegex } from './regex.ts';
export { standardFilters } from './registry.ts';
export { SnapshotCompiler } from './snapshot-compiler.ts';
