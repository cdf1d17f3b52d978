import {
  Exchange,
  FilterCounters,
  type FilterEnv,
  type HttpConnectionManager,
  type LocalReply,
  NO_PEER,
  type RequestHead,
  type ResponseHead,
  type Snapshot,
} from '@ripstop/core';
import {
  fromProtoJson,
  HttpRateLimit,
  LocalRateLimit,
  RateLimit,
  RateLimitPerRoute,
  RateLimitRequest,
  RateLimitResponse,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileRateLimits } from '../rate-limits.ts';
import { localRateLimit } from './local-rate-limit.ts';
import { rateLimit } from './rate-limit.ts';

const SERVICE = { transport_api_version: 'V3', grpc_service: { envoy_grpc: { cluster_name: 'rls' } } };
const encode = (config: object): Uint8Array =>
  HttpRateLimit.encode(fromProtoJson(HttpRateLimit, { domain: 'shop', rate_limit_service: SERVICE, ...config })).finish();

/** A head over names and values, which can be read and written. */
class Head {
  scheme = 'http' as const;
  authority = 'shop';
  method = 'GET';
  path = '/';
  status = 200;
  readonly lines = new Map<string, string[]>();
  header(name: string): string | undefined {
    return this.lines.get(name)?.join(',');
  }
  headerLines(name: string): readonly string[] {
    return this.lines.get(name) ?? [];
  }
  setHeader(name: string, value: string): void {
    this.lines.set(name, [value]);
  }
  appendHeader(name: string, value: string): void {
    this.lines.set(name, [...this.headerLines(name), value]);
  }
  removeHeader(name: string): void {
    this.lines.delete(name);
  }
}

function exchange(): { readonly x: Exchange; readonly request: Head } {
  const request = new Head();
  const x = new Exchange({
    direction: 'outbound',
    protocol: 'http1',
    request: request as RequestHead,
    snapshot: { clusters: new Map([['echo', {}]]) } as unknown as Snapshot,
    manager: { xffTrustedHops: 0 } as HttpConnectionManager,
    peer: { ...NO_PEER, address: '10.1.2.3' },
    port: 80,
    startedAt: 0,
  });
  return { x, request };
}

const limitsOf = (...messages: readonly object[]) =>
  compileRateLimits(
    messages.map((message) => fromProtoJson(RateLimit, message)),
    'web.default',
  );

function scene(
  config: object,
  answer: Parameters<typeof RateLimitResponse.fromPartial>[0] | 'down',
  policies: ReturnType<typeof limitsOf>,
) {
  const asked: RateLimitRequest[] = [];
  const counters = new FilterCounters();
  const env: FilterEnv = {
    clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
    random: () => 0,
    direction: 'outbound',
    counters,
    state: (_key, create) => create(),
    place: { scope: '', rateLimits: { route: policies, host: [], includeHost: false } },
    calls: {
      http: async () => ({ failure: 'not asked by HTTP' }),
      grpc: async ({ message }) => {
        asked.push(RateLimitRequest.decode(message));
        return answer === 'down'
          ? { failure: 'down' }
          : { message: RateLimitResponse.encode(RateLimitResponse.fromPartial(answer)).finish() };
      },
    },
  };
  return { asked, counters, filter: rateLimit.create(rateLimit.decode(encode(config)), undefined, env) };
}

const GENERIC = limitsOf({ actions: [{ generic_key: { descriptor_value: 'all' } }] });

describe('a global rate limit', () => {
  it('costs nothing where no route limits anything', () => {
    expect(scene({}, {}, []).filter).toBeUndefined();
    expect(scene({ stage: 1 }, {}, GENERIC).filter).toBeUndefined();
  });

  it.each<
    [answer: Parameters<typeof RateLimitResponse.fromPartial>[0] | 'down', config: object, cluster: string, counted: Record<string, number>]
  >([
    [{ overallCode: 1 }, {}, 'echo', { ok: 1 }],
    [{ overallCode: 2 }, {}, 'echo', { over_limit: 1 }],
    ['down', {}, 'echo', { error: 1, failure_mode_allowed: 1 }],
    ['down', { failure_mode_deny: true }, 'echo', { error: 1 }],
    [{ overallCode: 1 }, {}, 'made-up', {}],
  ])('counts what was answered, by cluster: %j %j %s', async (answer, config, cluster, counted) => {
    const { filter, counters } = scene(config, answer, GENERIC);
    const { x } = exchange();
    x.route = { action: { kind: 'forward', chooseCluster: () => cluster } } as unknown as Exchange['route'];
    await filter!.onRequest!(x);
    const found = counters
      .all()
      .map(({ name, labels, value }) => [name.replace('envoy_cluster_ratelimit_', ''), labels.envoy_cluster_name, value]);
    expect(found).toEqual(Object.entries(counted).map(([name, value]) => [name, 'echo', value]));
  });

  it('refuses what is over the limit, and says how much is left', async () => {
    const limit = {
      currentLimit: { name: 'a', requestsPerUnit: 10, unit: 2 as const },
      limitRemaining: 0,
      durationUntilReset: { seconds: 7, nanos: 0 },
    };
    const { filter, asked } = scene(
      { enable_x_ratelimit_headers: 'DRAFT_VERSION_03' },
      { overallCode: 2, rawBody: Buffer.from('slow'), statuses: [limit] },
      GENERIC,
    );
    const { x } = exchange();
    expect(await filter!.onRequest!(x)).toMatchObject({ status: 429, body: 'slow', details: 'request_rate_limited', flags: 0x800 });
    expect(asked.map((request) => RateLimitRequest.toJSON(request))).toEqual([
      { domain: 'shop', descriptors: [{ entries: [{ key: 'generic_key', value: 'all' }] }], hitsAddend: 0 },
    ]);
    const head = new Head();
    filter!.onResponse!(x, head as unknown as ResponseHead);
    expect(Object.fromEntries(head.lines)).toEqual({
      'x-ratelimit-limit': ['10, 10;w=60;name="a"'],
      'x-ratelimit-remaining': ['0'],
      'x-ratelimit-reset': ['7'],
      'x-envoy-ratelimited': ['true'],
    });
  });

  it.each([
    [{}, undefined],
    [{ failure_mode_deny: true }, 500],
    [{ failure_mode_deny: true, status_on_error: { code: 'ServiceUnavailable' } }, 503],
  ])('with %j answers %s when nobody does', async (config, status) => {
    const reply = (await scene(config, 'down', GENERIC).filter!.onRequest!(exchange().x)) as LocalReply | undefined;
    expect(reply?.status).toBe(status);
    if (reply !== undefined) expect(reply).toMatchObject({ details: 'rate_limiter_error', flags: 0x2000 });
  });

  it.each([
    ['internal', 'true', 1],
    ['internal', undefined, 0],
    ['external', 'true', 0],
    ['external', undefined, 1],
  ])('of %s requests is asked about one with x-envoy-internal %s %d times', async (type, internal, times) => {
    const { filter, asked } = scene({ request_type: type }, { overallCode: 1 }, GENERIC);
    const { x, request } = exchange();
    if (internal !== undefined) request.setHeader('x-envoy-internal', internal);
    await filter!.onRequest!(x);
    expect(asked.length).toBe(times);
  });

  it.each([
    ['no domain', { domain: '' }, 'domain is empty'],
    ['a stage above 10', { stage: 11 }, 'stage 11'],
    ['no service', { rate_limit_service: undefined }, 'only envoy_grpc'],
    ['another request type', { request_type: 'all' }, 'request_type all'],
  ])('is refused with %s', (_what, config, message) => {
    expect(() => rateLimit.decode(encode(config))).toThrow(message);
  });

  it('takes from a route another domain and what of its host counts', () => {
    const body = RateLimitPerRoute.encode(fromProtoJson(RateLimitPerRoute, { domain: 'other', vh_rate_limits: 'INCLUDE' })).finish();
    expect(rateLimit.decodeOverride!(body)).toMatchObject({ domain: 'other', hostRateLimits: 'include' });
  });
});

describe('actions of a rate limit', () => {
  const entriesOf = (action: object, change: (request: Head, x: Exchange) => void = () => {}): unknown => {
    const { x, request } = exchange();
    change(request, x);
    return limitsOf({ actions: [action] })[0]!
      .describe(x)
      ?.entries.map(({ key, value }) => `${key}=${value}`);
  };
  const metadata = { key: 'jwt', path: [{ key: 'sub' }] };

  it.each([
    [{ source_cluster: {} }, ['source_cluster=web.default']],
    [{ remote_address: {} }, ['remote_address=10.1.2.3']],
    [{ masked_remote_address: { v4_prefix_mask_len: 20 } }, ['masked_remote_address=10.1.0.0/20']],
    [{ generic_key: { descriptor_key: 'k', descriptor_value: 'v' } }, ['k=v']],
    [{ request_headers: { header_name: 'x-a', descriptor_key: 'a' } }, undefined],
    [
      { header_value_match: { descriptor_value: 'v', expect_match: false, headers: [{ name: 'x-a', present_match: true }] } },
      ['header_match=v'],
    ],
    [{ query_parameter_value_match: { descriptor_value: 'v', query_parameters: [{ name: 'a', present_match: true }] } }, undefined],
    [{ metadata: { descriptor_key: 'k', metadata_key: metadata, default_value: 'd' } }, ['k=d']],
    [{ metadata: { descriptor_key: 'k', metadata_key: metadata } }, undefined],
    [{ dynamic_metadata: { descriptor_key: 'k', metadata_key: metadata, default_value: 'd' } }, ['k=d']],
  ])('%j', (action, expected) => {
    expect(entriesOf(action)).toEqual(expected);
  });

  it('read metadata, and a limit that it brings along', () => {
    const { x } = exchange();
    x.metadata = new Map([
      ['jwt', { sub: 'u' }],
      ['limits', { mine: { requests_per_unit: 5, unit: 'HOUR' } }],
    ]);
    const limit = { dynamic_metadata: { metadata_key: { key: 'limits', path: [{ key: 'mine' }] } } };
    const [policy] = limitsOf({ actions: [{ metadata: { descriptor_key: 'k', metadata_key: metadata } }], limit });
    expect(policy!.describe(x)).toEqual({ entries: [{ key: 'k', value: 'u' }], limit: { requestsPerUnit: 5, unit: 3 } });
  });

  it('mask addresses of the sixth version as Envoy writes them', () => {
    const masked = entriesOf({ masked_remote_address: { v6_prefix_mask_len: 60 } }, (request) =>
      request.setHeader('x-forwarded-for', '2001:db8:1:234f::5'),
    );
    expect(masked).toEqual(['masked_remote_address=2001:db8:1:2340::/60']);
  });

  it.each([
    [{ actions: [] }, 'no actions'],
    [{ actions: [{ extension: { name: 'x' } }] }, 'extension x is not supported'],
    [{ actions: [{ metadata: { descriptor_key: 'k', metadata_key: metadata, source: 'ROUTE_ENTRY' } }] }, 'ROUTE_ENTRY is not supported'],
    [{ actions: [{}] }, 'of a kind that this version does not know'],
  ])('%j is refused', (message, why) => {
    expect(() => limitsOf(message)).toThrow(why);
  });
});

describe('a local rate limit is refused', () => {
  const bucket = { max_tokens: 1, fill_interval: '1s' };
  it.each([
    ['without a name for its numbers', { stat_prefix: '' }, 'stat_prefix is empty'],
    ['with a bucket of nothing', { token_bucket: { max_tokens: 0, fill_interval: '1s' } }, 'max_tokens must be above 0'],
    ['when it fills too often', { token_bucket: { ...bucket, fill_interval: '0.01s' } }, 'fill_interval must be at least 50 ms'],
    [
      'with descriptors alone',
      { token_bucket: undefined, descriptors: [{ entries: [{ key: 'a', value: 'b' }], token_bucket: bucket }] },
      'descriptors without a token_bucket',
    ],
    ['when it is to be shared among processes', { local_cluster_rate_limit: {} }, 'local_cluster_rate_limit is not supported'],
  ])('%s', (_what, config, message) => {
    const full = fromProtoJson(LocalRateLimit, { stat_prefix: 'a', token_bucket: bucket, ...config });
    expect(() => localRateLimit.decode(LocalRateLimit.encode(full).finish())).toThrow(message);
  });
});
