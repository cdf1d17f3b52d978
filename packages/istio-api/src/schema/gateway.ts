import { onlyOne, texts } from './common.ts';
import { type Kind, NETWORKING } from './kind.ts';
import {
  bool,
  choice,
  count,
  type Fields,
  ignored,
  list,
  map,
  noted,
  nullable,
  object,
  type Rule,
  refused,
  ruled,
  text,
} from './schema.ts';

const TLS_VERSION = choice('TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3');
const certificate: Fields = { serverCertificate: text, privateKey: text, caCertificates: text };

/** TLS settings of a server (Gateway, Sidecar ingress). */
export const serverTlsFields: Fields = {
  httpsRedirect: bool,
  mode: choice('PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'),
  serverCertificate: noted(text, "a file of the gateway's machine, read again when it changes"),
  privateKey: noted(text, "a file of the gateway's machine"),
  caCertificates: noted(text, "a file of the gateway's machine"),
  caCrl: refused(text, 'revoked certificates would be let in: put the list into the Secret, as `ca.crl` beside `ca.crt`'),
  credentialName: noted(text, "a Secret of the gateway workload's namespace: kubernetes.io/tls, or generic with cert, key and cacert"),
  credentialNames: { ...texts, minItems: 1, maxItems: 2 },
  caCertCredentialName: text,
  tlsCertificates: { ...list(object(certificate)), minItems: 1, maxItems: 2 },
  subjectAltNames: texts,
  verifyCertificateSpki: texts,
  verifyCertificateHash: texts,
  minProtocolVersion: noted(TLS_VERSION, 'below TLSV1_2 the gateway speaks TLS 1.2'),
  maxProtocolVersion: TLS_VERSION,
  cipherSuites: noted(texts, 'of TLS 1.2; those of TLS 1.3 are fixed, as in Envoy'),
  insecureSkipVerify: refused(nullable(bool), 'any certificate would be let in: use OPTIONAL_MUTUAL'),
};

export const serverTlsRules: readonly Rule[] = [
  onlyOne('credentialNames or tlsCertificates', 'tlsCertificates', 'credentialNames'),
  onlyOne('credentialName or credentialNames', 'credentialName', 'credentialNames'),
  onlyOne('credentialName or tlsCertificates', 'credentialNames', 'tlsCertificates'),
];

export const gateway: Kind = {
  ...NETWORKING,
  kind: 'Gateway',
  status: 'used',
  spec: object({
    selector: map(text),
    servers: list(
      object(
        {
          port: object(
            {
              // Which numbers are ports is looked at together with `bind`.
              number: count,
              protocol: noted(
                text,
                'HTTP, HTTP2, GRPC, GRPC-WEB, HTTP_PROXY and HTTPS carry requests; TLS, TCP, MONGO, REDIS and MYSQL bytes',
              ),
              name: text,
              targetPort: ignored(count, "the targetPort of the gateway's own Service decides, as in Istio"),
            },
            ['number', 'protocol'],
          ),
          hosts: texts,
          name: text,
          bind: noted(text, 'an IP address, or `unix://<path>` with port 0; without it `ripstop gateway --bind` says where it listens'),
          defaultEndpoint: ignored(text, 'Istio has not implemented it either'),
          tls: ruled(object(serverTlsFields), ...serverTlsRules),
        },
        ['port', 'hosts'],
      ),
    ),
  }),
};
