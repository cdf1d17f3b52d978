/** Mutants that nobody could notice, by their name in the report, and why. The gate fails when one is noticed or is no more. */
export const EQUIVALENT: ReadonlyMap<string, string> = new Map([
  ['packages/control-plane/src/ca/attest/oidc-attestor.ts [literal] 5_000 => 5001', 'a millisecond of patience'],
  ['packages/identity/src/ca-client.ts [literal] 10_000 => 10001', 'a millisecond of patience'],
  ["packages/identity/src/ca-client.ts [condition] bearer !== '' => true", 'a value that ends in a blank is dropped by nghttp2'],
  ["packages/identity/src/ca-client.ts [literal] '' => 'mutated'", 'a value that ends in a blank is dropped by nghttp2'],
]);
