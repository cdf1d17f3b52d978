import grpc from '@grpc/grpc-js';
import { formatSpiffeId } from '@ripstop/pki';
import { IstioCertificateRequest, IstioCertificateResponse } from '@ripstop/xds-api';
import type { CertificateAuthority } from './certificate-authority.ts';
import type { TokenIssuer, WorkloadAccount } from './token-issuer.ts';

export interface CaServiceOptions {
  readonly ca: CertificateAuthority;
  readonly tokens: TokenIssuer;
  /** Issuance log: who got what, never keys or tokens. */
  readonly onIssued?: (entry: { readonly spiffeId: string; readonly serialNumber: string; readonly notAfterMs: number }) => void;
}

const METHODS: grpc.ServiceDefinition = {
  CreateCertificate: {
    path: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: IstioCertificateRequest) => Buffer.from(IstioCertificateRequest.encode(message).finish()),
    requestDeserialize: (bytes: Buffer) => IstioCertificateRequest.decode(bytes),
    responseSerialize: (message: IstioCertificateResponse) => Buffer.from(IstioCertificateResponse.encode(message).finish()),
    responseDeserialize: (bytes: Buffer) => IstioCertificateResponse.decode(bytes),
  },
};

/** Adds Istio's certificate service to a gRPC server that serves TLS. The identity is the token's, never what the CSR asks for. */
export function addCaService(server: grpc.Server, { ca, tokens, onIssued }: CaServiceOptions): void {
  server.addService(METHODS, {
    CreateCertificate: (
      call: grpc.ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
      respond: grpc.sendUnaryData<IstioCertificateResponse>,
    ) => {
      let account: WorkloadAccount;
      try {
        account = authenticate(call.metadata, tokens);
      } catch (error) {
        respond({ code: grpc.status.UNAUTHENTICATED, details: reasonOf(error) });
        return;
      }
      try {
        const spiffeId = formatSpiffeId({ trustDomain: ca.trustDomain, ...account });
        const issued = ca.issue(call.request.csr, spiffeId, call.request.validityDuration);
        onIssued?.({ spiffeId, serialNumber: issued.serialNumber, notAfterMs: issued.notAfterMs });
        respond(null, { certChain: [...issued.chain] });
      } catch (error) {
        respond({ code: grpc.status.INVALID_ARGUMENT, details: reasonOf(error) });
      }
    },
  });
}

/** The account behind `authorization: Bearer …`. Throws with a reason that may be told to the caller. */
export function authenticate(metadata: grpc.Metadata, tokens: TokenIssuer): WorkloadAccount {
  const [header] = metadata.get('authorization');
  if (typeof header !== 'string' || !/^bearer /i.test(header))
    throw new Error('no join token: send authorization: Bearer <token> (ripstop token makes one)');
  return tokens.verify(header.slice('bearer '.length).trim());
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
