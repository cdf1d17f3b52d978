export { compileCluster, edsName } from './cluster/cluster.ts';
export { compileDownstreamTls, compileTransportSocket } from './cluster/tls-context.ts';
export type { SnapshotCompilerOptions } from './compiler-environment.ts';
export type { AnyFilterFactory } from './filters/decoded-filter.ts';
export { erase } from './filters/decoded-filter.ts';
export type { HeaderMatch, PathBindingMode, RbacSettings } from './filters/rbac.ts';
export { compileRegex } from './regex.ts';
export { standardFilters } from './registry.ts';
export { SnapshotCompiler } from './snapshot-compiler.ts';
