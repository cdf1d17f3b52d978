import type { Row, Table } from '../row.ts';

/** Headers by which an internal caller steers an Envoy; nobody is internal in Istio's configuration, so they end at the first one. */
const STEERING: Readonly<Record<string, string>> = {
  'x-envoy-retry-on': '5xx',
  'x-envoy-retry-grpc-on': 'unavailable',
  'x-envoy-max-retries': '5',
  'x-envoy-retriable-status-codes': '503',
  'x-envoy-retriable-header-names': 'x-again',
  'x-envoy-upstream-rq-timeout-ms': '1',
  'x-envoy-upstream-rq-per-try-timeout-ms': '1',
  'x-envoy-upstream-rq-timeout-alt-response': '1',
  'x-envoy-hedge-on-per-try-timeout': 'true',
  'x-envoy-expected-rq-timeout-ms': '7',
  'x-envoy-upstream-alt-stat-name': 'mine',
  'x-envoy-force-trace': 'true',
  'x-envoy-ip-tags': 'x',
  'x-envoy-original-url': 'x',
};

/** Headers that say something and steer nothing. */
const PASSED: Readonly<Record<string, string>> = {
  'x-envoy-attempt-count': '9',
  'x-envoy-original-path': '/mine',
  'x-envoy-original-host': 'mine',
  'x-envoy-internal': 'true',
  'x-envoy-external-address': '9.9.9.9',
  'x-envoy-downstream-service-cluster': 'mine',
  'x-envoy-downstream-service-node': 'mine',
  'x-client-trace-id': 'mine',
  'x-forwarded-host': 'mine',
  'x-forwarded-client-cert': 'By=mine',
  'x-forwarded-for': '9.9.9.9',
  'x-real-ip': '9.9.9.9',
  'x-ot-span-context': 'mine',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  b3: '1',
  'accept-encoding': 'gzip',
  'user-agent': 'mine',
  te: 'trailers',
  via: '1.1 mine',
  cookie: 'a=1; b=2',
};

const url = 'http://callers.test/';

export const callerHeaders: Table = {
  name: 'headers that an app sends',
  place: 'sidecar',
  yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: callers, namespace: default }
spec:
  hosts: [callers.test]
  http:
  - retries: { attempts: 0 }
    route: [{ destination: { host: echo, subset: v1 } }]
`,
  rows: [
    ...Object.entries(STEERING).map(
      ([name, value]): Row => ({
        name: `${name} steers nothing`,
        call: { url, headers: { [name]: value } },
        upstream: [{ status: 503, afterMs: 20 }],
        expect: { status: 503, to: ['echo-v1'] },
      }),
    ),
    ...Object.entries(PASSED).map(
      ([name, value]): Row => ({ name, call: { url, headers: { [name]: value } }, expect: { status: 200, to: ['echo-v1'] } }),
    ),
  ],
};
