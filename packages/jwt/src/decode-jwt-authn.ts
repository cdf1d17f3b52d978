import {
  type DataSource,
  JwtAuthentication,
  JwtAuthnPerRouteConfig,
  type JwtProvider,
  type JwtRequirement,
  type RequirementRule,
  type RouteMatch,
} from '@ripstop/xds-api';
import { type KeySet, parseJwks } from './jwks.ts';
import type { JwtAuthnConfig, JwtAuthnOverride, Rule } from './jwt-authn.ts';
import { bareAudience, type Provider } from './provider.ts';
import type { Requirement } from './requirement.ts';
import { DEFAULT_PLACES, sortedPlaces, type TokenPlaces } from './token-places.ts';

const DEFAULT_CLOCK_SKEW_SECONDS = 60;
const NONE: Requirement = { kind: 'none' };

/** Reads the filter's configuration; throws for what cannot be honoured, so that the listener is refused and its last good version stays. */
export function decodeJwtAuthn(body: Uint8Array): JwtAuthnConfig {
  const message = JwtAuthentication.decode(body);
  if (message.filterStateRules !== undefined) throw new Error('filter_state_rules is not supported');
  const providers = new Map(Object.entries(message.providers).map(([name, provider]) => [name, providerOf(name, provider)]));
  const named = new Map(Object.entries(message.requirementMap).map(([name, requirement]) => [name, requirementOf(requirement, providers)]));
  return {
    kind: 'filter',
    providers: [...providers.values()],
    rules: message.rules.map((rule) => ruleOf(rule, providers, named)),
    named,
    params: new Set([...providers.values()].flatMap(({ places }) => places.params)),
    bypassCorsPreflight: message.bypassCorsPreflight,
    silent: message.stripFailureResponse,
  };
}

/** Reads what a route says instead. */
export function decodeJwtAuthnOverride(body: Uint8Array): JwtAuthnOverride {
  const { requirementSpecifier } = JwtAuthnPerRouteConfig.decode(body);
  if (requirementSpecifier?.$case === 'disabled') return { kind: 'disabled' };
  return { kind: 'requirement', name: requirementSpecifier?.value ?? '' };
}

function providerOf(name: string, message: JwtProvider): Provider {
  for (const field of ['subjects', 'maxLifetime'] as const)
    if (message[field] !== undefined) throw new Error(`provider ${name}: ${field} is not supported`);
  if (message.requireExpiration) throw new Error(`provider ${name}: require_expiration is not supported`);
  return {
    name,
    issuer: message.issuer,
    audiences: new Set(message.audiences.map(bareAudience)),
    keys: keysOf(name, message),
    places: placesOf(message),
    forward: message.forward,
    payloadHeader: message.forwardPayloadHeader.toLowerCase(),
    payloadPadded: message.padForwardPayloadHeader,
    claimHeaders: message.claimToHeaders.map(({ headerName, claimName }) => ({
      header: headerName.toLowerCase(),
      claim: claimName.split('.'),
    })),
    payloadMetadata: message.payloadInMetadata,
    clearRouteCache: message.clearRouteCache,
    headerMetadata: message.headerInMetadata,
    spaceDelimitedClaims: new Set(message.normalizePayloadInMetadata?.spaceDelimitedClaims ?? []),
    clockSkewSeconds: message.clockSkewSeconds || DEFAULT_CLOCK_SKEW_SECONDS,
  };
}

function keysOf(name: string, { jwksSourceSpecifier: source }: JwtProvider): KeySet | undefined {
  if (source === undefined) throw new Error(`provider ${name}: give local_jwks`);
  if (source.$case === 'remoteJwks') return undefined;
  try {
    return parseJwks(inlineText(source.value));
  } catch (error) {
    // Envoy's words; it refuses such a listener as well.
    throw new Error(`Provider '${name}' in jwt_authn config has invalid local jwks: ${error instanceof Error ? error.message : error}`);
  }
}

function inlineText({ specifier }: DataSource): string {
  if (specifier?.$case === 'inlineString') return specifier.value;
  if (specifier?.$case === 'inlineBytes') return Buffer.from(specifier.value).toString('utf8');
  throw new Error('keys must be inline: files and environment variables of this machine are not read');
}

function placesOf({ fromHeaders, fromParams, fromCookies }: JwtProvider): TokenPlaces {
  if (fromHeaders.length + fromParams.length + fromCookies.length === 0) return DEFAULT_PLACES;
  return sortedPlaces({
    headers: fromHeaders.map(({ name, valuePrefix }) => ({ name: name.toLowerCase(), prefix: valuePrefix })),
    params: fromParams,
    cookies: fromCookies,
  });
}

function requirementOf(message: JwtRequirement, providers: ReadonlyMap<string, Provider>): Requirement {
  const { requiresType } = message;
  const provider = (name: string, audiences: readonly string[]): Requirement => {
    const found = providers.get(name);
    if (found === undefined) throw new Error(`Required provider ['${name}'] is not configured.`);
    return { kind: 'provider', provider: found, audiences: audiences.length === 0 ? undefined : new Set(audiences.map(bareAudience)) };
  };
  switch (requiresType?.$case) {
    case undefined:
      return NONE;
    case 'providerName':
      return provider(requiresType.value, []);
    case 'providerAndAudiences':
      return provider(requiresType.value.providerName, requiresType.value.audiences);
    case 'requiresAll':
      return { kind: 'all', of: requiresType.value.requirements.map((inner) => requirementOf(inner, providers)) };
    case 'requiresAny':
      return anyOf(requiresType.value.requirements, providers);
    case 'allowMissing':
      return { kind: 'optional', providers: [...providers.values()], failed: false };
    case 'allowMissingOrFailed':
      return { kind: 'optional', providers: [...providers.values()], failed: true };
  }
}

/** `allow_missing` beside other requirements only says what their failure means (Envoy's AnyVerifier). */
function anyOf(messages: readonly JwtRequirement[], providers: ReadonlyMap<string, Provider>): Requirement {
  const has = (kind: 'allowMissing' | 'allowMissingOrFailed'): boolean => messages.some(({ requiresType }) => requiresType?.$case === kind);
  const failed = has('allowMissingOrFailed');
  const others = messages.filter(
    ({ requiresType }) => requiresType?.$case !== 'allowMissing' && requiresType?.$case !== 'allowMissingOrFailed',
  );
  if (others.length === 0) return { kind: 'optional', providers: [...providers.values()], failed };
  return {
    kind: 'any',
    of: others.map((inner) => requirementOf(inner, providers)),
    allow: failed ? 'missing-or-failed' : has('allowMissing') ? 'missing' : 'nothing',
  };
}

function ruleOf(rule: RequirementRule, providers: ReadonlyMap<string, Provider>, named: ReadonlyMap<string, Requirement>): Rule {
  return { matches: matcherOf(rule.match), requirement: ruleRequirement(rule, providers, named) };
}

function ruleRequirement(
  { requirementType }: RequirementRule,
  providers: ReadonlyMap<string, Provider>,
  named: ReadonlyMap<string, Requirement>,
): Requirement {
  if (requirementType === undefined) return NONE;
  if (requirementType.$case === 'requires') return requirementOf(requirementType.value, providers);
  const requirement = named.get(requirementType.value);
  if (requirement === undefined) throw new Error(`requirement_name '${requirementType.value}' is not in requirement_map`);
  return requirement;
}

/** istiod sends `prefix: /` and nothing else; a rule that could be missed is refused. */
function matcherOf(match: RouteMatch | undefined): Rule['matches'] {
  const path = match?.pathSpecifier;
  if (match === undefined || path === undefined) throw new Error('a rule without a path');
  if (match.headers.length + match.queryParameters.length > 0 || match.runtimeFraction !== undefined || match.grpc !== undefined)
    throw new Error('a rule may match only by path, prefix or path_separated_prefix');
  const fold = match.caseSensitive === false ? (text: string): string => text.toLowerCase() : (text: string): string => text;
  switch (path.$case) {
    case 'prefix': {
      const prefix = fold(path.value);
      return prefix === '/' ? () => true : (_request, value) => fold(value).startsWith(prefix);
    }
    case 'path': {
      const exact = fold(path.value);
      return (_request, value) => fold(value) === exact;
    }
    case 'pathSeparatedPrefix': {
      const prefix = fold(path.value);
      return (_request, value) => fold(value) === prefix || fold(value).startsWith(`${prefix}/`);
    }
    default:
      throw new Error(`a rule may match only by path, prefix or path_separated_prefix, not by ${path.$case}`);
  }
}
