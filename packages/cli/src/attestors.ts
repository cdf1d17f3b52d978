import { readFileSync } from 'node:fs';
import type { TokenAttestor } from '@ripstop/control-plane';
import { type Command, InvalidArgumentError } from 'commander';

/** Who is believed beside join tokens. */
export interface AttestorOptions {
  readonly kubernetesTokens: boolean;
  readonly kubernetesApi?: string;
  readonly kubernetesCa: string;
  readonly kubernetesTokenFile: string;
  readonly oidcIssuer: readonly string[];
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Adds the options of `serve` and `dev` that say whose tokens prove a workload's account. */
export function addAttestorOptions(command: Command): Command {
  return command
    .option('--kubernetes-tokens', "take service account tokens with audience istio-ca, by the API server's TokenReview", false)
    .option('--kubernetes-api <url>', 'API server (default: the one of the Pod that this runs in)', parseHttps)
    .option('--kubernetes-ca <file>', "roots of the API server's certificate", `${SERVICE_ACCOUNT}/ca.crt`)
    .option('--kubernetes-token-file <file>', 'token of an account that may create TokenReviews', `${SERVICE_ACCOUNT}/token`)
    .option(
      '--oidc-issuer <url>',
      'take JWTs of this OpenID Connect issuer with audience istio-ca; may be given several times',
      collectIssuer,
      [],
    );
}

/** Throws when an option names a file that cannot be read, or nothing says where the API server is. */
export async function createAttestors(options: AttestorOptions, env: NodeJS.ProcessEnv): Promise<readonly TokenAttestor[]> {
  const { kubernetesTokens, kubernetesApi, kubernetesCa, kubernetesTokenFile, oidcIssuer } = options;
  const { KubernetesAttestor, OidcAttestor } = await import('@ripstop/control-plane');
  const issuers = oidcIssuer.map((issuer) => new OidcAttestor({ issuer }));
  if (!kubernetesTokens) return issuers;
  const apiServer = kubernetesApi ?? apiServerOfPod(env);
  const caPem = read(kubernetesCa, '--kubernetes-ca');
  read(kubernetesTokenFile, '--kubernetes-token-file'); // Said now, not at the first workload.
  const token = (): string => read(kubernetesTokenFile, '--kubernetes-token-file').trim();
  // Last: it puts to the API server whatever nobody else knows.
  return [...issuers, new KubernetesAttestor({ apiServer, caPem, token })];
}

function apiServerOfPod({ KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' }: NodeJS.ProcessEnv): string {
  if (host === undefined)
    throw new Error('--kubernetes-tokens outside of a Pod: say where the API server is with --kubernetes-api https://host:port');
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function read(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`${option} ${file} cannot be read: name the file`, { cause });
  }
}

function parseHttps(text: string): string {
  if (URL.parse(text)?.protocol !== 'https:') throw new InvalidArgumentError('Give an https: URL.');
  return text;
}

/** Plain http only on this machine: who can change the keys can be anybody. */
function collectIssuer(text: string, before: readonly string[]): readonly string[] {
  const url = URL.parse(text);
  const local = url?.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  if (url?.protocol !== 'https:' && !local) throw new InvalidArgumentError('Give an https: URL.');
  return [...before, text];
}
