import type { JWTRule, MeshObject, RequestAuthenticationSpec } from '@ripstop/istio-api';
import { JwtAuthentication, type JwtProvider, type JwtRequirement } from '@ripstop/xds-api';
import { jwksSourceOf } from '../jwks/jwks-source.ts';
import { UNKNOWN_KEYS } from '../jwks/unknown-keys.ts';
import type { FieldsOf } from './values.ts';

type ProviderFields = FieldsOf<typeof JwtProvider>;
type RequirementFields = FieldsOf<typeof JwtRequirement>;

/**
 * The JWT filter of a workload, as istiod writes it: a provider per rule, sorted by issuer. A request passes without a token, and with
 * one that its issuer's provider accepts; `keys` holds what was fetched, by source.
 */
export function jwtAuthentication(
  policies: readonly MeshObject<RequestAuthenticationSpec>[],
  keys: ReadonlyMap<string, string>,
  { clearRouteCache }: { readonly clearRouteCache: boolean },
): JwtAuthentication | undefined {
  const rules = policies.flatMap(({ spec }) => spec.jwtRules ?? []);
  if (rules.length === 0) return undefined;
  rules.sort((a, b) => (a.issuer < b.issuer ? -1 : a.issuer > b.issuer ? 1 : 0));
  const names = rules.map((_rule, index) => `origins-${index}`);
  return JwtAuthentication.fromPartial({
    bypassCorsPreflight: true,
    providers: Object.fromEntries(rules.map((rule, index) => [names[index]!, { ...providerOf(rule, keys), clearRouteCache }])),
    rules: [
      {
        match: { pathSpecifier: { $case: 'prefix', value: '/' } },
        requirementType: { $case: 'requires', value: requirementOf(names) },
      },
    ],
  });
}

function providerOf(rule: JWTRule, keys: ReadonlyMap<string, string>): ProviderFields {
  return {
    issuer: rule.issuer,
    audiences: [...(rule.audiences ?? [])],
    forward: rule.forwardOriginalToken ?? false,
    forwardPayloadHeader: rule.outputPayloadToHeader ?? '',
    payloadInMetadata: 'payload',
    normalizePayloadInMetadata: {
      spaceDelimitedClaims: [...new Set(['permission', 'scope', ...(rule.spaceDelimitedClaims ?? [])])].sort(),
    },
    claimToHeaders: (rule.outputClaimToHeaders ?? []).map(({ header, claim }) => ({ headerName: header, claimName: claim })),
    fromHeaders: (rule.fromHeaders ?? []).map(({ name, prefix = '' }) => ({ name, valuePrefix: prefix })),
    fromParams: [...(rule.fromParams ?? [])],
    fromCookies: [...(rule.fromCookies ?? [])],
    jwksSourceSpecifier: {
      $case: 'localJwks',
      value: { specifier: { $case: 'inlineString', value: jwksOf(rule, keys) } },
    },
  };
}

function jwksOf(rule: JWTRule, keys: ReadonlyMap<string, string>): string {
  const source = jwksSourceOf(rule);
  return source === undefined ? rule.jwks! : (keys.get(source.key) ?? UNKNOWN_KEYS);
}

/** Any provider's token; else, what its provider has found must be right and may be missing: so several can read the same place. */
function requirementOf(names: readonly string[]): RequirementFields {
  const provider = (name: string): RequirementFields => ({ requiresType: { $case: 'providerName', value: name } });
  const any = (requirements: RequirementFields[]): RequirementFields => ({
    requiresType: { $case: 'requiresAny', value: { requirements } },
  });
  const optional = names.map((name) => any([provider(name), { requiresType: { $case: 'allowMissing', value: {} } }]));
  if (names.length === 1) return optional[0]!;
  return any([...names.map(provider), { requiresType: { $case: 'requiresAll', value: { requirements: optional } } }]);
}
