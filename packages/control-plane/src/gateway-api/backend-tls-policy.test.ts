import { CLUSTER_TYPE_URL, type Cluster, SECRET_TYPE_URL, UpstreamTlsContext, unpackAny } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { testAuthority } from '../testing/certificates.ts';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from '../translate/translate.ts';

const CA = testAuthority('backend').root;
const WEB = service('web');
const BUNDLE = `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ca', namespace: 'default' }, data: { 'ca.crt': CA } })}\n`;
const policy = (validation: string): string => `---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: to-web, namespace: default }
spec: { targetRefs: [{ group: "", kind: Service, name: web }], validation: { hostname: web.internal, ${validation} } }
`;
const BY_CA = policy('caCertificateRefs: [{ group: "", kind: ConfigMap, name: ca }]');
const OURS = sidecar('web-1', 'default', { RIPSTOP_VERSION: '1' });

function cluster(yaml: string, node = OURS): Cluster {
  const clusters = translate(CLUSTER_TYPE_URL, node, pushOf(WEB + yaml), []);
  return clusters.find(({ name }) => name === 'outbound|80||web.default.svc.cluster.local')!.message as Cluster;
}

function tls({ transportSocket }: Cluster): UpstreamTlsContext | undefined {
  const config = transportSocket?.configType;
  return config?.$case === 'typedConfig' ? unpackAny(UpstreamTlsContext, config.value) : undefined;
}

const validation = (made: Cluster) => tls(made)?.commonTlsContext?.validationContextType;

describe('a BackendTLSPolicy', () => {
  it('gives our clients the CA and the name that the certificate must have', () => {
    const made = validation(cluster(BUNDLE + BY_CA));
    expect(made).toMatchObject({ $case: 'validationContext', value: { trustedCa: { specifier: { $case: 'inlineString', value: CA } } } });
    expect(JSON.stringify(made)).toContain('web.internal');
  });

  it("gives an Envoy istiod's name for the CA, which every verified node may ask for", () => {
    const envoy = sidecar();
    expect(JSON.stringify(validation(cluster(BUNDLE + BY_CA, envoy)))).toContain('configmap://default/ca-cacert');
    const ask = (verified: boolean) =>
      translate(SECRET_TYPE_URL, { ...envoy, verified }, pushOf(WEB + BUNDLE + BY_CA), ['configmap://default/ca-cacert']);
    expect(ask(true)).toHaveLength(1);
    expect(ask(false)).toHaveLength(0);
  });

  it('whose CA cannot be had trusts nobody', () => {
    expect(JSON.stringify(validation(cluster(BY_CA)))).toContain('invalid://');
  });

  it('with the CAs of the system names none', () => {
    expect(JSON.stringify(validation(cluster(policy('wellKnownCACertificates: System'))))).toContain('file-root:system');
  });

  it('is told by name in metadata before any rule for everybody, and stays apart from one that is exported to fewer', () => {
    const rule = (spec: string): string =>
      `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: d, namespace: default }\nspec: { host: web${spec} }\n`;
    const joined = cluster(BUNDLE + BY_CA + rule(''), sidecar());
    expect(joined.metadata?.filterMetadata.istio?.config).toContain('/destination-rule/web~');
    const apart = cluster(BUNDLE + BY_CA + rule(', exportTo: ["."]'), sidecar());
    expect(apart.metadata?.filterMetadata.istio?.config).toContain('/destination-rule/d');
    expect(tls(apart)?.sni ?? '').not.toBe('web.internal');
  });

  it('fills the gaps of a DestinationRule, which comes first in what it says', () => {
    const rule = (trafficPolicy: string): string =>
      `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: d, namespace: default }\nspec: { host: web, trafficPolicy: ${trafficPolicy} }\n`;
    const made = cluster(BUNDLE + BY_CA + rule('{ connectionPool: { tcp: { maxConnections: 7 } } }'));
    expect(made.circuitBreakers?.thresholds[0]?.maxConnections).toBe(7);
    expect(tls(made)?.sni).toBe('web.internal');
    expect(tls(cluster(BUNDLE + BY_CA + rule('{ tls: { mode: DISABLE } }')))).toBeUndefined();
  });

  it('is what explanations of a call name', () => {
    const { metadata } = cluster(BUNDLE + BY_CA);
    expect(metadata?.filterMetadata.ripstop).toMatchObject({ kind: 'BackendTLSPolicy', name: 'to-web', file: 'test.yaml' });
  });
});
