import { formatFinding, parseDocuments } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { service } from '../testing/mesh.ts';
import { gatewayApiFindings } from './findings.ts';

const GATEWAY_API = 'gateway.networking.k8s.io/v1';
const document = (kind: string, name: string, spec: string, namespace = 'default'): string =>
  `---\napiVersion: ${GATEWAY_API}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;
const gateway = (listener: string, more = ''): string =>
  document('Gateway', 'edge', `{ gatewayClassName: istio, ${more} listeners: [{ name: http, port: 80, protocol: HTTP, ${listener} }] }`);
const route = (fields: string, namespace = 'default'): string =>
  document('HTTPRoute', 'r', `{ parentRefs: [{ name: edge, namespace: default }], ${fields} }`, namespace);
const to = (ref: string): string => `rules: [{ backendRefs: [${ref}] }]`;
const WEB = service('web');
const ROUTED = route(to('{ name: web, port: 80 }'));

function findings(...texts: readonly string[]): string[] {
  const { objects } = parseDocuments(texts.join(''), { file: 'edge.yaml' });
  return gatewayApiFindings(objects).map((finding) => `${finding.severity} ${formatFinding(finding)}`);
}

describe('the status of documents of the Gateway API', () => {
  it('has nothing to say about what works', () => {
    expect(findings(WEB, gateway(''), ROUTED)).toEqual([]);
  });

  it.each([
    [
      'a listener that is not there',
      [gateway(''), document('HTTPRoute', 'r', '{ parentRefs: [{ name: edge, sectionName: x }] }')],
      'spec.parentRefs[0].sectionName: parent Gateway edge x: Accepted is False (NoMatchingParent): sectionName "x" not found',
    ],
    [
      'a port that is not there',
      [gateway(''), document('HTTPRoute', 'r', '{ parentRefs: [{ name: edge, port: 81 }] }')],
      'Accepted is False (NoMatchingParent): port 81 not found',
    ],
    [
      "a hostname that is not the listener's",
      [gateway('hostname: "*.a.example"'), route('hostnames: [b.example]')],
      'spec.hostnames: parent Gateway edge: Accepted is False (NoMatchingListenerHostname)',
    ],
    [
      'a namespace that may not bind',
      [gateway(''), route('', 'shop')],
      'Accepted is False (NotAllowedByListeners): hostnames matched parent hostname "", but namespace "shop" is not allowed by the parent',
    ],
    ['a kind that may not bind', [gateway('allowedRoutes: { kinds: [{ kind: GRPCRoute }] }'), route('')], 'kind HTTPRoute is not allowed'],
    [
      'a Service of the mesh that is not there',
      [document('HTTPRoute', 'r', '{ parentRefs: [{ group: "", kind: Service, name: gone }] }')],
      'parent Service gone: Accepted is False (NoMatchingParent)',
    ],
    [
      'a backend that is not there',
      [gateway(''), route(to('{ name: gone, port: 80 }'))],
      'error edge.yaml:10 HTTPRoute default/r spec.rules[0].backendRefs[0].name: parent Gateway edge: ResolvedRefs is False (BackendNotFound): backend(gone.default.svc.cluster.local) not found; requests for it get 500',
    ],
    [
      'a backend of a kind that is none',
      [gateway(''), route(to('{ group: x, kind: Bucket, name: b }'))],
      'ResolvedRefs is False (InvalidKind)',
    ],
    [
      'a backend that is not granted',
      [gateway(''), service('till', { namespace: 'money' }), route(to('{ name: till, namespace: money, port: 80 }'))],
      'ResolvedRefs is False (RefNotPermitted): backendRef till/money not accessible to a HTTPRoute in namespace "default"',
    ],
    [
      'a mirror to nowhere',
      [
        WEB,
        gateway(''),
        route(
          'rules: [{ filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: gone, port: 80 } } }], backendRefs: [{ name: web, port: 80 }] }]',
        ),
      ],
      'nothing is mirrored to it',
    ],
    [
      'a mirror to nowhere of a GRPCRoute',
      [
        WEB,
        gateway(''),
        route(
          'rules: [{ filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: gone, port: 80 } } }], backendRefs: [{ name: web, port: 80 }] }]',
        ).replace('kind: HTTPRoute', 'kind: GRPCRoute'),
      ],
      'the whole route is left out until it is put right',
    ],
    [
      'a header that would split the request',
      [
        WEB,
        gateway(''),
        route(
          'rules: [{ filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: a, value: "b\\r\\nc" }] } }], backendRefs: [{ name: web, port: 80 }] }]',
        ),
      ],
      '(InvalidFilter): header "a" value contains invalid characters; the whole route is left out',
    ],
    [
      'a protocol that is none',
      [gateway('').replace('HTTP,', 'http,')],
      '(UnsupportedProtocol): protocol "http" is unsupported. hint: "HTTP" (uppercase) may be supported',
    ],
    [
      'a certificate that is not there',
      [gateway('tls: { certificateRefs: [{ name: cert }] }').replace('HTTP,', 'HTTPS,')],
      'listener http: ResolvedRefs is False (InvalidCertificateRef): invalid certificate reference //cert., secret default/cert not found; the listener is not opened',
    ],
    [
      'an address that no Service has',
      [gateway('', 'addresses: [{ type: Hostname, value: front }],')],
      'warning edge.yaml:5 Gateway default/edge spec.addresses: Programmed is False (AddressNotUsable): Failed to assign to any requested addresses: hostname "front.default.svc.cluster.local" not found',
    ],
    [
      'an address by number',
      [gateway('', 'addresses: [{ type: Hostname, value: web }, { type: IPAddress, value: 1.2.3.4 }],'), WEB],
      'Accepted is False (UnsupportedAddress): only Hostname is supported, ignoring [1.2.3.4]',
    ],
    [
      'a Gateway of somebody else',
      [gateway('').replace('istio', 'nginx')],
      'warning edge.yaml:5 Gateway default/edge spec.gatewayClassName: class "nginx" belongs to another controller',
    ],
    [
      'a Gateway that is not there',
      [route('')],
      'error edge.yaml:5 HTTPRoute default/r spec.parentRefs[0]: Referenced gateway not found: "default/edge" [IST0101]',
    ],
    [
      'a CA that is not there',
      [
        WEB,
        document(
          'BackendTLSPolicy',
          'p',
          '{ targetRefs: [{ group: "", kind: Service, name: web }], validation: { hostname: w, caCertificateRefs: [{ group: "", kind: ConfigMap, name: ca }] } }',
        ),
      ],
      'ResolvedRefs is False (InvalidCACertificateRef): Certificate reference not found: reference default/ca (of kind ConfigMap) not found; nothing is trusted',
    ],
  ])('names %s at its line', (_what, texts, expected) => {
    const found = findings(...texts);
    expect(found.join('\n')).toContain(expected);
    for (const line of found) expect(line).toMatch(/^(error|warning) edge\.yaml:\d+ /);
  });

  it('tells that two listeners want the same place', () => {
    const twice = document(
      'Gateway',
      'edge',
      '{ gatewayClassName: istio, listeners: [{ name: a, port: 80, protocol: HTTP }, { name: b, port: 80, protocol: HTTP }] }',
    );
    expect(findings(twice)).toEqual([
      'error edge.yaml:5 Gateway default/edge spec.listeners[1]: listener b: Accepted is False (HostnameConflict): Listener has a conflict with another listener attached to the same Gateway: "a"; the listener is not opened: change its hostname or its port [RIPSTOP_GATEWAY_STATUS]',
    ]);
  });
});
