import { parseDocuments } from '@ripstop/istio-api';
import { isAny, LISTENER_TYPE_URL, type Listener, TcpProxy, unpackAny } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { secretYaml, testAuthority } from '../testing/certificates.ts';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from '../translate/translate.ts';
import { gatewayApiFindings } from './findings.ts';
import { translateGatewayApi } from './gateway-api.ts';

const document = (kind: string, name: string, spec: string, namespace = 'default'): string =>
  `---\napiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;
const gateway = (listeners: string): string => document('Gateway', 'edge', `{ gatewayClassName: istio, listeners: [${listeners}] }`);
const TCP = '{ name: tcp, port: 9000, protocol: TCP }';
const passthrough = (name: string, hostname = ''): string =>
  `{ name: ${name}, port: 443, protocol: TLS, ${hostname === '' ? '' : `hostname: "${hostname}", `}tls: { mode: Passthrough } }`;
const EDGE = 'parentRefs: [{ name: edge, namespace: default }]';
const to = (...refs: readonly string[]): string => `rules: [{ backendRefs: [${refs.join(', ')}] }]`;
const DB = service('db') + service('db-2');

const node = proxyNodeOf({
  id: 'router~10.0.0.9~edge-1.default~default.svc.cluster.local',
  metadata: { LABELS: { 'gateway.networking.k8s.io/gateway-name': 'edge' }, NAMESPACE: 'default' },
});

/** Server names and clusters of each chain of the gateway's ports. */
function chains(yaml: string): string[] {
  return translate(LISTENER_TYPE_URL, node, pushOf(DB + yaml), []).flatMap(({ name, message }) =>
    (message as Listener).filterChains.map(({ filterChainMatch, filters, transportSocket }) => {
      const config = filters.at(-1)!.configType;
      const proxy = config?.$case === 'typedConfig' && isAny(TcpProxy, config.value) ? unpackAny(TcpProxy, config.value) : undefined;
      const target = proxy?.clusterSpecifier;
      const clusters =
        target?.$case === 'cluster' ? target.value : target?.value.clusters.map((entry) => `${entry.name} ${entry.weight}`).join(', ');
      const names = filterChainMatch?.serverNames.join(',') ?? '';
      return `${name} [${names}]${transportSocket === undefined ? '' : ' tls'} → ${clusters}`;
    }),
  );
}

function findings(yaml: string): string[] {
  return gatewayApiFindings(parseDocuments(DB + yaml, { file: 'a.yaml' }).objects).map(({ message }) => message);
}

describe('a TCPRoute', () => {
  it('leads the connections of a listener to its backends, by weight', () => {
    const one = gateway(TCP) + document('TCPRoute', 'r', `{ ${EDGE}, ${to('{ name: db, port: 80 }')} }`);
    expect(chains(one)).toEqual(['0.0.0.0_9000 [] → outbound|80||db.default.svc.cluster.local']);
    const refs = ['{ name: db, port: 80, weight: 3 }', '{ name: db-2, port: 80 }', '{ name: db, port: 81, weight: 0 }'];
    const split = gateway(TCP) + document('TCPRoute', 'r', `{ ${EDGE}, ${to(...refs)} }`);
    expect(chains(split)).toEqual([
      '0.0.0.0_9000 [] → outbound|80||db.default.svc.cluster.local 3, outbound|80||db-2.default.svc.cluster.local 1',
    ]);
    expect(findings(split)).toEqual([]);
  });

  it('without a backend of weight leads nowhere', () => {
    const yaml = gateway(TCP) + document('TCPRoute', 'r', `{ ${EDGE}, ${to('{ name: db, port: 80, weight: 0 }')} }`);
    expect(chains(yaml)).toEqual(['0.0.0.0_9000 [] → outbound|65535|zero-weight|internal.cluster.local']);
  });

  it.each([
    ['HTTP', '{ name: tcp, port: 9000, protocol: HTTP }', 'kind TCPRoute is not allowed'],
    ['another name', '{ name: x, port: 9000, protocol: TCP }', 'sectionName "tcp" not found'],
    ['another port', '{ name: tcp, port: 9001, protocol: TCP }', 'port 9000 not found'],
  ])('is not taken by a listener of %s', (_what, listener, message) => {
    const parent = 'parentRefs: [{ name: edge, sectionName: tcp, port: 9000 }]';
    const yaml = gateway(listener) + document('TCPRoute', 'r', `{ ${parent}, ${to('{ name: db, port: 80 }')} }`);
    expect(chains(yaml).filter((line) => line.includes('db'))).toEqual([]);
    expect(findings(yaml).join('\n')).toContain(message);
  });

  it('needs a grant for the backend of another namespace', () => {
    const route = document('TCPRoute', 'r', `{ ${EDGE}, ${to('{ name: db, namespace: shop, port: 80 }')} }`);
    const yaml = service('db', { namespace: 'shop' }) + gateway(TCP) + route;
    expect(chains(yaml).join()).toContain('UnknownService');
    expect(findings(yaml).join('\n')).toContain('RefNotPermitted');
    const from = 'from: [{ group: gateway.networking.k8s.io, kind: TCPRoute, namespace: default }]';
    const grant = document('ReferenceGrant', 'g', `{ ${from}, to: [{ group: "", kind: Service }] }`, 'shop');
    expect(chains(yaml + grant)).toEqual(['0.0.0.0_9000 [] → outbound|80||db.shop.svc.cluster.local']);
    expect(findings(yaml + grant)).toEqual([]);
  });
});

describe('a TLSRoute', () => {
  const route = (hostnames: string, more = EDGE): string =>
    document('TLSRoute', 'r', `{ ${more}, hostnames: [${hostnames}], ${to('{ name: db, port: 80 }')} }`);

  it('of the namespace of the gateway comes before an older one of another', () => {
    const listener = passthrough('tls').replace('tls: {', 'allowedRoutes: { namespaces: { from: All } }, tls: {');
    const route = (name: string, namespace: string, age: string): string =>
      document('TLSRoute', name, `{ ${EDGE}, hostnames: [a.example], ${to(`{ name: ${name}, port: 80 }`)} }`, namespace).replace(
        'metadata: {',
        `metadata: { creationTimestamp: "${age}",`,
      );
    const older = service('db-3').replaceAll('namespace: default', 'namespace: shop') + route('db-3', 'shop', '2026-01-01T00:00:00Z');
    const own = route('db', 'default', '2026-01-02T00:00:00Z');
    expect(chains(gateway(listener) + older + own)).toEqual(['0.0.0.0_443 [a.example] → outbound|80||db.default.svc.cluster.local']);
    expect(chains(gateway(listener) + older)).toEqual(['0.0.0.0_443 [a.example] → outbound|80||db-3.shop.svc.cluster.local']);
  });

  it('leads connections on by the name in their handshake', () => {
    expect(chains(gateway(passthrough('a')) + route('a.example, "*.b.example"'))).toEqual([
      '0.0.0.0_443 [*.b.example,a.example] → outbound|80||db.default.svc.cluster.local',
    ]);
  });

  it('has at a listener only the names of both', () => {
    const yaml = gateway(passthrough('a', '*.b.example')) + route('"*.example", a.example, x.b.example');
    expect(chains(yaml)).toEqual(['0.0.0.0_443 [*.b.example,x.b.example] → outbound|80||db.default.svc.cluster.local']);
  });

  it('leads what a listener has decrypted', () => {
    const { certificate, key } = testAuthority().issue({ dns: ['a.example'] });
    const secret = secretYaml('cert', 'default', { 'tls.crt': certificate, 'tls.key': key });
    const listener =
      '{ name: a, port: 443, protocol: TLS, hostname: a.example, tls: { mode: Terminate, certificateRefs: [{ name: cert }] } }';
    expect(chains(secret + gateway(listener) + route('a.example'))).toEqual([
      '0.0.0.0_443 [a.example] tls → outbound|80||db.default.svc.cluster.local',
    ]);
  });

  it('of the mesh is for its Service, by its own names or those that it gives, and for one port', () => {
    const parent = 'parentRefs: [{ group: "", kind: Service, name: db, port: 443 }]';
    const rules = (yaml: string) =>
      translateGatewayApi({ objects: parseDocuments(DB + yaml, { file: 'a.yaml' }).objects, domain: 'cluster.local' }).virtualServices.map(
        ({ name, hosts, gateways, object }) => ({ name, hosts, gateways, match: object.spec.tls?.[0]?.match }),
      );
    const common = { name: 'r~tls~0~istio-autogenerated-k8s-gateway', hosts: ['db.default.svc.cluster.local'], gateways: ['mesh'] };
    expect(rules(route('', parent))).toEqual([{ ...common, match: [{ sniHosts: ['db.default.svc.cluster.local'], port: 443 }] }]);
    expect(rules(route('a.example', parent))).toEqual([{ ...common, match: [{ sniHosts: ['a.example'], port: 443 }] }]);
  });

  it('reaches a sidecar of the mesh', () => {
    const tls = `---\napiVersion: v1\nkind: Service\nmetadata: { name: vault, namespace: default }\nspec: { clusterIP: 10.1.1.1, ports: [{ name: tls, port: 443 }] }\n`;
    const yaml =
      tls + document('TLSRoute', 'r', `{ parentRefs: [{ group: "", kind: Service, name: vault }], ${to('{ name: db, port: 80 }')} }`);
    const found = translate(LISTENER_TYPE_URL, sidecar(), pushOf(DB + yaml), []).find(({ name }) => name === '10.1.1.1_443');
    const [chain] = (found!.message as Listener).filterChains;
    expect(chain!.filterChainMatch?.serverNames).toEqual(['vault.default.svc.cluster.local']);
    expect(chain!.metadata?.filterMetadata.istio).toMatchObject({ config: expect.stringContaining('/r~tls~0~') });
  });
});
