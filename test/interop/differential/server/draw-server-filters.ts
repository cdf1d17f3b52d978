import { RBAC_Action, StatusCode } from '@ripstop/xds-api';
import type { Draw } from '../draw.ts';
import { drawHeader, drawString } from '../draw-match.ts';
import { FORMATS, HEADER_NAMES, PATHS } from '../words.ts';
import { AUTHZ } from './clusters.ts';
import { type FilterName, overrideOf } from './filters.ts';
import { CALLERS } from './identities.ts';
import { AUDIENCES, CLAIMS, ISSUERS, JWKS } from './tokens.ts';

type Message = object;
/** A configuration as a filter of a whole listener; undefined: the listener does not have it. */
export const DRAWS: Readonly<Record<FilterName, (draw: Draw) => Message | undefined>> = {
  jwt: (draw) => draw.maybe(0.3, () => drawJwt(draw)),
  authz: (draw) => draw.maybe(0.2, () => drawAuthz(draw)),
  dryRun: (draw) => draw.maybe(0.1, () => ({ shadowRules: drawRules(draw), shadowRulesStatPrefix: 'istio_dry_run_allow_' })),
  rbac: (draw) => draw.maybe(0.45, () => ({ rules: drawRules(draw), shadowRules: draw.maybe(0.2, () => drawRules(draw)) })),
  mutation: (draw) => draw.maybe(0.2, () => drawMutation(draw)),
  fault: (draw) => draw.maybe(0.4, () => drawFault(draw)),
  cors: (draw) => draw.maybe(0.5, () => ({})),
  rateLimit: (draw) => draw.maybe(0.25, () => drawRateLimit(draw)),
  buffer: (draw) => draw.maybe(0.15, () => ({ maxRequestBytes: draw.one([4, 1000, 100_000]) })),
};

function drawJwt(draw: Draw): Message {
  const names = draw.chance(0.5) ? ['one', 'two'] : ['one'];
  const provider = (name: string): Message => ({
    issuer: ISSUERS[name === 'one' ? 0 : 1],
    audiences: draw.chance(0.4) ? [draw.one(AUDIENCES)] : [],
    jwksSourceSpecifier: { $case: 'localJwks', value: { specifier: { $case: 'inlineString', value: JWKS } } },
    fromHeaders: draw.chance(0.3) ? [{ name: 'x-token', valuePrefix: draw.one(['', 'Bearer ', 'T=']) }] : [],
    fromParams: draw.chance(0.2) ? ['token'] : [],
    fromCookies: draw.chance(0.1) ? ['token'] : [],
    forward: draw.chance(0.5),
    forwardPayloadHeader: draw.chance(0.3) ? 'x-payload' : '',
    padForwardPayloadHeader: draw.chance(0.3),
    payloadInMetadata: 'payload',
    claimToHeaders: draw.list(2, () => ({ headerName: draw.one(['x-claim', 'x-other']), claimName: draw.one(CLAIMS) })),
    clearRouteCache: draw.chance(0.2),
  });
  return {
    providers: Object.fromEntries(names.map((name) => [name, provider(name)])),
    rules: draw
      .list(2, () => ({
        match: { pathSpecifier: { $case: draw.one(['prefix', 'path'] as const), value: draw.one(PATHS) } },
        requirementType: draw.maybe(0.8, () => ({ $case: 'requires' as const, value: drawRequirement(draw, names, 0) })),
      }))
      .concat({
        match: { pathSpecifier: { $case: 'prefix', value: '/' } },
        requirementType: { $case: 'requires', value: drawRequirement(draw, names, 0) },
      }),
    requirementMap: { named: drawRequirement(draw, names, 1) },
    bypassCorsPreflight: draw.chance(0.6),
    stripFailureResponse: draw.chance(0.1),
  };
}

function drawRequirement(draw: Draw, names: readonly string[], depth: number): Message {
  const inner = (): Message[] => [drawRequirement(draw, names, depth + 1), drawRequirement(draw, names, depth + 1)];
  switch (draw.below(depth < 2 ? 6 : 4)) {
    case 0:
      return { requiresType: { $case: 'allowMissing', value: {} } };
    case 1:
      return { requiresType: { $case: 'allowMissingOrFailed', value: {} } };
    case 2:
      return { requiresType: { $case: 'providerName', value: draw.one(names) } };
    case 3:
      return {
        requiresType: { $case: 'providerAndAudiences', value: { providerName: draw.one(names), audiences: [draw.one(AUDIENCES)] } },
      };
    case 4:
      return { requiresType: { $case: 'requiresAll', value: { requirements: inner() } } };
    default:
      return { requiresType: { $case: 'requiresAny', value: { requirements: inner() } } };
  }
}

function drawAuthz(draw: Draw): Message {
  const listed = (...names: string[]): Message => ({ patterns: names.map((value) => ({ matchPattern: { $case: 'exact', value } })) });
  return {
    services: {
      $case: 'httpService',
      value: {
        serverUri: { uri: 'http://authz', timeout: { seconds: 5 }, httpUpstreamType: { $case: 'cluster', value: AUTHZ } },
        pathPrefix: draw.one(['', '/check']),
        authorizationRequest: { headersToAdd: draw.chance(0.3) ? [{ key: 'x-asked', value: draw.one(['yes', '%REQ(x-a)%']) }] : [] },
        authorizationResponse: {
          allowedUpstreamHeaders: draw.maybe(0.5, () => listed('x-granted', 'x-a')),
          allowedUpstreamHeadersToAppend: draw.maybe(0.2, () => listed('x-b')),
          allowedClientHeaders: draw.maybe(0.4, () => listed('x-denied')),
          allowedClientHeadersOnSuccess: draw.maybe(0.3, () => listed('x-granted')),
        },
      },
    },
    allowedHeaders: listed('x-probe', 'x-authz', 'x-a', 'cookie'),
    failureModeAllow: draw.chance(0.3),
    failureModeAllowHeaderAdd: draw.chance(0.3),
    statusOnError: draw.maybe(0.3, () => ({ code: StatusCode.ServiceUnavailable })),
    withRequestBody: draw.maybe(0.3, () => ({ maxRequestBytes: draw.one([4, 1000]), allowPartialMessage: draw.chance(0.6) })),
    clearRouteCache: draw.chance(0.2),
  };
}

function drawRules(draw: Draw): Message {
  const policy = (): Message => ({
    permissions: [drawPermission(draw, 0), ...draw.list(1, () => drawPermission(draw, 0))],
    principals: [drawPrincipal(draw, 0), ...draw.list(1, () => drawPrincipal(draw, 0))],
  });
  return {
    action: draw.one([RBAC_Action.DENY, RBAC_Action.DENY, RBAC_Action.ALLOW, RBAC_Action.ALLOW, RBAC_Action.LOG]),
    policies: { 'ns[default]-policy[one]-rule[0]': policy(), ...draw.maybe(0.4, () => ({ two: policy() })) },
  };
}

const DEEPEST = 2;

function drawPermission(draw: Draw, depth: number): Message {
  const inner = (): Message[] => [drawPermission(draw, depth + 1), ...draw.list(1, () => drawPermission(draw, depth + 1))];
  const rule = draw.below(depth < DEEPEST ? 10 : 7);
  if (rule === 0) return { rule: { $case: 'any', value: true } };
  if (rule < 3) return { rule: { $case: 'header', value: drawHeader(draw) } };
  if (rule < 5) return { rule: { $case: 'urlPath', value: { rule: { $case: 'path', value: drawString(draw, PATHS) } } } };
  if (rule === 5) return { rule: { $case: 'requestedServerName', value: drawString(draw, ['served', 'other', '']) } };
  if (rule === 6) return { rule: { $case: 'destinationPort', value: draw.one([80, 8080]) } };
  if (rule === 7) return { rule: { $case: 'notRule', value: drawPermission(draw, depth + 1) } };
  return { rule: { $case: rule === 8 ? 'andRules' : 'orRules', value: { rules: inner() } } };
}

function drawPrincipal(draw: Draw, depth: number): Message {
  const rule = draw.below(depth < DEEPEST ? 12 : 9);
  if (rule < 2) return { identifier: { $case: 'any', value: true } };
  if (rule === 2) return { identifier: { $case: 'header', value: drawHeader(draw) } };
  if (rule < 5) {
    const principalName = draw.maybe(0.85, () => drawString(draw, [...CALLERS, 'spiffe://cluster.local/ns/default/']));
    return { identifier: { $case: 'authenticated', value: { principalName } } };
  }
  if (rule < 7) {
    const $case = draw.one(['directRemoteIp', 'remoteIp'] as const);
    return { identifier: { $case, value: { addressPrefix: draw.one(['127.0.0.0', '10.0.0.0', '203.0.113.0']), prefixLen: 8 } } };
  }
  if (rule < 9) return { identifier: { $case: 'metadata', value: drawClaim(draw) } };
  if (rule === 9) return { identifier: { $case: 'notId', value: drawPrincipal(draw, depth + 1) } };
  const ids = [drawPrincipal(draw, depth + 1), drawPrincipal(draw, depth + 1)];
  return { identifier: { $case: rule === 10 ? 'andIds' : 'orIds', value: { ids } } };
}

/** A claim of an accepted token. */
function drawClaim(draw: Draw): Message {
  const claim = draw.one(CLAIMS);
  const one = { matchPattern: { $case: 'stringMatch', value: drawString(draw, ['admin', 'me', 'c', '1']) } };
  const list = { matchPattern: { $case: 'listMatch', value: { matchPattern: { $case: 'oneOf', value: one } } } };
  return {
    filter: 'envoy.filters.http.jwt_authn',
    path: ['payload', ...claim.split('.')].map((value) => ({ segment: { $case: 'key', value } })),
    value: claim === 'groups' && draw.chance(0.7) ? list : one,
    invert: draw.chance(0.1),
  };
}

function drawMutation(draw: Draw): Message {
  const step = (): Message =>
    draw.chance(0.3)
      ? { action: { $case: 'remove', value: draw.one(HEADER_NAMES) } }
      : {
          action: {
            $case: 'append',
            value: { header: { key: draw.one([...HEADER_NAMES, 'x-new']), value: draw.one(FORMATS) }, appendAction: draw.below(4) },
          },
        };
  return { mutations: { requestMutations: draw.list(2, step), responseMutations: draw.list(2, step) } };
}

function drawFault(draw: Draw): Message {
  const percentage = { numerator: draw.one([0, 100]) };
  return {
    delay: draw.maybe(0.2, () => ({
      faultDelaySecifier: draw.chance(0.5) ? { $case: 'fixedDelay', value: { nanos: 1_000_000 } } : { $case: 'headerDelay', value: {} },
      percentage,
    })),
    abort: draw.maybe(0.5, () => ({
      errorType: draw.one([
        { $case: 'httpStatus', value: 418 },
        { $case: 'grpcStatus', value: 7 },
        { $case: 'headerAbort', value: {} },
      ]),
      percentage,
    })),
    headers: draw.chance(0.7) ? [{ name: 'x-a', headerMatchSpecifier: { $case: 'presentMatch', value: true } }] : [],
  };
}

function drawRateLimit(draw: Draw): Message {
  const always = { defaultValue: { numerator: 100 } };
  return {
    statPrefix: 'drawn',
    // Full at the start and not filled again while the test lasts.
    tokenBucket: { maxTokens: draw.one([1, 3, 100]), tokensPerFill: 1, fillInterval: { seconds: 3600 } },
    filterEnabled: { defaultValue: { numerator: draw.one([0, 100, 100]) } },
    filterEnforced: draw.chance(0.8) ? always : { defaultValue: { numerator: 0 } },
    requestHeadersToAddWhenNotEnforced: [{ header: { key: 'x-over', value: 'yes' } }],
    status: draw.maybe(0.3, () => ({ code: draw.one([StatusCode.Conflict, StatusCode.ServiceUnavailable, StatusCode.OK]) })),
    responseHeadersToAdd: draw.chance(0.5) ? [{ header: { key: 'x-limited', value: draw.one(['yes', '%REQ(x-a)%']) } }] : [],
    rateLimitedAsResourceExhausted: draw.chance(0.3),
    enableXRatelimitHeaders: draw.chance(0.2) ? 1 : 0,
    localRateLimitPerDownstreamConnection: draw.chance(0.2),
  };
}

/** What a route says to one of the filters that only servers have. */
export function drawOverride(draw: Draw, filters: readonly FilterName[]): Record<string, ReturnType<typeof overrideOf>[string]> {
  const disabled = { $case: 'disabled', value: true };
  const which = draw.one(['jwt', 'authz', 'buffer'] as const);
  if (!filters.includes(which)) return {};
  if (which === 'jwt') {
    const named = { $case: 'requirementName', value: draw.one(['named', 'named', 'missing']) };
    return overrideOf('jwt', { requirementSpecifier: draw.chance(0.5) ? disabled : named });
  }
  if (which === 'buffer')
    return overrideOf('buffer', { override: draw.chance(0.5) ? disabled : { $case: 'buffer', value: { maxRequestBytes: 5000 } } });
  return overrideOf('authz', {
    override: draw.chance(0.6) ? disabled : { $case: 'checkSettings', value: { disableRequestBodyBuffering: true } },
  });
}
