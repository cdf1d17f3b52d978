import type { Difference } from './compare-mesh.ts';

/** A difference that we know of, by what it looks like. */
interface Explanation {
  readonly name: string;
  /** Of `<where> <text>` of the difference. */
  readonly pattern: RegExp;
}

/** Meant: a line each on the page of differences. */
export const MEANT: readonly Explanation[] = [
  { name: 'gRPC: what a gRPC server cannot judge is denied', pattern: /^grpc listeners xds\.istio\.io\/grpc\/lds\/inbound\/.*httpFilters/ },
  { name: 'gRPC: no endpoints with tls SIMPLE or MUTUAL', pattern: /^grpc endpoints \S+ \.endpoints: wanted .*, got nothing$/s },
  { name: "gRPC: a rule's subjectAltNames", pattern: /^grpc clusters .*matchSubjectAltNames/ },
  { name: 'no authorization of the own workload on the way out to DYNAMIC_DNS', pattern: /^sidecar listeners .*sni_dynamic_forward_proxy/ },
  {
    name: 'subjectAltNames of a server that asks for no certificate',
    pattern: /^router listeners .*commonTlsContext\.validationContext: wanted .*, got nothing$/s,
  },
];

/** Not understood yet: rare meetings of several objects (about one mesh of ten). The page of differences lists them as open. */
export const OPEN: readonly Explanation[] = [
  { name: 'open: a domain that several hosts of a port claim', pattern: /^sidecar routes \S+ \.virtualHosts\[\d+\]\.domains/ },
  { name: 'open: hosts with a namespace on a redirecting port of a gateway', pattern: /^router routes \S+ \.virtualHosts\[\d+\]\.domains/ },
  { name: 'open: several VirtualServices with wildcards', pattern: /^(sidecar|grpc) routes \S+ \.virtualHosts\[\d+\]\.routes/ },
  { name: 'open: the order of Pods and WorkloadEntries', pattern: /^\S+ endpoints .*socketAddress\.address/ },
  {
    name: 'open: one host in several namespaces or ServiceEntries',
    pattern:
      /^router (clusters|endpoints|routes) .*(istiod sends none|missing|weightedClusters|istio\.workload)|^\S+ endpoints \S+ \.endpoints: wanted nothing|clusters .*matchSubjectAltNames/,
  },
  { name: 'open: principals of trust domain aliases', pattern: /^sidecar listeners virtualInbound .*principals/ },
  {
    name: 'open: an inbound port that several Services name',
    pattern: /^sidecar listeners virtualInbound .*(applicationProtocols|virtualHosts\[\d+\]\.name)/,
  },
];

/** What istiod says of documents that it refuses and we take: none of it changes what a mesh does, or our analysis warns of it. */
export const TAKEN: readonly Explanation[] = [
  { name: 'taken: empty blocks of a traffic policy', pattern: /(connection pool|traffic policy) must have at least one field/ },
  {
    name: 'taken: a port of an endpoint that its ServiceEntry does not have',
    pattern: /endpoint port \d+ is not defined by the service entry/,
  },
  { name: 'taken: DYNAMIC_DNS with other protocols', pattern: /protocols are supported for resolution type DYNAMIC_DNS/ },
  { name: 'taken: redirect prefixes without a prefix to match', pattern: /redirect prefix_rewrite requires all URI matches/ },
  { name: 'taken: a redirect that changes nothing', pattern: /redirect must specify URI, authority, scheme, or port/ },
  { name: 'taken: DENY without rules', pattern: /DENY action without `rules` is meaningless/ },
  { name: 'taken: a dry run of AUDIT', pattern: /dry-run currently only supports action ALLOW\/DENY/ },
  { name: 'taken: hosts that cover each other', pattern: /duplicate hosts in virtual service/ },
  { name: 'taken: a namespace twice in exportTo', pattern: /duplicate entries in exportTo/ },
  { name: 'taken: useClientProtocol with UPGRADE', pattern: /use client protocol must not be true when H2UpgradePolicy is UPGRADE/ },
];

/** The name of what explains a difference; undefined when nothing does. */
export function explanationOf({ where, text }: Difference): string | undefined {
  if (where.startsWith('validation ')) return text.endsWith('; we: accepted') ? explanationOfRefusal(text) : undefined;
  return nameOf([...MEANT, ...OPEN], `${where} ${text}`);
}

/** istiod may have several reasons; each has to be known. */
function explanationOfRefusal(text: string): string | undefined {
  const listed = text.split('\n').filter((line) => line.startsWith('\t* '));
  const names = (listed.length === 0 ? [text] : listed).map((reason) => nameOf(TAKEN, reason));
  return names.includes(undefined) ? undefined : names[0];
}

function nameOf(explanations: readonly Explanation[], text: string): string | undefined {
  return explanations.find(({ pattern }) => pattern.test(text))?.name;
}
