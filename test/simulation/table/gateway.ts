import type { Table } from '../row.ts';

/** The YAML of the mission's source text, word for word, and a service behind it. */
const MISSION = `
apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata:
  name: my-gateway
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 80
      name: http
      protocol: HTTP
    hosts:
    - "*"
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: my-service-vs
spec:
  hosts:
  - my-service.default.svc.cluster.local
  gateways:
  - my-gateway
  http:
  - match:
    - uri:
        prefix: /api
    route:
    - destination:
        host: my-service.default.svc.cluster.local
        subset: v1
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: my-service-dr
spec:
  host: my-service.default.svc.cluster.local
  subsets:
  - name: v1
    labels:
      version: v1
---
apiVersion: v1
kind: Service
metadata: { name: my-service, namespace: default }
spec: { selector: { app: echo }, ports: [{ name: http, port: 80 }] }
`;

/** That YAML binds the gateway alone: a caller in the mesh reaches every endpoint, whatever the path. */
export const besideGateway: Table = {
  name: 'a caller in the mesh, beside a VirtualService of the gateway',
  place: 'sidecar',
  yaml: MISSION,
  rows: [
    {
      name: 'reaches every version',
      call: { url: 'http://my-service.default.svc.cluster.local/api/x' },
      times: 400,
      expect: { shares: { 'echo-v1': 0.5, 'echo-v2': 0.5 }, statuses: { 200: 400 } },
    },
    {
      name: 'meets no 404',
      call: { url: 'http://my-service/other' },
      upstream: [{ body: 'any' }],
      expect: { status: 200, path: '/other' },
    },
  ],
};

/** What else gateways do. */
export const gateway: Table = {
  name: 'an ingress gateway',
  place: 'gateway',
  yaml: `${MISSION}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: default }
spec:
  hosts: [shop.example]
  gateways: [my-gateway]
  http:
  - match: [{ uri: { prefix: /rewrite } }]
    rewrite: { uri: /, authority: inner.example }
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { exact: /redirect } }]
    redirect: { uri: /there, redirectCode: 302 }
  - match: [{ uri: { exact: /direct } }]
    directResponse: { status: 200, body: { string: "from the gateway" } }
  - match: [{ uri: { exact: /timeout } }]
    timeout: 0.3s
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { exact: /retry } }]
    retries: { attempts: 2, retryOn: 5xx }
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { exact: /abort } }]
    fault: { abort: { httpStatus: 429, percentage: { value: 100 } } }
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { exact: /cors } }]
    corsPolicy: { allowOrigins: [{ exact: "https://app.example" }], allowMethods: [GET, PUT], allowHeaders: [x-one], maxAge: 1h, allowCredentials: true }
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { exact: /dialled } }]
    route: [{ destination: { host: dialled } }]
  - match: [{ uri: { exact: /mesh-only }, gateways: [mesh] }]
    route: [{ destination: { host: echo, subset: v1 } }]
  - route: [{ destination: { host: echo, subset: v2 } }]
---
apiVersion: v1
kind: Service
metadata: { name: dialled, namespace: default }
spec: { selector: { app: echo }, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: dialled, namespace: default }
spec: { host: dialled, trafficPolicy: { loadBalancer: { simple: PASSTHROUGH } } }
`,
  rows: [
    {
      name: 'no address to go on to: its callers connected to the gateway itself',
      call: { url: 'http://shop.example/dialled' },
      expect: { status: 503, body: 'no healthy upstream', to: [] },
    },
    {
      name: 'the route of the mission: /api of its host reaches v1',
      call: at('my-service.default.svc.cluster.local', '/api/x'),
      expect: { status: 200, to: ['echo-v1'], path: '/api/x' },
    },
    {
      name: 'any other path of that host is a 404',
      call: at('my-service.default.svc.cluster.local', '/other'),
      expect: { status: 404, body: '', to: [] },
    },
    { name: 'any other host is a 404', call: at('elsewhere.example', '/api/x'), expect: { status: 404, body: '', to: [] } },
    { name: 'a short name is another host for a gateway', call: at('my-service', '/api/x'), expect: { status: 404, to: [] } },
    {
      name: 'the host with a port',
      call: at('my-service.default.svc.cluster.local:8080', '/api/x'),
      expect: { status: 200, to: ['echo-v1'] },
    },
    { name: 'the host in capitals', call: at('My-Service.default.svc.cluster.local', '/api/x'), expect: { status: 200, to: ['echo-v1'] } },
    {
      name: 'a rewrite',
      call: at('shop.example', '/rewrite?x=1'),
      expect: { status: 200, path: '/?x=1', sees: { host: 'inner.example' } },
    },
    {
      name: 'a redirect',
      call: at('shop.example', '/redirect'),
      expect: { status: 302, headers: { location: 'http://shop.example/there' }, to: [] },
    },
    { name: 'a direct response', call: at('shop.example', '/direct'), expect: { status: 200, body: 'from the gateway', to: [] } },
    {
      name: 'a timeout',
      call: at('shop.example', '/timeout'),
      upstream: [{ afterMs: 5000 }],
      expect: { status: 504, body: 'upstream request timeout' },
    },
    {
      name: 'a retry',
      call: at('shop.example', '/retry'),
      upstream: [{ status: 503 }, {}],
      expect: { status: 200, to: ['echo-v2', 'echo-v2'] },
    },
    { name: 'a fault', call: at('shop.example', '/abort'), expect: { status: 429, body: 'fault filter abort', to: [] } },
    { name: 'a match for the mesh only is passed over', call: at('shop.example', '/mesh-only'), expect: { status: 200, to: ['echo-v2'] } },
    {
      name: 'CORS: a preflight of a known origin',
      call: {
        ...at('shop.example', '/cors', { origin: 'https://app.example', 'access-control-request-method': 'PUT' }),
        method: 'OPTIONS',
      },
      expect: { status: 200, headers: { 'access-control-allow-origin': 'https://app.example' }, to: [] },
    },
    {
      name: 'CORS: a preflight of a stranger goes to the service',
      call: {
        ...at('shop.example', '/cors', { origin: 'https://bad.example', 'access-control-request-method': 'PUT' }),
        method: 'OPTIONS',
      },
      expect: { headers: { 'access-control-allow-origin': undefined } },
    },
    {
      name: 'CORS: a call of a known origin',
      call: at('shop.example', '/cors', { origin: 'https://app.example' }),
      expect: {
        status: 200,
        headers: { 'access-control-allow-origin': 'https://app.example', 'access-control-allow-credentials': 'true' },
      },
    },
    {
      name: 'a request goes on with its body',
      call: { ...at('shop.example', '/'), method: 'POST', body: 'hello' },
      expect: { status: 200, method: 'POST', sees: { 'content-length': '5' } },
    },
    {
      name: 'the caller’s address is written down',
      call: at('shop.example', '/'),
      expect: { sees: { 'x-forwarded-for': '127.0.0.2', 'x-forwarded-proto': 'http' } },
    },
    {
      name: 'a forged x-forwarded-for gets the caller’s address behind it',
      call: at('shop.example', '/', { 'x-forwarded-for': '1.1.1.1' }),
      expect: { status: 200 },
    },
    {
      name: 'a forged x-forwarded-proto is replaced',
      call: at('shop.example', '/', { 'x-forwarded-proto': 'https' }),
      expect: { sees: { 'x-forwarded-proto': 'http' } },
    },
    {
      name: 'a forged client certificate is taken away',
      call: at('shop.example', '/', { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/default/sa/admin' }),
      expect: { sees: { 'x-forwarded-client-cert': undefined } },
    },
    { name: 'a request id of a stranger', call: at('shop.example', '/', { 'x-request-id': 'mine' }), expect: { status: 200 } },
    {
      name: 'Envoy’s own headers of a stranger',
      call: at('shop.example', '/', {
        'x-envoy-retry-on': '5xx',
        'x-envoy-internal': 'true',
        'x-envoy-original-path': '/x',
        'x-envoy-attempt-count': '9',
        'x-envoy-external-address': '9.9.9.9',
      }),
      expect: { status: 200, sees: { 'x-envoy-retry-on': undefined, 'x-envoy-original-path': undefined } },
    },
    { name: 'dots in a path', call: at('my-service.default.svc.cluster.local', '/x/../api/y'), expect: { status: 200, path: '/api/y' } },
    {
      name: 'dots in a path that leave the route',
      call: at('my-service.default.svc.cluster.local', '/api/../other'),
      expect: { status: 404 },
    },
    { name: 'a NUL in a path', call: at('shop.example', '/%00'), expect: { status: 400, to: [] } },
    {
      name: 'a response passes',
      call: at('shop.example', '/'),
      upstream: [{ status: 418, body: 'teapot', headers: { 'x-app': 'yes', 'set-cookie': ['a=1', 'b=2'] } }],
      expect: { status: 418, body: 'teapot' },
    },
    { name: 'a service that hangs up', call: at('shop.example', '/'), upstream: [{ hangUp: true }], expect: { status: 503 } },
  ],
};

function at(host: string, path: string, headers: Readonly<Record<string, string>> = {}) {
  return { url: `http://${host}${path}`, headers } as const;
}
