import type { Difference } from './compare-mesh.ts';
import type { Document } from './mesh/document.ts';

/** A difference that we know of, by what it looks like. */
interface Explanation {
  readonly name: string;
  /** Of `<where> <text>` of the difference. */
  readonly pattern: RegExp;
  /** What the mesh must hold besides; `match`: of the pattern. */
  readonly holds?: (documents: readonly Document[], match: RegExpMatchArray) => boolean;
}

/** Meant: a line each on the page of differences. */
export const MEANT: readonly Explanation[] = [
  {
    // `bind` may lead plaintext servers to one address twice; Envoy refuses the listener with two chains that match alike.
    name: 'plaintext servers of one address are one chain',
    pattern:
      /^router listeners \S+ \.filterChains\[\d+\]: wanted \{"filters":\[\{"name":"envoy\.filters\.network\.http_connection_manager".*, got nothing$/s,
    holds: (documents) => documents.some((document) => document.kind === 'Gateway' && JSON.stringify(document).includes('"bind":')),
  },
  {
    // Of such a listener: istiod's routes are those of the last server that came by way of `bind`, ours those of all (addPlainTextServer).
    name: 'plaintext servers of one address have the routes of all',
    pattern: /^router routes http\.\d+ \.virtualHosts\b/,
    holds: (documents) => {
      const gateways = documents.filter(({ kind }) => kind === 'Gateway').map((document) => JSON.stringify(document));
      return gateways.some((text) => text.includes('"bind":')) && gateways.some((text) => /"protocol":"(HTTP2|GRPC|GRPC-WEB)"/i.test(text));
    },
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
  {
    // Called in its own namespace. istiod drops the endpoints of an EndpointSlice that it hears of after the Service (serviceNeedsPush).
    name: 'changing: the endpoints of a Service exported to nobody',
    pattern:
      /^\S+ (?:endpoints outbound\|\d+\|[^|]*\|(\S+) \.endpoints: wanted nothing|clusters outbound\|\d+\|[^|]*\|(\S+) .*matchSubjectAltNames: wanted nothing)/,
    holds: (documents, [, called, named]) => isExportedToNobody(documents, called ?? named),
  },
];

/** The name of what explains a difference; undefined when nothing does. `documents`: of the mesh. */
export function explanationOf({ where, text }: Difference, documents: readonly Document[] = []): string | undefined {
  const told = `${where} ${text}`;
  return [...MEANT, ...CHANGING].find(({ pattern, holds }) => {
    const match = pattern.exec(told);
    return match !== null && (holds?.(documents, match) ?? true);
  })?.name;
}

function isExportedToNobody(documents: readonly Document[], host: string | undefined): boolean {
  return documents.some(
    ({ kind, metadata: { name, namespace, annotations } }) =>
      kind === 'Service' &&
      host === `${name}.${namespace}.svc.cluster.local` &&
      annotations?.['networking.istio.io/exportTo']?.split(',').includes('~') === true,
  );
}
