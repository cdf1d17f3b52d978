import { describe, expect, it } from 'vitest';
import { ClusterState } from '../cluster/cluster-state.ts';
import { DEFAULT_THRESHOLDS, type ThresholdsSpec } from '../cluster/resources.ts';
import type { Exchange } from '../exchange.ts';
import type { ResetReason } from '../outcome.ts';
import { formatResponseFlags } from '../response-flags.ts';
import { compileHeaderMatch } from '../route/header-matcher.ts';
import { clusterSpec, exchange, FakeClock, FakeHead, seeded } from '../testing/fakes.ts';
import type { RetryPolicy } from './retry-policy.ts';
import { RetryState } from './retry-state.ts';

function policy(retryOn: string, changes: Partial<RetryPolicy> = {}): RetryPolicy {
  return {
    retryOn: new Set(retryOn.split(',')),
    numRetries: 1,
    perTryTimeoutMs: 0,
    perTryIdleTimeoutMs: 0,
    retriableStatusCodes: new Set(),
    backOffBaseMs: 25,
    backOffMaxMs: 250,
    avoidPreviousHosts: false,
    previousPrioritiesFrequency: 0,
    hostSelectionMaxAttempts: 1,
    ...changes,
  };
}

interface Scene {
  readonly state: RetryState;
  readonly x: Exchange;
  readonly cluster: ClusterState;
}

function scene(of: RetryPolicy, thresholds: Partial<ThresholdsSpec> = {}, random = seeded(1), x = exchange()): Scene {
  const clock = new FakeClock();
  const cluster = new ClusterState(clusterSpec({ thresholds: { ...DEFAULT_THRESHOLDS, ...thresholds } }), { clock, random });
  return { state: new RetryState(of, x, cluster, random, clock), x, cluster };
}

const response = (status: number, headers: Record<string, string> = {}): FakeHead => new FakeHead(headers, { status });

const RESETS: readonly ResetReason[] = [
  'connect-failure',
  'connect-timeout',
  'tls-failure',
  'connection-termination',
  'remote-reset',
  'refused-stream',
  'protocol-error',
  'per-try-timeout',
  'per-try-idle-timeout',
  'global-timeout',
  'overflow',
  'local-reset',
];
const CONNECTING = ['connect-failure', 'connect-timeout', 'tls-failure'];
const EVERY = RESETS.slice(0, 9);

describe('retry_on', () => {
  it.each<[token: string, statuses: readonly number[], resets: readonly string[]]>([
    ['5xx', [500, 501, 502, 503, 504, 599], EVERY],
    ['gateway-error', [502, 503, 504], EVERY],
    ['reset', [], EVERY],
    ['connect-failure', [], CONNECTING],
    ['reset-before-request', [], CONNECTING],
    ['refused-stream', [], ['refused-stream']],
    ['retriable-4xx', [409], []],
    ['retriable-status-codes', [425, 429], []],
    ['envoy-ratelimited', [], []],
    ['retriable-headers', [], []],
    ['cancelled', [], []],
    ['unavailable', [], []],
  ])('%s retries statuses %j and resets %j', (token, statuses, resets) => {
    const of = policy(token, { retriableStatusCodes: new Set([425, 429]) });
    const retried = (run: (state: RetryState) => number | undefined): boolean => run(scene(of).state) !== undefined;
    const all = [200, 204, 301, 400, 404, 408, 409, 425, 429, 500, 501, 502, 503, 504, 599];
    expect(all.filter((status) => retried((state) => state.onResponse(response(status))))).toEqual(statuses);
    expect(RESETS.filter((reason) => retried((state) => state.onReset(reason)))).toEqual(resets);
  });

  it('retriable_status_codes without the token do nothing', () => {
    expect(scene(policy('connect-failure', { retriableStatusCodes: new Set([503]) })).state.onResponse(response(503))).toBeUndefined();
  });

  it.each<[token: string, status: string]>([
    ['cancelled', '1'],
    ['deadline-exceeded', '4'],
    ['resource-exhausted', '8'],
    ['internal', '13'],
    ['unavailable', '14'],
  ])('%s retries grpc-status %s in response headers, and no other', (token, status) => {
    const retried = Array.from({ length: 17 }, (_none, code) => String(code)).filter(
      (code) => scene(policy(token)).state.onResponse(response(200, { 'grpc-status': code })) !== undefined,
    );
    expect(retried).toEqual([status]);
    // A status in trailers is not in the headers: nothing to retry.
    expect(scene(policy(token)).state.onResponse(response(200))).toBeUndefined();
  });

  it('retriable-headers retries any match', () => {
    const needs = (name: string, value: string) =>
      compileHeaderMatch({ name, match: { kind: 'string', test: (text) => text === value }, invert: false, treatMissingAsEmpty: false });
    const of = policy('retriable-headers', { retriableHeaders: [needs('x-again', 'yes'), needs(':status', '418')] });
    const retried = (head: FakeHead): boolean => scene(of).state.onResponse(head) !== undefined;
    expect([retried(response(200, { 'x-again': 'yes' })), retried(response(418)), retried(response(200, { 'x-again': 'no' }))]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('a rate-limited response is retried by its own token alone', () => {
    const limited = response(503, { 'x-envoy-ratelimited': 'true' });
    expect(
      scene(policy('5xx,gateway-error,retriable-status-codes', { retriableStatusCodes: new Set([503]) })).state.onResponse(limited),
    ).toBeUndefined();
    expect(scene(policy('envoy-ratelimited')).state.onResponse(limited)).toBeDefined();
  });

  it('an overloaded response may be retried', () => {
    expect(scene(policy('5xx')).state.onResponse(response(503, { 'x-envoy-overloaded': 'true' }))).toBeDefined();
  });

  it('retriable_request_headers are a gate for everything', () => {
    const get = compileHeaderMatch({
      name: ':method',
      match: { kind: 'string', test: (text) => text === 'GET' },
      invert: false,
      treatMissingAsEmpty: false,
    });
    const of = policy('5xx', { retriableRequestHeaders: [get] });
    const by = (method: string): Scene => scene(of, {}, seeded(1), exchange({ request: new FakeHead({}, { method }) }));
    expect([by('GET').state.onResponse(response(500)) !== undefined, by('POST').state.onResponse(response(500)) !== undefined]).toEqual([
      true,
      false,
    ]);
    expect([by('GET').state.onReset('remote-reset') !== undefined, by('POST').state.onReset('remote-reset') !== undefined]).toEqual([
      true,
      false,
    ]);
    const refused = by('POST');
    refused.state.onResponse(response(500));
    expect(formatResponseFlags(refused.x.flags)).toBe('-');
  });
});

describe('how many retries', () => {
  it.each([0, 1, 2, 5])('num_retries %i, then URX', (numRetries) => {
    const { state, x } = scene(policy('5xx', { numRetries }), { maxRetries: 1000 });
    let made = 0;
    while (state.onResponse(response(503)) !== undefined) made++;
    expect([made, formatResponseFlags(x.flags)]).toEqual([numRetries, 'URX']);
  });

  it('a good last attempt leaves no flag', () => {
    const { state, x } = scene(policy('5xx', { numRetries: 2 }));
    state.onResponse(response(503));
    expect(state.onResponse(response(200))).toBeUndefined();
    expect(formatResponseFlags(x.flags)).toBe('-');
  });

  it('the retry breaker refuses with UO, and an attempt is used up all the same', () => {
    const { state, x, cluster } = scene(policy('5xx', { numRetries: 2 }), { maxRetries: 1 });
    cluster.resources.retries.tryTake();
    expect(state.onResponse(response(503))).toBeUndefined();
    expect(formatResponseFlags(x.flags)).toBe('UO');
    cluster.resources.retries.give();
    expect(state.onResponse(response(503))).toBeDefined();
    state.onResponse(response(503));
    expect(formatResponseFlags(x.flags)).toBe('URX,UO');
  });

  it('holds one place of the breaker from the decision to the next one or the end, never two', () => {
    const { state, cluster } = scene(policy('5xx', { numRetries: 5 }));
    const used: number[] = [];
    for (const status of [503, 503, 200]) {
      state.onResponse(response(status));
      used.push(cluster.resources.retries.used);
    }
    state.onReset('remote-reset');
    used.push(cluster.resources.retries.used);
    state.release();
    state.release();
    expect([...used, cluster.resources.retries.used]).toEqual([1, 1, 0, 1, 0]);
  });

  it('a budget lets a fifth of what is in flight be retried', () => {
    const { cluster } = scene(policy('5xx'), { maxRequests: 1000, retryBudget: { percent: 20, minimumConcurrency: 0 } });
    for (let count = 0; count < 50; count++) cluster.resources.requests.tryTake();
    const states = Array.from({ length: 50 }, () => new RetryState(policy('5xx'), exchange(), cluster, seeded(1)));
    expect(states.filter((state) => state.onResponse(response(503)) !== undefined)).toHaveLength(10);
    for (const state of states) state.release();
    expect(cluster.resources.retries.used).toBe(0);
  });
});

describe('back-off', () => {
  const delays = (of: RetryPolicy, random: () => number): number[] => {
    const { state } = scene(of, { maxRetries: 1000 }, random);
    return Array.from({ length: of.numRetries }, () => state.onResponse(response(503))!);
  };

  it.each<[base: number, max: number, ceilings: number[]]>([
    [25, 250, [25, 50, 100, 200, 250, 250]],
    [50, 300, [50, 100, 200, 300, 300]],
    [1, 10, [1, 2, 4, 8, 10]],
    [100, 100, [100, 100, 100]],
  ])('of base %i and max %i ms lies in [0, %j)', (backOffBaseMs, backOffMaxMs, ceilings) => {
    const of = policy('5xx', { numRetries: ceilings.length, backOffBaseMs, backOffMaxMs });
    expect(delays(of, () => 0)).toEqual(ceilings.map(() => 0));
    expect(delays(of, () => 0.5)).toEqual(ceilings.map((ceiling) => ceiling / 2));
    for (let seed = 0; seed < 200; seed++) {
      for (const [index, delay] of delays(of, seeded(seed)).entries()) {
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThan(ceilings[index]!);
      }
    }
  });

  const rateLimitedBackOff = {
    resetHeaders: [{ name: 'retry-after', format: 'seconds' } as const, { name: 'x-reset', format: 'unix_timestamp' } as const],
    maxIntervalMs: 300_000,
  };
  const now = 1_700_000_000;

  it.each<[name: string, headers: Record<string, string>, from: number, to: number]>([
    ['seconds', { 'retry-after': '1' }, 1000, 1500],
    ['a time of day', { 'x-reset': String(now + 7) }, 7000, 10_500],
    ['the first header that is usable', { 'retry-after': '2', 'x-reset': String(now + 9) }, 2000, 3000],
    ['more than the longest is passed over', { 'retry-after': '301', 'x-reset': String(now + 9) }, 9000, 13_500],
    ['the longest itself is not', { 'retry-after': '300' }, 300_000, 450_000],
    ['a time that is over: the usual back-off', { 'x-reset': String(now - 1) }, 0, 25],
    ['no number: the usual back-off', { 'retry-after': 'soon' }, 0, 25],
    ['zero: the usual back-off', { 'retry-after': '0' }, 0, 25],
    ['no header: the usual back-off', {}, 0, 25],
  ])('as the response says: %s', (_name, headers, from, to) => {
    for (const [random, bound] of [[() => 0, from] as const, [() => 1 - 1e-9, to] as const]) {
      expect(scene(policy('5xx', { rateLimitedBackOff }), {}, random).state.onResponse(response(503, headers))).toBeCloseTo(bound, 2);
    }
  });

  it('as a response says does not make it retriable, nor does it lengthen later ones', () => {
    const of = policy('5xx', { rateLimitedBackOff, numRetries: 3 });
    expect(scene(of).state.onResponse(response(429, { 'retry-after': '1' }))).toBeUndefined();
    const { state } = scene(of, {}, () => 0.5);
    expect(state.onResponse(response(503, { 'retry-after': '1' }))).toBe(1250);
    expect(state.onResponse(response(503))).toBe(12.5);
    expect(state.onReset('remote-reset')).toBe(25);
  });
});
