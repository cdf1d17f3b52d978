import { SECRET_TYPE_URL, type Secret } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { secretYaml, testAuthority } from '../testing/certificates.ts';
import { pushOf } from '../testing/mesh.ts';
import { resourcesOfNode } from './node-resources.ts';
import { loadResourceWriter } from './resource-json.ts';
import { translate } from './translate.ts';

const ca = testAuthority();
const shop = ca.issue({ dns: ['shop.example.com'] });
const other = ca.issue({ dns: ['other.example.com'] });

const edge: ProxyNode = {
  ...proxyNodeOf({ id: 'router~10.0.0.1~edge-1.edge~edge.svc.cluster.local', metadata: { LABELS: { istio: 'ingressgateway' } } }),
  verified: true,
};

function names(yaml: string, asked: string, node = edge): string[] {
  return translate(SECRET_TYPE_URL, node, pushOf(yaml), [asked]).map(({ name }) => name);
}

function content(yaml: string, asked: string): string {
  const [resource] = translate(SECRET_TYPE_URL, edge, pushOf(yaml), [asked]);
  const { type } = (resource?.message as Secret | undefined) ?? {};
  const source =
    type?.$case === 'tlsCertificate' ? type.value.certificateChain : type?.$case === 'validationContext' ? type.value.trustedCa : undefined;
  return source?.specifier?.$case === 'inlineBytes' ? Buffer.from(source.specifier.value).toString() : '';
}

const TLS = secretYaml('shop', 'edge', { 'tls.crt': shop.certificate, 'tls.key': shop.key });

describe('certificates of gateways', () => {
  it('are given to a verified node of their namespace', () => {
    expect(names(TLS, 'kubernetes://shop')).toEqual(['kubernetes://shop']);
    expect(names(TLS, 'kubernetes://edge/shop')).toEqual(['kubernetes://edge/shop']);
  });

  it('are given to nobody over plaintext, whatever it says of itself', () => {
    const claims = proxyNodeOf({ id: edge.id, metadata: { ...edge.metadata, verified: true, SERVICE_ACCOUNT: 'edge' } });
    expect(names(TLS, 'kubernetes://shop', claims)).toEqual([]);
  });

  it('are not given to another namespace, by either scheme', () => {
    const stranger = { ...edge, namespace: 'other' };
    expect(names(TLS, 'kubernetes://shop', stranger)).toEqual([]);
    expect(names(TLS, 'kubernetes://edge/shop', stranger)).toEqual([]);
    expect(names(TLS, 'kubernetes-gateway://edge/shop', stranger)).toEqual([]);
  });

  it('are not given by a name of the Gateway API that an Istio Gateway writes', () => {
    const gateway = `---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: sly, namespace: other }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    hosts: ["*"]
    tls: { mode: SIMPLE, credentialName: "kubernetes-gateway://edge/shop" }
`;
    expect(names(TLS + gateway, 'kubernetes-gateway://edge/shop', { ...edge, namespace: 'other' })).toEqual([]);
  });

  it.each([
    ['a Secret that is not there', 'kubernetes://nothing'],
    ['a name without a scheme', 'shop'],
    ['a scheme of the node itself', 'file-cert:/etc/passwd~/etc/shadow'],
    ['a path', 'kubernetes://edge/../shop'],
  ])('are none for %s', (_what, asked) => {
    expect(names(TLS, asked)).toEqual([]);
  });

  it.each([
    ['no certificate', { 'tls.crt': 'none', 'tls.key': shop.key }],
    ['no key', { 'tls.crt': shop.certificate, 'tls.key': 'none' }],
    ['the key of another certificate', { 'tls.crt': shop.certificate, 'tls.key': other.key }],
    ['half a pair', { 'tls.crt': shop.certificate }],
    ['nothing', {}],
  ])('are none when the Secret holds %s', (_what, data) => {
    expect(names(secretYaml('shop', 'edge', data), 'kubernetes://shop')).toEqual([]);
  });

  it('are read from generic Secrets first, as by istiod', () => {
    const both = { cert: other.certificate, key: other.key, 'tls.crt': shop.certificate, 'tls.key': shop.key };
    expect(content(secretYaml('shop', 'edge', both), 'kubernetes://shop')).toBe(other.certificate);
  });

  it('are read from base64 data, which stringData overrides', () => {
    const data = { 'tls.crt': Buffer.from(shop.certificate).toString('base64'), 'tls.key': Buffer.from(shop.key).toString('base64') };
    const yaml = `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'shop', namespace: 'edge' }, data })}\n`;
    expect(content(yaml, 'kubernetes://shop')).toBe(shop.certificate);
  });

  it.each([
    ['beside the certificate', secretYaml('shop', 'edge', { 'ca.crt': ca.root })],
    ['beside a generic certificate', secretYaml('shop', 'edge', { cacert: ca.root })],
    [
      'in a Secret of its own, which comes first',
      secretYaml('shop', 'edge', { cacert: shop.certificate }) + secretYaml('shop-cacert', 'edge', { cacert: ca.root }),
    ],
  ])('have a bundle of callers %s', (_what, yaml) => {
    expect(content(yaml, 'kubernetes://shop-cacert')).toBe(ca.root);
  });

  it('are in no dump of what a node has', async () => {
    const gateway = `---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: shop, namespace: edge }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"], tls: { mode: SIMPLE, credentialName: shop } }]
`;
    const write = await loadResourceWriter();
    const { listeners, routes, clusters, endpoints } = resourcesOfNode(edge, pushOf(TLS + gateway));
    const text = JSON.stringify([listeners, routes, clusters, endpoints].flat().map(write));
    expect(text).toContain('kubernetes://shop');
    expect(text).not.toContain(shop.key.split('\n')[1]);
    expect(text).not.toContain(Buffer.from(shop.key).toString('base64').slice(0, 60));
  });
});
