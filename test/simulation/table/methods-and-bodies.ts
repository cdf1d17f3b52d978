import type { Row, Table } from '../row.ts';

const url = 'http://bodies.test/';
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'PURGE', 'SEARCH', 'TRACE'];
const STATUSES = [
  200, 201, 202, 203, 205, 206, 207, 226, 300, 301, 302, 304, 400, 401, 402, 403, 405, 408, 410, 417, 421, 425, 429, 451, 499,
];
const SIZES = [0, 1, 16_383, 16_384, 65_535, 65_536, 65_537, 300_000];

export const methodsAndBodies: Table = {
  name: 'methods, statuses and bodies',
  place: 'sidecar',
  yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bodies, namespace: default }
spec:
  hosts: [bodies.test]
  http:
  - retries: { attempts: 1, retryOn: 5xx }
    route: [{ destination: { host: echo, subset: v1 } }]
`,
  rows: [
    ...METHODS.map(
      (method): Row => ({ name: `method ${method}`, call: { url, method }, expect: { status: 200, method, to: ['echo-v1'] } }),
    ),
    ...STATUSES.map(
      (status): Row => ({
        name: `status ${status} passes`,
        call: { url },
        upstream: [{ status, ...(status === 205 ? { body: '' } : {}) }],
        expect: { status, to: ['echo-v1'] },
      }),
    ),
    ...SIZES.map(
      (size): Row => ({
        name: `a request body of ${size} bytes`,
        call: { url, method: 'POST', body: 'x'.repeat(size) },
        expect: { status: 200, method: 'POST', to: ['echo-v1'] },
      }),
    ),
    ...SIZES.map(
      (size): Row => ({
        name: `a response body of ${size} bytes`,
        call: { url },
        upstream: [{ body: 'y'.repeat(size) }],
        expect: { status: 200, body: 'y'.repeat(size) },
      }),
    ),
    {
      name: 'a body of 60,000 bytes is sent again',
      call: { url, method: 'POST', body: 'z'.repeat(60_000) },
      upstream: [{ status: 503 }, {}],
      expect: { status: 200, to: ['echo-v1', 'echo-v1'] },
    },
    {
      name: 'trailers are asked for',
      call: { url, headers: { te: 'trailers' } },
      expect: { status: 200, sees: { te: 'trailers' } },
    },
    {
      name: 'HEAD of a large response',
      call: { url, method: 'HEAD' },
      upstream: [{ body: 'y'.repeat(70_000) }],
      expect: { status: 200, body: '' },
    },
  ],
};
