import {
  createRateLimit,
  createRefusal,
  type FilterFactory,
  type HostRateLimits,
  type LimitStatus,
  RATE_LIMIT,
  type RateLimitAnswer,
  type RateLimitConfig,
  type RateLimitService,
  type UpstreamCalls,
} from '@ripstop/core';
import {
  HttpRateLimit,
  RateLimit,
  RateLimitPerRoute,
  RateLimitPerRoute_VhRateLimitsOptions,
  RateLimitRequest,
  RateLimitResponse,
  RateLimitResponse_Code,
  type RateLimitResponse_DescriptorStatus,
  type RateLimitUnit,
  typeUrlOf,
} from '@ripstop/xds-api';
import { compileGrpcTarget, type GrpcTarget } from '../grpc-target.ts';
import { compileAddition } from '../header-operations.ts';
import { compileRateLimits } from '../rate-limits.ts';
import { rawField, rawFields } from '../raw-fields.ts';
import { milliseconds } from '../values.ts';

const METHOD = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const DEFAULT_TIMEOUT_MS = 20;
const LAST_KNOWN = 13;
const PER_ROUTE_RATE_LIMITS = 3;
const MAX_STAGE = 10;

interface FilterConfig extends Omit<RateLimitConfig, 'service' | 'hostRateLimits' | 'rateLimits'> {
  readonly kind: 'filter';
  readonly target: GrpcTarget;
}

interface Override {
  readonly kind: 'override';
  readonly hostRateLimits: HostRateLimits;
  readonly rateLimits: readonly RateLimit[];
  readonly domain: string;
}

const NO_OVERRIDE: Override = { kind: 'override', hostRateLimits: 'override', rateLimits: [], domain: '' };

export const rateLimit: FilterFactory<FilterConfig | Override> = {
  typeUrl: typeUrlOf(HttpRateLimit.$type),
  overrideTypeUrl: typeUrlOf(RateLimitPerRoute.$type),
  directions: ['inbound', 'outbound'],
  decode: decodeRateLimit,
  decodeOverride,
  create: (config, override = NO_OVERRIDE, env) => {
    if (config.kind !== 'filter' || override.kind !== 'override') return undefined;
    const { calls } = env;
    if (calls === undefined) return createRefusal(RATE_LIMIT);
    const { target, kind: _, ...rest } = config;
    return createRateLimit(
      {
        ...rest,
        domain: override.domain === '' ? config.domain : override.domain,
        hostRateLimits: override.hostRateLimits,
        rateLimits: compileRateLimits(override.rateLimits, env.ownCluster ?? ''),
        service: serviceAt(target, calls),
      },
      env,
    );
  },
};

function decodeRateLimit(body: Uint8Array): FilterConfig {
  const message = HttpRateLimit.decode(body);
  const unknown = rawFields(body)
    .map(({ number }) => number)
    .filter((number) => number > LAST_KNOWN);
  if (unknown.length > 0) throw new Error(`ratelimit: field ${unknown.join(', ')} is not known`);
  if (message.domain === '') throw new Error('ratelimit: domain is empty');
  if (message.stage > MAX_STAGE) throw new Error(`ratelimit: stage ${message.stage} must be at most ${MAX_STAGE}`);
  const requests = message.requestType === '' ? 'both' : message.requestType;
  if (requests !== 'internal' && requests !== 'external' && requests !== 'both') throw new Error(`ratelimit: request_type ${requests}`);
  const limited = message.rateLimitedStatus?.code ?? 429;
  return {
    kind: 'filter',
    target: {
      ...compileGrpcTarget(message.rateLimitService?.grpcService, 'ratelimit: rate_limit_service.grpc_service', 0),
      timeoutMs: milliseconds(message.timeout, DEFAULT_TIMEOUT_MS),
    },
    domain: message.domain,
    stage: message.stage,
    requests,
    failureModeDeny: message.failureModeDeny,
    resourceExhausted: message.rateLimitedAsResourceExhausted,
    limitedStatus: limited < 400 ? 429 : limited,
    statusOnError: message.statusOnError?.code || 500,
    tellsLimits: message.enableXRatelimitHeaders !== 0,
    marksLimited: !message.disableXEnvoyRatelimitedHeader,
    responseHeaders: message.responseHeadersToAdd.map(compileAddition),
  };
}

function decodeOverride(body: Uint8Array): Override {
  const message = RateLimitPerRoute.decode(body);
  return {
    kind: 'override',
    hostRateLimits: hostRateLimits(message.vhRateLimits),
    // Envoy 1.40 has route messages there.
    rateLimits: rawField(body, PER_ROUTE_RATE_LIMITS).map((entry) => RateLimit.decode(entry)),
    domain: message.domain,
  };
}

function hostRateLimits(option: RateLimitPerRoute_VhRateLimitsOptions): HostRateLimits {
  if (option === RateLimitPerRoute_VhRateLimitsOptions.INCLUDE) return 'include';
  return option === RateLimitPerRoute_VhRateLimitsOptions.IGNORE ? 'ignore' : 'override';
}

function serviceAt({ cluster, authority, timeoutMs, metadata }: GrpcTarget, calls: UpstreamCalls): RateLimitService {
  return {
    ask: async (x, domain, descriptors) => {
      const request = RateLimitRequest.fromPartial({
        domain,
        descriptors: descriptors.map(({ entries, limit }) => ({
          entries: entries.map(({ key, value }) => ({ key, value })),
          ...(limit === undefined ? {} : { limit: { requestsPerUnit: limit.requestsPerUnit, unit: limit.unit as RateLimitUnit } }),
        })),
      });
      const message = RateLimitRequest.encode(request).finish();
      const answer = await calls.grpc({ x, cluster, authority, path: METHOD, timeoutMs, metadata, message });
      if ('failure' in answer) return { kind: 'error', reason: `no answer: ${answer.failure}` };
      try {
        return answerOf(RateLimitResponse.decode(answer.message));
      } catch (error) {
        return { kind: 'error', reason: `its answer cannot be read: ${(error as Error).message}` };
      }
    },
  };
}

function answerOf(message: RateLimitResponse): RateLimitAnswer {
  const lines = (headers: readonly { readonly key: string; readonly value: string }[]) =>
    headers.map(({ key, value }) => [key.toLowerCase(), value] as const);
  return {
    // UNKNOWN lets pass, as in Envoy.
    kind: message.overallCode === RateLimitResponse_Code.OVER_LIMIT ? 'over-limit' : 'ok',
    requestHeaders: lines(message.requestHeadersToAdd),
    responseHeaders: lines(message.responseHeadersToAdd),
    body: new TextDecoder().decode(message.rawBody),
    metadata: message.dynamicMetadata,
    statuses: message.statuses.flatMap((status) => statusOf(status) ?? []),
  };
}

/** By unit: second, minute, hour, day, month, year. */
const WINDOW_SECONDS = [0, 1, 60, 3600, 86_400, 2_592_000, 31_536_000];

function statusOf({ currentLimit, limitRemaining, durationUntilReset }: RateLimitResponse_DescriptorStatus): LimitStatus | undefined {
  if (currentLimit === undefined) return undefined;
  return {
    name: currentLimit.name,
    requestsPerUnit: currentLimit.requestsPerUnit,
    windowSeconds: WINDOW_SECONDS[currentLimit.unit] ?? 0,
    remaining: limitRemaining,
    resetSeconds: durationUntilReset?.seconds ?? 0,
  };
}
