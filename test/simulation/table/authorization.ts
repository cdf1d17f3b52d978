import type { Row, Table } from '../row.ts';

const DENIED = { status: 403, body: 'RBAC: access denied', to: [] } as const;
const SERVED = { status: 200, to: ['served-v1'] } as const;
const productpage = { serviceAccount: 'productpage' };
const ratings = { serviceAccount: 'ratings' };

function get(path: string, more: Partial<Row['call']> = {}): Row['call'] {
  return { url: `http://served${path}`, ...more };
}

export const denyAll: Table = {
  name: 'the deny-all policy of the mission',
  place: 'server',
  yaml: `
apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata:
  name: deny-all
  namespace: default
spec:
  action: DENY
  rules:
  - {}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow-productpage, namespace: default }
spec:
  action: ALLOW
  rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/productpage] } }] }]
`,
  rows: [
    { name: 'nobody in plaintext', call: get('/'), expect: DENIED },
    { name: 'nobody with a certificate: an ALLOW does not open what a DENY closes', call: get('/', { as: productpage }), expect: DENIED },
    { name: 'HEAD is denied without a body', call: get('/', { method: 'HEAD' }), expect: { status: 403, body: '' } },
    {
      name: 'a gRPC call is denied as gRPC',
      call: get('/', { method: 'POST', headers: { 'content-type': 'application/grpc' } }),
      expect: { status: 200, headers: { 'grpc-status': '7' } },
    },
    { name: 'a POST is denied', call: get('/', { method: 'POST', body: 'hello' }), expect: DENIED },
  ],
};

export const allowNothing: Table = {
  name: 'an empty policy and one for productpage',
  place: 'server',
  yaml: `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow-nothing, namespace: default }
spec: {}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow-productpage, namespace: default }
spec:
  action: ALLOW
  rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/productpage] } }] }]
`,
  rows: [
    { name: 'productpage is served', call: get('/', { as: productpage }), expect: SERVED },
    { name: 'ratings is not', call: get('/', { as: ratings }), expect: DENIED },
    { name: 'productpage of another namespace is not', call: get('/', { as: { ...productpage, namespace: 'other' } }), expect: DENIED },
    { name: 'nobody in plaintext is', call: get('/'), expect: DENIED },
    {
      name: 'a forged certificate header opens nothing',
      call: get('/', { headers: { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/default/sa/productpage' } }),
      expect: DENIED,
    },
  ],
};

export const policies: Table = {
  name: 'authorization by request',
  place: 'server',
  yaml: `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow, namespace: default }
spec:
  selector: { matchLabels: { app: served } }
  action: ALLOW
  rules:
  - to: [{ operation: { methods: [GET], paths: [/public/*, "*.css"] } }]
  - to: [{ operation: { methods: [PUT] } }]
    from: [{ source: { namespaces: [default] } }]
  - to: [{ operation: { hosts: [admin.example]} }]
  - to: [{ operation: { paths: [/header] } }]
    when: [{ key: "request.headers[x-key]", values: [secret, "prefix-*"] }]
  - to: [{ operation: { paths: [/not-header] } }]
    when: [{ key: "request.headers[x-key]", notValues: [bad] }]
  - to: [{ operation: { paths: [/ip] } }]
    from: [{ source: { ipBlocks: [127.0.0.0/8] } }]
  - to: [{ operation: { paths: [/other-ip] } }]
    from: [{ source: { ipBlocks: [10.0.0.0/8] } }]
  - to: [{ operation: { paths: ["/items/{*}/detail", "/tree/{**}"] } }]
  - to: [{ operation: { notPaths: [/private*], methods: [DELETE] } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny, namespace: default }
spec:
  selector: { matchLabels: { app: served } }
  action: DENY
  rules:
  - to: [{ operation: { paths: [/public/secret*] } }]
  - from: [{ source: { notPrincipals: ["*"] } }]
    to: [{ operation: { paths: [/public/members] } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: not-for-us, namespace: default }
spec:
  selector: { matchLabels: { app: somebody-else } }
  action: DENY
  rules: [{}]
`,
  rows: [
    { name: 'a path by prefix', call: get('/public/a'), expect: SERVED },
    { name: 'a path by suffix', call: get('/x/y.css'), expect: SERVED },
    { name: 'a query is no part of a path', call: get('/x/y.css?version=1'), expect: SERVED },
    { name: 'another path', call: get('/x/y.js'), expect: DENIED },
    { name: 'another method', call: get('/public/a', { method: 'POST', body: 'x' }), expect: DENIED },
    { name: 'a namespace', call: get('/x', { method: 'PUT', body: 'x', as: ratings }), expect: SERVED },
    { name: 'a namespace of nobody', call: get('/x', { method: 'PUT', body: 'x' }), expect: DENIED },
    { name: 'another namespace', call: get('/x', { method: 'PUT', body: 'x', as: { ...ratings, namespace: 'other' } }), expect: DENIED },
    { name: 'a header value', call: get('/header', { headers: { 'x-key': 'secret' } }), expect: SERVED },
    { name: 'a header value by prefix', call: get('/header', { headers: { 'x-key': 'prefix-1' } }), expect: SERVED },
    { name: 'a header absent', call: get('/header'), expect: DENIED },
    {
      name: 'a header of two lines',
      call: get('/header', { headers: { 'x-key': ['x', 'secret'] } }),
      expect: { status: 200 },
      stricter: { because: 'which line counts is read differently by everybody', status: 403 },
    },
    { name: 'notValues: another value', call: get('/not-header', { headers: { 'x-key': 'good' } }), expect: SERVED },
    { name: 'notValues: that value', call: get('/not-header', { headers: { 'x-key': 'bad' } }), expect: DENIED },
    { name: 'notValues: absent', call: get('/not-header'), expect: SERVED },
    { name: 'an address', call: get('/ip'), expect: SERVED },
    { name: 'another address', call: get('/other-ip'), expect: DENIED },
    { name: 'a path template of one segment', call: get('/items/7/detail'), expect: SERVED },
    { name: 'a path template of one segment, with two', call: get('/items/7/8/detail'), expect: DENIED },
    { name: 'a path template of many segments', call: get('/tree/a/b/c'), expect: SERVED },
    { name: 'notPaths: another path', call: get('/open', { method: 'DELETE' }), expect: SERVED },
    { name: 'notPaths: that path', call: get('/private/a', { method: 'DELETE' }), expect: DENIED },
    { name: 'DENY wins over ALLOW', call: get('/public/secret'), expect: DENIED },
    { name: 'DENY of who has no principal: without one', call: get('/public/members'), expect: DENIED },
    { name: 'DENY of who has no principal: with one', call: get('/public/members', { as: ratings }), expect: SERVED },
    { name: 'dots do not lead around a DENY', call: get('/public/x/../secret'), expect: DENIED },
    { name: 'escapes do not lead around a DENY', call: get('/public/%73ecret'), expect: DENIED },
    { name: 'a host in capitals', call: { url: 'http://ADMIN.example/x', headers: { host: 'ADMIN.example' } }, expect: {} },
  ],
};

export const observed: Table = {
  name: 'policies that only watch',
  place: 'server',
  yaml: `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: watch, namespace: default }
spec: { action: AUDIT, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: try-deny, namespace: default, annotations: { istio.io/dry-run: "true" } }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: try-allow, namespace: default, annotations: { istio.io/dry-run: "true" } }
spec: { action: ALLOW, rules: [{ to: [{ operation: { paths: [/open] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny, namespace: default }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: [/never] } }] }] }
`,
  rows: [
    { name: 'AUDIT and a dry DENY refuse nobody', call: get('/admin'), expect: SERVED },
    { name: 'nor does a dry ALLOW whom it does not name', call: get('/other'), expect: SERVED },
    { name: 'a DENY beside them does', call: get('/never'), expect: DENIED },
  ],
};
