import { labels, texts } from './common.ts';
import { any, choice, ignored, list, map, noted, object, port, type Schema, text } from './schema.ts';

/* Gateways and policies of the Gateway API (gateway.networking.k8s.io/v1). */

const objectRef = object({ group: text, kind: text, name: text, namespace: text }, ['name']);

const labelSelector = object({
  matchLabels: labels,
  matchExpressions: list(
    object({ key: text, operator: choice('In', 'NotIn', 'Exists', 'DoesNotExist'), values: texts }, ['key', 'operator']),
  ),
});

const frontendTls = object({
  validation: object({ mode: choice('AllowValidOnly', 'AllowInsecureFallback'), caCertificateRefs: list(objectRef) }),
});

const listenerTls = object({
  mode: noted(choice('Terminate', 'Passthrough'), 'Passthrough leads connections on by the name in their handshake'),
  certificateRefs: noted(list(objectRef), 'one or two Secrets; of another namespace with its ReferenceGrant'),
  options: noted(
    map(text),
    '`gateway.istio.io/tls-terminate-mode` (MUTUAL, OPTIONAL_MUTUAL, ISTIO_SIMPLE, ISTIO_MUTUAL), `gateway.istio.io/tls-cipher-suites`',
  ),
});

const listener = object(
  {
    name: text,
    hostname: text,
    port,
    protocol: noted(text, 'HTTP, HTTPS, TLS and TCP; others are not accepted'),
    tls: listenerTls,
    allowedRoutes: object({
      namespaces: object({ from: choice('Same', 'All', 'Selector', 'None'), selector: labelSelector }),
      kinds: list(object({ group: text, kind: text }, ['kind'])),
    }),
  },
  ['name', 'port', 'protocol'],
);

export const kubernetesGatewaySpec: Schema = object(
  {
    gatewayClassName: noted(text, '`istio`, or a GatewayClass of controller istio.io/gateway-controller'),
    addresses: noted(
      list(object({ type: text, value: text })),
      'of type Hostname: Services of its namespace, whose workloads serve it; without, workloads with the label gateway.networking.k8s.io/gateway-name',
    ),
    listeners: list(listener),
    infrastructure: ignored(any, 'gateways are processes that you start: ripstop gateway'),
    allowedListeners: ignored(any, 'ListenerSets are not read'),
    tls: object({
      frontend: noted(
        object({ default: frontendTls, perPort: list(object({ port, tls: frontendTls }, ['port', 'tls'])) }),
        'client certificates: MUTUAL with the CA certificates of one Secret or ConfigMap, OPTIONAL_MUTUAL with AllowInsecureFallback',
      ),
      backend: ignored(
        object({ clientCertificateRef: objectRef }),
        "backends see the gateway's certificate of the mesh, or none: write a DestinationRule with tls MUTUAL",
      ),
    }),
    defaultScope: ignored(text, 'name the Gateway in parentRefs'),
  },
  ['gatewayClassName', 'listeners'],
);

export const referenceGrantSpec: Schema = object(
  {
    from: list(
      object({ group: text, kind: noted(text, 'Gateway, HTTPRoute, GRPCRoute'), namespace: text }, ['group', 'kind', 'namespace']),
    ),
    to: list(object({ group: text, kind: noted(text, 'Service, Secret, ConfigMap'), name: text }, ['kind'])),
  },
  ['from', 'to'],
);

export const backendTlsPolicySpec: Schema = object(
  {
    targetRefs: list(
      object({ group: text, kind: noted(text, 'Service, or ServiceEntry of networking.istio.io'), name: text, sectionName: text }, [
        'kind',
        'name',
      ]),
    ),
    validation: object(
      {
        caCertificateRefs: noted(list(objectRef), 'the first one counts: a ConfigMap with ca.crt; one that cannot be read trusts nobody'),
        wellKnownCACertificates: choice('System'),
        hostname: noted(text, 'sent as SNI; our clients demand it of the certificate where subjectAltNames are absent'),
        subjectAltNames: list(object({ type: choice('Hostname', 'URI'), hostname: text, uri: text }, ['type'])),
      },
      ['hostname'],
      [['caCertificateRefs', 'wellKnownCACertificates']],
    ),
    options: ignored(map(text), 'no option is known'),
  },
  ['targetRefs', 'validation'],
);

export const gatewayClassSpec: Schema = object({
  controllerName: noted(text, 'istio.io/gateway-controller; classes of others are left to them'),
  parametersRef: ignored(any, 'gateways are processes that you start'),
  description: text,
});
