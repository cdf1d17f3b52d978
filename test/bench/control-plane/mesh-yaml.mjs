// The mesh of the control-plane bench as YAML files: services in ten namespaces on ten ports, every tenth with a canary.
export const NAMESPACES = 10;
const PORTS = 10;
const ENDPOINTS = 10;

/** Names and numbers are drawn from the seed, so that nothing can be made for one run. */
export function meshFiles(services, seed) {
  const files = new Map();
  for (let index = 0; index < services; index++) {
    const service = benchService(index, seed);
    files.set(`${service.name}.yaml`, serviceYaml(service) + (index % 10 === 0 ? canaryYaml(service, 90) : ''));
    files.set(`${service.name}-endpoints.yaml`, sliceYaml(service, 0));
  }
  for (let index = 0; index < NAMESPACES; index++) files.set(`allow-${index}.yaml`, policyYaml(index));
  return files;
}

export function benchService(index, seed) {
  const name = `svc-${seed.toString(36)}-${index}`;
  const namespace = `team-${index % NAMESPACES}`;
  const port = 8000 + ((Math.floor(index / NAMESPACES) + seed) % PORTS);
  const host = `${name}.${namespace}.svc.cluster.local`;
  return { index, name, namespace, port, host, cluster: `outbound|${port}||${host}` };
}

function serviceYaml({ name, namespace, port }) {
  return `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  clusterIP: 10.${96 + (port % 10)}.${Number(name.split('-').at(-1)) >> 8}.${Number(name.split('-').at(-1)) & 255}
  selector: { app: ${name} }
  ports: [{ port: ${port}, name: http, targetPort: 8080 }]
`;
}

/** `generation` changes one address. */
export function sliceYaml({ index, name, namespace }, generation) {
  const lines = Array.from({ length: ENDPOINTS }, (_, at) => {
    const address = at === 0 ? changedAddress(index, generation) : `10.${at}.${index >> 8}.${index & 255}`;
    return `  - { addresses: [${address}], conditions: { ready: true }, zone: zone-${at % 3} }`;
  });
  return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata:
  name: ${name}-1
  namespace: ${namespace}
  labels: { kubernetes.io/service-name: ${name} }
ports: [{ name: http, port: 8080, protocol: TCP }]
endpoints:
${lines.join('\n')}
`;
}

export function changedAddress(index, generation) {
  return `10.${100 + generation}.${index >> 8}.${index & 255}`;
}

/** A service's file again, with another split. */
export function canaryFile(service, weight) {
  return serviceYaml(service) + canaryYaml(service, weight);
}

function canaryYaml({ name, namespace, host }, weight) {
  return `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  host: ${host}
  trafficPolicy:
    connectionPool: { http: { http1MaxPendingRequests: 512 } }
    outlierDetection: { consecutive5xxErrors: 5 }
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  hosts: [${host}]
  http:
    - match: [{ headers: { x-canary: { exact: 'yes' } } }]
      route: [{ destination: { host: ${host}, subset: v2 } }]
    - timeout: ${(weight % 50) + 1}s
      route:
        - { destination: { host: ${host}, subset: v1 }, weight: ${weight} }
        - { destination: { host: ${host}, subset: v2 }, weight: ${100 - weight} }
`;
}

function policyYaml(index) {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow-get, namespace: team-${index} }
spec:
  rules: [{ to: [{ operation: { methods: [GET, HEAD] } }] }]
`;
}

/** Independent documents of every common kind: what a large folder costs to load. */
export function manyDocuments(count, seed) {
  const files = new Map();
  for (let made = 0, index = 0; made < count; index++) {
    const service = benchService(index, seed);
    files.set(`${service.name}.yaml`, serviceYaml(service) + canaryYaml(service, 10 + (index % 80)));
    files.set(`${service.name}-endpoints.yaml`, sliceYaml(service, 0));
    files.set(
      `${service.name}-policy.yaml`,
      policyYaml(index % NAMESPACES)
        .replace('name: allow-get', `name: allow-${index}`)
        .replace('spec:', `spec:\n  selector: { matchLabels: { app: ${service.name} } }`),
    );
    made += 5;
  }
  return files;
}
