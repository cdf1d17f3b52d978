import type { Mesh } from '../istiod/mesh/random-mesh.ts';
import { type Certificates, OUTSIDE } from './certificates.ts';

/** Secrets by the names that drawn Gateways have for them, as documents of our control plane. istiod only passes the names on. */
export function secretDocuments({ nodes }: Mesh, certificates: Certificates): string {
  const { chain, key } = certificates.leaf(OUTSIDE);
  const secret = (namespace: string, name: string, stringData: object): string =>
    JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData });
  const namespaces = new Set(nodes.map(({ Metadata }) => Metadata.NAMESPACE as string));
  return [...namespaces]
    .flatMap((namespace) => [
      secret(namespace, 'shop-cert', { 'tls.crt': chain, 'tls.key': key }),
      secret(namespace, 'shop-cert-cacert', { cacert: certificates.rootPem }),
    ])
    .map((text) => `---\n${text}\n`)
    .join('');
}
