import { ROUTE_TYPE_URL, type RouteConfiguration } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { secretYaml, testAuthority } from '../testing/certificates.ts';
import { pushOf, service } from '../testing/mesh.ts';
import { gatewayPorts } from '../translate/gateway-servers.ts';
import { translate } from '../translate/translate.ts';

const document = (kind: string, name: string, spec: string): string =>
  `---\napiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: default }\nspec: ${spec}\n`;
const gateway = (listeners: string, more = ''): string =>
  document('Gateway', 'edge', `{ gatewayClassName: istio, ${more} listeners: [${listeners}] }`);
const HTTP = '{ name: http, port: 80, protocol: HTTP }';

const node = (labels: Readonly<Record<string, string>>, namespace = 'default') =>
  proxyNodeOf({
    id: `router~10.0.0.9~edge-1.${namespace}~${namespace}.svc.cluster.local`,
    metadata: { LABELS: labels, NAMESPACE: namespace },
  });
const NAMED = { 'gateway.networking.k8s.io/gateway-name': 'edge' };

/** Ports that a node opens, and on each the hosts of its servers. */
function opened(yaml: string, from = node(NAMED)): Record<number, readonly string[]> {
  const { ports } = gatewayPorts(from, pushOf(yaml));
  return Object.fromEntries(ports.map(({ number, servers }) => [number, servers.flatMap(({ server }) => server.hosts)]));
}

describe('a Gateway of the Gateway API', () => {
  it('is run by the workloads of its Service, in its namespace, at their target port', () => {
    const yaml =
      service('front').replace('targetPort: 80', 'targetPort: 8080') + gateway(HTTP, 'addresses: [{ type: Hostname, value: front }],');
    expect(opened(yaml, node({ app: 'front' }))).toEqual({ 8080: ['default/*'] });
    expect(opened(yaml, node({ app: 'front' }, 'shop'))).toEqual({});
    expect(opened(yaml, node({ app: 'other' }))).toEqual({});
  });

  it('opens only ports that its Service has, and is not run by its name when it names a Service', () => {
    const yaml =
      service('front') + gateway(`${HTTP}, { name: b, port: 8080, protocol: HTTP }`, 'addresses: [{ type: Hostname, value: front }],');
    expect(opened(yaml, node({ app: 'front' }))).toEqual({ 80: ['default/*'] });
    expect(opened(yaml)).toEqual({});
  });

  it('has its turn among others by its age, then by its generated name', () => {
    const named = (name: string, host: string): string =>
      document(
        'Gateway',
        name,
        `{ gatewayClassName: istio, addresses: [{ type: Hostname, value: front }], listeners: [${HTTP.replace(' }', `, hostname: ${host} }`)}] }`,
      );
    const yaml = service('front') + named('edge', 'a.example') + named('edge-2', 'b.example');
    expect(opened(yaml, node({ app: 'front' }))).toEqual({ 80: ['default/b.example', 'default/a.example'] });
  });

  it('without an address is run by workloads with its name', () => {
    expect(opened(gateway(HTTP))).toEqual({ 80: ['default/*'] });
    expect(opened(gateway(HTTP), node(NAMED, 'shop'))).toEqual({});
  });

  it('of another class is left alone, unless a GatewayClass says that it is ours', () => {
    const other = gateway(HTTP).replace('gatewayClassName: istio', 'gatewayClassName: mine');
    expect(opened(other)).toEqual({});
    expect(opened(document('GatewayClass', 'mine', '{ controllerName: istio.io/gateway-controller }') + other)).toEqual({
      80: ['default/*'],
    });
  });

  it('opens the first of two listeners that want the same place, and none without its certificate', () => {
    const tls = (name: string): string => `{ name: s, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: ${name} }] } }`;
    const { certificate, key } = testAuthority().issue({ dns: ['a.example'] });
    const secret = secretYaml('cert', 'default', { 'tls.crt': certificate, 'tls.key': key });
    expect(opened(gateway(`${HTTP}, { name: b, port: 80, protocol: HTTP }`))).toEqual({ 80: ['default/*'] });
    expect(opened(secret + gateway(`${HTTP}, ${tls('cert')}`))).toEqual({ 80: ['default/*'], 443: ['default/*'] });
    expect(opened(secret + gateway(`${HTTP}, ${tls('gone')}`))).toEqual({ 80: ['default/*'] });
    expect(opened(gateway(`${HTTP}, { name: s, port: 443, protocol: HTTPS }`))).toEqual({ 80: ['default/*'] });
  });

  it('takes a route without hostnames on each listener, but not where another listener names the host more exactly', () => {
    const listeners = '{ name: any, port: 80, protocol: HTTP }, { name: shop, port: 80, protocol: HTTP, hostname: "*.shop.example" }';
    const route = (name: string, section: string, host: string, backend: string): string =>
      document(
        'HTTPRoute',
        name,
        `{ parentRefs: [{ name: edge, sectionName: ${section} }], hostnames: [${host}], rules: [{ backendRefs: [{ name: ${backend}, port: 80 }] }] }`,
      );
    const yaml = service('web') + gateway(listeners) + route('a', 'any', 'a.shop.example', 'web') + route('b', 'any', 'b.example', 'web');
    const [resource] = translate(ROUTE_TYPE_URL, node(NAMED), pushOf(yaml), ['http.80']);
    const { virtualHosts } = resource!.message as RouteConfiguration;
    expect(virtualHosts.flatMap(({ domains }) => domains)).toEqual(['b.example']);
  });
});

describe('a policy that names a Gateway', () => {
  const POLICY = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: p, namespace: default }
spec: { targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }], action: DENY, rules: [{}] }
`;
  const denies = (yaml: string, labels: Readonly<Record<string, string>>, namespace = 'default'): boolean =>
    pushOf(yaml + POLICY).policiesFor(namespace, labels).deny.length > 0;

  it('holds for the workloads that run it, by label or by Service, and for no others', () => {
    const yaml = service('front') + gateway(HTTP, 'addresses: [{ type: Hostname, value: front }],');
    expect(denies(yaml, { app: 'front' })).toBe(true);
    expect(denies(yaml, NAMED)).toBe(true);
    expect(denies(yaml, { app: 'other' })).toBe(false);
    expect(denies(yaml, NAMED, 'shop')).toBe(false);
  });
});
