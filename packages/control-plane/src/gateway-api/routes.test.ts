import { ROUTE_TYPE_URL, type RouteConfiguration } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from '../translate/translate.ts';

const SERVICES = service('web') + service('cart') + service('cart-2') + service('caller', { namespace: 'shop' });

const route = (spec: string, { namespace = 'default', name = 'r', kind = 'HTTPRoute' } = {}): string => `---
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${spec}
`;

const to = (name: string): string => `backendRefs: [{ name: ${name}, port: 80 }]`;
const PARENT = 'parentRefs: [{ group: "", kind: Service, name: cart }]';

/** The routes of `cart:80` as a client of a namespace gets them. */
function routes(yaml: string, namespace = 'default', port = 80): string[] {
  const [resource] = translate(ROUTE_TYPE_URL, sidecar('c', namespace), pushOf(SERVICES + yaml), [String(port)]);
  const { virtualHosts } = resource!.message as RouteConfiguration;
  const host = virtualHosts.find(({ name }) => name === `cart.default.svc.cluster.local:${port}`);
  return (host?.routes ?? []).map(({ match, action }) => {
    const path = match?.pathSpecifier;
    const target =
      action?.$case === 'route' && action.value.clusterSpecifier?.$case === 'cluster'
        ? action.value.clusterSpecifier.value.split('|').at(-1)!.split('.')[0]
        : action?.$case === 'directResponse'
          ? action.value.status
          : action?.$case;
    return `${path?.$case} ${path?.$case === 'safeRegex' ? path.value.regex : path?.value} → ${target}`;
  });
}

describe('routes for a Service of the mesh', () => {
  it('are asked exact path first, then the longest prefix, over all documents', () => {
    const first = route(`{ ${PARENT}, rules: [{ matches: [{ path: { value: / } }, { path: { value: /a } }], ${to('cart')} }] }`);
    const second = route(
      `{ ${PARENT}, rules: [{ matches: [{ path: { type: Exact, value: /a } }, { path: { value: /a/b } }], ${to('cart-2')} }] }`,
      {
        name: 's',
      },
    );
    expect(routes(first + second)).toEqual([
      'path /a → cart-2',
      'pathSeparatedPrefix /a/b → cart-2',
      'pathSeparatedPrefix /a → cart',
      'prefix / → cart',
    ]);
  });

  it("of another namespace are for that namespace's clients, who follow nothing else", () => {
    const producer = route(`{ ${PARENT}, rules: [{ ${to('cart-2')} }] }`);
    const parent = 'parentRefs: [{ group: "", kind: Service, name: cart, namespace: default }]';
    const consumer = route(`{ ${parent}, rules: [{ ${to('caller')} }] }`, { namespace: 'shop' });
    expect(routes(producer + consumer)).toEqual(['prefix / → cart-2']);
    expect(routes(producer + consumer, 'shop')).toEqual(['prefix / → caller']);
  });

  it('come before VirtualServices of other namespaces that everybody sees, for clients of their own', () => {
    const older = (text: string): string => text.replace('metadata: {', 'metadata: { creationTimestamp: "2026-01-01T00:00:00Z",');
    const rule = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a, namespace: shop }
spec: { hosts: [cart.default.svc.cluster.local], http: [{ route: [{ destination: { host: caller } }] }] }
`;
    const yaml =
      older(rule) +
      route(`{ ${PARENT}, rules: [{ ${to('cart-2')} }] }`).replace('name: r', 'creationTimestamp: "2026-01-02T00:00:00Z", name: r');
    expect(routes(yaml)).toEqual(['prefix / → cart-2']);
    expect(routes(yaml, 'shop')).toEqual(['prefix / → caller']);
  });

  it.each([
    [['*'], ['cart-2', 'cart-2']],
    [['.'], ['cart-2', 'cart']],
    [['shop'], ['cart', 'cart-2']],
  ])('are exported to %j where MeshConfig says so of VirtualServices', (exportTo, expected) => {
    const push = pushOf(SERVICES + route(`{ ${PARENT}, rules: [{ ${to('cart-2')} }] }`), [], { defaultVirtualServiceExportTo: exportTo });
    const target = (namespace: string): string | undefined => {
      const [resource] = translate(ROUTE_TYPE_URL, sidecar('c', namespace), push, ['80']);
      const host = (resource!.message as RouteConfiguration).virtualHosts.find(({ name }) => name.startsWith('cart.default'));
      return /outbound\|80\|\|([^.]*)/.exec(JSON.stringify(host?.routes[0]?.action))?.[1];
    };
    expect([target('default'), target('shop')]).toEqual(expected);
  });

  it('for one port leave the others alone', () => {
    const yaml = `---
apiVersion: v1
kind: Service
metadata: { name: cart, namespace: default }
spec: { ports: [{ name: http, port: 80 }, { name: http-alt, port: 81 }] }
`;
    const push = SERVICES.replace(service('cart'), yaml);
    const bound = route(`{ parentRefs: [{ group: "", kind: Service, name: cart, port: 81 }], rules: [{ ${to('cart-2')} }] }`);
    const at = (port: number): string => {
      const [resource] = translate(ROUTE_TYPE_URL, sidecar(), pushOf(push + bound), [String(port)]);
      return JSON.stringify((resource!.message as RouteConfiguration).virtualHosts.find(({ name }) => name.startsWith('cart.')));
    };
    expect(at(80)).not.toContain('cart-2.default');
    expect(at(81)).toContain('cart-2.default');
  });

  it('are explained by the document and the line of their match', () => {
    const yaml = route(`{ ${PARENT}, rules: [{ matches: [{ path: { value: /a } }], ${to('cart')} }] }`);
    const node = sidecar('c', 'default', { RIPSTOP_VERSION: '1' });
    const [resource] = translate(ROUTE_TYPE_URL, node, pushOf(SERVICES + yaml), ['80']);
    const { virtualHosts } = resource!.message as RouteConfiguration;
    const [found] = virtualHosts.find(({ name }) => name.startsWith('cart.'))!.routes;
    const line = (SERVICES + yaml).split('\n').findIndex((text) => text.includes('matches:')) + 1;
    expect(found!.metadata?.filterMetadata.ripstop).toEqual({
      kind: 'HTTPRoute',
      namespace: 'default',
      name: 'r',
      file: 'test.yaml',
      line,
    });
  });

  it('with one rule that cannot be honoured have no effect at all', () => {
    const filter = 'filters: [{ type: ExtensionRef, extensionRef: { group: a, kind: B, name: c } }]';
    expect(routes(route(`{ ${PARENT}, rules: [{ ${to('cart-2')} }, { ${filter}, ${to('cart')} }] }`))).toEqual(['prefix / → cart']);
  });

  it('answer 500 when nobody is left to send to', () => {
    expect(routes(route(`{ ${PARENT}, rules: [{ backendRefs: [] }] }`))).toEqual(['prefix / → 500']);
    expect(routes(route(`{ ${PARENT}, rules: [{ backendRefs: [{ name: cart, port: 80, weight: 0 }] }] }`))).toEqual(['prefix / → 500']);
  });

  it.each([
    ['{ service: a.B, method: C }', 'path /a.B/C → cart'],
    ['{ service: a.B }', 'pathSeparatedPrefix /a.B → cart'],
    ['{ method: C }', 'safeRegex /[^/]+/C → cart'],
    ['{ type: RegularExpression, service: "a.*", method: "C|D" }', 'safeRegex /a.*/C|D → cart'],
  ])('of gRPC match %s', (method, expected) => {
    const yaml = route(`{ ${PARENT}, rules: [{ matches: [{ method: ${method} }], ${to('cart')} }] }`, { kind: 'GRPCRoute' });
    expect(routes(yaml)).toEqual([expected]);
  });
});

describe('routes for a Gateway', () => {
  const GATEWAY = `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  gatewayClassName: istio
  listeners:
    - { name: http, port: 80, protocol: HTTP, hostname: "*.example.com", allowedRoutes: { namespaces: { from: All } } }
`;
  const edge = proxyNodeOf({
    id: 'router~10.0.0.9~edge-1.default~default.svc.cluster.local',
    metadata: { LABELS: { 'gateway.networking.k8s.io/gateway-name': 'edge' } },
  });
  const parent = 'parentRefs: [{ name: edge, namespace: default }], hostnames: [shop.example.com, other.test]';

  function served(yaml: string, node = edge): RouteConfiguration['virtualHosts'] {
    const [resource] = translate(ROUTE_TYPE_URL, node, pushOf(SERVICES + GATEWAY + yaml), ['http.80']);
    return (resource!.message as RouteConfiguration).virtualHosts;
  }

  it('are served on the hosts that route and listener share, by the gateway with its name', () => {
    const yaml = route(`{ ${parent}, rules: [{ ${to('cart')} }] }`);
    expect(served(yaml).map(({ domains }) => domains)).toEqual([['shop.example.com']]);
    const other = { ...edge, labels: { 'gateway.networking.k8s.io/gateway-name': 'another' } };
    expect(served(yaml, other)).toEqual([]);
  });

  it('leave no second slash where a prefix is replaced by nothing', () => {
    const rewrite = 'filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }]';
    const [host] = served(route(`{ ${parent}, rules: [{ matches: [{ path: { value: /api.v1 } }], ${rewrite}, ${to('cart')} }] }`));
    const action = host!.routes[0]!.action;
    const regex = action?.$case === 'route' ? action.value.regexRewrite : undefined;
    expect('/api.v1/x'.replace(new RegExp(regex!.pattern!.regex), regex!.substitution.replace('\\2', '$2'))).toBe('/x');
    expect(new RegExp(regex!.pattern!.regex).test('/apixv1/x')).toBe(false);
  });

  it('replace the prefix / by / with the same expression, of an empty prefix (Istio: applyHTTPRouteDestination)', () => {
    const rewrite = 'filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }]';
    const [host] = served(route(`{ ${parent}, rules: [{ matches: [{ path: { value: / } }], ${rewrite}, ${to('cart')} }] }`));
    const action = host!.routes[0]!.action;
    expect(action?.$case === 'route' && [action.value.prefixRewrite, action.value.regexRewrite]).toEqual([
      '',
      { pattern: expect.objectContaining({ regex: '^(/?)(.*)' }), substitution: '/\\2' },
    ]);
  });

  it.each([
    ['without the grant of its namespace', '', 'UnknownService'],
    [
      'with it',
      `---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: g, namespace: shop }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }]
  to: [{ group: "", kind: Service, name: caller }]
`,
      'outbound|80||caller.shop.svc.cluster.local',
    ],
  ])('reach a backend of another namespace %s as %s', (_what, grant, cluster) => {
    const [host] = served(grant + route(`{ ${parent}, rules: [{ backendRefs: [{ name: caller, namespace: shop, port: 80 }] }] }`));
    const action = host!.routes[0]!.action;
    expect(action?.$case === 'route' && action.value.clusterSpecifier).toMatchObject({ value: cluster });
  });
});
