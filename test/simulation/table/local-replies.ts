import type { Table } from '../row.ts';

export const localReplies: Table = {
  name: 'replies that no upstream makes',
  place: 'sidecar',
  findings: ['IST0101'], // a subset and a service that do not exist
  yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: replies, namespace: default }
spec:
  hosts: [replies.test]
  http:
  - match: [{ uri: { exact: /direct } }]
    directResponse: { status: 418, body: { string: "short and stout" } }
  - match: [{ uri: { exact: /direct-empty } }]
    directResponse: { status: 503 }
  - match: [{ uri: { exact: /direct-headers } }]
    directResponse: { status: 200, body: { string: "{}" } }
    headers: { response: { set: { content-type: application/json, x-extra: "1" } } }
  - match: [{ uri: { exact: /redirect } }]
    redirect: { uri: /elsewhere }
  - match: [{ uri: { exact: /redirect-host } }]
    redirect: { authority: other.test, redirectCode: 302 }
  - match: [{ uri: { exact: /redirect-all } }]
    redirect: { uri: /there, authority: other.test, scheme: https, port: 8443, redirectCode: 308 }
  - match: [{ uri: { exact: /redirect-scheme } }]
    redirect: { scheme: https, redirectCode: 307 }
  - match: [{ uri: { exact: /no-subset } }]
    route: [{ destination: { host: echo, subset: v9 } }]
  - match: [{ uri: { exact: /no-service } }]
    route: [{ destination: { host: nowhere.default.svc.cluster.local } }]
  - match: [{ uri: { exact: /no-endpoints } }]
    route: [{ destination: { host: empty } }]
  - match: [{ uri: { exact: /no-endpoints-headers } }]
    headers: { response: { set: { x-extra: "1" } } }
    route: [{ destination: { host: empty } }]
  - match: [{ uri: { exact: /refused } }]
    route: [{ destination: { host: refused } }]
    retries: { attempts: 0 }
  - match: [{ uri: { exact: /refused-again } }]
    route: [{ destination: { host: refused } }]
    retries: { attempts: 1, retryOn: connect-failure }
  - match: [{ uri: { exact: /hang-up } }]
    route: [{ destination: { host: echo, subset: v1 } }]
    retries: { attempts: 0 }
---
apiVersion: v1
kind: Service
metadata: { name: empty, namespace: default }
spec: { selector: { app: empty }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: refused, namespace: default }
spec: { selector: { app: refused }, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: refused, namespace: default }
spec: { address: 127.0.0.1, labels: { app: refused }, ports: { http: 1 } }
`,
  rows: [
    { name: 'no route: 404', call: { url: 'http://replies.test/nothing-here' }, expect: { status: 404, body: '', to: [] } },
    {
      name: 'no route, POST',
      call: { url: 'http://replies.test/nothing-here', method: 'POST', body: 'x' },
      expect: { status: 404, body: '', to: [] },
    },
    { name: 'a direct response', call: { url: 'http://replies.test/direct' }, expect: { status: 418, body: 'short and stout', to: [] } },
    {
      name: 'a direct response to HEAD',
      call: { url: 'http://replies.test/direct', method: 'HEAD' },
      expect: { status: 418, body: '', to: [] },
    },
    {
      name: 'a direct response without a body',
      call: { url: 'http://replies.test/direct-empty' },
      expect: { status: 503, body: '', to: [] },
    },
    {
      name: 'a direct response with headers',
      call: { url: 'http://replies.test/direct-headers' },
      expect: { status: 200, body: '{}', headers: { 'content-type': 'application/json', 'x-extra': '1' } },
    },
    { name: 'a redirect of the path', call: { url: 'http://replies.test/redirect?q=1' }, expect: { status: 301, body: '', to: [] } },
    {
      name: 'a redirect of the host',
      call: { url: 'http://replies.test/redirect-host?q=1' },
      expect: { status: 302, headers: { location: 'http://other.test/redirect-host?q=1' } },
    },
    {
      name: 'a redirect of everything',
      call: { url: 'http://replies.test/redirect-all' },
      expect: { status: 308, headers: { location: 'https://other.test:8443/there' } },
    },
    {
      name: 'a redirect of the scheme',
      call: { url: 'http://replies.test/redirect-scheme' },
      expect: { status: 307, headers: { location: 'https://replies.test/redirect-scheme' } },
    },
    {
      name: 'a subset that does not exist: 503',
      call: { url: 'http://replies.test/no-subset' },
      expect: { status: 503, body: '', to: [] },
    },
    {
      name: 'a service that does not exist: 503',
      call: { url: 'http://replies.test/no-service' },
      expect: { status: 503, body: '', to: [] },
    },
    {
      name: 'a service without endpoints: 503',
      call: { url: 'http://replies.test/no-endpoints' },
      expect: { status: 503, body: 'no healthy upstream' },
    },
    {
      name: 'no endpoints, for a gRPC call',
      call: { url: 'http://replies.test/no-endpoints', method: 'POST', headers: { 'content-type': 'application/grpc' } },
      expect: { status: 200, headers: { 'grpc-status': '14', 'content-type': 'application/grpc' } },
    },
    {
      name: 'no route, for a gRPC call',
      call: { url: 'http://replies.test/x', method: 'POST', headers: { 'content-type': 'application/grpc' } },
      expect: { status: 200, headers: { 'grpc-status': '12' } },
    },
    {
      name: 'response headers of the route are on local replies',
      call: { url: 'http://replies.test/no-endpoints-headers' },
      expect: { status: 503, headers: { 'x-extra': '1' } },
    },
    { name: 'a refused connection: 503', call: { url: 'http://replies.test/refused' }, expect: { status: 503, to: [] } },
    { name: 'a refused connection, tried again', call: { url: 'http://replies.test/refused-again' }, expect: { status: 503, to: [] } },
    {
      name: 'an upstream that hangs up: 503',
      call: { url: 'http://replies.test/hang-up' },
      upstream: [{ hangUp: true }],
      expect: {
        status: 503,
        body: 'upstream connect error or disconnect/reset before headers. reset reason: connection termination',
        to: ['echo-v1'],
      },
    },
  ],
};
