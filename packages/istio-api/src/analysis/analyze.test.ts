import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { formatFinding, parseDocuments } from '../index.ts';
import { analyze } from './analyze.ts';
import { MESSAGE_TYPES } from './message-types.ts';

const GROUPS: Readonly<Record<string, string>> = {
  Service: 'v1',
  Pod: 'v1',
  Namespace: 'v1',
  Deployment: 'apps/v1',
  AuthorizationPolicy: 'security.istio.io/v1',
  PeerAuthentication: 'security.istio.io/v1',
  RequestAuthentication: 'security.istio.io/v1',
  Telemetry: 'telemetry.istio.io/v1',
  EnvoyFilter: 'networking.istio.io/v1alpha3',
};

/** `Kind name: spec`, one a line; `Kind namespace/name{metadata}: spec` where they matter. */
function mesh(lines: string): string {
  return lines
    .trim()
    .split('\n')
    .map((line) => {
      const [, kind, namespace = 'default', name, more, spec] = /^\s*(\w+) (?:([\w-]+)\/)?([\w.-]+)(?:\{(.*?)\})?: (.*)$/.exec(line)!;
      const meta = `metadata: { name: ${name}, namespace: ${namespace}${more === undefined ? '' : `, ${more}`} }`;
      return `apiVersion: ${GROUPS[kind!] ?? 'networking.istio.io/v1'}\nkind: ${kind}\n${meta}\nspec: ${spec}\n`;
    })
    .join('---\n');
}

function found(lines: string, extra = ''): string[] {
  const { objects, findings } = parseDocuments(mesh(lines) + extra, { file: 'a.yaml' });
  expect(findings).toEqual([]);
  return analyze(objects).map(formatFinding);
}

const WEB = 'Service web: { selector: { app: web }, ports: [{ port: 80, name: http }] }';
const POD = 'Pod web-1{labels: { app: web }}: {}';
const GATE =
  'Gateway gate: { selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["a.b"] }] }';
const to = (host: string, more = ''): string => `{ destination: { host: ${host}${more} } }`;
const jwt = 'from: [{ source: { requestPrincipals: ["*"] } }]';
const filter = (applyTo: string, operation: string, more = ''): string =>
  `EnvoyFilter f: { configPatches: [{ applyTo: ${applyTo}, patch: { operation: ${operation}, value: { name: x } } }]${more} }`;

/** Each: a code, documents for which it is said and where, documents for which it is not. */
const CASES: readonly (readonly [code: string, said: string, where: string, unsaid: string])[] = [
  [
    'IST0002',
    `VirtualService v: { hosts: [a.b], gateways: [], http: [{ fault: { delay: { fixedDelay: 1s, percent: 5 } }, route: [${to('web')}] }] }\n${WEB}`,
    'spec.http[0].fault.delay.percent',
    `VirtualService v: { hosts: [a.b], http: [{ fault: { delay: { fixedDelay: 1s, percentage: { value: 5 } } }, route: [${to('web')}] }] }\n${WEB}`,
  ],
  [
    'IST0101',
    `VirtualService v: { hosts: [a.b], http: [{ route: [${to('web')}] }] }`,
    'spec.http[0].route[0].destination.host: Referenced host not found: "web"',
    `VirtualService v: { hosts: [a.b], http: [{ route: [${to('web')}] }] }\n${WEB}`,
  ],
  [
    'IST0101',
    `VirtualService v: { hosts: [a.b], http: [{ route: [${to('web', ', port: { number: 81 }')}] }] }\n${WEB}`,
    'Referenced host:port not found: "web:81": its ports are 80',
    `VirtualService v: { hosts: [a.b], http: [{ route: [${to('web', ', port: { number: 80 }')}] }] }\n${WEB}`,
  ],
  [
    'IST0101',
    `VirtualService v: { hosts: [a.b], http: [{ mirror: { host: gone }, route: [${to('web')}] }] }\n${WEB}`,
    'spec.http[0].mirror.host: Referenced mirror host not found',
    `VirtualService v: { hosts: [a.b], http: [{ mirror: { host: web }, route: [${to('web')}] }] }\n${WEB}`,
  ],
  [
    'IST0101',
    `VirtualService v: { hosts: [a.b], http: [{ route: [${to('web.far.svc.cluster.local')}] }] }\nService far/web{annotations: { networking.istio.io/exportTo: . }}: { ports: [{ port: 80, name: http }] }`,
    'Service far/web is not exported to namespace default',
    `VirtualService v: { hosts: [a.b], http: [{ route: [${to('web.far.svc.cluster.local')}] }] }\nService far/web{annotations: { networking.istio.io/exportTo: "., default" }}: { ports: [{ port: 80, name: http }] }`,
  ],
  [
    'IST0101',
    `VirtualService v: { hosts: [a.b], tcp: [{ route: [${to('gone')}] }] }`,
    'spec.tcp[0].route[0].destination.host',
    `VirtualService v: { hosts: [a.b], tcp: [{ route: [${to('web')}] }] }\n${WEB}`,
  ],
  [
    'IST0101',
    `VirtualService v: { hosts: [a.b], gateways: [gone], http: [{ route: [${to('web')}] }] }\n${WEB}`,
    'spec.gateways[0]: Referenced gateway not found: "gone"',
    `VirtualService v: { hosts: [a.b], gateways: [gate, mesh], http: [{ route: [${to('web')}] }] }\n${WEB}\n${GATE}`,
  ],
  [
    'IST0101',
    `Sidecar s: { workloadSelector: { labels: { app: gone } } }\n${POD}`,
    'Referenced selector not found: "app=gone"',
    `Sidecar s: { workloadSelector: { labels: { app: web } } }\n${POD}`,
  ],
  [
    'IST0101',
    `Gateway g: { selector: { app: edge }, servers: [] }\n${POD}`,
    'spec.selector: Referenced selector not found: "app=edge"',
    'Gateway g: { selector: { app: edge }, servers: [] }',
  ],
  [
    'IST0101',
    `AuthorizationPolicy p: { rules: [{ from: [{ source: { namespaces: [gone] } }] }] }\nNamespace default: {}`,
    'spec.rules[0].from[0].source.namespaces[0]: Referenced namespace not found: "gone"',
    `AuthorizationPolicy p: { rules: [{ from: [{ source: { namespaces: ["def*"] } }] }] }\nNamespace default: {}`,
  ],
  [
    'IST0107',
    'Service web{annotations: { sidecar.istio.io/proxyImage: x }}: {}',
    'metadata.annotations.sidecar.istio.io/proxyImage: sidecar.istio.io/proxyImage has no effect on a Service: it belongs on Pod',
    'Pod web{annotations: { sidecar.istio.io/proxyImage: x }}: {}',
  ],
  [
    'IST0108',
    'Pod web{annotations: { sidecar.istio.io/proxyImag: x }}: {}',
    'is no annotation of Istio',
    'Pod web{annotations: { example.com/x: x }}: {}',
  ],
  [
    'IST0109',
    `VirtualService a: { hosts: [web], http: [{ route: [${to('web')}] }] }\nVirtualService b: { hosts: [web.default.svc.cluster.local], http: [{ route: [${to('web')}] }] }\n${WEB}`,
    'spec.hosts[0]: The VirtualServices default/a,default/b associated with mesh gateway define the same host web.default.svc.cluster.local: the oldest, default/a, is used',
    `VirtualService a: { hosts: [web], exportTo: [one], http: [{ route: [${to('web')}] }] }\nVirtualService b: { hosts: [web], exportTo: [two], http: [{ route: [${to('web')}] }] }\n${WEB}`,
  ],
  [
    'IST0110',
    `Sidecar a: { workloadSelector: { labels: { app: web } } }\nSidecar b: { workloadSelector: { labels: { v: one } } }\nPod w{labels: { app: web, v: one }}: {}`,
    'the Sidecars a, b select the same workload w',
    `Sidecar a: { workloadSelector: { labels: { app: web } } }\nSidecar b: { workloadSelector: { labels: { v: one } } }\nPod w{labels: { app: web }}: {}\nPod x{labels: { v: one }}: {}`,
  ],
  [
    'IST0111',
    'Sidecar a: { egress: [{ hosts: ["*/*"] }] }\nSidecar b: { egress: [{ hosts: ["*/*"] }] }',
    'metadata.name: the Sidecars a, b of namespace default have no selector',
    'Sidecar a: { egress: [{ hosts: ["*/*"] }] }\nSidecar far/b: { egress: [{ hosts: ["*/*"] }] }',
  ],
  [
    'IST0112',
    `VirtualService v: { hosts: [a.b], http: [{ route: [${to('web')}] }] }\nService web: { ports: [{ port: 80, name: http-a }, { port: 81, name: http-b }] }`,
    '"web" has the ports 80, 81',
    `VirtualService v: { hosts: [a.b], http: [{ route: [${to('web', ', port: { number: 81 }')}] }] }\nService web: { ports: [{ port: 80, name: http-a }, { port: 81, name: http-b }] }`,
  ],
  [
    'IST0116',
    'Deployment d: { template: { metadata: { labels: { app: d } } } }\nService a: { selector: { app: d }, ports: [{ port: 53, name: dns, protocol: TCP }] }\nService b: { selector: { app: d }, ports: [{ port: 53, name: dns, protocol: UDP }] }',
    'port 53 is TCP in Service default/a and UDP in Service default/b',
    'Deployment d: { template: { metadata: { labels: { app: d } } } }\nService a: { selector: { app: d }, ports: [{ port: 53, name: dns }] }\nService b: { selector: { app: d }, ports: [{ port: 53, name: dns }] }',
  ],
  [
    'IST0118',
    'Service web: { ports: [{ port: 80, name: web }] }',
    'spec.ports[0].name: port name "web" (port 80, targetPort 80) says no protocol',
    'Service web: { ports: [{ port: 80, name: web, appProtocol: http }, { port: 3306, name: db }, { port: 1, name: grpc-web-x }, { port: 2, name: x, protocol: UDP }] }',
  ],
  [
    'IST0125',
    'Pod web{annotations: { traffic.sidecar.istio.io/includeInboundPorts: eighty }}: {}',
    '"eighty" is not a list of ports',
    'Pod web{annotations: { traffic.sidecar.istio.io/includeInboundPorts: "80,81" }}: {}',
  ],
  [
    'IST0127',
    `AuthorizationPolicy p: { selector: { matchLabels: { app: gone } } }\n${POD}`,
    'spec.selector.matchLabels: no workload in namespace default has the labels app=gone',
    'AuthorizationPolicy p: { selector: { matchLabels: { app: gone } } }',
  ],
  [
    'IST0127',
    `AuthorizationPolicy istio-system/p: { selector: { matchLabels: { app: gone } } }\n${POD}`,
    'no workload in any namespace has the labels app=gone',
    `AuthorizationPolicy istio-system/p: { selector: { matchLabels: { app: web } } }\n${POD}`,
  ],
  [
    'IST0128',
    `DestinationRule d: { host: web, trafficPolicy: { tls: { mode: SIMPLE } } }\n${WEB}`,
    'spec.trafficPolicy.tls: tls mode SIMPLE without caCertificates',
    `DestinationRule d: { host: web, trafficPolicy: { tls: { mode: SIMPLE, caCertificates: /ca } } }\n${WEB}`,
  ],
  [
    'IST0129',
    `DestinationRule d: { host: web, trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, tls: { mode: MUTUAL } }] } }\n${WEB}`,
    'spec.trafficPolicy.portLevelSettings[0].tls',
    `DestinationRule d: { host: web, trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, tls: { mode: ISTIO_MUTUAL } }] } }\n${WEB}`,
  ],
  [
    'IST0130',
    `VirtualService v: { hosts: [a.b], http: [{ route: [${to('web')}] }, { match: [{ port: 1 }], route: [${to('web')}] }] }\n${WEB}`,
    'spec.http[1]: rule #1 is not used: http[0] has no match',
    `VirtualService v: { hosts: [a.b], http: [{ match: [{ port: 1 }], route: [${to('web')}] }, { route: [${to('web')}] }] }\n${WEB}`,
  ],
  [
    'IST0130',
    `VirtualService v: { hosts: [a.b], http: [{ match: [{ port: 1, uri: { exact: /a } }], route: [${to('web')}] }, { name: b, match: [{ uri: { exact: /a }, port: 1, name: x }], route: [${to('web')}] }] }\n${WEB}`,
    'rule "b" is not used: all its matches are taken',
    `VirtualService v: { hosts: [a.b], http: [{ match: [{ port: 1 }], route: [${to('web')}] }, { match: [{ port: 1 }, { port: 2 }], route: [${to('web')}] }] }\n${WEB}`,
  ],
  [
    'IST0131',
    `VirtualService v: { hosts: [a.b], http: [{ match: [{ port: 1 }], route: [${to('web')}] }, { match: [{ port: 2 }, { port: 1 }], route: [${to('web')}] }] }\n${WEB}`,
    'spec.http[1].match[1]: rule #1: match #1 is not used: rule #0 has the same one',
    `VirtualService v: { hosts: [a.b], http: [{ match: [{ port: 1 }], route: [${to('web')}] }, { match: [{ port: 2 }], route: [${to('web')}] }] }\n${WEB}`,
  ],
  [
    'IST0131',
    `VirtualService v: { hosts: [a.b], http: [{ match: [{ uri: { prefix: /a } }], route: [${to('web')}] }, { match: [{ uri: { prefix: /a/b } }], route: [${to('web')}] }] }\n${WEB}`,
    'prefix /a of rule #0 takes its requests',
    `VirtualService v: { hosts: [a.b], http: [{ match: [{ uri: { prefix: /a/b } }], route: [${to('web')}] }, { match: [{ uri: { prefix: /a } }], route: [${to('web')}] }] }\n${WEB}`,
  ],
  [
    'IST0132',
    `VirtualService v: { hosts: [c.d], gateways: [gate], http: [{ route: [${to('web')}] }] }\n${WEB}\n${GATE}`,
    'spec.gateways[0]: none of the hosts c.d of VirtualService v is served by Gateway default/gate, which has a.b',
    `VirtualService v: { hosts: ["*.b"], gateways: [gate], http: [{ route: [${to('web')}] }] }\n${WEB}\n${GATE}`,
  ],
  [
    'IST0134',
    'ServiceEntry e: { hosts: [a.b], ports: [{ number: 9, name: t, protocol: TCP }] }',
    'spec.ports[0]: port 9 is TCP',
    'ServiceEntry e: { hosts: [a.b], addresses: [10.0.0.1], ports: [{ number: 9, name: t, protocol: TCP }] }',
  ],
  [
    'IST0135',
    'Pod web{annotations: { sidecar.istio.io/inject: "true" }}: {}',
    'sidecar.istio.io/inject is deprecated: use the label of that name',
    'Pod web{annotations: { sidecar.istio.io/inject: "true" }, labels: { sidecar.istio.io/inject: "true" }}: {}',
  ],
  [
    'IST0137',
    'Deployment d: { template: { metadata: { labels: { app: d } } } }\nService a: { selector: { app: d }, ports: [{ port: 80, targetPort: 8080, name: http }] }\nService b: { selector: { app: d }, ports: [{ port: 81, targetPort: 8080, name: http }] }',
    'targetPort "8080" is port 80 in Service default/a and port 81 in Service default/b',
    'Deployment d: { template: { metadata: { labels: { app: d } } } }\nService a: { selector: { app: d }, ports: [{ port: 80, targetPort: 8080, name: http }] }\nService b: { selector: { app: e }, ports: [{ port: 81, targetPort: 8080, name: http }] }',
  ],
  [
    'IST0138',
    ['a', 'b']
      .map(
        (n) =>
          `Gateway ${n}: { selector: { app: x }, servers: [{ port: { number: 443, name: ${n}, protocol: HTTPS }, hosts: [${n}.b], tls: { mode: SIMPLE, credentialName: c } }] }`,
      )
      .join('\n'),
    'spec.servers[0].tls: Gateway default/b shows the same certificate',
    ['a', 'b']
      .map(
        (n) =>
          `Gateway ${n}: { selector: { app: x }, servers: [{ port: { number: 443, name: ${n}, protocol: HTTPS }, hosts: [${n}.b], tls: { mode: SIMPLE, credentialName: ${n} } }] }`,
      )
      .join('\n'),
  ],
  [
    'IST0140',
    `VirtualService v: { hosts: [a.b], gateways: [gate], http: [{ route: [${to('web')}] }] }\nVirtualService w: { hosts: [web], http: [{ route: [${to('web', ', subset: one')}] }] }\n${WEB}\n${GATE}`,
    'VirtualService default/w chooses for "web" have no effect for requests that come by a gateway',
    `VirtualService v: { hosts: [a.b], http: [{ route: [${to('web')}] }] }\nVirtualService w: { hosts: [web], http: [{ route: [${to('web', ', subset: one')}] }] }\n${WEB}`,
  ],
  [
    'IST0145',
    `${GATE}\n${GATE.replace('gate:', 'other:')}`,
    'Gateway default/gate spec.servers[0]: Conflict with Gateway default/other: port 80 has the host a.b in both',
    `${GATE}\n${GATE.replace('gate:', 'other:').replace('a.b', 'c.d')}`,
  ],
  [
    'IST0149',
    `VirtualService v: { hosts: [a.b], gateways: [gate], http: [{ match: [{ headers: { "@request.auth.claims.sub": { exact: x } } }], route: [${to('web')}] }] }\nPod g{labels: { istio: ingressgateway }}: {}\n${WEB}\n${GATE}`,
    'the route depends on "@request.auth.claims.sub", and no RequestAuthentication verifies tokens at default/g',
    `VirtualService v: { hosts: [a.b], gateways: [gate], http: [{ match: [{ headers: { "@request.auth.claims.sub": { exact: x } } }], route: [${to('web')}] }] }\nPod g{labels: { istio: ingressgateway }}: {}\n${WEB}\n${GATE}\nRequestAuthentication r: {}`,
  ],
  [
    'IST0150',
    'Service x: { type: ExternalName, externalName: a.b, ports: [{ port: 80, name: tcp }] }',
    'spec.ports[0].name: port name "tcp"',
    'Service x: { type: ExternalName, externalName: a.b, ports: [{ port: 80, name: http }] }',
  ],
  [
    'IST0151',
    filter('HTTP_FILTER', 'INSERT_BEFORE'),
    'spec.configPatches[0]: INSERT_BEFORE depends on what is there already',
    filter('HTTP_FILTER', 'INSERT_BEFORE', ', priority: 10'),
  ],
  ['IST0152', filter('CLUSTER', 'REPLACE'), 'REPLACE works for', filter('VIRTUAL_HOST', 'REPLACE')],
  ['IST0153', filter('HTTP_ROUTE', 'ADD'), 'ADD is ignored for HTTP_ROUTE', filter('HTTP_FILTER', 'ADD')],
  ['IST0154', filter('HTTP_ROUTE', 'REMOVE'), 'REMOVE is ignored for HTTP_ROUTE', filter('HTTP_FILTER', 'REMOVE')],
  [
    'IST0155',
    `EnvoyFilter a: { configPatches: [{ applyTo: HTTP_FILTER, match: { proxy: { proxyVersion: "1.2" } }, patch: { operation: ADD, value: { name: x } } }] }\n${filter('HTTP_FILTER', 'INSERT_BEFORE')}`,
    'another patch of this filter has a proxyVersion',
    filter('HTTP_FILTER', 'INSERT_BEFORE'),
  ],
  [
    'IST0157',
    'Telemetry t: { accessLogging: [{ filter: { expression: x } }] }',
    'spec.accessLogging[0]: it names no provider',
    'Telemetry t: { accessLogging: [{ providers: [{ name: p }] }, { disabled: true }] }',
  ],
  [
    'IST0159',
    `Telemetry a: { selector: { matchLabels: { app: web } } }\nTelemetry b: { selector: { matchLabels: { app: web } } }\n${POD}`,
    'the Telemetries a, b select the same workload web-1',
    `Telemetry a: { selector: { matchLabels: { app: web } } }\n${POD}`,
  ],
  [
    'IST0160',
    'Telemetry a: {}\nTelemetry b: {}',
    'the Telemetries a, b of namespace default have no selector',
    'Telemetry a: {}\nTelemetry b: { targetRefs: [{ kind: Gateway, name: g }] }',
  ],
  [
    'IST0162',
    `Gateway g: { selector: { istio: ingressgateway }, servers: [{ port: { number: 8080, name: http, protocol: HTTP }, hosts: ["*"] }] }`,
    'spec.servers[0].port.number: port 8080 is not in the Service of the gateway (istio=ingressgateway), which has 80, 443, 31400, 15443',
    GATE,
  ],
  [
    'IST0162',
    `Gateway g: { selector: { app: edge }, servers: [{ port: { number: 8080, name: http, protocol: HTTP }, hosts: ["*"] }] }\nPod e{labels: { app: edge }}: {}\nService e: { selector: { app: edge }, ports: [{ port: 80, name: http }] }`,
    'port 8080 is not in the Service of the gateway (app=edge), which has 80',
    `Gateway g: { selector: { app: edge }, servers: [{ port: { number: 8080, name: http, protocol: HTTP }, hosts: ["*"] }] }\nPod e{labels: { app: edge }}: {}\nService e: { selector: { app: edge }, ports: [{ port: 80, targetPort: 8080, name: http }] }`,
  ],
  [
    'IST0165',
    `VirtualService v: { hosts: [a.b], gateways: [default/g-istio-autogenerated-k8s-gateway-http], http: [{ route: [${to('web')}] }] }\n${WEB}`,
    'is made of a Gateway of the Gateway API',
    `VirtualService v: { hosts: [a.b], gateways: [gate], http: [{ route: [${to('web')}] }] }\n${WEB}\n${GATE}`,
  ],
  [
    'IST0166',
    `AuthorizationPolicy p: { selector: { matchLabels: { app: edge } } }\nPod e{labels: { app: edge, gateway.networking.k8s.io/gateway-name: gw }}: {}`,
    'labels do not select Gateway gw',
    `AuthorizationPolicy p: { selector: { matchLabels: { app: edge } } }\nPod e{labels: { app: edge }}: {}`,
  ],
  [
    'IST0173',
    `DestinationRule d: { host: web, subsets: [{ name: v2, labels: { version: v2 } }] }\n${WEB}\n${POD}`,
    'spec.subsets[0]: subset "v2" selects no workload (app=web,version=v2)',
    `DestinationRule d: { host: web, subsets: [{ name: v2, labels: { version: v2 } }] }\n${WEB}\nDeployment w: { template: { metadata: { labels: { app: web, version: v2 } } } }`,
  ],
  [
    'IST0174',
    'DestinationRule d: { host: gone }',
    'spec.host: no Service and no ServiceEntry is "gone"',
    `DestinationRule d: { host: "*.default.svc.cluster.local" }\n${WEB}`,
  ],
  [
    'IST0177',
    'ServiceEntry a: { hosts: [a.b], ports: [{ number: 9, name: t, protocol: HTTP }] }\nServiceEntry b: { hosts: [a.b], ports: [{ number: 9, name: t, protocol: GRPC }] }',
    'the ServiceEntries default/a, default/b give port 9 of "a.b" different protocols (GRPC, HTTP)',
    'ServiceEntry a: { hosts: [a.b], exportTo: [one], ports: [{ number: 9, name: t, protocol: HTTP }] }\nServiceEntry b: { hosts: [a.b], exportTo: [two], ports: [{ number: 9, name: t, protocol: GRPC }] }',
  ],
  [
    'RIPSTOP_DENY_OVER_ALLOW',
    'AuthorizationPolicy d: { action: DENY, rules: [{}] }\nAuthorizationPolicy a: { selector: { matchLabels: { app: web } }, rules: [{}] }',
    'AuthorizationPolicy default/a: DENY wins',
    'AuthorizationPolicy d: { action: DENY, selector: { matchLabels: { app: api } }, rules: [{}] }\nAuthorizationPolicy a: { selector: { matchLabels: { app: web } }, rules: [{}] }',
  ],
  [
    'RIPSTOP_DENY_OVER_ALLOW',
    'AuthorizationPolicy d: { action: DENY, rules: [{ to: [{ operation: { methods: [GET] } }] }] }\nAuthorizationPolicy a: { rules: [{ to: [{ operation: { methods: [GET] } }] }] }',
    'spec.rules[0]: DENY wins',
    'AuthorizationPolicy d{annotations: { istio.io/dry-run: "true" }}: { action: DENY, rules: [{}] }\nAuthorizationPolicy a: { rules: [{}] }',
  ],
  [
    'RIPSTOP_UNENFORCEABLE',
    'AuthorizationPolicy p: { action: CUSTOM, provider: { name: gone }, rules: [{}] }',
    'spec.provider.name: MeshConfig.extensionProviders has no envoyExtAuthzHttp or envoyExtAuthzGrpc called "gone"',
    'AuthorizationPolicy p: { rules: [{}] }',
  ],
  [
    'RIPSTOP_DUPLICATE_SUBSET',
    `DestinationRule d: { host: web, subsets: [{ name: a }, { name: a }] }\n${WEB}`,
    'spec.subsets[1]: subset "a" is defined twice',
    `DestinationRule d: { host: web, subsets: [{ name: a }, { name: b }] }\n${WEB}`,
  ],
  [
    'RIPSTOP_NO_REQUEST_AUTHENTICATION',
    `AuthorizationPolicy p: { rules: [{ ${jwt} }] }`,
    'spec.rules[0].from[0].source.requestPrincipals',
    `AuthorizationPolicy p: { rules: [{ ${jwt} }] }\nRequestAuthentication istio-system/r: {}`,
  ],
  [
    'RIPSTOP_NO_PEER_IDENTITY',
    'AuthorizationPolicy p: { rules: [{ when: [{ key: source.principal, values: [x] }] }] }\nPeerAuthentication m: { mtls: { mode: DISABLE } }',
    'spec.rules[0].when[0].key: PeerAuthentication default/m switches mTLS off',
    'AuthorizationPolicy p: { rules: [{ when: [{ key: source.principal, values: [x] }] }] }\nPeerAuthentication m: { mtls: { mode: STRICT } }',
  ],
];

describe('analysis', () => {
  it.each(CASES)('%s is said of %s', (code, said, where) => {
    const lines = found(said).filter((line) => line.endsWith(`[${code}]`));
    expect(lines.join('\n')).toContain(where);
    for (const line of lines) expect(line).toMatch(/^a\.yaml:\d+ \w+ [\w./-]+/);
  });

  it.each(CASES)('%s (not of %s) where there is no reason', (code, _said, _where, unsaid) => {
    expect(found(unsaid).filter((line) => line.endsWith(`[${code}]`))).toEqual([]);
  });

  it('has a case for every code that it can find, but those of Secrets', () => {
    const codes = new Set(CASES.map(([code]) => code));
    // Its cases need certificates: they stand beside the reading of Secrets.
    expect(MESSAGE_TYPES.filter(({ applies, code }) => applies && !codes.has(code)).map(({ code }) => code)).toEqual(['IST0161']);
  });

  it('takes the root namespace from the mesh configuration', () => {
    const config = '---\napiVersion: ripstop.dev/v1\nkind: MeshConfig\nmetadata: { name: mesh }\nspec: { rootNamespace: root }\n';
    const policies = 'AuthorizationPolicy root/d: { action: DENY, rules: [{}] }\nAuthorizationPolicy a: { rules: [{}] }';
    expect(found(policies, config).join('\n')).toContain('[RIPSTOP_DENY_OVER_ALLOW]');
    expect(found(policies)).toEqual([]);
  });

  it('compares Gateways that one workload serves, though their selectors differ', () => {
    const gateway = (name: string, selector: string): string =>
      `Gateway ${name}: { selector: ${selector}, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["a.b"] }] }`;
    const two = `${gateway('a', '{ app: edge }')}\n${gateway('b', '{ istio: ingressgateway }')}`;
    const conflicts = (pods: string): string[] => found(`${two}\n${pods}`).filter((line) => line.includes('IST0145'));
    expect(conflicts('Pod p{labels: { app: edge, istio: ingressgateway }}: {}')).toHaveLength(2);
    expect(conflicts('Pod p{labels: { app: edge }}: {}\nPod q{labels: { istio: ingressgateway }}: {}')).toEqual([]);
  });

  it('takes where a workload runs for labels of it', () => {
    const rule = (label: string): string => `DestinationRule d: { host: web, subsets: [{ name: here, labels: { ${label} } }] }\n${WEB}\n`;
    const pod = 'Pod web-1{labels: { app: web }}: { nodeName: n1 }';
    const node = '---\napiVersion: v1\nkind: Node\nmetadata: { name: n1, labels: { topology.kubernetes.io/region: eu } }\n';
    const codes = (label: string): string[] => found(rule(label) + pod, node).map((line) => /\[([A-Z_0-9]+)\]$/.exec(line)![1]!);
    expect(codes('topology.kubernetes.io/region: eu')).toEqual([]);
    expect(codes('kubernetes.io/hostname: n1')).toEqual([]);
    expect(codes('topology.kubernetes.io/region: us')).toEqual(['IST0173']);
  });

  it('says nothing of the namespaces of Kubernetes itself, and nothing of port names of what Istio installed', () => {
    const service = (name: string, labels = '{}'): string => `Service ${name}{labels: ${labels}}: { ports: [{ port: 80, name: web }] }`;
    expect(found(service('kube-system/web'))).toEqual([]);
    expect(found(service('istio-system/web', '{ release: istio }'))).toEqual([]);
    expect(found(service('istio-system/web'))).toHaveLength(1);
  });

  it('knows addresses that istiod has allocated', () => {
    const entry = 'ServiceEntry e: { hosts: [a.b], ports: [{ number: 22, name: tcp, protocol: TCP }] }';
    expect(found(entry)).toHaveLength(1);
    expect(found(entry, 'status: { addresses: [{ host: a.b, value: 240.240.0.1 }] }\n')).toEqual([]);
  });

  it('leaves out what an object asks to leave out', () => {
    const service = (suppress: string): string =>
      `Service web{annotations: { galley.istio.io/analyze-suppress: "${suppress}" }}: { ports: [{ port: 80, name: web }] }`;
    expect(found(service('IST0101, IST0118'))).toEqual([]);
    expect(found(service('*'))).toEqual([]);
    expect(found(service('IST0101'))).toHaveLength(1);
  });
});

const messages = join(
  process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../../../shared/conformance'),
  'analysis/messages.yaml',
);
const present = existsSync(messages);
if (!present) console.log(`skipped: Istio's catalogue of messages (no ${messages})`);

describe.skipIf(!present)("Istio's catalogue of messages", () => {
  it('has a row here for each code, under the same name and level', () => {
    const theirs = (parse(readFileSync(messages, 'utf8')) as { messages: { code: string; name: string; level: string }[] }).messages;
    const ours = MESSAGE_TYPES.filter(({ code }) => code.startsWith('IST'));
    const row = ({ code, name, level }: { code: string; name: string; level: string }): string => `${code} ${name} ${level.toLowerCase()}`;
    expect(ours.map((type) => row({ ...type, level: type.severity })).sort()).toEqual(theirs.map(row).sort());
  });
});
