import {
  type Any,
  CorsFilterPolicy,
  HeaderMutationPerRoute,
  HTTPFault,
  HttpRbacPerRoute,
  LocalRateLimit,
  type Permission,
  type Principal,
  packAny,
  RBAC_Action,
  StatusCode,
} from '@ripstop/xds-api';
import type { Draw } from './draw.ts';
import { drawHeader, drawString } from './draw-match.ts';
import { FORMATS, HEADER_NAMES, PATHS } from './words.ts';

type PerFilterConfig = Record<string, Any>;

/** What one route says to one of the filters. */
export function drawFilterConfig(draw: Draw): PerFilterConfig {
  return draw.one([drawFault, drawFault, drawCors, drawCors, drawRbac, drawRbac, drawRateLimit, drawMutations])(draw);
}

export function drawFault(draw: Draw): PerFilterConfig {
  const fault = HTTPFault.fromPartial({
    ...draw.maybe(0.2, () => ({
      delay: {
        faultDelaySecifier: { $case: 'fixedDelay' as const, value: { seconds: 0, nanos: 1_000_000 } },
        percentage: { numerator: draw.one([0, 100]) },
      },
    })),
    abort: { errorType: { $case: 'httpStatus', value: draw.one([418, 503]) }, percentage: { numerator: draw.one([0, 100]) } },
    headers: draw.chance(0.5) ? [{ name: 'x-a', headerMatchSpecifier: { $case: 'presentMatch', value: true } }] : [],
  });
  return { 'envoy.filters.http.fault': packAny(HTTPFault, fault) };
}

function drawCors(draw: Draw): PerFilterConfig {
  const cors = CorsFilterPolicy.fromPartial({
    allowOriginStringMatch: [{ matchPattern: { $case: draw.one(['exact', 'prefix'] as const), value: draw.one(['http://o', '*']) } }],
    allowMethods: draw.one(['', 'GET,POST']),
    allowHeaders: draw.one(['', 'x-a']),
    exposeHeaders: draw.one(['', 'x-b']),
    maxAge: draw.one(['', '60']),
    allowCredentials: draw.maybe(0.5, () => draw.chance(0.5)),
  });
  return { 'envoy.filters.http.cors': packAny(CorsFilterPolicy, cors) };
}

function drawRbac(draw: Draw): PerFilterConfig {
  const policy = (): object => ({
    permissions: [drawPermission(draw, 0), ...draw.list(1, () => drawPermission(draw, 0))],
    principals: [drawPrincipal(draw, 0)],
  });
  const rules = {
    action: draw.chance(0.6) ? RBAC_Action.DENY : RBAC_Action.ALLOW,
    policies: { one: policy(), ...draw.maybe(0.4, () => ({ two: policy() })) },
  };
  const config = HttpRbacPerRoute.fromPartial({ rbac: { rules } } as Parameters<typeof HttpRbacPerRoute.fromPartial>[0]);
  return { 'envoy.filters.http.rbac': packAny(HttpRbacPerRoute, config) };
}

const DEEPEST = 2;

function drawPermission(draw: Draw, depth: number): Partial<Permission> {
  const inner = (): Partial<Permission>[] => [drawPermission(draw, depth + 1), ...draw.list(1, () => drawPermission(draw, depth + 1))];
  const rule = draw.below(depth < DEEPEST ? 7 : 4);
  if (rule === 0) return { rule: { $case: 'any', value: true } };
  if (rule < 3) return { rule: { $case: 'header', value: drawHeader(draw) as never } };
  if (rule === 3) return { rule: { $case: 'urlPath', value: { rule: { $case: 'path', value: drawString(draw, PATHS) } } as never } };
  if (rule === 4) return { rule: { $case: 'notRule', value: drawPermission(draw, depth + 1) as never } };
  const value = { rules: inner() } as never;
  return { rule: rule === 5 ? { $case: 'andRules', value } : { $case: 'orRules', value } };
}

function drawPrincipal(draw: Draw, depth: number): Partial<Principal> {
  const rule = draw.below(depth < DEEPEST ? 5 : 3);
  if (rule === 0) return { identifier: { $case: 'any', value: true } };
  if (rule === 1) return { identifier: { $case: 'header', value: drawHeader(draw) as never } };
  if (rule === 2) return { identifier: { $case: 'urlPath', value: { rule: { $case: 'path', value: drawString(draw, PATHS) } } as never } };
  if (rule === 3) return { identifier: { $case: 'notId', value: drawPrincipal(draw, depth + 1) as never } };
  const value = { ids: [drawPrincipal(draw, depth + 1), drawPrincipal(draw, depth + 1)] } as never;
  return { identifier: draw.chance(0.5) ? { $case: 'andIds', value } : { $case: 'orIds', value } };
}

/** A bucket that is full at the start and not filled again while the test lasts. */
function drawRateLimit(draw: Draw): PerFilterConfig {
  const always = { defaultValue: { numerator: 100 } };
  const limit = LocalRateLimit.fromPartial({
    statPrefix: 'drawn',
    tokenBucket: { maxTokens: draw.one([1, 2, 100]), tokensPerFill: 1, fillInterval: { seconds: 3600 } },
    filterEnabled: { defaultValue: { numerator: draw.one([0, 100, 100]) } },
    filterEnforced: always,
    status: draw.maybe(0.3, () => ({ code: draw.one([StatusCode.Conflict, StatusCode.ServiceUnavailable]) })),
    responseHeadersToAdd: draw.chance(0.3) ? [{ header: { key: 'x-limited', value: draw.one(['yes', '%REQ(x-a)%']) } }] : [],
  });
  return { 'envoy.filters.http.local_ratelimit': packAny(LocalRateLimit, limit) };
}

function drawMutations(draw: Draw): PerFilterConfig {
  const step = (): object =>
    draw.chance(0.3)
      ? { action: { $case: 'remove', value: draw.one(HEADER_NAMES) } }
      : {
          action: {
            $case: 'append',
            value: { header: { key: draw.one([...HEADER_NAMES, 'x-new']), value: draw.one(FORMATS) }, appendAction: draw.below(4) },
          },
        };
  const mutations = { requestMutations: draw.list(2, step), responseMutations: draw.list(2, step) };
  const config = HeaderMutationPerRoute.fromPartial({ mutations } as Parameters<typeof HeaderMutationPerRoute.fromPartial>[0]);
  return { 'envoy.filters.http.header_mutation': packAny(HeaderMutationPerRoute, config) };
}
