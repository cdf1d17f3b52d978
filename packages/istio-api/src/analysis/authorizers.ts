import type { ExtensionProvider } from '../types/core.ts';
import type { AuthorizationPolicySpec } from '../types/security.ts';
import type { KnownHosts } from './known-hosts.ts';
import type { Analyzer } from './say.ts';

/** CUSTOM policies whose external authorizer cannot be asked: what they select is denied, as by istiod. */
export const analyzeAuthorizers: Analyzer = (mesh, say) => {
  const custom = mesh.all<AuthorizationPolicySpec>('security.istio.io/AuthorizationPolicy').filter(({ spec }) => spec.action === 'CUSTOM');
  if (custom.length === 0) return;
  const providers = new Map((mesh.meshConfig.extensionProviders ?? []).map((provider) => [provider.name ?? '', provider]));
  for (const policy of custom) {
    const name = policy.spec.provider?.name ?? '';
    const why = reason(name, providers.get(name), mesh.hosts);
    if (why !== '')
      say(policy, 'RIPSTOP_UNENFORCEABLE', ['spec', 'provider', 'name'], `${why}; what the rules of this policy select is denied`);
  }
};

function reason(name: string, provider: ExtensionProvider | undefined, hosts: KnownHosts): string {
  const authorizer = provider?.envoyExtAuthzHttp ?? provider?.envoyExtAuthzGrpc;
  if (authorizer === undefined)
    return `MeshConfig.extensionProviders has no envoyExtAuthzHttp or envoyExtAuthzGrpc called ${JSON.stringify(name)}`;
  const { service = '' } = authorizer;
  const host = service.slice(service.indexOf('/') + 1);
  return hosts.isDefined(host) ? '' : `the service ${JSON.stringify(service)} of the extension provider ${name} is not found`;
}
