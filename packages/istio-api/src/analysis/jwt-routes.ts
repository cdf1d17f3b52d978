import type { GatewaySpec, VirtualServiceSpec } from '../types/networking.ts';
import type { RequestAuthenticationSpec } from '../types/security.ts';
import { selects } from './labels.ts';
import { nameOf } from './mesh-documents.ts';
import type { Analyzer } from './say.ts';

/** Routes by the claims of a token, at gateways where no token is verified (Istio: JWTClaimRouteAnalyzer). */
export const analyzeJwtRoutes: Analyzer = (mesh, say) => {
  const authentications = mesh.all<RequestAuthenticationSpec>('security.istio.io/RequestAuthentication');
  const gateways = new Map(mesh.all<GatewaySpec>('networking.istio.io/Gateway').map((object) => [nameOf(object), object]));
  for (const object of mesh.all<VirtualServiceSpec>('networking.istio.io/VirtualService')) {
    const claim = claimOf(object.spec);
    if (claim === undefined) continue;
    for (const gateway of object.spec.gateways ?? []) {
      const key = gateway.includes('/') ? gateway : `${object.metadata.namespace}/${gateway}`;
      for (const pod of mesh.workloads.anywhere(gateways.get(key)?.spec.selector ?? NOBODY)) {
        const verified = authentications.some(
          ({ metadata, spec }) =>
            (metadata.namespace === pod.namespace || metadata.namespace === mesh.rootNamespace) &&
            selects(spec.selector?.matchLabels ?? {}, pod.labels),
        );
        if (!verified)
          say(
            object,
            'IST0149',
            claim.path,
            `the route depends on "${claim.key}", and no RequestAuthentication verifies tokens at ${pod.namespace}/${pod.name} of Gateway ${key}: add one with a selector for it`,
          );
      }
    }
  }
};

/** Selects nothing. */
const NOBODY = { '': 'nobody' };

function claimOf({ http = [] }: VirtualServiceSpec): { readonly key: string; readonly path: readonly (string | number)[] } | undefined {
  for (const [rule, { match = [] }] of http.entries())
    for (const [index, entry] of match.entries())
      for (const field of ['headers', 'withoutHeaders'] as const)
        for (const key of Object.keys(entry[field] ?? {}))
          if (/^@request\.auth\.claims[.[]/i.test(key)) return { key, path: ['spec', 'http', rule, 'match', index, field, key] };
  return undefined;
}
