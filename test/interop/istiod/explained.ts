import type { Difference } from './compare-mesh.ts';
import type { Mesh } from './mesh/random-mesh.ts';
import { type Seen, seenOf } from './seen.ts';
import * as mesh from './situations.ts';

/** A difference that we know of. */
interface Explanation {
  readonly name: string;
  /** What it looks like: whose resource (`sidecar listeners`; `validation <kind>`), its name, and what differs in it. */
  readonly where: string;
  readonly resource?: RegExp;
  readonly text: RegExp;
  /** The objects that make it: without them it is another one that looks alike. */
  readonly holds?: (seen: Seen) => boolean;
}

const REPEATED_PRINCIPAL =
  /\.principals\[\d+\].*orIds\.ids\[\d+\](?:: wanted \{"authenticated":.*|\.authenticated\.principalName\.\w+: wanted ".*), got nothing$/s;

/** Meant: a line each on the page of differences. */
export const MEANT: readonly Explanation[] = [
  {
    // Envoy refuses the listener with two chains that match alike.
    name: 'plaintext servers of one address are one chain',
    where: 'router listeners',
    text: /^\.filterChains\[\d+\]: wanted \{"filters":\[\{"(name":"envoy\.filters\.network\.http_connection_manager"|configDiscovery").*, got nothing$/s,
    holds: mesh.hasTwoServersAt,
  },
  {
    // Of such a listener: istiod's routes are those of the last server that came, ours those of all.
    name: 'plaintext servers of one address have the routes of all',
    where: 'router routes',
    resource: /^http\.\d+/,
    text: /^\.virtualHosts\b/,
    holds: mesh.hasTwoServersOf,
  },
  {
    name: 'plaintext servers of one address have the routes of all',
    where: 'router routes',
    resource: /^http\.\d+$/,
    text: /^missing$/,
    holds: mesh.hasWildcardTwice,
  },
  {
    name: 'plugins of connections stand in front of every server of a port',
    where: 'router listeners',
    text: /^\.filterChains\[\d+\]\.filters\[\d+\]\.name: wanted "envoy\.filters\.network\.http_connection_manager", got "extensions\.istio\.io\/trafficextension\//,
    holds: mesh.hasPluginOfConnections,
  },
  {
    name: 'gRPC: what a gRPC server cannot judge is denied',
    where: 'grpc listeners',
    resource: /^xds\.istio\.io\/grpc\/lds\/inbound\//,
    text: /^\.filterChains\[\d+\]\.filters\[0\]\.typedConfig\.httpFilters\[\d+\]/,
    holds: mesh.hasUnjudgeable,
  },
  {
    name: 'gRPC: no endpoints with tls SIMPLE or MUTUAL',
    where: 'grpc endpoints',
    text: /^\.endpoints: wanted .*, got nothing$/s,
    holds: mesh.originatesTls,
  },
  {
    name: 'gRPC: an address once',
    where: 'grpc endpoints',
    text: /^\.endpoints\[\d+\](\.lbEndpoints\[\d+\])?: wanted .*, got nothing$/s,
    holds: mesh.repeatsNetworkGateway,
  },
  {
    // The place that would hold it alone is left out; another one stands there.
    name: 'gRPC: an address once',
    where: 'grpc endpoints',
    text: /^\.endpoints\[\d+\]\.lbEndpoints\[0\]\.endpoint\.address\.socketAddress\.address: wanted ".*", got "/,
    holds: mesh.repeatsNetworkGateway,
  },
  { name: "gRPC: a rule's subjectAltNames", where: 'grpc clusters', text: /matchSubjectAltNames/, holds: mesh.namesServer },
  {
    name: 'no authorization of the own workload on the way out to DYNAMIC_DNS',
    where: 'sidecar listeners',
    text: /^\.(?:defaultFilterChain|filterChains\[\d+\])\.filters\[\d+\]\.name: wanted "envoy\.filters\.network\.rbac.*", got "envoy\.(?:extensions\.)?filters\.network\.sni_dynamic_forward_proxy"$/,
    holds: mesh.authorizesOutbound,
  },
  {
    name: "tls of a Sidecar's ingress is refused",
    where: 'validation Sidecar',
    text: /^istiod: accepted; we: (?:spec\.ingress\[\d+\]\.tls: this field[^;]*(?:; |$))+$/,
  },
  {
    name: 'subjectAltNames of a server that asks for no certificate',
    where: 'router listeners',
    text: /commonTlsContext\.validationContext: wanted .*, got nothing$/s,
    holds: mesh.namesCallersInVain,
  },
  {
    name: 'pins of callers at a server with files of its own',
    where: 'router listeners',
    text: /commonTlsContext\.combinedValidationContext\.defaultValidationContext\.verifyCertificate(?:Spki|Hash): wanted nothing, got \[/,
    holds: mesh.pinsBesideFiles,
  },
  {
    name: 'a caller whose certificate nobody vouches for is not let in',
    where: 'router listeners',
    text: /\.defaultValidationContext\.trustChainVerification: wanted "ACCEPT_UNTRUSTED", got "VERIFY_TRUST_CHAIN"$/,
    holds: mesh.fallsBack,
  },
  {
    // istiod puts the certificate of the mesh, and its roots for callers, in the place of the first.
    name: 'of two certificates of a listener the one that can be had',
    where: 'router listeners',
    text: /commonTlsContext\.(?:tlsCertificateSdsSecretConfigs\[0\]\.name: wanted "default", got "kubernetes-gateway:\/\/|combinedValidationContext\.validationContextSdsSecretConfig\.name: wanted "ROOTCA", got "(?:configmap|kubernetes-gateway):\/\/)/,
    holds: mesh.hasTwoCertificates,
  },
  {
    name: 'a principal of a condition once, however many sources the rule has',
    where: 'sidecar listeners',
    resource: /^virtualInbound$/,
    text: REPEATED_PRINCIPAL,
    holds: mesh.repeatsPrincipal,
  },
  {
    name: 'a principal of a condition once, however many sources the rule of a gateway has',
    where: 'router listeners',
    text: REPEATED_PRINCIPAL,
    holds: mesh.repeatsPrincipal,
  },
  {
    // istiod writes a matcher without a pattern, for which Envoy refuses the routes.
    name: 'a claim that is only to be there',
    where: 'router routes',
    text: /\.match\.dynamicMetadata\[\d+\]\.value\.orMatch: wanted \{"valueMatchers":\[\{"listMatch":\{"oneOf":\{"stringMatch":\{"ignoreCase":false\}\}\}\},\{"stringMatch":\{"ignoreCase":false\}\}\]\}, got nothing$/,
    holds: mesh.asksForAnyClaim,
  },
  {
    name: 'a proxy of a Sidecar: destinations without a port, hosts that are no services',
    where: 'sidecar routes',
    resource: /^(unix:|\d+$)/,
    text: /^\.virtualHosts\[\d+\]/,
    holds: mesh.isProxyWithRules,
  },
  {
    name: 'a proxy of a Sidecar: bytes of a Unix socket',
    where: 'sidecar listeners',
    resource: /^unix:/,
    text: /^missing$/,
    holds: mesh.isSocketOfBytes,
  },
  ...['sidecar', 'router'].map((dialect) => ({
    name: 'networks: Unix sockets are nobody of another network',
    where: `${dialect} endpoints`,
    text: /^\.endpoints\[\d+\]\.lbEndpoints\b.*: wanted .*, got .*"pipe":/s,
    holds: mesh.hasSocketAmongNetworks,
  })),
  ...['sidecar', 'router', 'grpc'].map((dialect) => ({
    name: 'networks: gateways and weights of clusters that look up names',
    where: `${dialect} clusters`,
    resource: /^outbound[|_]/,
    text: /^\.loadAssignment\.endpoints\b/,
    holds: mesh.isLookedUpAmongNetworks,
  })),
];

/** What istiod does another way each time it is asked, as it walks over a Go map or objects come in: seen with the same mesh asked twice. */
export const CHANGING: readonly Explanation[] = [
  {
    // The addresses of the meshes' ServiceEntries, each of which is all its hosts'.
    name: 'changing: an address that several hosts have',
    where: 'sidecar routes',
    text: /^\.virtualHosts\[\d+\]\.domains\[\d+\]: /,
    holds: mesh.isSharedAddress,
  },
  {
    name: 'changing: the order of ports that only policies name',
    where: 'sidecar listeners',
    resource: /^virtualInbound$/,
    text: /^\.filterChains\[\d+\]\.filterChainMatch\.applicationProtocols/,
    holds: mesh.namesPortsByPolicy,
  },
  {
    name: 'changing: the name of an inbound port that several services name',
    where: 'sidecar listeners',
    resource: /^virtualInbound$/,
    text: /routeConfig\.virtualHosts\[\d+\]\.name/,
    holds: mesh.sharesInboundPort,
  },
  ...['sidecar', 'router', 'grpc'].flatMap((dialect) => [
    {
      // Called in its own namespace. istiod drops the endpoints of an EndpointSlice that it hears of after the Service (serviceNeedsPush).
      name: 'changing: the endpoints of a Service exported to nobody',
      where: `${dialect} endpoints`,
      text: /^\.endpoints: wanted nothing, got /,
      holds: mesh.isExportedToNobody,
    },
    {
      name: 'changing: the endpoints of a Service exported to nobody',
      where: `${dialect} clusters`,
      text: /matchSubjectAltNames/,
      holds: mesh.isExportedToNobody,
    },
  ]),
];

/** The name of what explains a difference; undefined when nothing does. `mesh`: that it was found in. */
export function explanationOf(difference: Difference, mesh: Mesh): string | undefined {
  const seen = seenOf(difference, mesh);
  const { where } = difference;
  return [...MEANT, ...CHANGING].find(
    (entry) =>
      (where === entry.where || where.startsWith(`${entry.where} `)) &&
      entry.resource?.test(seen.resource) !== false &&
      entry.text.test(difference.text) &&
      entry.holds?.(seen) !== false,
  )?.name;
}
