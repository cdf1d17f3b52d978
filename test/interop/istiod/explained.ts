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

/** The name of what explains a difference; undefined when nothing does. */
export function explanationOf({ where, text }: Difference): string | undefined {
  return nameOf([...MEANT, ...OPEN], `${where} ${text}`);
}

function nameOf(explanations: readonly Explanation[], text: string): string | undefined {
  return explanations.find(({ pattern }) => pattern.test(text))?.name;
}
