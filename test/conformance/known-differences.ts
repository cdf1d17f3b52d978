/** A resource that differs from istiod's on purpose or until later. `where` is matched against `<case>/<node> <list> <resource>`. */
export interface KnownDifference {
  readonly where: RegExp;
  readonly why: string;
}

/** Each is on docs/reference/differences.md, or its field in docs/reference/supported-fields.md is marked. One that is gone fails the test. */
export const KNOWN: readonly KnownDifference[] = [
  {
    where: /^security\/grpc-(httpbin|legacy) listeners xds\.istio\.io\//,
    why: 'ALLOW without rules denies, dry-run is not enforced, aliases are expanded, conditions that gRPC cannot judge deny',
  },
];
