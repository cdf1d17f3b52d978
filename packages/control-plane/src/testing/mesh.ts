import { parseDocuments } from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import type { WorkloadInstance } from '../model/workload.ts';
import { PushContext } from '../push/push-context.ts';

/** A push context of YAML text and MeshConfig fields. Throws on a document that cannot be read. */
export function pushOf(yaml: string, workloads: readonly WorkloadInstance[] = [], mesh: object = {}): PushContext {
  const documents = [parseDocuments(yaml, { file: 'test.yaml' }), parseDocuments(JSON.stringify(mesh), { file: 'mesh.yaml' })];
  const findings = documents.flatMap((parsed) => parsed.findings);
  if (findings.length > 0) throw new Error(findings.map(({ message }) => message).join('\n'));
  return new PushContext({ objects: documents.flatMap(({ objects }) => objects), workloads });
}

export function sidecar(name = 'web-1', namespace = 'default', metadata: Readonly<Record<string, unknown>> = {}): ProxyNode {
  return proxyNodeOf({ id: `sidecar~10.0.0.1~${name}.${namespace}~${namespace}.svc.cluster.local`, metadata });
}

/** One HTTP service. */
export function service(
  name: string,
  options: { readonly namespace?: string; readonly port?: number; readonly selector?: string } = {},
): string {
  const { namespace = 'default', port = 80, selector = name } = options;
  return `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { selector: { app: ${selector} }, ports: [{ name: http, port: ${port}, targetPort: ${port} }] }
`;
}

/** A registered instance of app `name` on port 80. */
export function instance(name: string, address: string, version = 'v1'): WorkloadInstance {
  return {
    key: `${name}-${address}.default`,
    name: `${name}-${address}`,
    namespace: 'default',
    serviceAccount: name,
    labels: { app: name, version },
    address,
    ports: [{ workloadPort: 80, name: '', address, port: 80 }],
    health: 'HEALTHY',
    mtls: true,
    workloadName: `${name}-${version}`,
    clusterId: 'Kubernetes',
    locality: { region: '', zone: '', subZone: '' },
    nodeName: '',
    adminAddress: '',
  };
}
