/** Mutants that nobody could notice, by their name in the report, and why. The gate fails when one is noticed or is no more. */
export const EQUIVALENT: ReadonlyMap<string, string> = new Map([
  ['packages/control-plane/src/ca/attest/oidc-attestor.ts [literal] 5_000 => 5001', 'a millisecond of patience'],
  ['packages/identity/src/ca-client.ts [literal] 10_000 => 10001', 'a millisecond of patience'],
  ["packages/identity/src/ca-client.ts [condition] bearer !== '' => true", 'a value that ends in a blank is dropped by nghttp2'],
  ["packages/identity/src/ca-client.ts [literal] '' => 'mutated'", 'a value that ends in a blank is dropped by nghttp2'],
  ...named('packages/compile/src/filters/rbac-readings.ts', 'a shortcut or a cache: the answer is the same', [
    '[condition] escaped === pattern.value => false',
    '[operand] read === x.matchPath || test(read) => test(read)',
    '[condition] found === undefined => true',
    '[removed] compiled.set(binding, found); => nothing',
    // What is normal already stays as it is, and a path that cannot be normalised is compared with nothing.
    "[operand] !matchPath.includes(';') || !matchPath.includes('/.') => !matchPath.includes(';')",
    "[operand] !matchPath.includes(';') || !matchPath.includes('/.') => !matchPath.includes('/.')",
    "[literal] ';' => ''",
    "[literal] '/.' => ''",
    "[condition] normal.kind === 'path' => true",
  ]),
  ...named('packages/compile/src/filters/rbac.ts', 'the names of policies differ', [
    '[operator] a < b => a <= b',
    '[literal] 1 => 2',
    '[literal] 1 => 2 #2',
  ]),
  ...named('packages/compile/src/filters/rbac.ts', 'directions are not asked of filters for connections', [
    "[literal] ['inbound', 'outbound'] => [] #2",
    "[literal] 'inbound' => '' #2",
    "[literal] 'outbound' => '' #2",
  ]),
  ...named('packages/compile/src/filters/ext-authz/network-ext-authz.ts', 'directions are not asked of filters for connections', [
    "[literal] ['inbound', 'outbound'] => []",
    "[literal] 'inbound' => ''",
    "[literal] 'outbound' => ''",
  ]),
  ...named('packages/compile/src/filters/ext-authz/network-ext-authz.ts', 'what is no answer cannot be read either: an error both', [
    "[condition] 'failure' in answer => false",
    "[literal] 'failure' => ''",
  ]),
  ...named('packages/core/src/authority.ts', 'a cache of a host that is legal: the answer is the same', [
    "[operand] text === lastAccepted || text === '' => text === ''",
    '[removed] lastAccepted = text; => nothing',
    "[literal] '' => 'mutated' #2",
  ]),
  ["packages/core/src/server-name.ts [literal] '' => 'mutated'", 'no names, and what is no DNS name, are the same'],
  ['packages/core/src/authority.ts [literal] 1 => 2', 'a port that is legal, in the place of none'],
  [
    'packages/jwt/src/verify-signature.ts [operand] algorithms.has(jwt.algorithm) && (await verifies(jwt, key)) => (await verifies(jwt, key))',
    'jose looks at the kind and the length of the key as well',
  ],
  ['packages/control-plane/src/state/replace-file.ts [literal] false => true', 'the same file, only later'],
  ...named('packages/control-plane/src/jwks/guarded-get.ts', 'a block list has no names', [
    '[operand] isIP(host) !== 0 && isBlocked(blocked, host) => isBlocked(blocked, host)',
    '[literal] 0 => 1',
  ]),
  ...named('packages/control-plane/src/jwks/guarded-get.ts', 'nobody reads the address beside an error, nor the family beside a list', [
    "[literal] '' => 'mutated'",
    '[literal] 0 => 1 #3',
    "[literal] '' => 'mutated' #2",
    '[literal] 0 => 1 #4',
    '[literal] 0 => 1 #5',
  ]),
  ...named('packages/core/src/abuse/suspects.ts', 'a millisecond of patience', ['[literal] 5_000 => 5001']),
  ['packages/core/src/abuse/suspects.ts [removed] this.suspects.delete(key); => nothing', 'who is no suspect any more is none either way'],
  ...named('packages/grpc/src/inbound-guard.ts', 'who is distrusted is nothing else', [
    '[literal] 0 => 1',
    '[literal] false => true',
    "[literal] '' => 'mutated'",
  ]),
  ['packages/grpc/src/mesh-tls-server.ts [literal] 15_000 => 15001', 'a millisecond of patience'],
  ["packages/grpc/src/mesh-tls-server.ts [literal] 'TLSv1.2' => ''", 'what node:tls asks for by itself'],
  ...named('packages/grpc/src/endpoint-credentials.ts', 'node:tls tells an error as well when the peer hangs up in the handshake', [
    "[returned] fail('connection closed by the peer during the handshake') => undefined",
    "[literal] 'connection closed by the peer during the handshake' => ''",
    "[removed] secure.once('close', onClose); => nothing",
    "[literal] 'close' => ''",
    "[removed] secure.off('close', onClose); => nothing",
    "[literal] 'close' => '' #2",
  ]),
  ...named('packages/grpc/src/endpoint-credentials.ts', 'a server of node:tls chooses only what was offered', [
    "[operand] secure.alpnProtocol === 'http/1.1' || secure.alpnProtocol === 'istio-http/1.1' => secure.alpnProtocol === 'http/1.1'",
    "[operand] secure.alpnProtocol === 'http/1.1' || secure.alpnProtocol === 'istio-http/1.1' => secure.alpnProtocol === 'istio-http/1.1'",
    "[literal] 'http/1.1' => ''",
    "[literal] 'istio-http/1.1' => ''",
    "[removed] fail('the endpoint speaks only HTTP/1.1'); => nothing",
    "[literal] 'the endpoint speaks only HTTP/1.1' => ''",
  ]),
]);

function named(file: string, why: string, mutants: readonly string[]): (readonly [string, string])[] {
  return mutants.map((mutant) => [`${file} ${mutant}`, why]);
}
