import { texts } from './common.ts';
import { type Kind, NETWORKING } from './kind.ts';
import { bool, choice, type Fields, ignored, ignoredFields, list, map, noted, object, port, refused, text } from './schema.ts';

const TLS_VERSION = choice('TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3');
const certificate: Fields = { serverCertificate: text, privateKey: text, caCertificates: text };

/** TLS settings of a server (Gateway, Sidecar ingress). Servers with TLS are not opened, so nothing of it has an effect. */
export const serverTlsFields: Fields = {
  httpsRedirect: bool,
  ...ignoredFields(
    {
      mode: choice('PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'),
      ...certificate,
      caCrl: text,
      credentialName: text,
      credentialNames: texts,
      caCertCredentialName: text,
      tlsCertificates: list(object(certificate)),
      subjectAltNames: texts,
      verifyCertificateSpki: texts,
      verifyCertificateHash: texts,
      minProtocolVersion: TLS_VERSION,
      maxProtocolVersion: TLS_VERSION,
      cipherSuites: texts,
      insecureSkipVerify: bool,
    },
    'a server with TLS is not opened',
  ),
};

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
              number: port,
              protocol: noted(
                text,
                'HTTP, HTTP2, GRPC, GRPC-WEB, HTTP_PROXY are opened; HTTPS, TLS, TCP, MONGO are not, and a warning says so',
              ),
              name: text,
              targetPort: ignored(port, "the targetPort of the gateway's own Service decides, as in Istio"),
            },
            ['number', 'protocol'],
          ),
          hosts: texts,
          name: text,
          bind: refused(text, 'it could open the port to more callers than you want: `ripstop gateway --bind` says where it listens'),
          defaultEndpoint: ignored(text, 'Istio has not implemented it either'),
          tls: object(serverTlsFields),
        },
        ['port', 'hosts'],
      ),
    ),
  }),
};
