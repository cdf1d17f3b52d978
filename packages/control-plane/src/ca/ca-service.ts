import grpc from '@grpc/grpc-js';
import { formatSpiffeId, verifyCsr } from '@ripstop/pki';
import { IstioCertificateRequest, IstioCertificateResponse } from '@ripstop/xds-api';
import type { Attestation, Caller } from './attest/attestation.ts';
import type { CertificateAuthority, CertificateSigner, IssuedCertificate } from './certificate-authority.ts';
import type { MeshTrust } from './mesh-trust.ts';
import type { TokenIssuer } from './token-issuer.ts';

export interface CaServiceOptions {
  readonly ca: CertificateAuthority;
  readonly tokens: TokenIssuer;
  readonly attestation: Attestation;
  readonly trust: MeshTrust;
  /** Signs in the CA's place. */
  readonly signer?: CertificateSigner | undefined;
  /** PEM: whom everybody in the mesh trusts. */
  readonly bundle: () => string;
  /** Issuance log: who got what, never keys or tokens. */
  readonly onIssued?: (entry: Issuance) => void;
  readonly onRefused?: (entry: { readonly from: string; readonly reason: string; readonly cause: unknown }) => void;
}

/** One certificate that was issued. */
export interface Issuance {
  readonly spiffeId: string;
  readonly serialNumber: string;
  readonly notAfterMs: number;
  /** How the caller proved who it is. */
  readonly by: string;
  /** Address of the caller. */
  readonly from: string;
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

/** Adds Istio's certificate service to a gRPC server that serves TLS. The identity is the caller's proof's, never what the CSR asks for. */
export function addCaService(server: grpc.Server, options: CaServiceOptions): void {
  server.addService(METHODS, {
    CreateCertificate: (
      call: grpc.ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
      respond: grpc.sendUnaryData<IstioCertificateResponse>,
    ) => {
      create(call, options).then(
        (certChain) => respond(null, { certChain: [...certChain] }),
        (error: CaError) => respond({ code: error.code, details: error.message }),
      );
    },
  });
}

class CaError extends Error {
  readonly code: grpc.status;

  constructor(code: grpc.status, cause: unknown) {
    super(reasonOf(cause), { cause });
    this.code = code;
  }
}

async function create(
  call: grpc.ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
  { ca, tokens, attestation, trust, signer, bundle, onIssued, onRefused }: CaServiceOptions,
): Promise<readonly string[]> {
  const from = call.getPeer();
  const refuse = (code: grpc.status, cause: unknown): CaError => {
    onRefused?.({ from, reason: reasonOf(cause), cause });
    return new CaError(code, cause);
  };
  let caller: Caller;
  try {
    caller = await attestation.identify(call);
    if (caller.singleUse !== undefined) tokens.redeem(caller.singleUse);
  } catch (error) {
    throw refuse(grpc.status.UNAUTHENTICATED, error);
  }
  const spiffeId = formatSpiffeId({ trustDomain: ca.trustDomain, ...caller.account });
  const { csr, validityDuration } = call.request;
  try {
    verifyCsr(csr);
  } catch (error) {
    throw refuse(grpc.status.INVALID_ARGUMENT, error);
  }
  const { labels } = caller.account;
  if (signer !== undefined && labels !== undefined)
    throw refuse(
      grpc.status.FAILED_PRECONDITION,
      new Error('the token is bound to labels, which certificates of another CA do not carry: use a token without labels'),
    );
  try {
    const { chain, serialNumber, notAfterMs } =
      signer === undefined
        ? withoutRoots(ca.issue(csr, spiffeId, validityDuration, labels))
        : await trust.sign(signer, csr, spiffeId, validityDuration);
    onIssued?.({ spiffeId, serialNumber, notAfterMs, by: caller.by, from });
    return [...chain, bundle()];
  } catch (error) {
    throw refuse(signer === undefined ? grpc.status.INVALID_ARGUMENT : grpc.status.UNAVAILABLE, error);
  }
}

/** Callers are told all the roots of the mesh instead. */
function withoutRoots(issued: IssuedCertificate): IssuedCertificate {
  return { ...issued, chain: issued.chain.slice(0, -1) };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
