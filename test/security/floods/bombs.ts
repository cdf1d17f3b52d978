/** Patterns that an engine that backtracks does not come back from, each with a text that makes it go astray. */
export const BOMBS: readonly (readonly [pattern: string, text: string])[] = [
  ['(a+)+$', `${'a'.repeat(8_000)}!`],
  ['(a|aa)+$', `${'a'.repeat(8_000)}!`],
  ['(.*a){20}b', 'a'.repeat(8_000)],
  ['([a-z]+)*[0-9]', 'x'.repeat(8_000)],
];
/** One whose program is large: what is too long for it is refused before it is read. */
export const LARGE_BOMB: readonly [pattern: string, text: string] = ['(.*a){1000}', `${'a'.repeat(8_000)}!`];

const RBAC = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC';
const header = (name: string, regex: string): object => ({
  header: { name, string_match: { safe_regex: { regex } } },
});

/** An EnvoyFilter that puts an RBAC filter before the app `app`: who sends `x-bomb-N` with a text that its pattern takes is denied. */
export function bombFilter(patterns: readonly string[], app: string): string {
  const permissions = patterns.map((pattern, index) => header(`x-bomb-${index}`, pattern));
  const rules = {
    action: 'DENY',
    policies: { bombs: { permissions: [{ or_rules: { rules: permissions } }], principals: [{ any: true }] } },
  };
  const patch = {
    applyTo: 'HTTP_FILTER',
    match: {
      context: 'SIDECAR_INBOUND',
      listener: {
        filterChain: {
          filter: { name: 'envoy.filters.network.http_connection_manager', subFilter: { name: 'envoy.filters.http.router' } },
        },
      },
    },
    patch: { operation: 'INSERT_BEFORE', value: { name: 'bombs', typed_config: { '@type': RBAC, rules } } },
  };
  return `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: bombs, namespace: default }
spec: ${JSON.stringify({ workloadSelector: { labels: { app } }, configPatches: [patch] })}
`;
}

/** A VirtualService whose routes to `host` are chosen by these patterns: the path after `/<index>/`, else the last route. */
export function bombRoutes(patterns: readonly string[], host: string): string {
  const route = [{ destination: { host } }];
  const routes = patterns.map((pattern, index) => ({
    match: [{ uri: { regex: `/${index}/${pattern}` } }],
    directResponse: { status: 418 },
  }));
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bombs, namespace: default }
spec: ${JSON.stringify({ hosts: [host], http: [...routes, { route }] })}
`;
}
