import { describe, expect, it } from 'vitest';
import { DecisionRecord } from '../decision-record.ts';
import type { FilterEnv } from '../filter.ts';
import type { FilterCounters } from '../filter-counters.ts';
import type { LocalReply } from '../local-reply.ts';
import { exchange, FakeHead } from '../testing/fakes.ts';
import { createRateLimit, type RateLimitAnswer, type RateLimitConfig } from './rate-limit.ts';
import type { RateLimitDescriptor, RateLimitPolicy } from './rate-limit-descriptors.ts';

const OK = { kind: 'ok', requestHeaders: [], responseHeaders: [], body: '', metadata: undefined, statuses: [] } as const;

function policy(value: string, stage = 0): RateLimitPolicy {
  return { stage, describe: () => (value === '' ? undefined : { entries: [{ key: 'k', value }], limit: undefined }) };
}

interface Scene {
  readonly config?: Partial<RateLimitConfig>;
  readonly answer?: Partial<Exclude<RateLimitAnswer, { kind: 'error' }>> | { readonly kind: 'error'; readonly reason: string };
  readonly route?: readonly RateLimitPolicy[];
  readonly internal?: string;
  readonly decision?: DecisionRecord;
  readonly counters?: FilterCounters;
}

async function pass({ config = {}, answer = {}, route = [policy('route')], internal, decision, counters }: Scene) {
  const asked: (readonly [string, readonly RateLimitDescriptor[]])[] = [];
  const filter = createRateLimit(
    {
      service: {
        ask: async (_x, domain, descriptors) => {
          asked.push([domain, descriptors]);
          return { ...OK, ...answer } as RateLimitAnswer;
        },
      },
      domain: 'shop',
      stage: 0,
      hostRateLimits: 'override',
      rateLimits: [],
      requests: 'both',
      failureModeDeny: false,
      resourceExhausted: false,
      limitedStatus: 429,
      statusOnError: 500,
      tellsLimits: false,
      marksLimited: false,
      responseHeaders: [],
      ...config,
    },
    { counters, place: { scope: '', rateLimits: { route, host: [], includeHost: false } } } as unknown as FilterEnv,
  );
  const request = new FakeHead(internal === undefined ? {} : { 'x-envoy-internal': internal });
  const x = exchange({ request });
  x.decision = decision;
  const reply = (await filter?.onRequest?.(x)) as LocalReply | undefined;
  const head = new FakeHead({}, { status: reply?.status ?? 200 });
  filter?.onResponse?.(x, head);
  return { filter, x, request, head, reply, asked, values: asked.flatMap(([, all]) => all.map(({ entries }) => entries[0]!.value)) };
}

describe('a global rate limit', () => {
  it('asks its service, in its domain, about what the route makes of a request; and nobody where that is nothing', async () => {
    const { filter, asked } = await pass({});
    expect(filter!.name).toBe('envoy.filters.http.ratelimit');
    expect(asked).toEqual([['shop', [{ entries: [{ key: 'k', value: 'route' }], limit: undefined }]]]);
    expect((await pass({ route: [] })).filter).toBeUndefined();
    const silent = await pass({ route: [policy('')] });
    expect([silent.filter === undefined, silent.asked]).toEqual([false, []]);
  });

  it('has the limits of its own configuration at its stage in the place of the route’s', async () => {
    const rateLimits = [policy('own'), policy('other', 1)];
    expect((await pass({ config: { rateLimits } })).values).toEqual(['own']);
    expect((await pass({ config: { rateLimits, stage: 1 } })).values).toEqual(['other']);
    expect((await pass({ config: { rateLimits, stage: 2 } })).filter).toBeUndefined();
  });

  it.each<[requests: RateLimitConfig['requests'], internal: string | undefined, asks: boolean]>([
    ['both', undefined, true],
    ['both', 'true', true],
    ['internal', 'true', true],
    ['internal', undefined, false],
    ['external', 'true', false],
    ['external', undefined, true],
    ['external', 'false', true],
  ])('for %s requests is asked of one with x-envoy-internal %s: %s', async (requests, internal, asks) => {
    expect((await pass({ config: { requests }, ...(internal === undefined ? {} : { internal }) })).asked).toHaveLength(asks ? 1 : 0);
  });

  it.each([
    [true, 8],
    [false, undefined],
  ])('refuses what is over the limit, with what the service says; as exhausted %s', async (resourceExhausted, grpcStatus) => {
    const { reply } = await pass({ config: { resourceExhausted }, answer: { kind: 'over-limit', body: 'slow down' } });
    expect(reply).toMatchObject({ status: 429, body: 'slow down', details: 'request_rate_limited', flags: 0x800 });
    expect(reply!.grpcStatus).toBe(grpcStatus);
  });

  it('lets requests go on when the service fails, or refuses them', async () => {
    const answer = { kind: 'error', reason: 'down' } as const;
    const open = await pass({ answer });
    expect([open.reply, open.head.lines]).toEqual([undefined, []]);
    expect((await pass({ answer, config: { failureModeDeny: true } })).reply).toMatchObject({ status: 500, details: 'rate_limiter_error' });
  });

  it('writes the headers of the service, to the request only where it goes on', async () => {
    const answer = { requestHeaders: [['x-q', '1']], responseHeaders: [['x-r', '2']] } as const;
    const ok = await pass({ answer });
    expect([ok.request.header('x-q'), ok.head.header('x-r')]).toEqual(['1', '2']);
    const over = await pass({ answer: { ...answer, kind: 'over-limit' } });
    expect([over.request.header('x-q'), over.head.header('x-r')]).toEqual([undefined, '2']);
  });

  it('marks its own refusals where it is to, with the headers of its configuration', async () => {
    const config: Partial<RateLimitConfig> = {
      marksLimited: true,
      responseHeaders: [{ name: 'x-own', value: '1', action: 'OVERWRITE_IF_EXISTS_OR_ADD', keepEmpty: false }],
    };
    const marks = async (scene: Scene): Promise<unknown> => {
      const { head } = await pass(scene);
      return [head.header('x-envoy-ratelimited'), head.header('x-own')];
    };
    expect(await marks({ config, answer: { kind: 'over-limit' } })).toEqual(['true', '1']);
    expect(await marks({ config })).toEqual([undefined, undefined]);
    expect(await marks({ answer: { kind: 'over-limit' } })).toEqual([undefined, undefined]);
  });

  it('tells the limit with least left, and the windows of all, where it is to', async () => {
    const status = { name: '', requestsPerUnit: 10, windowSeconds: 60, remaining: 5, resetSeconds: 30 };
    const told = async (statuses: readonly (typeof status)[], tellsLimits = true): Promise<unknown> => {
      const { head } = await pass({ config: { tellsLimits }, answer: { statuses } });
      return ['limit', 'remaining', 'reset'].map((name) => head.header(`x-ratelimit-${name}`));
    };
    expect(await told([])).toEqual([undefined, undefined, undefined]);
    expect(await told([status], false)).toEqual([undefined, undefined, undefined]);
    expect(await told([status, { ...status, name: 'a', requestsPerUnit: 3, windowSeconds: 1, remaining: 2, resetSeconds: 1 }])).toEqual([
      '3, 10;w=60, 3;w=1;name="a"',
      '2',
      '1',
    ]);
    expect(await told([status, { ...status, requestsPerUnit: 4, windowSeconds: 0 }])).toEqual(['10, 10;w=60', '5', '30']);
    expect(await told([status, { ...status, remaining: 6 }])).toEqual(['10, 10;w=60, 10;w=60', '5', '30']);
  });

  it('leaves what the service says for other filters, if it says something', async () => {
    expect((await pass({})).x.metadata).toBeUndefined();
    expect((await pass({ answer: { metadata: { a: 1 } } })).x.metadata?.get('envoy.filters.http.ratelimit')).toEqual({ a: 1 });
  });

  it('tells a record what was said, or, where nothing is sent, that it would be asked', async () => {
    const told = async (scene: Scene): Promise<unknown> => {
      const decision = new DecisionRecord();
      await pass({ ...scene, decision });
      return decision.decisions.map(({ step, text }) => `${step}: ${text}`);
    };
    expect(await told({})).toEqual(['filter: rate limit service: ok']);
    expect(await told({ answer: { kind: 'error', reason: 'down' } })).toEqual(['filter: rate limit service: down']);
    const explained = async (route: readonly RateLimitPolicy[]): Promise<unknown> => {
      const { filter } = await pass({ route });
      const x = exchange();
      filter!.explain!(x);
      x.decision = new DecisionRecord({ dryRun: true });
      expect(filter!.explain!(x)).toBeUndefined();
      return x.decision.decisions;
    };
    expect(await explained([policy('a')])).toEqual([{ step: 'filter', text: 'a rate limit service would be asked' }]);
    expect(await explained([policy('')])).toEqual([]);
  });
});
