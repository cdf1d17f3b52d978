import { describe, expect, it } from 'vitest';
import { DecisionRecord } from '../../decision-record.ts';
import type { FilterEnv } from '../../filter.ts';
import { FilterCounters } from '../../filter-counters.ts';
import type { LocalReply } from '../../local-reply.ts';
import type { Random } from '../../ports.ts';
import { exchange, FakeClock, FakeHead } from '../../testing/fakes.ts';
import type { RateLimitPolicy } from '../rate-limit-descriptors.ts';
import { createLocalRateLimit, type LocalRateLimitConfig } from './local-rate-limit.ts';
import { TokenBucket } from './token-bucket.ts';

const FULL = { numerator: 100, denominator: 100 };
const NONE = { numerator: 0, denominator: 100 };
const per1000s = (maxTokens: number) => ({ maxTokens, tokensPerFill: 1, fillIntervalMs: 1_000_000 });
const BASE: LocalRateLimitConfig = {
  statPrefix: 'http_local_rate_limiter',
  limiter: { bucket: per1000s(2), descriptors: [], alwaysConsumeDefault: true, maxDynamic: 20 },
  perConnection: false,
  enabled: FULL,
  enforced: FULL,
  status: 429,
  resourceExhausted: false,
  requestHeaders: [],
  responseHeaders: [],
  tellsLimits: false,
  stage: 0,
  hostRateLimits: 'override',
  rateLimits: [],
};

/** Descriptors as the action request_headers makes them. */
const who: RateLimitPolicy = {
  stage: 0,
  describe: ({ request }) => {
    const value = request.header('x-who');
    return value === undefined ? undefined : { entries: [{ key: 'who', value }], limit: undefined };
  },
};
const always: RateLimitPolicy = { stage: 0, describe: () => ({ entries: [{ key: 'x', value: 'y' }], limit: undefined }) };

function scene(config: Partial<LocalRateLimitConfig> = {}, policies: readonly RateLimitPolicy[] = [], random: Random = () => 0.5) {
  const clock = new FakeClock();
  const counters = new FilterCounters();
  const states = new Map<string, unknown>();
  const env: FilterEnv = {
    clock,
    random,
    counters,
    direction: 'inbound',
    state: <T>(key: string, create: () => T): T => {
      if (!states.has(key)) states.set(key, create());
      return states.get(key) as T;
    },
    place: { scope: '', rateLimits: { route: policies, host: [], includeHost: false } },
  };
  const filter = createLocalRateLimit({ ...BASE, ...config }, env)!;
  const call = (value?: string, peer = exchange().peer) => {
    const request = new FakeHead(value === undefined ? {} : { 'x-who': value });
    const x = exchange({ request, peer });
    const reply = filter.onRequest!(x) as LocalReply | undefined;
    const head = new FakeHead({}, { status: reply?.status ?? 200 });
    filter.onResponse?.(x, head);
    return { status: reply?.status ?? 200, reply, head, request };
  };
  const counts = () => Object.fromEntries(counters.all().map(({ name, value }) => [name.replace(/.*_limit_/, ''), value]));
  return { clock, filter, call, counts, env };
}

const statuses = (made: ReturnType<typeof scene>, values: readonly (string | undefined)[]) =>
  values.map((value) => made.call(value).status);

describe('a local rate limit', () => {
  it('refuses as Envoy does what no token is left for', () => {
    const made = scene();
    expect(statuses(made, [undefined, undefined, undefined])).toEqual([200, 200, 429]);
    expect(made.call().reply).toMatchObject({ body: 'local_rate_limited', details: 'local_rate_limited', flags: 0x800 });
    expect(made.counts()).toEqual({ enabled: 4, ok: 2, rate_limited: 2, enforced: 2 });
  });

  it('costs nothing where it can do nothing', () => {
    const { env } = scene();
    expect(createLocalRateLimit({ ...BASE, enabled: NONE }, env)).toBeUndefined();
    expect(createLocalRateLimit({ ...BASE, limiter: { ...BASE.limiter, bucket: undefined } }, env)).toBeUndefined();
  });

  it('only tells the upstream where it is not enforced', () => {
    const header = { name: 'x-would', value: '1', action: 'APPEND_IF_EXISTS_OR_ADD', keepEmpty: false } as const;
    const made = scene({
      enforced: NONE,
      requestHeaders: [header],
      responseHeaders: [header],
      limiter: { ...BASE.limiter, bucket: per1000s(1) },
    });
    expect(made.call().request.header('x-would')).toBeUndefined();
    const over = made.call();
    expect([over.status, over.request.header('x-would'), over.head.header('x-would')]).toEqual([200, '1', undefined]);
    expect(made.counts()).toMatchObject({ rate_limited: 1, enforced: 0 });
  });

  it('adds headers to its own refusals alone', () => {
    const made = scene({ responseHeaders: [{ name: 'x-rl', value: '1', action: 'OVERWRITE_IF_EXISTS_OR_ADD', keepEmpty: false }] });
    expect(['a', 'b', 'c'].map(() => made.call().head.header('x-rl'))).toEqual([undefined, undefined, '1']);
  });

  it('counts on when the same configuration is pushed again, and from new when its numbers change', () => {
    const made = scene();
    statuses(made, [undefined, undefined]);
    const again = createLocalRateLimit({ ...BASE, status: 503 }, made.env)!;
    expect((again.onRequest!(exchange()) as LocalReply).status).toBe(503);
    const wider = createLocalRateLimit({ ...BASE, limiter: { ...BASE.limiter, bucket: per1000s(3) } }, made.env)!;
    expect(wider.onRequest!(exchange())).toBeUndefined();
  });

  it('holds for each connection by itself when told to', () => {
    const made = scene({ perConnection: true, limiter: { ...BASE.limiter, bucket: per1000s(1) } });
    const [one, other] = [{ ...exchange().peer }, { ...exchange().peer }];
    expect([one, one, other].map((peer) => made.call(undefined, peer).status)).toEqual([200, 429, 200]);
  });

  it.each([
    ['enabled', { enabled: { numerator: 40, denominator: 100 } }],
    ['enforced', { enforced: { numerator: 40, denominator: 100 } }],
  ])('follows the dice of what is %s', (_which, config) => {
    const draw = (value: number) =>
      statuses(
        scene({ ...config, limiter: { ...BASE.limiter, bucket: per1000s(1) } }, [], () => value),
        [undefined, undefined],
      );
    expect([draw(0.39), draw(0.4)]).toEqual([
      [200, 429],
      [200, 200],
    ]);
  });
});

describe('descriptors of a local rate limit (measured on Envoy 1.40)', () => {
  const forA = { entries: [{ key: 'who', value: 'a' }], bucket: per1000s(1) };
  const forB = { entries: [{ key: 'who', value: 'b' }], bucket: per1000s(2) };

  it('have buckets of their own, and what they let pass counts for the default one too', () => {
    const made = scene({ limiter: { ...BASE.limiter, bucket: per1000s(4), descriptors: [forA, forB] } }, [who]);
    expect(statuses(made, ['a', 'a', 'b', 'b', 'b', undefined, undefined])).toEqual([200, 429, 200, 200, 429, 200, 429]);
  });

  it('leave the default bucket alone when told to', () => {
    const limiter = { ...BASE.limiter, descriptors: [forA], alwaysConsumeDefault: false };
    expect(statuses(scene({ limiter }, [who]), ['a', 'a', 'b', 'b', 'b', undefined])).toEqual([200, 429, 200, 200, 429, 429]);
  });

  it('without a value have a bucket for each value, as many as may be kept', () => {
    const limiter = {
      ...BASE.limiter,
      bucket: per1000s(100),
      descriptors: [{ entries: [{ key: 'who', value: '' }], bucket: per1000s(1) }],
    };
    expect(statuses(scene({ limiter }, [who]), ['a', 'a', 'b', 'b', undefined])).toEqual([200, 429, 200, 429, 200]);
    const few = scene({ limiter: { ...limiter, maxDynamic: 2 } }, [who]);
    expect(statuses(few, ['a', 'b', 'a', 'c', 'b', 'a'])).toEqual([200, 200, 429, 200, 200, 200]);
  });

  it('are all asked, slowest first; the slowest speaks for the headers', () => {
    const fast = { entries: [{ key: 'x', value: 'y' }], bucket: { maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 100_000 } };
    const slow = { entries: [{ key: 'who', value: 'a' }], bucket: per1000s(2) };
    const made = scene({ tellsLimits: true, limiter: { ...BASE.limiter, bucket: per1000s(10), descriptors: [fast, slow] } }, [always, who]);
    const told = (value: string) => {
      const { status, head } = made.call(value);
      return [status, ...['limit', 'remaining', 'reset'].map((name) => head.header(`x-ratelimit-${name}`))];
    };
    expect([told('a'), told('a'), told('b')]).toEqual([
      [200, '2', '1', '0'],
      [429, '1', '0', '100'],
      [429, '1', '0', '100'],
    ]);
  });
});

describe('of a local rate limit', () => {
  const pair = (value: string): RateLimitPolicy => ({
    stage: 0,
    describe: ({ request }) => ({
      entries: [
        { key: 'kind', value },
        { key: 'who', value: request.header('x-who') ?? '' },
      ],
      limit: undefined,
    }),
  });
  const limiterOf = (...entries: { key: string; value: string }[]) => ({
    ...BASE.limiter,
    bucket: undefined,
    descriptors: [{ entries, bucket: per1000s(1) }],
  });

  it('a descriptor of which one value is open takes what has the others, and has a bucket for each', () => {
    const limiter = limiterOf({ key: 'kind', value: 'x' }, { key: 'who', value: '' });
    expect(statuses(scene({ limiter }, [pair('x')]), ['a', 'a', 'b'])).toEqual([200, 429, 200]);
    expect(statuses(scene({ limiter }, [pair('y')]), ['a', 'a'])).toEqual([200, 200]);
    expect(statuses(scene({ limiter }, [who]), ['a', 'a'])).toEqual([200, 200]); // One entry is not two.
  });

  it('a descriptor takes only its own keys, and as many', () => {
    for (const entries of [
      [{ key: 'kind', value: '' }],
      [
        { key: 'kind', value: 'x' },
        { key: 'other', value: '' },
      ],
      [
        { key: 'other', value: '' },
        { key: 'who', value: 'a' },
      ],
    ])
      expect(statuses(scene({ limiter: limiterOf(...entries) }, [pair('x')]), ['a', 'a'])).toEqual([200, 200]);
  });

  it('what no descriptor takes is not limited where there is no default, and no limit is told', () => {
    const made = scene({ limiter: limiterOf({ key: 'who', value: 'a' }), tellsLimits: true }, [who]);
    expect(statuses(made, ['b', 'b', undefined])).toEqual([200, 200, 200]);
    expect([made.call('b'), made.call('a')].map(({ head }) => head.header('x-ratelimit-limit'))).toEqual([undefined, '1']);
  });

  it('the descriptors are those of the filter, where it has any, else those of the route', () => {
    const limiter = limiterOf({ key: 'who', value: 'a' });
    expect(statuses(scene({ limiter, rateLimits: [who] }, [always]), ['a', 'a'])).toEqual([200, 429]);
    expect(statuses(scene({ limiter, rateLimits: [always] }, [who]), ['a', 'a'])).toEqual([200, 200]);
  });

  it.each([
    [true, 8],
    [false, undefined],
  ])('gRPC callers are told that a resource is exhausted: %s', (resourceExhausted, grpcStatus) => {
    const made = scene({ resourceExhausted, limiter: { ...BASE.limiter, bucket: per1000s(0) } });
    expect(made.call().reply!.grpcStatus).toBe(grpcStatus);
  });

  it('no limit is told unless it is to be', () => {
    expect(scene({ responseHeaders: [] }).filter.onResponse).toBeUndefined();
    expect(scene().call().head.header('x-ratelimit-limit')).toBeUndefined();
  });

  it('the counters have its name, in characters that a metric may have', () => {
    const { env, call } = scene({ statPrefix: 'a.b-c' });
    call();
    const counted = (env.counters as FilterCounters).all().filter(({ value }) => value > 0);
    expect(counted.map(({ name }) => name)).toEqual(['enabled', 'ok'].map((what) => `envoy_a_b_c_http_local_rate_limit_${what}`));
  });

  it('a record is told that it would be asked, and nothing is counted', () => {
    const { filter, counts } = scene();
    const decision = new DecisionRecord({ dryRun: true });
    const x = exchange();
    x.decision = decision;
    expect(filter.explain!(x)).toBeUndefined();
    expect(filter.explain!(exchange())).toBeUndefined();
    expect(decision.decisions).toEqual([{ step: 'filter', text: 'a local rate limit would be asked' }]);
    expect(counts()).toEqual({ enabled: 0, ok: 0, rate_limited: 0, enforced: 0 });
  });
});

describe('a token bucket (Envoy’s AtomicTokenBucket)', () => {
  it('fills evenly, not at the ends of intervals, and never above its size', () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket({ maxTokens: 3, tokensPerFill: 2, fillIntervalMs: 1000 }, clock);
    const taken = (count: number) => Array.from({ length: count }, () => bucket.take());
    expect(taken(4)).toEqual([true, true, true, false]);
    clock.advance(499);
    expect([bucket.take(), bucket.resetSeconds]).toEqual([false, 1]);
    clock.advance(1);
    expect(taken(2)).toEqual([true, false]);
    clock.advance(60_000);
    expect(bucket.remaining).toBe(3);
    expect(taken(4)).toEqual([true, true, true, false]);
  });

  it('keeps a broken token across takes', () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket({ maxTokens: 2, tokensPerFill: 1, fillIntervalMs: 200 }, clock);
    bucket.take();
    bucket.take();
    clock.advance(300);
    expect([bucket.take(), bucket.take()]).toEqual([true, false]);
    clock.advance(100);
    expect(bucket.take()).toBe(true);
  });

  it('says in whole seconds when the next token comes, rounded up', () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket({ maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 10_000 }, clock);
    expect(bucket.resetSeconds).toBe(0);
    bucket.take();
    expect(bucket.resetSeconds).toBe(10);
    clock.advance(30);
    expect(bucket.resetSeconds).toBe(10);
    clock.advance(9_000);
    expect(bucket.resetSeconds).toBe(1);
  });
});
