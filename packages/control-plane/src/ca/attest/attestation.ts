import type grpc from '@grpc/grpc-js';
import { boundLabelsOf, parseSpiffeId } from '@ripstop/pki';
import type { TokenIssuer, WorkloadAccount } from '../token-issuer.ts';

/** Somebody who knows tokens of one kind. */
export interface TokenAttestor {
  /** For the issuance log: `Kubernetes token`. */
  readonly name: string;
  /** Who the token speaks for; undefined = it is of another kind. Rejects with a reason that may be told to the caller. */
  attest(token: string): Promise<WorkloadAccount | undefined>;
}

/** A caller of the control plane whose identity was proved. */
export interface Caller {
  readonly account: WorkloadAccount;
  /** How it was proved: `join token`, `client certificate`, or an attestor's name. */
  readonly by: string;
  /** Set for a join token that is good for one certificate: take it with `TokenIssuer.redeem`. */
  readonly singleUse: string | undefined;
}

export interface AttestationOptions {
  readonly trustDomain: string;
  readonly tokens: TokenIssuer;
  readonly attestors?: readonly TokenAttestor[];
  /** Whether a certificate (DER) is believed now: the connection that showed it may be older than the roots. */
  readonly trusts: (certificate: Uint8Array) => boolean;
}

/** The parts of a gRPC call that say who calls. */
export type AttestedCall = Pick<grpc.ServerUnaryCall<unknown, unknown>, 'metadata' | 'getAuthContext'>;

type Proof = Omit<Caller, 'singleUse'> & { readonly singleUse?: string | undefined };

/**
 * Who calls the control plane: by token (a join token, else what the attestors know), or by the certificate of its TLS connection, which
 * a workload has from this CA already. A certificate stands in for a token that has run out; two proofs must name one account.
 */
export class Attestation {
  private readonly options: AttestationOptions;

  constructor(options: AttestationOptions) {
    this.options = options;
  }

  /** Rejects with a reason that may be told to the caller. */
  async identify(call: AttestedCall): Promise<Caller> {
    const certificate = this.byCertificate(call);
    const token = bearerOf(call.metadata);
    if (token === undefined) {
      if (certificate !== undefined) return { ...certificate, singleUse: undefined };
      throw new Error('no join token: send authorization: Bearer <token> (ripstop token makes one), or come with your certificate');
    }
    let proof: Proof;
    try {
      proof = await this.byToken(token);
    } catch (error) {
      if (certificate === undefined) throw error;
      return { ...certificate, singleUse: undefined };
    }
    if (certificate !== undefined && !sameAccount(certificate.account, proof.account))
      throw new Error(`the token is for ${nameOf(proof.account)}, the certificate for ${nameOf(certificate.account)}`);
    if (certificate !== undefined && labelsText(certificate.account) !== labelsText(proof.account))
      throw new Error(`the token is bound to ${labelsText(proof.account)}, the certificate to ${labelsText(certificate.account)}`);
    // A certificate does what a single-use token does, and spends nothing.
    return certificate === undefined ? { singleUse: undefined, ...proof } : { ...certificate, singleUse: undefined };
  }

  /** Who calls for anything but a certificate. Rejects as `identify`, and for a token that is good for one certificate. */
  async account(call: AttestedCall): Promise<WorkloadAccount> {
    const { account, singleUse } = await this.identify(call);
    if (singleUse !== undefined)
      throw new Error('the join token is good for one certificate and nothing else: get that first, and come with it');
    return account;
  }

  private async byToken(token: string): Promise<Proof> {
    const { tokens, attestors = [] } = this.options;
    if (tokens.isOwn(token)) {
      const { singleUse, ...account } = tokens.verify(token);
      return { account, by: 'join token', singleUse };
    }
    for (const attestor of attestors) {
      const account = await attestor.attest(token);
      if (account !== undefined) return { account, by: attestor.name };
    }
    throw new Error('the token was not made by this control plane, and no other issuer is configured that made it');
  }

  /** TLS has verified the chain when the connection was made; since then it may have run out, or its root may be gone. */
  private byCertificate(call: AttestedCall): Proof | undefined {
    const certificate = call.getAuthContext().sslPeerCertificate;
    if (certificate === undefined || !this.options.trusts(certificate.raw)) return undefined;
    const names = certificate.subjectaltname;
    const uri = names === undefined ? undefined : /^URI:(spiffe:[^,]+)$/.exec(names)?.[1];
    const id = uri === undefined ? undefined : parseSpiffeId(uri);
    if (id === undefined || id.trustDomain !== this.options.trustDomain) return undefined;
    const labels = boundLabelsOf(certificate.raw);
    const account = { namespace: id.namespace, serviceAccount: id.serviceAccount, ...(labels === undefined ? {} : { labels }) };
    return { account, by: 'client certificate' };
  }
}

function bearerOf(metadata: grpc.Metadata): string | undefined {
  const [header] = metadata.get('authorization');
  return typeof header === 'string' && /^bearer /i.test(header) ? header.slice('bearer '.length).trim() : undefined;
}

function sameAccount(a: WorkloadAccount, b: WorkloadAccount): boolean {
  return a.namespace === b.namespace && a.serviceAccount === b.serviceAccount;
}

function labelsText({ labels }: WorkloadAccount): string {
  if (labels === undefined) return 'no labels';
  return `labels ${Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(',')}`;
}

function nameOf({ namespace, serviceAccount }: WorkloadAccount): string {
  return `${namespace}/${serviceAccount}`;
}
