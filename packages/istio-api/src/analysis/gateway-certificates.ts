import type { GatewaySpec, ServerTLSSettings } from '../types/networking.ts';
import { selects } from './labels.ts';
import { nameOf } from './mesh-documents.ts';
import type { Analyzer } from './say.ts';

/**
 * One certificate in two Gateways of a workload: a client that keeps its HTTP/2 connection for a host of the other gets 404 (Istio:
 * CertificateAnalyzer).
 */
export const analyzeGatewayCertificates: Analyzer = (mesh, say) => {
  const gateways = mesh.all<GatewaySpec>('networking.istio.io/Gateway').map((object) => ({ object, shown: certificatesOf(object.spec) }));
  const byCertificate = new Map<string, typeof gateways>();
  for (const gateway of gateways) for (const { key } of gateway.shown) byCertificate.set(key, [...(byCertificate.get(key) ?? []), gateway]);
  for (const { object, shown } of gateways)
    for (const { key, path } of shown) {
      const others = new Set(byCertificate.get(key));
      const met = [...others].filter(
        (other) => other.object !== object && selects(object.spec.selector ?? {}, other.object.spec.selector ?? {}),
      );
      for (const other of met)
        say(
          object,
          'IST0138',
          path,
          `Gateway ${nameOf(other.object)} shows the same certificate: a client that keeps its connection may get 404; put the servers into one Gateway, or give each its own certificate`,
        );
    }
};

function certificatesOf({ servers = [] }: GatewaySpec): { readonly key: string; readonly path: readonly (string | number)[] }[] {
  return servers.flatMap(({ tls }, index) => {
    const key = tls === undefined ? undefined : certificateOf(tls);
    return key === undefined ? [] : [{ key, path: ['spec', 'servers', index, 'tls'] }];
  });
}

function certificateOf({ credentialName = '', serverCertificate = '', privateKey = '' }: ServerTLSSettings): string | undefined {
  if (credentialName !== '') return `Secret ${credentialName}`;
  return serverCertificate === '' || privateKey === '' ? undefined : `file ${serverCertificate} ${privateKey}`;
}
