import type { Table } from '../row.ts';

export const resilience: Table = {
  name: 'faults, timeouts and retries',
  place: 'sidecar',
  yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: resilience, namespace: default }
spec:
  hosts: [resilience.test]
  http:
  - match: [{ uri: { exact: /abort } }]
    fault: { abort: { httpStatus: 503, percentage: { value: 100 } } }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /abort-never } }]
    fault: { abort: { httpStatus: 503, percentage: { value: 0 } } }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /abort-grpc } }]
    fault: { abort: { grpcStatus: UNAVAILABLE, percentage: { value: 100 } } }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /abort-half } }]
    fault: { abort: { httpStatus: 418, percentage: { value: 50 } } }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /abort-retried } }]
    fault: { abort: { httpStatus: 503, percentage: { value: 100 } } }
    retries: { attempts: 2, retryOn: 5xx }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /delay } }]
    fault: { delay: { fixedDelay: 0.3s, percentage: { value: 100 } } }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /delay-abort } }]
    fault: { delay: { fixedDelay: 0.2s, percentage: { value: 100 } }, abort: { httpStatus: 500, percentage: { value: 100 } } }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /delay-timeout } }]
    fault: { delay: { fixedDelay: 0.3s, percentage: { value: 100 } } }
    timeout: 0.1s
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /timeout } }]
    timeout: 0.3s
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /per-try } }]
    timeout: 2s
    retries: { attempts: 2, perTryTimeout: 0.2s, retryOn: 5xx }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /5xx } }]
    retries: { attempts: 3, retryOn: 5xx }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /gateway-error } }]
    retries: { attempts: 3, retryOn: gateway-error }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /codes } }]
    retries: { attempts: 3, retryOn: "429,connect-failure" }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /4xx } }]
    retries: { attempts: 1, retryOn: retriable-4xx }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /reset } }]
    retries: { attempts: 2, retryOn: reset }
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { exact: /never } }]
    retries: { attempts: 0 }
    route: [{ destination: { host: echo, subset: v1 } }]
  - route: [{ destination: { host: echo, subset: v1 } }]
`,
  rows: [
    {
      name: 'an injected abort',
      call: { url: 'http://resilience.test/abort' },
      expect: { status: 503, body: 'fault filter abort', to: [] },
    },
    { name: 'an abort at 0 %', call: { url: 'http://resilience.test/abort-never' }, expect: { status: 200, to: ['echo-v1'] } },
    {
      name: 'an abort with a gRPC status',
      call: { url: 'http://resilience.test/abort-grpc', method: 'POST', headers: { 'content-type': 'application/grpc' } },
      expect: { status: 200, headers: { 'grpc-status': '14' }, to: [] },
    },
    {
      name: 'an abort with a gRPC status, for a plain call',
      call: { url: 'http://resilience.test/abort-grpc' },
      expect: { status: 200, to: [] },
    },
    {
      name: 'an HTTP abort, for a gRPC call',
      call: { url: 'http://resilience.test/abort', method: 'POST', headers: { 'content-type': 'application/grpc' } },
      expect: { status: 200, headers: { 'grpc-status': '14' } },
    },
    {
      name: 'an abort at 50 %',
      call: { url: 'http://resilience.test/abort-half' },
      times: 1000,
      expect: { shares: { 418: 0.5, 200: 0.5 } },
    },
    {
      name: 'an abort is not retried',
      call: { url: 'http://resilience.test/abort-retried' },
      expect: { status: 503, body: 'fault filter abort', to: [] },
    },
    {
      name: 'an injected delay',
      call: { url: 'http://resilience.test/delay' },
      expect: { status: 200, to: ['echo-v1'], takesMs: [300, 4000] },
    },
    {
      name: 'a delay and an abort',
      call: { url: 'http://resilience.test/delay-abort' },
      expect: { status: 500, body: 'fault filter abort', to: [], takesMs: [200, 4000] },
    },
    {
      name: 'an injected delay does not count against the timeout',
      call: { url: 'http://resilience.test/delay-timeout' },
      expect: { status: 200, to: ['echo-v1'], takesMs: [300, 4000] },
    },
    {
      name: 'a slow upstream meets the timeout: 504',
      call: { url: 'http://resilience.test/timeout' },
      upstream: [{ afterMs: 5000 }],
      expect: { status: 504, body: 'upstream request timeout', to: ['echo-v1'], takesMs: [300, 4000] },
    },
    {
      name: 'the upstream is told how long it has',
      call: { url: 'http://resilience.test/timeout' },
      expect: { status: 200, sees: { 'x-envoy-expected-rq-timeout-ms': '300' } },
    },
    {
      name: 'a try that takes too long is tried again',
      call: { url: 'http://resilience.test/per-try' },
      upstream: [{ afterMs: 5000 }, {}],
      expect: { status: 200, to: ['echo-v1', 'echo-v1'], takesMs: [200, 4000] },
    },
    {
      name: 'every try takes too long',
      call: { url: 'http://resilience.test/per-try' },
      upstream: [{ afterMs: 5000 }],
      expect: { status: 504, to: ['echo-v1', 'echo-v1', 'echo-v1'], takesMs: [600, 4000] },
    },
    {
      name: 'retryOn 5xx: the third answer is good',
      call: { url: 'http://resilience.test/5xx' },
      upstream: [{ status: 500 }, { status: 503 }, { status: 200 }],
      expect: { status: 200, to: ['echo-v1', 'echo-v1', 'echo-v1'] },
    },
    {
      name: 'retryOn 5xx: the last answer passes when the attempts are used up',
      call: { url: 'http://resilience.test/5xx' },
      upstream: [{ status: 500, body: 'broken', headers: { 'x-app': 'yes' } }],
      expect: { status: 500, body: 'broken', to: ['echo-v1', 'echo-v1', 'echo-v1', 'echo-v1'] },
    },
    {
      name: 'a POST is tried again with its body',
      call: { url: 'http://resilience.test/5xx', method: 'POST', body: 'payload' },
      upstream: [{ status: 503 }, { status: 201 }],
      expect: { status: 201, to: ['echo-v1', 'echo-v1'] },
    },
    {
      name: 'retryOn gateway-error leaves a 500 alone',
      call: { url: 'http://resilience.test/gateway-error' },
      upstream: [{ status: 500 }],
      expect: { status: 500, to: ['echo-v1'] },
    },
    {
      name: 'retryOn gateway-error tries a 502 again',
      call: { url: 'http://resilience.test/gateway-error' },
      upstream: [{ status: 502 }, {}],
      expect: { status: 200, to: ['echo-v1', 'echo-v1'] },
    },
    {
      name: 'retryOn with a status code',
      call: { url: 'http://resilience.test/codes' },
      upstream: [{ status: 429 }, {}],
      expect: { status: 200, to: ['echo-v1', 'echo-v1'] },
    },
    {
      name: 'retryOn with a status code leaves others alone',
      call: { url: 'http://resilience.test/codes' },
      upstream: [{ status: 503 }],
      expect: { status: 503, to: ['echo-v1'] },
    },
    {
      name: 'retryOn retriable-4xx is a 409',
      call: { url: 'http://resilience.test/4xx' },
      upstream: [{ status: 409 }, {}],
      expect: { status: 200, to: ['echo-v1', 'echo-v1'] },
    },
    {
      name: 'retryOn retriable-4xx is no 404',
      call: { url: 'http://resilience.test/4xx' },
      upstream: [{ status: 404 }],
      expect: { status: 404, to: ['echo-v1'] },
    },
    {
      name: 'retryOn reset: an upstream that hung up is tried again',
      call: { url: 'http://resilience.test/reset' },
      upstream: [{ hangUp: true }, {}],
      expect: { status: 200, to: ['echo-v1', 'echo-v1'] },
    },
    {
      name: 'retryOn reset: an upstream that always hangs up',
      call: { url: 'http://resilience.test/reset' },
      upstream: [{ hangUp: true }],
      expect: {
        status: 503,
        body: 'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: connection termination',
        to: ['echo-v1', 'echo-v1', 'echo-v1'],
      },
    },
    {
      name: 'attempts 0: nothing is retried',
      call: { url: 'http://resilience.test/never' },
      upstream: [{ status: 503 }],
      expect: { status: 503, to: ['echo-v1'] },
    },
    {
      name: 'the default policy does not retry a 503',
      call: { url: 'http://resilience.test/default' },
      upstream: [{ status: 503 }],
      expect: { status: 503, to: ['echo-v1'] },
    },
    {
      name: 'the default policy does not retry a connection that broke after the request',
      call: { url: 'http://resilience.test/default' },
      upstream: [{ hangUp: true }],
      expect: { status: 503, to: ['echo-v1'] },
    },
  ],
};
