import { describe, expect, it } from 'vitest';
import { CHANGING, explanationOf, MEANT } from '../interop/istiod/explained.ts';
import type { Document } from '../interop/istiod/mesh/document.ts';
import type { Mesh } from '../interop/istiod/mesh/random-mesh.ts';
import { GATEWAY_POD, gatewayDocuments, nodeOf } from '../interop/istiod/mesh/workloads.ts';

/* A difference that is explained must be the one that it was explained for: of the same shape elsewhere, it is told. */

const POD = { ...GATEWAY_POD, name: 'web-1', namespace: 'shop', app: 'web', labels: { app: 'web' }, ip: '10.0.0.9' };

function document(kind: string, spec: object, namespace = 'shop', more: Partial<Document['metadata']> = {}): Document {
  return { apiVersion: 'networking.istio.io/v1', kind, metadata: { name: 'a', namespace, ...more }, spec };
}

function mesh(documents: readonly Document[], config: Mesh['config'] = {}): Mesh {
  const nodes = [nodeOf(GATEWAY_POD, 'router'), nodeOf(POD, 'sidecar'), nodeOf(POD, 'grpc')];
  return { documents: [...gatewayDocuments(), ...documents], config, nodes };
}

interface Case {
  readonly name: string;
  /** `<whose> <list> <resource>`. */
  readonly where: string;
  readonly text: string;
  /** The situation that makes it. */
  readonly made: Mesh;
  /** Where the same difference would be another one: elsewhere in that mesh, or in a mesh without the situation. */
  readonly elsewhere: readonly { readonly where?: string; readonly text?: string; readonly in?: Mesh }[];
}

const servers = (...list: object[]): Document =>
  document('Gateway', { selector: { istio: 'ingressgateway' }, servers: list }, 'istio-system');
const server = (protocol: string, bind = '', number = 80): object => ({
  port: { number, protocol, name: protocol.toLowerCase() },
  hosts: ['*'],
  ...(bind === '' ? {} : { bind }),
});
const listeners = (...list: object[]): Document => document('Gateway', { gatewayClassName: 'istio', listeners: list }, 'istio-system');
const secure = (name: string): object => ({
  port: { number: 443, protocol: 'HTTPS', name },
  hosts: [`${name}.example.com`],
  tls: { mode: 'SIMPLE', credentialName: 'x' },
});
const plugin = (spec: object): Document => document('WasmPlugin', { url: 'example.com/plugin', ...spec }, 'istio-system');
const PLUGIN_IN_FRONT =
  '.filterChains[1].filters[0].name: wanted "envoy.filters.network.http_connection_manager", got "extensions.istio.io/trafficextension/istio-system.a~istio-translated-wasmplugin"';
const TWICE = servers(server('HTTP'), server('HTTP', '10.9.9.1'), { ...server('HTTP2'), tls: { httpsRedirect: true } });
const ONCE = servers(server('HTTP'), server('HTTP', '10.9.9.1'), server('HTTP2', '', 8081));
const HCM = '.filterChains[1]: wanted {"filters":[{"name":"envoy.filters.network.http_connection_manager"}]}, got nothing';
const egress = (port: object, bind = ''): Document => document('Sidecar', { egress: [{ port, bind, hosts: ['*/*'] }] });
const policy = (spec: object, namespace = 'shop', more: Partial<Document['metadata']> = {}): Document =>
  document('AuthorizationPolicy', spec, namespace, more);
const rule = (host: string, spec: object, namespace = 'shop'): Document => document('DestinationRule', { host, ...spec }, namespace);
const entry = (hosts: readonly string[], spec: object): Document =>
  document('ServiceEntry', { hosts, ports: [{ number: 443, name: 'tls', protocol: 'TLS' }], ...spec });
const NETWORK = { labels: { 'topology.istio.io/network': 'n1' } };
const EAST_WEST = document('Service', { externalIPs: ['20.0.1.1'], ports: [{ port: 15_443 }] }, 'istio-system', NETWORK);
const ORIGINATES = rule('db.web.svc.cluster.local', { trafficPolicy: { tls: { mode: 'SIMPLE' } } });
const DB = 'outbound|80||db.web.svc.cluster.local';
const CART = 'outbound|80||cart.web.svc.cluster.local';
const PRINCIPALS =
  '.filterChains[0].filters[0].typedConfig.rules.policies.a.principals[0].andIds.ids[1].orIds.ids[1]: wanted {"authenticated":{}}, got nothing';
const INBOUND_RBAC = '.filterChains[0].filters[0].typedConfig.httpFilters[0].name: wanted "a", got "b"';
const TWO_SOURCES = { from: [{}, {}], when: [{ key: 'source.principal', values: ['a'] }] };
const serviceOf = (annotations: Record<string, string>): Document => ({
  ...document('Service', { ports: [{ port: 80 }] }, 'web', { annotations }),
  metadata: { name: 'db', namespace: 'web', annotations },
});

const CASES: readonly Case[] = [
  {
    name: 'plaintext servers of one address are one chain',
    where: 'router listeners 0.0.0.0_8080',
    text: HCM,
    made: mesh([TWICE]),
    elsewhere: [
      { in: mesh([ONCE]) },
      { where: 'router listeners 0.0.0.0_8081' },
      { where: 'router listeners 10.9.9.1_8080' },
      { text: `${HCM}?` },
    ],
  },
  {
    name: 'plaintext servers of one address have the routes of all',
    where: 'router routes http.8080',
    text: '.virtualHosts[0].name: wanted "a", got "b"',
    made: mesh([TWICE]),
    elsewhere: [
      { in: mesh([ONCE]) },
      { in: mesh([servers(server('HTTP'), server('HTTP2'))]) },
      { where: 'router routes http.8081' },
      { where: 'router routes http.8080.10.9.9.1' },
      { where: 'sidecar routes http.8080' },
    ],
  },
  {
    name: 'plugins of connections stand in front of every server of a port',
    where: 'router listeners 0.0.0.0_8443',
    text: PLUGIN_IN_FRONT,
    made: mesh([servers(secure('a'), secure('b')), plugin({ type: 'NETWORK' })]),
    elsewhere: [
      { in: mesh([servers(secure('a')), plugin({ type: 'NETWORK' })]) },
      { in: mesh([servers(secure('a'), secure('b')), plugin({})]) },
      { in: mesh([servers(secure('a'), secure('b')), plugin({ type: 'NETWORK', selector: { matchLabels: { app: 'web' } } })]) },
      { where: 'router listeners 0.0.0.0_8080' },
      { where: 'sidecar listeners 0.0.0.0_8443' },
      { text: PLUGIN_IN_FRONT.replace('http_connection_manager', 'tcp_proxy') },
    ],
  },
  {
    name: 'gRPC: what a gRPC server cannot judge is denied',
    where: 'grpc listeners xds.istio.io/grpc/lds/inbound/0.0.0.0:8080',
    text: INBOUND_RBAC,
    made: mesh([plugin({ phase: 'AUTHZ' })]),
    elsewhere: [
      { in: mesh([plugin({ phase: 'STATS' })]) },
      { in: mesh([plugin({ phase: 'AUTHZ', selector: { matchLabels: { app: 'db' } } })]) },
    ],
  },
  {
    name: 'gRPC: what a gRPC server cannot judge is denied',
    where: 'grpc listeners xds.istio.io/grpc/lds/inbound/0.0.0.0:8080',
    text: INBOUND_RBAC,
    made: mesh([policy({ action: 'CUSTOM' })]),
    elsewhere: [
      { in: mesh([policy({ action: 'CUSTOM' }, 'web')]) },
      { in: mesh([policy({ action: 'CUSTOM', selector: { matchLabels: { app: 'db' } } })]) },
      { in: mesh([policy({ action: 'DENY', rules: [{ to: [{ operation: { paths: ['/a'] } }] }] })]) },
      { where: 'grpc listeners db.web.svc.cluster.local:80' },
      { text: '.filterChains[0].transportSocket: wanted {}, got nothing' },
    ],
  },
  {
    name: 'gRPC: no endpoints with tls SIMPLE or MUTUAL',
    where: `grpc endpoints ${DB}`,
    text: '.endpoints: wanted [{}], got nothing',
    made: mesh([ORIGINATES]),
    elsewhere: [
      { in: mesh([rule('db.web.svc.cluster.local', { trafficPolicy: { tls: { mode: 'DISABLE' } } })]) },
      { where: `grpc endpoints ${CART}` },
    ],
  },
  {
    name: 'gRPC: an address once',
    where: `grpc endpoints ${DB}`,
    text: '.endpoints[1]: wanted {"lbEndpoints":[{"endpoint":{"address":{"socketAddress":{"address":"20.0.1.1"}}}}]}, got nothing',
    made: mesh([EAST_WEST]),
    elsewhere: [{ in: mesh([]) }, { text: '.endpoints[1]: wanted {"address":{"address":"10.0.0.1"}}, got nothing' }],
  },
  {
    name: 'gRPC: an address once',
    where: `grpc endpoints ${DB}`,
    text: '.endpoints[1].lbEndpoints[0].endpoint.address.socketAddress.address: wanted "20.0.1.1", got "10.0.0.1"',
    made: mesh([EAST_WEST]),
    elsewhere: [
      { in: mesh([]) },
      { text: '.endpoints[1].lbEndpoints[0].endpoint.address.socketAddress.address: wanted "10.0.0.1", got "20.0.1.1"' },
    ],
  },
  {
    name: "gRPC: a rule's subjectAltNames",
    where: `grpc clusters ${DB}`,
    text: '.transportSocket.matchSubjectAltNames[0].exact: wanted "a", got "b"',
    made: mesh([rule('db.web.svc.cluster.local', { trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL', subjectAltNames: ['b'] } } })]),
    elsewhere: [{ in: mesh([ORIGINATES]) }, { where: `grpc clusters ${CART}` }],
  },
  {
    name: 'no authorization of the own workload on the way out to DYNAMIC_DNS',
    where: 'sidecar listeners 0.0.0.0_443',
    text: '.filterChains[0].filters[0].name: wanted "envoy.filters.network.rbac", got "envoy.extensions.filters.network.sni_dynamic_forward_proxy"',
    made: mesh([policy({}), entry(['*.example.com'], { resolution: 'DYNAMIC_DNS' })]),
    elsewhere: [
      { in: mesh([policy({}, 'web'), entry(['*.example.com'], { resolution: 'DYNAMIC_DNS' })]) },
      { where: 'sidecar listeners 0.0.0.0_444' },
      { text: '.filterChains[0].filters[0].typedConfig: wanted "a", got "envoy.filters.network.sni_dynamic_forward_proxy"' },
    ],
  },
  {
    name: "tls of a Sidecar's ingress is refused",
    where: 'validation Sidecar',
    text: 'istiod: accepted; we: spec.ingress[0].tls: this field is not honoured',
    made: mesh([]),
    elsewhere: [
      { text: 'istiod: accepted; we: spec.ingress[0].tls: this field is not honoured; spec.egress[0].bind: no' },
      { where: 'validation Gateway' },
    ],
  },
  {
    name: 'subjectAltNames of a server that asks for no certificate',
    where: 'router listeners 0.0.0.0_8443',
    text: '.filterChains[0].transportSocket.typedConfig.commonTlsContext.validationContext: wanted {}, got nothing',
    made: mesh([servers({ port: { number: 443, protocol: 'HTTPS' }, tls: { mode: 'SIMPLE', subjectAltNames: ['a'] } })]),
    elsewhere: [
      { in: mesh([servers({ port: { number: 443, protocol: 'HTTPS' }, tls: { mode: 'MUTUAL', subjectAltNames: ['a'] } })]) },
      { where: 'router listeners 0.0.0.0_9443' },
    ],
  },
  {
    name: 'a caller whose certificate nobody vouches for is not let in',
    where: 'router listeners 0.0.0.0_8443',
    text: '.filterChains[0].transportSocket.typedConfig.commonTlsContext.combinedValidationContext.defaultValidationContext.trustChainVerification: wanted "ACCEPT_UNTRUSTED", got "VERIFY_TRUST_CHAIN"',
    made: mesh([document('Gateway', { tls: { frontend: { default: { validation: { mode: 'AllowInsecureFallback' } } } } })]),
    elsewhere: [
      { in: mesh([document('Gateway', { tls: { frontend: { default: { validation: { mode: 'AllowValidOnly' } } } } })]) },
      { where: 'sidecar listeners virtualInbound' },
    ],
  },
  {
    name: 'of two certificates of a listener the one that can be had',
    where: 'router listeners 0.0.0.0_8443',
    text: '.filterChains[0].transportSocket.typedConfig.commonTlsContext.tlsCertificateSdsSecretConfigs[0].name: wanted "default", got "kubernetes-gateway://a/b"',
    made: mesh([listeners({ name: 'a', port: 443, tls: { certificateRefs: [{ name: 'nobody' }, { name: 'b' }] } })]),
    elsewhere: [
      { in: mesh([listeners({ name: 'a', port: 443, tls: { certificateRefs: [{ name: 'b' }] } })]) },
      { where: 'router listeners 0.0.0.0_9443' },
    ],
  },
  {
    name: 'pins of callers at a server with files of its own',
    where: 'router listeners 0.0.0.0_8443',
    text: '.filterChains[0].transportSocket.typedConfig.commonTlsContext.combinedValidationContext.defaultValidationContext.verifyCertificateHash: wanted nothing, got ["ab"]',
    made: mesh([
      servers({
        port: { number: 443, protocol: 'HTTPS' },
        tls: { mode: 'MUTUAL', serverCertificate: '/c', verifyCertificateHash: ['ab'] },
      }),
    ]),
    elsewhere: [
      {
        in: mesh([
          servers({
            port: { number: 443, protocol: 'HTTPS' },
            tls: { mode: 'MUTUAL', credentialName: 'c', verifyCertificateHash: ['ab'] },
          }),
        ]),
      },
      { where: 'router listeners 0.0.0.0_9443' },
    ],
  },
  {
    name: 'a principal of a condition once, however many sources the rule has',
    where: 'sidecar listeners virtualInbound',
    text: PRINCIPALS,
    made: mesh([policy({ rules: [TWO_SOURCES] })]),
    elsewhere: [
      { in: mesh([policy({ rules: [{ ...TWO_SOURCES, from: [{}] }] })]) },
      { in: mesh([policy({ rules: [TWO_SOURCES] }, 'web')]) },
      { where: 'sidecar listeners 0.0.0.0_80' },
    ],
  },
  {
    name: 'a principal of a condition once, however many sources the rule of a gateway has',
    where: 'router listeners 0.0.0.0_8080',
    text: PRINCIPALS,
    made: mesh([policy({ rules: [TWO_SOURCES] }, 'istio-system')]),
    elsewhere: [{ in: mesh([policy({ rules: [TWO_SOURCES] })]) }],
  },
  {
    name: 'a claim that is only to be there',
    where: 'router routes http.8080',
    text: '.virtualHosts[0].routes[0].match.dynamicMetadata[0].value.orMatch: wanted {"valueMatchers":[{"listMatch":{"oneOf":{"stringMatch":{"ignoreCase":false}}}},{"stringMatch":{"ignoreCase":false}}]}, got nothing',
    made: mesh([document('VirtualService', { http: [{ match: [{ headers: { '@request.auth.claims.a': {} } }] }] })]),
    elsewhere: [
      { in: mesh([document('VirtualService', { http: [{ match: [{ headers: { '@request.auth.claims.a': { exact: 'b' } } }] }] })]) },
      { where: 'sidecar routes 80' },
      { text: '.virtualHosts[0].routes[0].match.dynamicMetadata[0].value.orMatch: wanted {"valueMatchers":[{}]}, got nothing' },
    ],
  },
  {
    name: 'a proxy of a Sidecar: destinations without a port, hosts that are no services',
    where: 'sidecar routes 3128',
    text: '.virtualHosts[0].domains[0]: wanted "a", got "b"',
    made: mesh([egress({ number: 3128, protocol: 'HTTP_PROXY' }), document('VirtualService', {})]),
    elsewhere: [
      { in: mesh([egress({ number: 3128, protocol: 'HTTP_PROXY' })]) },
      { in: mesh([egress({ number: 3128, protocol: 'HTTP' }), document('VirtualService', {})]) },
      { where: 'sidecar routes 80' },
      { text: '.ignorePortInHostMatching: wanted true, got nothing' },
    ],
  },
  {
    name: 'a proxy of a Sidecar: bytes of a Unix socket',
    where: 'sidecar listeners unix:///a_0',
    text: 'missing',
    made: mesh([egress({ protocol: 'TCP' }, 'unix:///a')]),
    elsewhere: [
      { in: mesh([egress({ protocol: 'HTTP' }, 'unix:///a')]) },
      { where: 'sidecar listeners unix:///b_0' },
      { text: '.filterChains[0]: wanted {}, got nothing' },
    ],
  },
  ...['sidecar', 'router'].map((dialect) => ({
    name: 'networks: Unix sockets are nobody of another network',
    where: `${dialect} endpoints outbound|443||www.example.com`,
    text: '.endpoints[0].lbEndpoints: wanted nothing, got [{"endpoint":{"address":{"pipe":{"path":"/a"}}}}]',
    made: mesh([EAST_WEST, entry(['www.example.com'], { endpoints: [{ address: 'unix:///a' }] })]),
    elsewhere: [
      { in: mesh([entry(['www.example.com'], { endpoints: [{ address: 'unix:///a' }] })]) },
      { in: mesh([EAST_WEST, entry(['www.example.com'], { endpoints: [{ address: '10.1.0.1' }] })]) },
      { where: `${dialect} endpoints outbound|443||api.example.com` },
      { text: '.endpoints[0].lbEndpoints: wanted nothing, got [{"endpoint":{}}]' },
    ],
  })),
  ...['sidecar', 'router', 'grpc'].map((dialect) => ({
    name: 'networks: gateways and weights of clusters that look up names',
    where: `${dialect} clusters outbound|443||www.example.com`,
    text: '.loadAssignment.endpoints[0].lbEndpoints[0].loadBalancingWeight: wanted 1, got 2',
    made: mesh([EAST_WEST, entry(['www.example.com'], { resolution: 'DNS' })]),
    elsewhere: [
      { in: mesh([entry(['www.example.com'], { resolution: 'DNS' })]) },
      { in: mesh([EAST_WEST, entry(['www.example.com'], { resolution: 'STATIC' })]) },
      { where: `${dialect} clusters outbound|443||api.example.com` },
      { text: '.lbPolicy: wanted 1, got 2' },
    ],
  })),
  {
    name: 'changing: an address that several hosts have',
    where: 'sidecar routes 80',
    text: '.virtualHosts[1].domains[2]: wanted "240.1.0.1", got "a"',
    made: mesh([entry(['a.example', 'b.example'], { addresses: ['240.1.0.1'] })]),
    elsewhere: [
      { in: mesh([entry(['a.example'], { addresses: ['240.1.0.1'] })]) },
      { text: '.virtualHosts[1].domains[2]: wanted "240.1.0.2", got "a"' },
    ],
  },
  {
    name: 'changing: the order of ports that only policies name',
    where: 'sidecar listeners virtualInbound',
    text: '.filterChains[3].filterChainMatch.applicationProtocols: wanted ["a"], got nothing',
    made: mesh([document('PeerAuthentication', { portLevelMtls: { 80: {}, 81: {} } })]),
    elsewhere: [
      { in: mesh([document('PeerAuthentication', { portLevelMtls: { 80: {} } })]) },
      { in: mesh([document('PeerAuthentication', { portLevelMtls: { 80: {}, 81: {} } }, 'web')]) },
    ],
  },
  {
    name: 'changing: the name of an inbound port that several services name',
    where: 'sidecar listeners virtualInbound',
    text: '.filterChains[3].filters[0].typedConfig.routeConfig.virtualHosts[0].name: wanted "a", got "b"',
    made: mesh([
      document('Service', {
        ports: [
          { port: 80, targetPort: 8080 },
          { port: 81, targetPort: 8080 },
        ],
      }),
    ]),
    elsewhere: [{ in: mesh([document('Service', { ports: [{ port: 80, targetPort: 8080 }] })]) }],
  },
  ...['sidecar', 'router', 'grpc'].flatMap((dialect) =>
    [
      { list: 'endpoints', text: '.endpoints: wanted nothing, got [{}]' },
      { list: 'clusters', text: '.transportSocket.matchSubjectAltNames[0].exact: wanted "a", got "b"' },
    ].map(({ list, text }) => ({
      name: 'changing: the endpoints of a Service exported to nobody',
      where: `${dialect} ${list} ${DB}`,
      text,
      made: mesh([serviceOf({ 'networking.istio.io/exportTo': '~' })]),
      elsewhere: [{ in: mesh([serviceOf({ 'networking.istio.io/exportTo': '.' })]) }, { where: `${dialect} ${list} ${CART}` }],
    })),
  ),
];

const found = (where: string, text: string, of: Mesh): string | undefined => {
  const node = of.nodes.find(({ Name }) => Name.startsWith(`${where.split(' ', 1)[0]}-`))?.Name ?? '';
  return explanationOf({ node, where, text }, of);
};

describe('what is explained about a difference from istiod', () => {
  it.each(CASES)('is explained where it was made: $name ($where)', ({ name, where, text, made }) => {
    expect(found(where, text, made)).toBe(name);
  });

  it.each(CASES.flatMap(({ elsewhere, ...rest }) => elsewhere.map((other, index) => ({ ...rest, other, index }))))(
    'is told elsewhere: $name ($where, $index)',
    ({ where, text, made, other }) => {
      expect(found(other.where ?? where, other.text ?? text, other.in ?? made)).toBeUndefined();
    },
  );

  it('has a case for every explanation', () => {
    const named = new Set(CASES.map(({ name, where }) => `${name}, ${where.split(' ').slice(0, 2).join(' ')}`));
    expect([...MEANT, ...CHANGING].map(({ name, where }) => `${name}, ${where}`).filter((each) => !named.has(each))).toEqual([]);
  });
});
