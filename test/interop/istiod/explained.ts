import type { Difference } from './compare-mesh.ts';

/** A difference that we know of, by what it looks like. */
interface Explanation {
  readonly name: string;
  /** Of `<where> <text>` of the difference. */
  readonly pattern: RegExp;
}

/** Meant: a line each on the page of differences. */
export const MEANT: readonly Explanation[] = [
  {
    name: 'Unix sockets of ServiceEntries are refused',
    pattern: /^validation ServiceEntry istiod: accepted; we: spec\.endpoints\[\d+\]\.address: "unix:[^;]*; give an IP address$/,
  },
  { name: 'gRPC: what a gRPC server cannot judge is denied', pattern: /^grpc listeners xds\.istio\.io\/grpc\/lds\/inbound\/.*httpFilters/ },
  { name: 'gRPC: no endpoints with tls SIMPLE or MUTUAL', pattern: /^grpc endpoints \S+ \.endpoints: wanted .*, got nothing$/s },
  { name: "gRPC: a rule's subjectAltNames", pattern: /^grpc clusters .*matchSubjectAltNames/ },
  { name: 'no authorization of the own workload on the way out to DYNAMIC_DNS', pattern: /^sidecar listeners .*sni_dynamic_forward_proxy/ },
  {
    name: "tls of a Sidecar's ingress is refused",
    pattern: /^validation Sidecar istiod: accepted; we: spec\.ingress\[\d+\]\.tls: this field/,
  },
  {
    name: 'subjectAltNames of a server that asks for no certificate',
    pattern: /^router listeners .*commonTlsContext\.validationContext: wanted .*, got nothing$/s,
  },
  {
    name: 'a principal of a condition once, however many sources the rule has',
    pattern:
      /^(?:sidecar listeners virtualInbound|router listeners \S+) .*\.principals\[\d+\].*orIds\.ids\[\d+\](?:: wanted \{"authenticated":.*|\.authenticated\.principalName\.\w+: wanted ".*), got nothing$/s,
  },
];

/** What istiod does another way each time it is asked, as it walks over a Go map or objects come in: seen with the same mesh asked twice. */
export const CHANGING: readonly Explanation[] = [
  {
    // The addresses of the meshes' ServiceEntries, each of which is all its hosts'.
    name: 'changing: an address that several hosts have',
    pattern: /^sidecar routes \S+ \.virtualHosts\[\d+\]\.domains\[\d+\]: wanted (?:"240\.1\.0\.\d+"|.*, got "240\.1\.0\.\d+"$)/,
  },
  {
    name: 'changing: the order of ports that only policies name',
    pattern: /^sidecar listeners virtualInbound \.filterChains\[\d+\]\.filterChainMatch\.applicationProtocols/,
  },
  {
    name: 'changing: the name of an inbound port that several services name',
    pattern: /^sidecar listeners virtualInbound .*routeConfig\.virtualHosts\[\d+\]\.name/,
  },
];

/** Not understood yet (about one mesh of a hundred). The page of differences lists them as open. */
export const OPEN: readonly Explanation[] = [
  {
    name: 'open: an inbound port of two ServiceEntries with one host, which have another protocol for it',
    pattern:
      /^sidecar listeners virtualInbound \.filterChains\[\d+\]\.filters\[0\]\.name: wanted "envoy\.filters\.network\.http_connection_manager", got "envoy\.filters\.network\.tcp_proxy"$/,
  },
  {
    name: 'open: an inbound port of two ServiceEntries with one host, one in and one outside the mesh',
    pattern:
      /^sidecar clusters inbound\|\d+\|\| \.metadata: wanted \{"filterMetadata":\{"istio":\{.*"services":\[\{"host":.*, got nothing$/s,
  },
  {
    // A new Service with `~` makes no push of its own (serviceUpdateNeedsPush): whether its endpoints are there may be up to what came first.
    name: 'open: a Service exported to nobody, which istiod may have no endpoints of',
    pattern: /^\S+ endpoints \S+ \.endpoints: wanted nothing|^\S+ clusters .*matchSubjectAltNames: wanted nothing/,
  },
];

/** The name of what explains a difference; undefined when nothing does. */
export function explanationOf({ where, text }: Difference): string | undefined {
  return nameOf([...MEANT, ...CHANGING, ...OPEN], `${where} ${text}`);
}

function nameOf(explanations: readonly Explanation[], text: string): string | undefined {
  return explanations.find(({ pattern }) => pattern.test(text))?.name;
}
