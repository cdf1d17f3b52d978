import { describe, expect, it } from 'vitest';
import { ConnectionAdmission } from '../connection-admission.ts';
import type { Exchange } from '../exchange.ts';
import type { Filter, FilterEnv } from '../filter.ts';
import { FilterCounters } from '../filter-counters.ts';
import type { LocalReply } from '../local-reply.ts';
import { exchange, FakeClock } from '../testing/fakes.ts';
import { createConnectionLimit } from './connection-limit.ts';
import { createConnectionRateLimit } from './connection-rate-limit.ts';

const END = { status: 0, grpcStatus: undefined, requestBytes: 0, responseBytes: 0, endedAt: 0 };

/** State that outlives pushes, and what is counted. */
function world() {
  const kept = new Map<string, unknown>();
  const counters = new FilterCounters();
  const clock = new FakeClock();
  const env: FilterEnv = {
    counters,
    clock,
    random: () => 0,
    direction: 'inbound',
    statPrefix: 'port',
    state: <T>(key: string, create: () => T): T => {
      if (!kept.has(key)) kept.set(key, create());
      return kept.get(key) as T;
    },
  };
  return { env, clock, counted: () => Object.fromEntries(counters.all().map(({ name, value }) => [name.replace('envoy_', ''), value])) };
}

function details(verdict: ReturnType<NonNullable<Filter['onRequest']>>): string {
  return verdict === undefined ? 'passes' : verdict instanceof Promise ? 'waits' : verdict.details;
}

describe('a limit of connections', () => {
  it('lets so many in, and others when they have ended', () => {
    const { env, counted } = world();
    const filter = createConnectionLimit({ statPrefix: 'l', maxConnections: 2, delayMs: 0 }, env);
    const [first, second, third] = [exchange(), exchange(), exchange()] as const;
    expect([first, second, third].map((x) => details(filter.onRequest!(x)))).toEqual(['passes', 'passes', 'over_connection_limit']);
    filter.onEnd!(third, END);
    expect(details(filter.onRequest!(third))).toBe('over_connection_limit');
    filter.onEnd!(first, END);
    expect(details(filter.onRequest!(third))).toBe('passes');
    expect(counted()).toEqual({ connection_limit_limited_connections: 2 });
  });

  it('counts on over a push, with the new number', () => {
    const { env } = world();
    const open = exchange();
    createConnectionLimit({ statPrefix: 'l', maxConnections: 2, delayMs: 0 }, env).onRequest!(open);
    const pushed = createConnectionLimit({ statPrefix: 'l', maxConnections: 1, delayMs: 0 }, env);
    expect(details(pushed.onRequest!(exchange()))).toBe('over_connection_limit');
    pushed.onEnd!(open, END);
    expect(details(pushed.onRequest!(exchange()))).toBe('passes');
  });

  it('refuses late where it is to', async () => {
    const { env, clock } = world();
    const filter = createConnectionLimit({ statPrefix: 'l', maxConnections: 1, delayMs: 400 }, env);
    filter.onRequest!(exchange());
    let answer: LocalReply | undefined;
    const late = filter.onRequest!(exchange()) as Promise<LocalReply | undefined>;
    void late.then((reply) => (answer = reply));
    clock.advance(399);
    await Promise.resolve();
    expect(answer).toBeUndefined();
    clock.advance(1);
    expect((await late)?.details).toBe('over_connection_limit');
  });
});

describe('a rate of connections', () => {
  it('takes a token for each, which come back with time and not with a push', () => {
    const { env, clock, counted } = world();
    const bucket = { maxTokens: 2, tokensPerFill: 1, fillIntervalMs: 1_000 };
    const judge = (): string => details(createConnectionRateLimit({ statPrefix: 'r', bucket, shareKey: '' }, env).onRequest!(exchange()));
    expect([judge(), judge(), judge()]).toEqual(['passes', 'passes', 'local_ratelimit_close_over_limit']);
    clock.advance(1_000);
    expect([judge(), judge()]).toEqual(['passes', 'local_ratelimit_close_over_limit']);
    expect(counted()).toEqual({ local_rate_limit_rate_limited: 2 });
  });

  it('is one for all filters of a key', () => {
    const { env } = world();
    const bucket = { maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 1_000 };
    const judge = (statPrefix: string, shareKey: string): string =>
      details(createConnectionRateLimit({ statPrefix, bucket, shareKey }, env).onRequest!(exchange()));
    expect([judge('a', 'k'), judge('b', 'k'), judge('a', ''), judge('b', '')]).toEqual([
      'passes',
      'local_ratelimit_close_over_limit',
      'passes',
      'passes',
    ]);
  });
});

describe('the filters of a connection', () => {
  const reply = { details: 'no' } as LocalReply;
  const filter = (name: string, verdict: Filter['onRequest'], heard: string[]): Filter => ({
    name,
    onRequest: (x) => {
      heard.push(name);
      return verdict!(x);
    },
    onEnd: () => heard.push(`${name} end`),
  });

  it('are asked in order until one refuses; those hear of the end, once', () => {
    const heard: string[] = [];
    const filters = [filter('a', () => undefined, heard), filter('b', () => reply, heard), filter('c', () => undefined, heard)];
    const admission = new ConnectionAdmission(filters, exchange(), () => {});
    let verdict: LocalReply | undefined;
    admission.judge((denied) => (verdict = denied));
    admission.end(END);
    admission.end(END);
    expect([verdict, heard]).toEqual([reply, ['a', 'b', 'a end', 'b end']]);
  });

  it.each<[string, (x: Exchange) => LocalReply | undefined | Promise<LocalReply | undefined>]>([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('one that %s refuses, and is told', async (_how, verdict) => {
    const told: string[] = [];
    const admission = new ConnectionAdmission([{ name: 'a', onRequest: verdict }], exchange(), (line) => told.push(line));
    const denied = await new Promise<LocalReply | undefined>((resolve) => admission.judge(resolve));
    expect([denied?.details, told.join()]).toEqual(['ripstop_filter_failed', expect.stringContaining('broken')]);
  });

  it('may be waited for, one behind the other', async () => {
    const heard: string[] = [];
    const filters = [filter('a', async () => undefined, heard), filter('b', async () => reply, heard)];
    const denied = await new Promise<LocalReply | undefined>((resolve) =>
      new ConnectionAdmission(filters, exchange(), () => {}).judge(resolve),
    );
    expect([denied, heard]).toEqual([reply, ['a', 'b']]);
  });
});
