import grpc from '@grpc/grpc-js';
import { IstioCertificateRequest, IstioCertificateResponse } from '@ripstop/xds-api';

export interface CaClientOptions {
  /** `host:port`. */
  readonly address: string;
  /** The root that signed the CA's own TLS certificate. */
  readonly rootCertificatePem: string;
  readonly token: () => string | Promise<string>;
}

const PATH = '/istio.v1.auth.IstioCertificateService/CreateCertificate';
const DEADLINE_MS = 10_000;

/** Calls Istio's certificate service. A new channel per call: it is rare, and a broken channel then never outlives its call. */
export async function requestCertificate(
  { address, rootCertificatePem, token }: CaClientOptions,
  csr: string,
  ttlSeconds: number,
): Promise<readonly string[]> {
  const client = new grpc.Client(address, grpc.credentials.createSsl(Buffer.from(rootCertificatePem)), serverName(address));
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${await token()}`);
  metadata.set('clusterid', 'Kubernetes');
  try {
    return await new Promise<readonly string[]>((resolve, reject) => {
      client.makeUnaryRequest(
        PATH,
        (message: IstioCertificateRequest) => Buffer.from(IstioCertificateRequest.encode(message).finish()),
        (bytes: Buffer) => IstioCertificateResponse.decode(bytes),
        { csr, validityDuration: ttlSeconds, metadata: undefined },
        metadata,
        { deadline: Date.now() + DEADLINE_MS },
        (error, response) =>
          error === null && response !== undefined ? resolve(response.certChain) : reject(error ?? new Error('the CA sent nothing')),
      );
    });
  } finally {
    client.close();
  }
}

/** An IP address is no legal SNI; the control plane's certificate also speaks for localhost. */
function serverName(address: string): grpc.ClientOptions {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return /^[\d.]+$|:/.test(host) ? { 'grpc.ssl_target_name_override': 'localhost' } : {};
}
