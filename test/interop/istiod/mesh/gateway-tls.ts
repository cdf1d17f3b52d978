import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import type { Document } from './document.ts';
import type { Random } from './random.ts';
import { metadataOf, NAMESPACES, ROOT, type World } from './world.ts';

type Json = Record<string, unknown>;

const GATEWAY_API = 'gateway.networking.k8s.io';

/** HTTPS for a Gateway of the Gateway API, whose certificates and whose callers' roots are here, elsewhere, or nowhere. */
export function withSecureListeners(gateway: Document, { random }: World): Document[] {
  const spec = gateway.spec as { readonly listeners: readonly Json[] };
  const names = random.some(['https', 'https-shop', 'https-alt'], 1, 3);
  const listeners = [...spec.listeners, ...names.map((name) => secure(name, random))];
  const frontend = random.maybe(0.4, () => ({ tls: { frontend: callers(random) } }));
  const grants = random.several(0, 1, (index) => grant(random, index));
  return [...materials(), ...grants, { ...gateway, spec: { ...spec, ...frontend, listeners } }];
}

function secure(name: string, random: Random): Json {
  return {
    name,
    port: name === 'https-alt' ? 8443 : 443,
    protocol: 'HTTPS',
    ...(name === 'https-shop'
      ? { hostname: 'shop.example.com' }
      : random.maybe(0.5, () => ({ hostname: random.pick(['*.example.com', 'api.example.com']) }))),
    tls: { mode: 'Terminate', certificateRefs: random.some(CERTIFICATES, 1, random.chance(0.3) ? 2 : 1) },
    allowedRoutes: {
      namespaces: random.pick<Json>([{ from: 'All' }, { from: 'Same' }, { from: 'Selector', selector: someNamespaces(random) }]),
    },
  };
}

const CERTIFICATES: readonly Json[] = [
  { group: '', kind: 'Secret', name: 'edge-cert' },
  { group: '', kind: 'Secret', name: 'edge-cert' },
  { group: '', kind: 'Secret', name: 'other-cert', namespace: ROOT },
  { group: '', kind: 'Secret', name: 'edge-cert', namespace: 'shop' },
  { group: '', kind: 'Secret', name: 'nobody' },
  { group: '', kind: 'Secret', name: 'broken' },
];

function someNamespaces(random: Random): Json {
  return {
    matchExpressions: [
      random.pick<Json>([
        { key: 'kubernetes.io/metadata.name', operator: 'In', values: random.some(NAMESPACES, 1, 2) },
        { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['shop'] },
        { key: 'mesh', operator: 'Exists' },
        { key: 'mesh', operator: 'DoesNotExist' },
      ]),
    ],
  };
}

function callers(random: Random): Json {
  const validation = (): Json => ({
    validation: {
      caCertificateRefs: [
        random.pick<Json>([
          { group: '', kind: 'ConfigMap', name: 'client-roots' },
          { group: '', kind: 'Secret', name: 'client-roots' },
          { group: '', kind: 'ConfigMap', name: 'nobody' },
          { group: '', kind: 'ConfigMap', name: 'client-roots', namespace: 'shop' },
        ]),
      ],
      ...random.maybe(0.4, () => ({ mode: random.pick(['AllowValidOnly', 'AllowInsecureFallback']) })),
    },
  });
  return {
    default: validation(),
    ...random.maybe(0.4, () => ({ perPort: [{ port: random.pick([443, 8443]), tls: random.chance(0.7) ? validation() : {} }] })),
  };
}

function grant(random: Random, index: number): Document {
  return {
    apiVersion: `${GATEWAY_API}/v1beta1`,
    kind: 'ReferenceGrant',
    metadata: metadataOf(random, `secret-grant-${index}`, 'shop'),
    spec: {
      from: [{ group: GATEWAY_API, kind: 'Gateway', namespace: ROOT }],
      to: [
        {
          group: '',
          kind: random.pick(['Secret', 'Secret', 'ConfigMap']),
          ...random.maybe(0.3, () => ({ name: random.pick(['edge-cert', 'client-roots']) })),
        },
      ],
    },
  };
}

let made: readonly Document[] | undefined;

/** The same for all meshes of a process: nobody looks into them but to see that they are whole. */
function materials(): readonly Document[] {
  if (made !== undefined) return made;
  const notBeforeMs = Date.now() - 3_600_000;
  const notAfterMs = Date.now() + 86_400_000;
  const { certificatePem: root, keyPair } = createSelfSignedRoot({ organization: 'edge', notBeforeMs, notAfterMs });
  const pair = createKeyPair();
  const certificate = issueCertificate(
    { certificatePem: root, privateKey: keyPair.privateKey },
    { publicKey: pair.publicKey, names: { dns: ['shop.example.com'] }, organization: 'leaf', notBeforeMs, notAfterMs },
  );
  const whole = { 'tls.crt': certificate, 'tls.key': privateKeyPem(pair.privateKey) };
  made = [
    secret('edge-cert', ROOT, whole),
    secret('edge-cert', 'shop', whole),
    secret('other-cert', ROOT, whole),
    secret('broken', ROOT, { 'tls.crt': certificate, 'tls.key': 'none' }),
    secret('client-roots', ROOT, { 'ca.crt': root }),
    ...[ROOT, 'shop'].map((namespace) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'client-roots', namespace },
      data: { 'ca.crt': root },
    })),
  ];
  return made;
}

function secret(name: string, namespace: string, content: Readonly<Record<string, string>>): Document {
  const data = Object.fromEntries(Object.entries(content).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    type: 'tls.crt' in content ? 'kubernetes.io/tls' : 'Opaque',
    data,
  };
}
