import { gzipSync } from 'node:zlib';
import type { Answer, Row, Table } from '../row.ts';

/** `other-v1` is the authorizer: it is asked first and takes the first answer of the script. */
const ASKED_AND_SERVED = { status: 200, to: ['other-v1', 'served-v1'] } as const;
const OK: Answer = { status: 200 };

function provider(more = ''): string {
  return `
extensionProviders:
- name: authorizer
  envoyExtAuthzHttp:
    service: other.default.svc.cluster.local
    port: 80
${more}`;
}

function custom(rules: string, more = ''): string {
  return `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ask, namespace: default }
spec:
  selector: { matchLabels: { app: served } }
  action: CUSTOM
  provider: { name: authorizer }
  rules: [${rules}]
${more}`;
}

function get(path: string, more: Partial<Row['call']> = {}): Row['call'] {
  return { url: `http://served${path}`, ...more };
}

function post(body: string, more: Partial<Row['call']> = {}): Row['call'] {
  return get('/a', { method: 'POST', body, ...more });
}

export const externalAuthorization: Table = {
  name: 'external authorization over HTTP',
  place: 'server',
  yaml: `${provider(`    timeout: 0.5s
    includeRequestHeadersInCheck: [x-shown, "x-also-*", cookie]
    includeAdditionalHeadersInCheck: { x-mesh: "yes" }
    headersToUpstreamOnAllow: [x-user, x-two]
    headersToDownstreamOnDeny: [x-why]
    headersToDownstreamOnAllow: [x-checked]
`)}${custom('{ to: [{ operation: { notPaths: [/open*] } }] }')}---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: never, namespace: default }
spec:
  selector: { matchLabels: { app: served } }
  action: DENY
  rules: [{ to: [{ operation: { paths: [/never] } }] }]
`,
  rows: [
    { name: 'what no policy selects is not asked about', call: get('/open'), expect: { status: 200, to: ['served-v1'] } },
    { name: '200 lets the request pass', call: get('/a?q=1'), upstream: [OK, OK], expect: ASKED_AND_SERVED },
    {
      name: 'a denial is the whole answer of the authorizer, with the headers that may be shown and the two that always are',
      call: get('/a'),
      upstream: [
        {
          status: 401,
          body: 'who are you?',
          headers: { 'www-authenticate': 'Basic', location: '/login', 'x-why': 'unknown', 'x-secret': '1', 'content-type': 'text/html' },
        },
      ],
      expect: {
        status: 401,
        body: 'who are you?',
        to: ['other-v1'],
        headers: {
          'www-authenticate': 'Basic',
          location: '/login',
          'x-why': 'unknown',
          'x-secret': undefined,
          'content-type': 'text/plain',
        },
      },
    },
    {
      name: 'a redirect to a login page passes through',
      call: get('/a'),
      upstream: [{ status: 302, headers: { location: 'https://login.example/' }, body: '' }],
      expect: { status: 302, headers: { location: 'https://login.example/' }, to: ['other-v1'] },
    },
    {
      name: 'only 200 allows',
      call: get('/a'),
      upstream: [{ status: 201, body: 'b' }],
      expect: { status: 201, body: 'b', to: ['other-v1'] },
    },
    { name: '5xx is no answer', call: get('/a'), upstream: [{ status: 503 }], expect: { status: 403, body: '', to: ['other-v1'] } },
    { name: 'a connection that ends is no answer', call: get('/a'), upstream: [{ hangUp: true }], expect: { status: 403, body: '' } },
    {
      name: 'an authorizer that takes longer than its timeout is no answer',
      call: get('/a'),
      upstream: [{ afterMs: 1500 }],
      expect: { status: 403, body: '', takesMs: [450, 1400] },
    },
    {
      name: 'a gRPC call is denied as gRPC',
      call: post('', { headers: { 'content-type': 'application/grpc' } }),
      upstream: [{ status: 401, body: 'no', headers: { 'x-why': 'unknown' } }],
      expect: { status: 200, headers: { 'grpc-status': '16', 'grpc-message': 'no', 'x-why': 'unknown' }, to: ['other-v1'] },
    },
    {
      name: 'the authorizer sees path and query, the host, authorization and the headers that are to be shown',
      call: get('/a/b?c=d', {
        headers: { authorization: 'Basic x', cookie: 'c=1', 'x-shown': ['1', '2'], 'x-also-this': '3', 'x-hidden': '4', 'x-mesh': 'mine' },
      }),
      upstream: [{ status: 403 }],
      expect: {
        to: ['other-v1'],
        path: '/a/b?c=d',
        sees: {
          host: 'served',
          authorization: 'Basic x',
          cookie: 'c=1',
          'x-shown': '1,2',
          'x-also-this': '3',
          'x-hidden': undefined,
          'x-mesh': 'yes',
          'x-envoy-internal': 'true',
          'x-envoy-expected-rq-timeout-ms': '500',
        },
      },
    },
    {
      name: 'a body is not shown unless that is asked for, and reaches the app',
      call: post('hello'),
      upstream: [OK, OK],
      expect: ASKED_AND_SERVED,
    },
    {
      name: 'its headers replace those of the caller, the last of several counts; a copy that it does not set survives',
      call: get('/a', { headers: { 'x-user': 'me', 'x-two': 'mine' } }),
      upstream: [{ status: 200, headers: { 'x-user': ['u1', 'u2'], 'x-other': '1' } }, OK],
      expect: { ...ASKED_AND_SERVED, sees: { 'x-user': 'u2', 'x-two': 'mine', 'x-other': undefined } },
    },
    {
      name: 'it may remove headers, but not the host',
      call: get('/a', { headers: { 'x-gone': '1', 'x-kept': '2' } }),
      upstream: [{ status: 200, headers: { 'x-envoy-auth-headers-to-remove': 'x-gone, host' } }, OK],
      expect: { ...ASKED_AND_SERVED, sees: { 'x-gone': undefined, 'x-kept': '2', host: 'served' } },
    },
    {
      name: 'it may add headers to the response of the app',
      call: get('/a'),
      upstream: [
        { status: 200, headers: { 'x-checked': 'yes', 'x-else': '1' } },
        { status: 200, headers: { 'x-checked': 'by the app' } },
      ],
      expect: { ...ASKED_AND_SERVED, headers: { 'x-checked': 'by the app,yes', 'x-else': undefined } },
    },
    {
      name: 'a DENY policy speaks after it',
      call: get('/never'),
      upstream: [OK],
      expect: { status: 403, body: 'RBAC: access denied', to: ['other-v1'] },
    },
    {
      name: 'its denial ends the request before a DENY policy',
      call: get('/never'),
      upstream: [{ status: 401, body: 'no' }],
      expect: { status: 401, body: 'no', to: ['other-v1'] },
    },
    { name: 'HEAD is asked about as HEAD', call: get('/a', { method: 'HEAD' }), upstream: [OK, OK], expect: ASKED_AND_SERVED },
  ],
};

export const authorizerSeesBodies: Table = {
  name: 'external authorization that sees bodies',
  place: 'server',
  yaml: `${provider(`    includeRequestBodyInCheck: { maxRequestBytes: 5, allowPartialMessage: true }
    pathPrefix: /check
    statusOnError: "503"
`)}${custom('{}')}`,
  rows: [
    {
      name: 'a short body is shown whole and still reaches the app',
      call: post('hell'),
      upstream: [OK, OK],
      expect: ASKED_AND_SERVED,
    },
    {
      name: 'of a longer one the start, which the authorizer is told',
      call: post('hello world'),
      upstream: [{ status: 403, body: 'no' }],
      expect: {
        status: 403,
        body: 'no',
        to: ['other-v1'],
        path: '/check/a',
        sees: { 'x-envoy-auth-partial-body': 'true', 'content-length': '5' },
      },
    },
    {
      name: 'a body of exactly the limit is not partial',
      call: post('hello'),
      upstream: [{ status: 403, body: 'no' }],
      expect: { status: 403, to: ['other-v1'], sees: { 'x-envoy-auth-partial-body': 'false' } },
    },
    {
      name: 'a caller cannot say that its body is partial',
      call: get('/a', { headers: { 'x-envoy-auth-partial-body': 'true' } }),
      upstream: [{ status: 403 }],
      expect: { status: 403, to: ['other-v1'], sees: { 'x-envoy-auth-partial-body': undefined } },
    },
    { name: 'a long body reaches the app whole', call: post('x'.repeat(300_000)), upstream: [OK, OK], expect: ASKED_AND_SERVED },
    {
      name: 'the status of an error is configured',
      call: get('/a'),
      upstream: [{ status: 500 }],
      expect: { status: 503, body: '', to: ['other-v1'] },
    },
    {
      name: 'a denial whose body is encoded passes byte by byte',
      call: get('/a'),
      upstream: [{ status: 403, bytes: gzipSync('no: nö').toString('latin1'), headers: { 'content-encoding': 'gzip' } }],
      expect: { status: 403, body: 'no: nö', headers: { 'content-encoding': 'gzip' }, to: ['other-v1'] },
    },
    {
      name: 'a denial in UTF-8 passes whole',
      call: get('/a'),
      upstream: [{ status: 403, body: '\ufeffnö 😀' }],
      expect: { status: 403, body: '\ufeffnö 😀', to: ['other-v1'] },
    },
    {
      name: 'without a list of headers to show, a denial shows all of them',
      call: get('/a'),
      upstream: [{ status: 401, body: '<b>', headers: { 'x-any': '1', 'set-cookie': ['a=1', 'b=2'], 'content-type': 'text/html' } }],
      expect: { status: 401, body: '<b>', headers: { 'x-any': '1', 'content-type': 'text/html' } },
    },
  ],
};

export const boundedBodies: Table = {
  name: 'external authorization that wants whole bodies, and fails open',
  place: 'server',
  yaml: `${provider(`    includeRequestBodyInCheck: { maxRequestBytes: 5 }
    failOpen: true
`)}${custom('{}')}`,
  rows: [
    { name: 'a body of the limit is shown', call: post('hello'), upstream: [OK, OK], expect: ASKED_AND_SERVED },
    { name: 'a longer one is refused, and nobody asked', call: post('hello!'), expect: { status: 413, body: 'Payload Too Large', to: [] } },
    {
      name: 'an authorizer that does not answer lets everybody in',
      call: get('/a'),
      upstream: [{ status: 500 }, OK],
      expect: { ...ASKED_AND_SERVED, sees: { 'x-envoy-auth-failure-mode-allowed': undefined } },
    },
    { name: 'one that denies does not', call: get('/a'), upstream: [{ status: 403, body: 'no' }], expect: { status: 403, body: 'no' } },
  ],
};

export const badAuthorizer: Table = {
  name: 'a CUSTOM policy whose provider nobody defined',
  place: 'server',
  findings: ['RIPSTOP_UNENFORCEABLE'],
  yaml: custom('{ to: [{ operation: { paths: [/a] } }] }').replace('---', ''),
  rows: [
    { name: 'denies what it selects', call: get('/a'), expect: { status: 403, body: 'RBAC: access denied', to: [] } },
    { name: 'and nothing else', call: get('/b'), expect: { status: 200, to: ['served-v1'] } },
  ],
};

export const gatewayAuthorization: Table = {
  name: 'external authorization at a gateway',
  place: 'gateway',
  yaml: `${provider(`    headersToUpstreamOnAllow: [x-user]
    includeRequestBodyInCheck: { maxRequestBytes: 100 }
`)}---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ask, namespace: default }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  action: CUSTOM
  provider: { name: authorizer }
  rules: [{ to: [{ operation: { paths: [/asked*] } }] }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [shop.example] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge, namespace: default }
spec:
  hosts: [shop.example]
  gateways: [edge]
  http: [{ match: [{ uri: { prefix: / } }], route: [{ destination: { host: echo.default.svc.cluster.local, subset: v1 } }] }]
`,
  rows: [
    { name: 'what no policy selects goes on', call: { url: 'http://shop.example/' }, expect: { status: 200, to: ['echo-v1'] } },
    {
      name: 'an allowed request goes on with what the authorizer adds, and its body',
      call: { url: 'http://shop.example/asked', method: 'POST', body: 'hello' },
      upstream: [{ status: 200, headers: { 'x-user': 'u' } }, OK],
      expect: { status: 200, to: ['other-v1', 'echo-v1'], sees: { 'x-user': 'u' } },
    },
    {
      name: 'a denied one does not',
      call: { url: 'http://shop.example/asked/b' },
      upstream: [{ status: 403, body: 'no' }],
      expect: { status: 403, body: 'no', to: ['other-v1'] },
    },
    {
      name: 'nobody is asked about a host that is not served',
      call: { url: 'http://else.example/asked' },
      expect: { status: 404, to: [] },
    },
  ],
};
