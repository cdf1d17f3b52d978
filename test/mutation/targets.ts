import { globSync } from 'node:fs';

/*
 * What decides who gets in and who somebody is. Whoever adds such a file adds it here; the tests are found by what they reach.
 */
const TARGETS: Readonly<Record<string, readonly string[]>> = {
  authorization: [
    'packages/core/src/filters/rbac.ts',
    'packages/core/src/path-binding.ts',
    'packages/core/src/route/{header-matcher,string-test}.ts',
    'packages/core/src/filters/ext-authz/*.ts',
    'packages/compile/src/filters/{rbac,rbac-readings}.ts',
    'packages/compile/src/{cidr,matchers,metadata-matcher,remote-address}.ts',
    'packages/compile/src/{http-filters,network-filters,regex,regex-shortcut}.ts',
    'packages/core/src/filters/refuse.ts',
    'packages/server/src/probes.ts',
    'packages/grpc/src/{app-binding,inbound-guard,inbound-call}.ts',
    'packages/compile/src/filters/ext-authz/*.ts',
    'packages/control-plane/src/translate/rbac/*.ts',
  ],
  canonicaliser: [
    'packages/core/src/{authority,path-normalization,forwarded-headers}.ts',
    'packages/server/src/{inbound-head,request-target}.ts',
    'packages/server/src/http2/{settle-stream,stream-guard,stream-heads,stream-message}.ts',
    'packages/grpc/src/{settle-call,stream-lines}.ts',
    'packages/node/src/router-traits.ts',
  ],
  // Which chain, and so which policies and which TLS, a connection gets.
  connections: [
    'packages/core/src/filter-chain-match.ts',
    'packages/core/src/abuse/suspects.ts',
    'packages/server/src/{chain-choice,client-hello,connection-gate,connection-peek,inbound-connection,key-pair-choice}.ts',
    'packages/server/src/{own-tls,proxy-header,tls-acceptor,unix-bind}.ts',
  ],
  limits: ['packages/core/src/filters/{rate-limit,rate-limit-descriptors}.ts', 'packages/core/src/filters/local-rate-limit/*.ts'],
  jwt: ['packages/jwt/src/*.ts', 'packages/control-plane/src/jwks/*.ts'],
  identity: [
    'packages/identity/src/*.ts',
    'packages/pki/src/*.ts',
    'packages/core/src/{server-name,trust-bundle,upstream-tls}.ts',
    'packages/control-plane/src/ca/**/*.ts',
    'packages/control-plane/src/state/*.ts',
    'packages/server/src/{peer,peer-certificate,tls-material}.ts',
    'packages/compile/src/cluster/tls-context.ts',
    'packages/compile/src/secret.ts',
    'packages/grpc/src/{inbound-connection,inbound-peer,subject-alt-names,endpoint-credentials,mesh-tls-server}.ts',
  ],
};

/** Unit tests beside the sources; the simulation and the interop tests see more, but not in milliseconds. */
const TESTS: readonly string[] = [
  'packages/core/src/{abuse,filters,route}/**/*.test.ts',
  'packages/core/src/*.test.ts',
  'packages/core/src/abuse/*.test.ts',
  'packages/compile/src/**/*.test.ts',
  'packages/jwt/src/*.test.ts',
  'packages/{identity,pki}/src/*.test.ts',
  'packages/control-plane/src/ca/**/*.test.ts',
  'packages/control-plane/src/{jwks,state}/*.test.ts',
  'packages/control-plane/src/server/control-plane.test.ts',
  'packages/control-plane/src/translate/rbac/*.test.ts',
  'packages/server/src/**/*.test.ts',
  'packages/grpc/src/*.test.ts',
  'packages/node/src/router-traits.test.ts',
];

export const SOURCES: readonly string[] = found(Object.values(TARGETS).flat()).filter((file) => !/\.test\.ts$|\/index\.ts$/.test(file));
export const TEST_FILES: readonly string[] = found(TESTS).filter((file) => !file.includes('.fuzz.'));

/** Throws for a pattern that finds nothing: what was moved must be named anew. */
function found(globs: readonly string[]): string[] {
  const files = globs.flatMap(alternatives).flatMap((glob) => {
    const here = globSync(glob);
    if (here.length === 0) throw new Error(`${glob} finds no file: name in test/mutation/targets.ts where it is now`);
    return here;
  });
  return [...new Set(files)].sort();
}

/** `a/{b,c}.ts` as `a/b.ts` and `a/c.ts`: each must be there. */
function alternatives(glob: string): string[] {
  const [, before, inner, after] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(glob) ?? [];
  return inner === undefined ? [glob] : inner.split(',').flatMap((one) => alternatives(`${before}${one}${after}`));
}
