import type { Table } from '../row.ts';

export const rewriting: Table = {
  name: 'rewrites and header operations',
  place: 'sidecar',
  yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: rewriting, namespace: default }
spec:
  hosts: [rewriting.test]
  http:
  - match: [{ uri: { prefix: /api/ } }]
    rewrite: { uri: / }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { prefix: /old } }]
    rewrite: { uri: /new }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /whole } }]
    rewrite: { uri: /replaced }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { regex: "/users/[0-9]+.*" } }]
    rewrite: { uriRegexRewrite: { match: "/users/([0-9]+)(.*)", rewrite: "/people/\\\\1\\\\2" } }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { prefix: /authority } }]
    rewrite: { authority: backend.internal }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { prefix: /both } }]
    rewrite: { uri: /rewritten, authority: backend.internal }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { prefix: /request-headers } }]
    headers:
      request:
        set: { x-set: new, x-fresh: "1" }
        add: { x-add: two }
        remove: [x-remove]
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { prefix: /response-headers } }]
    headers:
      response:
        set: { x-set: new }
        add: { x-add: two }
        remove: [x-remove]
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { prefix: /destination-headers } }]
    headers: { request: { add: { x-order: route } }, response: { add: { x-order: route } } }
    route:
    - destination: { host: echo, subset: v1 }
      headers: { request: { add: { x-order: destination } }, response: { add: { x-order: destination } } }
  - match: [{ uri: { prefix: /split-headers } }]
    headers: { request: { add: { x-order: route } } }
    route:
    - destination: { host: echo, subset: v1 }
      weight: 100
      headers: { request: { set: { x-split: v1 }, add: { x-order: destination } }, response: { set: { x-split: v1 } } }
    - destination: { host: echo, subset: v2 }
      weight: 0
  - match: [{ uri: { prefix: /host-header } }]
    headers: { request: { set: { Host: by-header.internal } } }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { prefix: /formatter } }]
    headers: { request: { set: { x-proto: "%PROTOCOL%", x-copy: "%REQ(x-original)%" } } }
    route: [{ destination: { host: echo, subset: v1 } }]
  - route: [{ destination: { host: echo, subset: v1 } }]
`,
  rows: [
    {
      name: 'a prefix is rewritten, the rest stays',
      call: { url: 'http://rewriting.test/api/items?x=1' },
      expect: { status: 200, path: '/items?x=1', sees: { 'x-envoy-original-path': '/api/items?x=1' } },
    },
    {
      name: 'a prefix without slash is rewritten in the middle of a word',
      call: { url: 'http://rewriting.test/older' },
      expect: { path: '/newer' },
    },
    {
      name: 'an exact path is replaced, the query stays',
      call: { url: 'http://rewriting.test/whole?q=2' },
      expect: { path: '/replaced?q=2' },
    },
    { name: 'a regex rewrite with groups', call: { url: 'http://rewriting.test/users/42/cart' }, expect: { path: '/people/42/cart' } },
    {
      name: 'a regex rewrite leaves the query alone',
      call: { url: 'http://rewriting.test/users/42?users/9' },
      expect: { path: '/people/42?users/9' },
    },
    {
      name: 'the authority is rewritten',
      call: { url: 'http://rewriting.test/authority' },
      expect: { path: '/authority', sees: { host: 'backend.internal' } },
    },
    {
      name: 'path and authority are rewritten',
      call: { url: 'http://rewriting.test/both/1' },
      expect: { path: '/rewritten/1', sees: { host: 'backend.internal' } },
    },
    {
      name: 'request headers: set replaces every line, add appends, remove removes',
      call: { url: 'http://rewriting.test/request-headers', headers: { 'x-set': ['old', 'older'], 'x-add': 'one', 'x-remove': 'gone' } },
      expect: { status: 200, sees: { 'x-set': 'new', 'x-fresh': '1', 'x-add': 'one,two', 'x-remove': undefined } },
    },
    {
      name: 'response headers: set, add, remove',
      call: { url: 'http://rewriting.test/response-headers' },
      upstream: [{ headers: { 'x-set': ['old', 'older'], 'x-add': 'one', 'x-remove': 'gone' } }],
      expect: { status: 200, headers: { 'x-set': 'new', 'x-add': 'one,two', 'x-remove': undefined } },
    },
    {
      name: 'header operations of a lone destination come after the route’s',
      call: { url: 'http://rewriting.test/destination-headers' },
      expect: { status: 200, sees: { 'x-order': 'route,destination' }, headers: { 'x-order': 'route,destination' } },
    },
    {
      name: 'header operations of a split belong to the destination that was drawn',
      call: { url: 'http://rewriting.test/split-headers' },
      expect: { status: 200, sees: { 'x-split': 'v1' }, headers: { 'x-split': 'v1' } },
    },
    {
      name: 'a Host in the header operations is the authority',
      call: { url: 'http://rewriting.test/host-header' },
      expect: { sees: { host: 'by-header.internal' } },
    },
    {
      name: 'substitutions in header values',
      call: { url: 'http://rewriting.test/formatter', headers: { 'x-original': 'as is' } },
      expect: { sees: { 'x-proto': 'HTTP/1.1', 'x-copy': 'as is' } },
    },
    {
      name: 'a substitution without a value',
      call: { url: 'http://rewriting.test/formatter' },
      expect: { status: 200 },
    },
    {
      name: 'a request is led through with its body',
      call: { url: 'http://rewriting.test/', method: 'POST', body: 'hello', headers: { 'content-type': 'text/plain' } },
      expect: { status: 200, method: 'POST', sees: { 'content-type': 'text/plain' } },
    },
    {
      name: 'headers of the app arrive as they were sent',
      call: { url: 'http://rewriting.test/', headers: { 'X-Custom': ['a', 'b'], cookie: 'k=v', accept: '*/*', 'user-agent': 'test/1' } },
      expect: { status: 200, sees: { 'x-custom': 'a,b', cookie: 'k=v', accept: '*/*', 'user-agent': 'test/1' } },
    },
    {
      name: 'internal headers of Envoy do not come from an app',
      call: {
        url: 'http://rewriting.test/',
        headers: {
          'x-envoy-upstream-rq-timeout-ms': '1',
          'x-envoy-retry-on': '5xx',
          'x-envoy-expected-rq-timeout-ms': '7',
          'x-envoy-internal': 'true',
        },
      },
      expect: { status: 200 },
    },
    {
      name: 'hop-by-hop headers of the app end at the proxy',
      call: { url: 'http://rewriting.test/', headers: { te: 'trailers', 'proxy-connection': 'keep-alive' } },
      expect: { status: 200 },
    },
    {
      name: 'a request id of the app is kept',
      call: { url: 'http://rewriting.test/', headers: { 'x-request-id': 'my-own-id' } },
      expect: { status: 200, sees: { 'x-request-id': 'my-own-id' } },
    },
    {
      name: 'x-forwarded headers of the app',
      call: { url: 'http://rewriting.test/', headers: { 'x-forwarded-for': '10.1.2.3', 'x-forwarded-proto': 'https' } },
      expect: { status: 200 },
    },
    {
      name: 'a response passes with its status, body and headers',
      call: { url: 'http://rewriting.test/' },
      upstream: [{ status: 418, body: 'teapot', headers: { 'set-cookie': ['a=1', 'b=2'], 'x-app': 'yes', server: 'app/1' } }],
      expect: { status: 418, body: 'teapot', headers: { 'x-app': 'yes', 'set-cookie': 'a=1,b=2' } },
    },
    {
      name: 'HEAD has no body',
      call: { url: 'http://rewriting.test/', method: 'HEAD' },
      expect: { status: 200, body: '', method: 'HEAD' },
    },
    {
      name: 'a 204 passes',
      call: { url: 'http://rewriting.test/' },
      upstream: [{ status: 204, body: '' }],
      expect: { status: 204, body: '' },
      differs: {
        because: 'a 204 has no length (RFC 9110): Envoy takes away what this upstream sends by mistake, the SDK leaves it',
        lines: ['response header content-length: Envoy none, SDK "0"'],
      },
    },
    {
      name: 'a 304 passes',
      call: { url: 'http://rewriting.test/' },
      upstream: [{ status: 304, body: '' }],
      expect: { status: 304, body: '' },
    },
  ],
};
