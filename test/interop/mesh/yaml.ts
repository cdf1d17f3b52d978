/** YAML that every test mesh needs, around the documents that a test is about. */

export interface WorkloadInput {
  /** Name of the workload and of its WorkloadEntry. */
  readonly name: string;
  readonly app: string;
  readonly version: string;
  readonly port: number;
  /** Named: the workload has a certificate and speaks mTLS. */
  readonly serviceAccount?: string;
}

/** An instance outside of Kubernetes; its real port is an entry of `ports`. */
export function workloadEntry({ name, app, version, port, serviceAccount }: WorkloadInput): string {
  return `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: default }
spec:
  address: 127.0.0.1
  labels: { app: ${app}, version: ${version} }
  ports: { http: ${port} }
${serviceAccount === undefined ? '' : `  serviceAccount: ${serviceAccount}\n`}`;
}

/** A Service of the workloads with this `app` label; its port is called `http`. */
export function service(
  name: string,
  { app = name, port = 80, targetPort = port }: { app?: string; port?: number; targetPort?: number } = {},
): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec:
  selector: { app: ${app} }
  ports: [{ name: http, port: ${port}, targetPort: ${targetPort} }]
`;
}

/** A DestinationRule with one subset per version, and what else its spec says (YAML, indented by two). */
export function subsets(name: string, versions: readonly string[], more = ''): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: default }
spec:
  host: ${name}.default.svc.cluster.local
  subsets:
${versions.map((version) => `  - { name: ${version}, labels: { version: ${version} } }`).join('\n')}
${more}`;
}

export function documents(...parts: readonly string[]): string {
  return parts.join('---\n');
}
