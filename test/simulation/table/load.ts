import type { Table } from '../row.ts';

export const load: Table = {
  name: 'weights, circuit breakers and outlier detection',
  place: 'sidecar',
  yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: weights, namespace: default }
spec:
  hosts: [weights.test]
  http:
  - match: [{ uri: { exact: /90-10 } }]
    route:
    - { destination: { host: echo, subset: v1 }, weight: 90 }
    - { destination: { host: echo, subset: v2 }, weight: 10 }
  - match: [{ uri: { exact: /all } }]
    route:
    - { destination: { host: echo, subset: v1 }, weight: 0 }
    - { destination: { host: echo, subset: v2 }, weight: 100 }
---
apiVersion: v1
kind: Service
metadata: { name: narrow, namespace: default }
spec: { selector: { app: other }, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: narrow, namespace: default }
spec:
  host: narrow
  trafficPolicy:
    connectionPool: { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: narrow, namespace: default }
spec:
  hosts: [narrow]
  http: [{ route: [{ destination: { host: narrow } }], retries: { attempts: 0 } }]
---
apiVersion: v1
kind: Service
metadata: { name: fragile, namespace: default }
spec: { selector: { app: other }, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: fragile, namespace: default }
spec:
  host: fragile
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 5, interval: 1s, baseEjectionTime: 60s, maxEjectionPercent: 100 }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: fragile, namespace: default }
spec:
  hosts: [fragile]
  http: [{ route: [{ destination: { host: fragile } }], retries: { attempts: 0 } }]
---
apiVersion: v1
kind: Service
metadata: { name: sturdy, namespace: default }
spec: { selector: { app: other }, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: sturdy, namespace: default }
spec:
  host: sturdy
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 60s }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: sturdy, namespace: default }
spec:
  hosts: [sturdy]
  http: [{ route: [{ destination: { host: sturdy } }], retries: { attempts: 0 } }]
`,
  rows: [
    {
      name: 'weights 90/10',
      call: { url: 'http://weights.test/90-10' },
      times: 1000,
      expect: { shares: { 'echo-v1': 0.9, 'echo-v2': 0.1 }, statuses: { 200: 1000 } },
    },
    {
      name: 'weight 0 gets nothing',
      call: { url: 'http://weights.test/all' },
      times: 50,
      expect: { shares: { 'echo-v2': 1, 'echo-v1': 0 } },
    },
    // Of calls that come while there is no connection yet, the first already waits: this one leaves a connection behind.
    { name: 'a pool of one connection', call: { url: 'http://narrow/' }, expect: { status: 200, to: ['other-v1'] } },
    {
      name: 'one connection and one waiting request: the surplus gets 503 at once',
      call: { url: 'http://narrow/' },
      times: 10,
      concurrently: true,
      upstream: [{ afterMs: 400 }],
      expect: { statuses: { 200: 2, 503: 8 } },
    },
    {
      name: 'five errors in a row eject the only endpoint',
      call: { url: 'http://fragile/' },
      times: 8,
      upstream: [{ status: 500 }],
      expect: { statuses: { 500: 5, 503: 3 } },
    },
    {
      name: 'an ejected endpoint: no healthy upstream',
      call: { url: 'http://fragile/' },
      expect: { status: 503, body: 'no healthy upstream', to: [] },
    },
    {
      name: 'at the default of 10 % the only endpoint is never ejected',
      call: { url: 'http://sturdy/' },
      times: 8,
      upstream: [{ status: 500 }],
      expect: { statuses: { 500: 8 } },
    },
  ],
};
