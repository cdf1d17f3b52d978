import { request } from 'node:https';
import type { WorkloadAccount } from '../token-issuer.ts';
import type { TokenAttestor } from './attestation.ts';
import { parseServiceAccount } from './service-account.ts';

export interface KubernetesAttestorOptions {
  /** `https://10.96.0.1:443`. */
  readonly apiServer: string;
  /** PEM of the roots of the API server's certificate. */
  readonly caPem: string;
  /** Token of an account that may create TokenReviews (ClusterRole system:auth-delegator); asked for at each review, as it is rotated. */
  readonly token: () => string;
  /** One of these must be the token's. Default `istio-ca`, Istio's audience of workload tokens. */
  readonly audiences?: readonly string[];
  /** Default 5 s. */
  readonly timeoutMs?: number;
}

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly error?: string;
    readonly audiences?: readonly string[];
    readonly user?: { readonly username?: string };
  };
}

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';
const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * Projected service account tokens, by TokenReview: the API server knows whether the Pod that a token is bound to still exists. Every
 * token is put to it, so this attestor comes last.
 */
export class KubernetesAttestor implements TokenAttestor {
  readonly name = 'Kubernetes token';
  private readonly options: KubernetesAttestorOptions;
  private readonly audiences: readonly string[];

  constructor(options: KubernetesAttestorOptions) {
    this.options = options;
    this.audiences = options.audiences ?? ['istio-ca'];
  }

  async attest(token: string): Promise<WorkloadAccount> {
    const { status } = await this.review({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: this.audiences },
    }).catch((cause: unknown) => {
      // What went wrong on our side is our operator's business, not the caller's: the log has the cause.
      throw new Error('the token cannot be reviewed now: try again', { cause });
    });
    if (status?.authenticated !== true) throw new Error(`Kubernetes does not accept the token: ${status?.error ?? 'no reason given'}`);
    // An API server that knows no audiences answers none: then nobody has checked them.
    if (!(status.audiences ?? []).some((audience) => this.audiences.includes(audience)))
      throw new Error(`the token is for another audience than ${this.audiences.join(', ')}`);
    const account = parseServiceAccount(status.user?.username);
    if (account === undefined) throw new Error("the token is no service account's");
    return account;
  }

  private review(body: object): Promise<TokenReview> {
    const { apiServer, caPem, token, timeoutMs = 5_000 } = this.options;
    const text = JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const call = request(
        new URL(PATH, apiServer),
        {
          method: 'POST',
          ca: caPem,
          headers: {
            'content-type': 'application/json',
            accept: 'application/json',
            authorization: `Bearer ${token()}`,
            'content-length': Buffer.byteLength(text),
          },
          signal: AbortSignal.timeout(timeoutMs),
        },
        (response) => {
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > MAX_ANSWER_BYTES) response.destroy(new Error('the answer of the API server is too long'));
            else chunks.push(chunk);
          });
          response.on('error', reject);
          response.on('end', () => {
            if (response.statusCode !== 201 && response.statusCode !== 200) {
              reject(new Error(`TokenReview: the API server answers ${response.statusCode}; may the account create TokenReviews?`));
              return;
            }
            try {
              resolve(readReview(Buffer.concat(chunks).toString()));
            } catch (error) {
              reject(error as Error);
            }
          });
        },
      );
      call.on('error', reject);
      call.end(text);
    });
  }
}

function readReview(text: string): TokenReview {
  const answer: unknown = JSON.parse(text);
  if (typeof answer !== 'object' || answer === null) throw new Error('TokenReview: the answer of the API server is no object');
  return answer;
}
