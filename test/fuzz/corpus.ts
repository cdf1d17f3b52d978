import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A mesh that has something of every kind, so that fuzzing works where the conformance data is absent. */
export const OWN: readonly string[] = [
  `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  gateways: [mesh, edge]
  exportTo: [.]
  http:
    - match: [{ uri: { prefix: /a }, headers: { end-user: { regex: "^(.*?;)?(user=jason)(;.*)?$" } }, queryParams: { q: { exact: "1" } } }]
      route: [{ destination: { host: reviews, subset: v2, port: { number: 9080 } }, weight: 80 }, { destination: { host: ratings }, weight: 20 }]
      retries: { attempts: 3, perTryTimeout: 2s, retryOn: "5xx,reset" }
      timeout: 5s
      fault: { delay: { fixedDelay: 1s, percentage: { value: 10 } }, abort: { httpStatus: 503, percentage: { value: 1.5 } } }
      corsPolicy: { allowOrigins: [{ exact: https://a.b }], maxAge: 24h, allowMethods: [GET] }
      mirrors: [{ destination: { host: ratings }, percentage: { value: 5 } }]
      headers: { request: { set: { x-a: "%REQ(x)%" }, remove: [x-b] } }
    - redirect: { uri: /b, redirectCode: 302 }
      match: [{ uri: { exact: /c } }]
    - delegate: { name: other, namespace: default }
      match: [{ uri: { prefix: /d } }]
    - directResponse: { status: 418, body: { string: tea } }
`,
  `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  trafficPolicy:
    loadBalancer: { consistentHash: { httpHeaderName: x-user, ringHash: { minimumRingSize: 64 } } }
    connectionPool: { tcp: { maxConnections: 10, connectTimeout: 1s }, http: { http1MaxPendingRequests: 5, idleTimeout: 60s } }
    outlierDetection: { consecutive5xxErrors: 5, interval: 10s, baseEjectionTime: 30s, maxEjectionPercent: 50 }
    portLevelSettings: [{ port: { number: 9080 }, loadBalancer: { simple: RANDOM } }]
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 }, trafficPolicy: { loadBalancer: { simple: LEAST_REQUEST } } }]
`,
  `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: ingressgateway }
  servers:
    - { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"], tls: { httpsRedirect: true } }
    - { port: { number: 443, name: https, protocol: HTTPS }, hosts: ["default/*.example.com"], tls: { mode: SIMPLE, credentialName: cert } }
`,
  `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: out }
spec:
  hosts: [api.example.com, "*.example.org"]
  addresses: [240.0.0.1]
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }, { number: 443, name: tls, protocol: TLS }]
  location: MESH_EXTERNAL
  resolution: STATIC
  endpoints: [{ address: 10.0.0.9, ports: { http: 8080 }, labels: { version: v1 }, locality: a/b/c, weight: 3 }]
`,
  `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: p, annotations: { istio.io/dry-run: "false" } }
spec:
  selector: { matchLabels: { app: productpage } }
  action: DENY
  rules:
    - from: [{ source: { principals: [cluster.local/ns/default/sa/*], notNamespaces: [prod], ipBlocks: [10.0.0.0/8], remoteIpBlocks: ["2001:db8::/32"] } }]
      to: [{ operation: { methods: [GET], paths: ["/a/{*}/b", "*.html"], ports: ["9080"], notHosts: [a.b] } }]
      when: [{ key: "request.headers[x]", values: ["*a"] }, { key: "request.auth.claims[iss]", notValues: [b] }]
`,
  `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: j }
spec: { jwtRules: [{ issuer: a, jwks: '{"keys":[]}', audiences: [b], fromHeaders: [{ name: x, prefix: "B " }], outputClaimToHeaders: [{ header: x-c, claim: sub }] }] }
`,
  `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: m }
spec: { selector: { matchLabels: { app: productpage } }, mtls: { mode: STRICT }, portLevelMtls: { 9080: { mode: DISABLE } } }
`,
  `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: s }
spec:
  workloadSelector: { labels: { app: productpage } }
  egress: [{ hosts: ["./*", "istio-system/*"], port: { number: 9080, protocol: HTTP, name: http } }]
  outboundTrafficPolicy: { mode: REGISTRY_ONLY }
`,
  `apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: t }
spec:
  accessLogging: [{ providers: [{ name: envoy }], filter: { expression: "response.code >= 400" } }]
  tracing: [{ randomSamplingPercentage: 10.5, customTags: { a: { literal: { value: b } } } }]
  metrics: [{ overrides: [{ match: { metric: REQUEST_COUNT }, tagOverrides: { a: { operation: REMOVE } } }] }]
`,
  `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: f }
spec: { configPatches: [{ applyTo: HTTP_FILTER, match: { context: SIDECAR_INBOUND }, patch: { operation: INSERT_BEFORE, filterClass: AUTHZ, value: { name: x } } }] }
`,
  `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: h }
spec:
  parentRefs: [{ name: gw }, { kind: Service, group: "", name: reviews, port: 9080 }]
  hostnames: [a.example.com]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /a }, headers: [{ name: x, value: y }] }]
      filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: a, value: b }] } }]
      backendRefs: [{ name: reviews, port: 9080, weight: 3 }]
      timeouts: { request: 5s }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: gw }
spec: { gatewayClassName: istio, listeners: [{ name: l, port: 80, protocol: HTTP, hostname: "*.example.com", allowedRoutes: { namespaces: { from: All } } }] }
`,
  `apiVersion: ripstop.dev/v1
kind: MeshConfig
metadata: { name: mesh }
spec: { trustDomain: a.b, outboundTrafficPolicy: { mode: REGISTRY_ONLY }, accessLogFile: /dev/stdout, defaultConfig: { tracing: { sampling: 5 } }, extensionProviders: [{ name: z, envoyExtAuthzHttp: { service: reviews.default.svc.cluster.local, port: 9080 } }] }
`,
  `apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Service
    metadata: { name: extra, labels: &labels { app: extra } }
    spec: { selector: *labels, clusterIP: None, ports: [{ name: grpc-a, port: 7000, targetPort: web }] }
  - apiVersion: v1
    kind: Pod
    metadata: { name: extra-1, labels: *labels }
    spec: { containers: [{ ports: [{ name: web, containerPort: 7001 }] }] }
    status: { podIP: 10.1.2.3, phase: Running }
  - apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: { name: x, labels: { kubernetes.io/service-name: reviews } }
    endpoints: [{ addresses: [10.1.1.1], conditions: { ready: true }, zone: a }]
    ports: [{ name: http, port: 9080 }]
`,
];

/** What mutated documents stand beside. */
export const BASE: string = ['reviews', 'ratings', 'productpage', 'details']
  .map(
    (name) => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}-1, namespace: default }
spec: { address: 10.0.0.1, labels: { app: ${name}, version: v1 }, serviceAccount: ${name} }
---
`,
  )
  .join('');

const root = process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance');

/** Texts to mutate: our own, and where the conformance data is present Istio's samples, the cases of its CRDs and of istiod. */
export function corpus(): { readonly texts: readonly string[]; readonly missing: string | undefined } {
  if (!existsSync(root)) return { texts: OWN, missing: root };
  const files = ['samples', 'crds/cases', 'istiod-xds', 'gateway-api'].flatMap((folder) => yamlBelow(join(root, folder)));
  const documents = files.flatMap((file) => readFileSync(file, 'utf8').split(/^---$/m));
  return { texts: [...OWN, ...documents.filter((text) => text.trim() !== '' && text.length < 20_000)], missing: undefined };
}

function yamlBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return yamlBelow(path);
    return /\.ya?ml$/.test(entry.name) ? [path] : [];
  });
}
