// What is sent, and the mesh that it is sent through: 100 hosts with 50 routes each, a header match in five of them, weights 90/10,
// a timeout, retries, outlier detection, and 50 authorization rules of which one admits the caller. Names are drawn per run.
import { randomInt } from 'node:crypto';

export const HOSTS = 100;
export const ROUTES = 50;
const RULES = 50;

/** What every server answers: 1 kB of JSON. */
export const CONTENT = {
  id: 7,
  items: Array.from({ length: 22 }, (_, n) => ({ id: n, name: `item number ${n}`, price: n * 3.5 })),
};
export const BODY = JSON.stringify(CONTENT);
export const DENIED_BODY = 'RBAC: access denied';

/** Draws the host and route that are hit, so that nothing can be tuned to one of them. */
export function drawSubject(seed = randomInt(1_000_000)) {
  const host = seed % HOSTS;
  // Every fifth route matches a header first; the hit is one of those.
  const route = (Math.floor(seed / HOSTS) % (ROUTES / 5)) * 5;
  return {
    seed,
    host: `svc${host}.bench.example`,
    path: `/api/v1/svc${host}/r${route}/items/7`,
    forbiddenPath: `/api/v1/svc${host}/r${route}/forbidden`,
    prefix: `/api/v1/svc${host}/`,
  };
}

/** YAML documents that make every host of the subject a mesh service with static endpoints on these ports (v1, v2). */
export function staticServices([v1, v2]) {
  const hosts = Array.from({ length: HOSTS }, (_, host) => `svc${host}.bench.example`);
  return hosts
    .flatMap((host, index) => [serviceEntry(host, index, v1, v2), destinationRule(host, index), virtualService(host, index)])
    .join('---\n');
}

function serviceEntry(host, index, v1, v2) {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: svc${index}, namespace: default }
spec:
  hosts: [${host}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints:
    - { address: 127.0.0.1, ports: { http: ${v1} }, labels: { version: v1 } }
    - { address: 127.0.0.1, ports: { http: ${v2} }, labels: { version: v2 } }
`;
}

export function destinationRule(host, index) {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: svc${index}, namespace: default }
spec:
  host: ${host}
  trafficPolicy:
    connectionPool: { tcp: { maxConnections: 1024 }, http: { http1MaxPendingRequests: 1024, http2MaxRequests: 1024 } }
    outlierDetection: { consecutive5xxErrors: 5, baseEjectionTime: 30s }
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
`;
}

export function virtualService(host, index) {
  const routes = Array.from({ length: ROUTES }, (_, route) => {
    const prefix = `uri: { prefix: /api/v1/svc${index}/r${route}/ }`;
    const canary =
      route % 5 === 0
        ? `    - match: [{ ${prefix}, headers: { x-canary: { exact: 'yes' } } }]\n      route: [{ destination: { host: ${host}, subset: v2 } }]\n`
        : '';
    return `${canary}    - match: [{ ${prefix} }]
      timeout: 15s
      retries: { attempts: 2, retryOn: 'connect-failure,refused-stream,unavailable,cancelled' }
      route:
        - { destination: { host: ${host}, subset: v1 }, weight: 90 }
        - { destination: { host: ${host}, subset: v2 }, weight: 10 }
`;
  });
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: svc${index}, namespace: default }
spec:
  hosts: [${host}]
  http:
${routes.join('')}`;
}

/** A Service that selects the benched server, with the full route table in front of it. */
export function registeredServices(subject, protocol = 'http') {
  const hosts = Array.from({ length: HOSTS }, (_, index) => index);
  return hosts
    .flatMap((index) => [
      `apiVersion: v1
kind: Service
metadata: { name: svc${index}, namespace: default }
spec:
  selector: { app: ${`svc${index}.bench.example` === subject.host ? 'bench-server' : `nobody${index}`} }
  ports: [{ name: ${protocol}, port: 80, targetPort: 9080 }]
`,
      destinationRule(`svc${index}.default.svc.cluster.local`, index),
      virtualService(`svc${index}.default.svc.cluster.local`, index),
    ])
    .join('---\n');
}

/** 50 rules; the last one admits the subject's path but not /forbidden. With mTLS it names the caller too. */
export function authorization(subject, principal) {
  const rules = Array.from(
    { length: RULES - 1 },
    (_, rule) =>
      `    - from: [{ source: { principals: [cluster.local/ns/other/sa/caller${rule}] } }]\n      to: [{ operation: { methods: [POST], paths: [/other/${rule}/*] } }]\n`,
  );
  const from = principal === undefined ? '' : `from: [{ source: { principals: ['${principal}'] } }]\n      `;
  rules.push(`    - ${from}to: [{ operation: { methods: [GET, POST], paths: ['${subject.prefix}*'], notPaths: ['*/forbidden'] } }]\n`);
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: bench, namespace: default }
spec:
  selector: { matchLabels: { app: bench-server } }
  action: ALLOW
  rules:
${rules.join('')}`;
}

export function peerAuthentication(mode) {
  return `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: default }
spec: { mtls: { mode: ${mode} } }
`;
}
