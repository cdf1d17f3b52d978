import type { Table } from '../row.ts';

const V1 = { status: 200, to: ['echo-v1'] } as const;
const V2 = { status: 200, to: ['echo-v2'] } as const;

export const routing: Table = {
  name: 'routing',
  place: 'sidecar',
  yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: routing, namespace: default }
spec:
  hosts: [routing.test]
  http:
  - match: [{ uri: { exact: /exact } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /prefix } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { regex: "/item/[0-9]+" } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { exact: /CaseLess }, ignoreUriCase: true }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ headers: { end-user: { exact: jason } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ headers: { x-prefix: { prefix: beta- } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ headers: { x-regex: { regex: "v[12]" } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ headers: { x-present: {} } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /without }, withoutHeaders: { x-legacy: {} } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /not-value }, withoutHeaders: { x-color: { exact: blue } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ method: { exact: PUT } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ queryParams: { color: { exact: blue } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ queryParams: { id: { regex: "[0-9]+" } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ authority: { prefix: "routing.test:80" } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /and }, headers: { x-and: { exact: "1" } } }, { uri: { exact: /or } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /port }, port: 81 }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /labels }, sourceLabels: { app: client } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /strangers }, sourceLabels: { app: stranger } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: / } }]
    route: [{ destination: { host: echo, subset: v1 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: wildcard, namespace: default }
spec:
  hosts: ["*.wild.test"]
  http:
  - route: [{ destination: { host: echo, subset: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: exact-in-wildcard, namespace: default }
spec:
  hosts: [one.wild.test]
  http:
  - route: [{ destination: { host: echo, subset: v1 } }]
`,
  rows: [
    { name: 'an exact path is taken', call: { url: 'http://routing.test/exact' }, expect: V2 },
    { name: 'an exact path leaves the query out', call: { url: 'http://routing.test/exact?x=1' }, expect: { ...V2, path: '/exact?x=1' } },
    { name: 'an exact path is not a prefix', call: { url: 'http://routing.test/exact/more' }, expect: V1 },
    { name: 'a prefix takes what follows without a slash', call: { url: 'http://routing.test/prefixes' }, expect: V2 },
    { name: 'a prefix is case sensitive', call: { url: 'http://routing.test/Prefix' }, expect: V1 },
    { name: 'a regex takes the whole path', call: { url: 'http://routing.test/item/42' }, expect: V2 },
    { name: 'a regex does not take a part of the path', call: { url: 'http://routing.test/item/42/more' }, expect: V1 },
    { name: 'ignoreUriCase', call: { url: 'http://routing.test/caseless' }, expect: V2 },
    { name: 'an exact header', call: { url: 'http://routing.test/', headers: { 'End-User': 'jason' } }, expect: V2 },
    {
      name: 'an exact header is case sensitive in its value',
      call: { url: 'http://routing.test/', headers: { 'end-user': 'Jason' } },
      expect: V1,
    },
    {
      name: 'of two header lines the second counts as well',
      call: { url: 'http://routing.test/', headers: { 'end-user': ['paul', 'jason'] } },
      expect: V2,
    },
    {
      name: 'two header lines are not matched joined',
      call: { url: 'http://routing.test/', headers: { 'x-regex': ['v', '1'] } },
      expect: V1,
    },
    { name: 'a header prefix', call: { url: 'http://routing.test/', headers: { 'x-prefix': 'beta-7' } }, expect: V2 },
    { name: 'a header regex takes the whole value', call: { url: 'http://routing.test/', headers: { 'x-regex': 'v1' } }, expect: V2 },
    { name: 'a header regex does not take a part', call: { url: 'http://routing.test/', headers: { 'x-regex': 'v11' } }, expect: V1 },
    { name: 'a header that is there, empty', call: { url: 'http://routing.test/', headers: { 'x-present': '' } }, expect: V2 },
    { name: 'withoutHeaders: absent', call: { url: 'http://routing.test/without' }, expect: V2 },
    { name: 'withoutHeaders: present', call: { url: 'http://routing.test/without', headers: { 'x-legacy': 'y' } }, expect: V1 },
    {
      name: 'withoutHeaders with a value: another value',
      call: { url: 'http://routing.test/not-value', headers: { 'x-color': 'red' } },
      expect: V2,
    },
    {
      name: 'withoutHeaders with a value: that value',
      call: { url: 'http://routing.test/not-value', headers: { 'x-color': 'blue' } },
      expect: V1,
    },
    { name: 'withoutHeaders with a value: header absent', call: { url: 'http://routing.test/not-value' }, expect: { status: 200 } },
    { name: 'a method', call: { url: 'http://routing.test/', method: 'PUT', body: 'hello' }, expect: { ...V2, method: 'PUT' } },
    { name: 'a query parameter', call: { url: 'http://routing.test/?a=1&color=blue' }, expect: V2 },
    { name: 'a query parameter of another value', call: { url: 'http://routing.test/?color=bluest' }, expect: V1 },
    { name: 'a query parameter by regex', call: { url: 'http://routing.test/?id=77' }, expect: V2 },
    { name: 'authority with a port', call: { url: 'http://routing.test/', headers: { host: 'routing.test:80' } }, expect: V2 },
    { name: 'authority in capitals', call: { url: 'http://routing.test/exact', headers: { host: 'ROUTING.test' } }, expect: V2 },
    { name: 'conditions of one match are and-ed', call: { url: 'http://routing.test/and' }, expect: V1 },
    { name: 'conditions of one match, all met', call: { url: 'http://routing.test/and', headers: { 'x-and': '1' } }, expect: V2 },
    { name: 'several matches are or-ed', call: { url: 'http://routing.test/or' }, expect: V2 },
    { name: 'a match of another port is left out', call: { url: 'http://routing.test/port' }, expect: V1 },
    { name: 'sourceLabels of the client', call: { url: 'http://routing.test/labels' }, expect: V2 },
    { name: 'sourceLabels of others', call: { url: 'http://routing.test/strangers' }, expect: V1 },
    { name: 'a wildcard host', call: { url: 'http://any.wild.test/' }, expect: V2 },
    { name: 'an exact host wins over the wildcard', call: { url: 'http://one.wild.test/' }, expect: V1 },
    { name: 'a short service name', call: { url: 'http://other/' }, expect: { status: 200, to: ['other-v1'] } },
    { name: 'a service name with namespace', call: { url: 'http://other.default/' }, expect: { status: 200, to: ['other-v1'] } },
    { name: 'a full service name', call: { url: 'http://other.default.svc.cluster.local/' }, expect: { status: 200, to: ['other-v1'] } },
    {
      name: 'a full service name with a dot at its end',
      call: { url: 'http://other.default.svc.cluster.local./' },
      expect: { status: 200, to: ['other-v1'] },
    },
    { name: 'dots in a path', call: { url: 'http://routing.test/a/../prefix' }, expect: { status: 200 } },
    { name: 'two slashes in a path', call: { url: 'http://routing.test//prefix' }, expect: { status: 200 } },
    { name: 'an escaped slash in a path', call: { url: 'http://routing.test/%2Fprefix' }, expect: { status: 200 } },
  ],
};
