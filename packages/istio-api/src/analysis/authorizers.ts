import type { MeshObject } from '../object.ts';
import type { ExtensionProvider, MeshConfigSpec } from '../types/core.ts';
import type { AuthorizationPolicySpec } from '../types/security.ts';
import type { Say } from './say.ts';

/** CUSTOM policies whose external authorizer cannot be asked: what they select is denied, as by istiod. */
export function analyzeAuthorizers(
  policies: readonly MeshObject<AuthorizationPolicySpec>[],
  objects: readonly MeshObject[],
  knowsHost: (host: string) => boolean,
  say: Say,
): void {
  const custom = policies.filter(({ spec }) => spec.action === 'CUSTOM');
  if (custom.length === 0) return;
  const mesh = objects.find(({ kind }) => kind === 'MeshConfig')?.spec as MeshConfigSpec | undefined;
  const providers = new Map((mesh?.extensionProviders ?? []).map((provider) => [provider.name ?? '', provider]));
  for (const policy of custom) {
    const name = policy.spec.provider?.name ?? '';
    const why = reason(name, providers.get(name), knowsHost);
    if (why === '') continue;
    say(policy, 'RIPSTOP_UNENFORCEABLE', 'error', ['spec', 'provider', 'name'], `${why}; what the rules of this policy select is denied`);
  }
}

function reason(name: string, provider: ExtensionProvider | undefined, knowsHost: (host: string) => boolean): string {
  const authorizer = provider?.envoyExtAuthzHttp ?? provider?.envoyExtAuthzGrpc;
  if (authorizer === undefined)
    return `MeshConfig.extensionProviders has no envoyExtAuthzHttp or envoyExtAuthzGrpc called ${JSON.stringify(name)}`;
  const { service = '' } = authorizer;
  const host = service.slice(service.indexOf('/') + 1);
  return knowsHost(host) ? '' : `the service ${JSON.stringify(service)} of the extension provider ${name} is not found`;
}
