import grpc from '@grpc/grpc-js';
import { IstioCertificateRequest, IstioCertificateResponse } from '@ripstop/xds-api';

export interface CaClientOptions {
  /** `host:port`. */
  readonly address: string;
  /** Roots of the CA's own TLS certificate. */
  readonly rootCertificatePem: () => string;
  readonly token: () => string | Promise<string>;
  /** What this workload has from the CA already: it proves who asks, also when the token has run out. */
  readonly certificate?: () => ClientCertificate | undefined;
}

/** PEM. */
export interface ClientCertificate {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
}

const PATH = '/istio.v1.auth.IstioCertificateService/CreateCertificate';
const DEADLINE_MS = 10_000;

/** Calls Istio's certificate service. A new channel per call: it is rare, and a broken channel then never outlives its call. */
export async function requestCertificate(
  { address, rootCertificatePem, token, certificate }: CaClientOptions,
  csr: string,
  ttlSeconds: number,
): Promise<readonly string[]> {
  const own = certificate?.();
  const metadata = new grpc.Metadata();
  const bearer = await bearerToken(token, own !== undefined);
  if (bearer !== '') metadata.set('authorization', `Bearer ${bearer}`);
  metadata.set('clusterid', 'Kubernetes');
  const credentials = grpc.credentials.createSsl(
    Buffer.from(rootCertificatePem()),
    own === undefined ? null : Buffer.from(own.privateKeyPem),
    own === undefined ? null : Buffer.from(own.certificateChainPem),
  );
  const client = new grpc.Client(address, credentials, serverName(address));
  try {
    return await new Promise<readonly string[]>((resolve, reject) => {
      client.makeUnaryRequest(
        PATH,
        (message: IstioCertificateRequest) => Buffer.from(IstioCertificateRequest.encode(message).finish()),
        (bytes: Buffer) => IstioCertificateResponse.decode(bytes),
        { csr, validityDuration: ttlSeconds, metadata: undefined },
        metadata,
        { deadline: Date.now() + DEADLINE_MS },
        // grpc-js makes an error of its own when no message came.
        (error, response) => (error === null ? resolve(response!.certChain) : reject(error)),
      );
    });
  } finally {
    client.close();
  }
}

/** A token that cannot be read is no obstacle for who has a certificate. */
async function bearerToken(token: CaClientOptions['token'], optional: boolean): Promise<string> {
  try {
    return await token();
  } catch (error) {
    if (optional) return '';
    throw error;
  }
}

/** Options of the channel to `host:port`. An IP address is no legal SNI; the control plane's certificate also speaks for localhost. */
export function serverName(address: string): grpc.ClientOptions {
  const host = address.slice(0, address.lastIndexOf(':'));
  return /^[\d.]+$|:/.test(host) ? { 'grpc.ssl_target_name_override': 'localhost' } : {};
}
