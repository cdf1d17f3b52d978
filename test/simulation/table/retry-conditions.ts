import type { Answer, Expectation, Row, Table } from '../row.ts';

/** What an upstream does, once; its second answer is a 200. */
const UPSTREAM: Readonly<Record<string, Answer>> = {
  'a 500': { status: 500 },
  'a 502': { status: 502 },
  'a 503': { status: 503 },
  'a 504': { status: 504 },
  'a 409': { status: 409 },
  'a 429': { status: 429 },
  'a 404': { status: 404 },
  'the end of the connection': { hangUp: true },
  'a rate-limited 503': { status: 503, headers: { 'x-envoy-ratelimited': 'true' } },
};

/** Which of them a value of `retryOn` tries again (Envoy: router/retry_state_impl.cc, asked of 1.40). */
const HTTP: Readonly<Record<string, readonly string[]>> = {
  '5xx': ['a 500', 'a 502', 'a 503', 'a 504', 'the end of the connection'],
  'gateway-error': ['a 502', 'a 503', 'a 504', 'the end of the connection'],
  reset: ['the end of the connection'],
  'reset-before-request': [],
  'connect-failure': [],
  'refused-stream': [],
  'retriable-4xx': ['a 409'],
  'envoy-ratelimited': ['a rate-limited 503'],
  '429,504': ['a 429', 'a 504'],
  'retriable-status-codes': [],
};

const GRPC_STATUS: Readonly<Record<string, number>> = {
  cancelled: 1,
  'deadline-exceeded': 4,
  'resource-exhausted': 8,
  internal: 13,
  unavailable: 14,
};

const ALL = [...Object.keys(HTTP), ...Object.keys(GRPC_STATUS)];

const http: Row[] = Object.entries(HTTP).flatMap(([retryOn, retried], at) =>
  Object.entries(UPSTREAM).map(([what, answer]) => ({
    name: `retryOn ${retryOn}: ${what}`,
    call: { url: `http://conditions.test/${at}` },
    upstream: [answer, {}],
    expect: expectation(retried.includes(what), answer.status ?? 503),
  })),
);

const grpc: Row[] = Object.entries(GRPC_STATUS).flatMap(([retryOn, retried]) =>
  Object.values(GRPC_STATUS).map((status) => ({
    name: `retryOn ${retryOn}: gRPC status ${status}`,
    call: {
      url: `http://conditions.test/${ALL.indexOf(retryOn)}`,
      method: 'POST',
      headers: { 'content-type': 'application/grpc', te: 'trailers' },
    },
    upstream: [
      { headers: { 'content-type': 'application/grpc', 'grpc-status': String(status) }, body: '' },
      { headers: { 'content-type': 'application/grpc', 'grpc-status': '0' }, body: '' },
    ],
    expect: { ...expectation(status === retried, 200), headers: { 'grpc-status': status === retried ? '0' : String(status) } },
  })),
);

function expectation(again: boolean, first: number): Expectation {
  return again ? { status: 200, to: ['echo-v1', 'echo-v1'] } : { status: first, to: ['echo-v1'] };
}

export const retryConditions: Table = {
  name: 'what is tried again',
  place: 'sidecar',
  yaml: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: conditions, namespace: default }
spec:
  hosts: [conditions.test]
  http:
${ALL.map(
  (retryOn, at) => `  - match: [{ uri: { exact: /${at} } }]
    retries: { attempts: 2, retryOn: "${retryOn}" }
    route: [{ destination: { host: echo, subset: v1 } }]
`,
).join('')}`,
  rows: [...http, ...grpc],
};
