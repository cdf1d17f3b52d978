import type { Table } from '../row.ts';

/** A Sidecar resource that narrows what a client sees. */
export const outboundPolicy: Table = {
  name: 'a Sidecar with REGISTRY_ONLY and one host',
  place: 'sidecar',
  yaml: `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: narrow, namespace: default }
spec:
  workloadSelector: { labels: { app: client } }
  outboundTrafficPolicy: { mode: REGISTRY_ONLY }
  egress: [{ hosts: ["./echo.default.svc.cluster.local", "./listed.test"] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: listed, namespace: default }
spec:
  hosts: [listed.test]
  http: [{ route: [{ destination: { host: echo, subset: v2 } }] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: unlisted, namespace: default }
spec:
  hosts: [unlisted.test]
  http: [{ route: [{ destination: { host: echo, subset: v2 } }] }]
`,
  rows: [
    { name: 'a listed Service', call: { url: 'http://echo/' }, upstream: [{ body: 'any' }], expect: { status: 200 } },
    {
      name: 'a listed Service by its full name',
      call: { url: 'http://echo.default.svc.cluster.local/' },
      upstream: [{ body: 'any' }],
      expect: { status: 200 },
    },
    { name: 'a Service that is not listed', call: { url: 'http://other/' }, expect: { status: 502, to: [] } },
    { name: 'a listed host', call: { url: 'http://listed.test/' }, expect: { status: 200, to: ['echo-v2'] } },
    { name: 'a host that is not listed', call: { url: 'http://unlisted.test/' }, expect: { status: 502, to: [] } },
    { name: 'a host that nobody knows', call: { url: 'http://nobody.test/' }, expect: { status: 502, body: '', to: [] } },
    {
      name: 'a host that nobody knows, for a gRPC call',
      call: { url: 'http://nobody.test/', method: 'POST', headers: { 'content-type': 'application/grpc' } },
      expect: { to: [] },
    },
    {
      name: 'HEAD of a host that nobody knows',
      call: { url: 'http://nobody.test/', method: 'HEAD' },
      expect: { status: 502, body: '', to: [] },
    },
  ],
};
