import { type MeshObject, parseDocuments } from '@ripstop/istio-api';
import { createSelfSignedRoot, privateKeyPem } from '@ripstop/pki';

/* What Istio's own conversion test has around its inputs (README of the conformance data): Services, certificates, CA bundles. */

const SERVICES: Readonly<Record<string, string>> = {
  'istio-system': 'istio-ingressgateway httpbin',
  default:
    'httpbin httpbin-second httpbin-wildcard httpbin-other httpbin-mirror httpbin-alt httpbin-bad httpbin-zero foo-svc example echo echo-1 echo-2 echo-port not-found svc4',
  apple: 'httpbin-apple',
  'allowed-1': 'a-example b-example svc1 svc2',
  'allowed-2': 'a-example svc2 svc3',
  'group-namespace1': 'httpbin',
  'group-namespace2': 'httpbin',
  service: 'my-svc',
};

const PORTS = [
  { name: 'http', port: 80, targetPort: 8080 },
  { name: 'tcp', port: 34_000 },
  { name: 'tcp-other', port: 34_001 },
];

const DAY_MS = 86_400_000;
const { certificatePem, keyPair } = createSelfSignedRoot({
  organization: 'test',
  notBeforeMs: Date.now() - DAY_MS,
  notAfterMs: Date.now() + DAY_MS,
});
const pair = { 'tls.crt': certificatePem, 'tls.key': privateKeyPem(keyPair.privateKey) };
const roots = { 'ca.crt': certificatePem };

const core = (kind: string, namespace: string, name: string, fields: object): object => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace },
  ...fields,
});

const services = Object.entries(SERVICES).flatMap(([namespace, names]) =>
  names.split(' ').map((name) => {
    const https = name === 'istio-ingressgateway' ? [{ name: 'https', port: 443 }] : [];
    return core('Service', namespace, name, { spec: { selector: { app: name }, ports: [...PORTS, ...https] } });
  }),
);

const documents = [
  ...services,
  core('Secret', 'istio-system', 'my-cert', { stringData: pair }),
  core('Secret', 'istio-system', 'my-cert-http', { stringData: { ...pair, ...roots } }),
  core('Secret', 'istio-system', 'malformed', { stringData: { 'tls.crt': 'x', 'tls.key': 'x' } }),
  core('ConfigMap', 'default', 'auth-cert', { data: roots }),
  core('ConfigMap', 'istio-system', 'my-cert-http', { data: roots }),
  core('ConfigMap', 'default', 'malformed', { data: { 'not-ca.crt': 'x' } }),
  core('ConfigMap', 'istio-system', 'malformed', { data: { 'not-ca.crt': 'x' } }),
  core('ConfigMap', 'istio-system', 'malformed-trustbundle', { data: { 'ca.crt': 'x' } }),
];

export const FIXTURE: readonly MeshObject[] = parseDocuments(documents.map((document) => JSON.stringify(document)).join('\n---\n'), {
  file: 'fixture.yaml',
}).objects;
