import type { Row, Table } from '../row.ts';

/** Where a call goes beside a plain route: copies, by key, out of the mesh. */
export const destinations: Table = {
  name: 'mirrors, consistent hash and hosts outside',
  place: 'sidecar',
  yaml: `
outboundTrafficPolicy: { mode: REGISTRY_ONLY }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: mirrored, namespace: default }
spec:
  hosts: [mirrored.test]
  http:
  - match: [{ uri: { prefix: /none } }]
    route: [{ destination: { host: echo, subset: v1 } }]
    mirror: { host: other }
    mirrorPercentage: { value: 0 }
  - match: [{ uri: { prefix: /rewritten } }]
    rewrite: { uri: /copied, authority: inner.example }
    headers: { request: { add: { x-added: "1" } } }
    route: [{ destination: { host: echo, subset: v1 } }]
    mirror: { host: other }
  - route: [{ destination: { host: echo, subset: v1 } }]
    mirrors: [{ destination: { host: other } }]
---
apiVersion: v1
kind: Service
metadata: { name: keyed, namespace: default }
spec: { selector: { app: echo }, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: keyed, namespace: default }
spec:
  host: keyed
  trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-key } } }
---
apiVersion: v1
kind: Service
metadata: { name: maglev, namespace: default }
spec: { selector: { app: echo }, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: maglev, namespace: default }
spec:
  host: maglev
  trafficPolicy: { loadBalancer: { consistentHash: { httpQueryParameterName: user, maglev: { tableSize: 65537 } } } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside, namespace: default }
spec:
  hosts: [outside.example]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: \${port:other-v1} } }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside-wild, namespace: default }
spec:
  hosts: ["*.outside.example"]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: \${port:echo-v2} } }]
`,
  rows: [
    {
      name: 'a mirrored call reaches both, and the first answers',
      call: { url: 'http://mirrored.test/a?b=1', headers: { 'x-app': 'yes' } },
      arrives: 2,
      expect: { status: 200, body: 'echo-v1\n', to: ['echo-v1', 'other-v1'] },
    },
    {
      name: 'a mirrored call with a body',
      call: { url: 'http://mirrored.test/', method: 'POST', body: 'hello' },
      arrives: 2,
      expect: { status: 200, to: ['echo-v1', 'other-v1'] },
    },
    {
      name: 'a mirror gets what the route rewrote',
      call: { url: 'http://mirrored.test/rewritten' },
      arrives: 2,
      expect: { status: 200, to: ['echo-v1', 'other-v1'], path: '/copied' },
    },
    { name: 'a mirror at 0 %', call: { url: 'http://mirrored.test/none' }, expect: { status: 200, to: ['echo-v1'] } },
    { name: 'a host of a ServiceEntry', call: { url: 'http://outside.example/' }, expect: { status: 200, to: ['other-v1'] } },
    { name: 'a host of a wildcard ServiceEntry', call: { url: 'http://a.outside.example/' }, expect: { status: 200, to: ['echo-v2'] } },
    {
      name: 'a host that nobody names, under REGISTRY_ONLY',
      call: { url: 'http://unknown.example/' },
      expect: { status: 502, body: '', to: [] },
    },
    ...['alice', 'bob', 'carol', 'dave', 'erin', 'frank'].flatMap((key): Row[] => [
      { name: `the key ${key} on a hash ring`, call: { url: 'http://keyed/', headers: { 'x-key': key } }, expect: { status: 200 } },
      { name: `the key ${key} in a Maglev table`, call: { url: `http://maglev/?user=${key}` }, expect: { status: 200 } },
    ]),
  ],
};
