import { describe, expect, it } from 'vitest';
import type { ResetReason } from '../outcome.ts';
import type { RetryPolicy } from '../retry/retry-policy.ts';
import { WalkScene } from '../testing/fake-driver.ts';
import { clusterSpec } from '../testing/fakes.ts';

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

const retry = policy('5xx', { numRetries: 2 });

/** Whatever happened: every request is over, and nothing is left behind. */
function expectNothingLeft(scene: WalkScene): void {
  const { requests, retries } = scene.cluster.resources;
  const active = scene.cluster.endpoints.map((host) => host.activeRequests);
  const left = { ended: scene.ended.length, running: scene.running, held: scene.held, used: [requests.used, retries.used], active };
  expect(left).toEqual({ ended: 1, running: [], held: 0, used: [0, 0], active: [0, 0, 0] });
}

type Story = [
  what: string,
  action: ConstructorParameters<typeof WalkScene>[0],
  happens: (scene: WalkScene) => unknown,
  got: string,
  flags: string,
];

describe('the walk of an exchange', () => {
  it.each<Story>([
    ['a good answer is the app’s', { retry }, (s) => s.answers(1, 200), '200', '-'],
    ['a bad one is tried again after the back-off', { retry }, (s) => s.answers(1, 503).after(25).answers(2, 200), '200', '-'],
    ['without a policy it is the app’s', {}, (s) => s.answers(1, 503), '503', '-'],
    ['a body that cannot be sent again too', { retry }, (s) => Object.assign(s, { replayable: false }).answers(1, 503), '503', '-'],
    [
      'the last of too many is the app’s',
      { retry },
      (s) => s.answers(1, 500).after(50).answers(2, 501).after(99).answers(3, 502),
      '502',
      'URX',
    ],
    ['a reset is tried again', { retry }, (s) => s.breaks(1, 'remote-reset').after(25).answers(2, 200), '200', '-'],
    [
      'the last reset is told',
      { retry },
      (s) => s.breaks(1, 'connect-failure').after(25).breaks(2, 'remote-reset').after(50).breaks(3, 'connection-termination'),
      '503 upstream connect error or disconnect/reset before headers. retried and the latest reset reason: connection termination',
      'URX,UC',
    ],
    [
      'the route timeout ends all of it',
      { retry, timeoutMs: 100 },
      (s) => s.answers(1, 503).after(25).after(75),
      '504 upstream request timeout',
      'UT',
    ],
    [
      'also a back-off',
      { retry: policy('5xx', { backOffBaseMs: 1000, backOffMaxMs: 1000 }), timeoutMs: 1 },
      (s) => s.answers(1, 503).after(1),
      '504 upstream request timeout',
      'UT',
    ],
    [
      'a try that takes too long is tried again',
      { retry: policy('5xx', { perTryTimeoutMs: 10 }), timeoutMs: 100 },
      (s) => s.sent().after(10).after(25).answers(2, 200),
      '200',
      '-',
    ],
    [
      'until there is no other',
      { retry: policy('5xx', { perTryTimeoutMs: 10 }), timeoutMs: 100 },
      (s) => s.sent().after(10).after(25).sent().after(10),
      '504 upstream request timeout',
      'URX,UT',
    ],
    ['the longest duration', { maxStreamDurationMs: 10 }, (s) => s.after(10), '504 downstream duration timeout', '-'],
    ['silence', { idleTimeoutMs: 10 }, (s) => s.after(10), '504 stream timeout', 'SI'],
  ])('%s', (_what, action, happens, got, flags) => {
    const scene = new WalkScene(action);
    happens(scene);
    expect([scene.got, scene.flags]).toEqual([got, flags]);
    expectNothingLeft(scene);
  });

  it('a host that nobody is called by is not tried again, and no host is to blame', () => {
    const scene = new WalkScene({ retry });
    scene.walk.onUnresolved(scene.attempts[0]!, 'cares_norecords:Domain name not found');
    expect([scene.got, scene.flags, scene.x.details]).toEqual([
      '503 DNS resolution failure',
      'DF',
      'dns_resolution_failure{cares_norecords:Domain_name_not_found}',
    ]);
    expect([scene.attempts.length, scene.x.endpoint]).toEqual([1, undefined]);
    expectNothingLeft(scene);
  });

  it('a request that does not come to its end: 408, unless there is a response already', () => {
    const late = (happens: (scene: WalkScene) => void): string => {
      const scene = new WalkScene({}, {}, undefined, [], 10);
      happens(scene);
      expectNothingLeft(scene);
      return `${scene.got} ${scene.x.details}`;
    };
    expect(late((scene) => scene.after(10))).toBe('408 request timeout request_overall_timeout');
    expect(late((scene) => scene.answers(1, 200).after(10))).toBe('200 ');
  });

  it.each<ResetReason>(['remote-reset', 'protocol-error', 'connection-termination'])(
    '%s after headers breaks the response, without a retry',
    (reason) => {
      const scene = new WalkScene({ retry });
      const [attempt] = scene.attempts;
      expect(scene.walk.onHead(attempt!, { status: 200, header: () => undefined } as never, undefined)).toBe(true);
      scene.breaks(1, reason);
      expect([scene.got, scene.attempts.length]).toEqual(['broken', 1]);
      expect(scene.x.details).toBe(`upstream_reset_after_response_started{${reason.replaceAll('-', '_')}}`);
      expectNothingLeft(scene);
    },
  );

  /** Measured on Envoy 1.40. */
  it('the cluster’s max_stream_duration ends each attempt, and is retried as a reset', () => {
    const connection = { ...clusterSpec().connection, maxStreamDurationMs: 10 };
    const scene = new WalkScene({ retry: policy('reset') }, { connection });
    scene.opened().after(10).after(25).opened().after(10);
    expect([scene.got, scene.flags, scene.x.details]).toEqual([
      '504 upstream max stream duration reached',
      'URX,UMSDR',
      'upstream_max_stream_duration_reached',
    ]);
    expectNothingLeft(scene);
  });

  /** Flags and winners: measured on Envoy 1.40. */
  describe('hedging', () => {
    const hedged = {
      retry: policy('5xx', { numRetries: 2, perTryTimeoutMs: 10, backOffBaseMs: 1, backOffMaxMs: 1 }),
      hedgeOnPerTryTimeout: true,
      timeoutMs: 100,
    };
    const slow = (s: WalkScene): WalkScene => s.sent().after(10).after(1);

    it.each<[what: string, happens: (s: WalkScene) => unknown, got: string, flags: string, endpoint: number]>([
      ['the first one may still win', (s) => slow(s).answers(1, 200), '200', '-', 1],
      ['so may the second', (s) => slow(s).answers(2, 201), '201', '-', 2],
      ['while the second waits for its back-off too', (s) => s.sent().after(10).answers(1, 200), '200', '-', 1],
      ['a bad answer is left out while another one may come', (s) => slow(s).answers(1, 503).answers(2, 200), '200', '-', 2],
      ['of the newest it is tried again', (s) => slow(s).answers(2, 503).after(1).answers(3, 202), '202', '-', 3],
      ['the last bad answer is told', (s) => slow(slow(s)).answers(1, 503).answers(2, 502).answers(3, 500), '500', 'URX', 3],
      ['also when it is not of the newest', (s) => slow(slow(s)).answers(3, 503).answers(2, 502).answers(1, 500), '500', 'URX', 1],
      ['a reset is left out', (s) => slow(s).breaks(1, 'remote-reset').answers(2, 200), '200', '-', 2],
      ['retries are used up: the last one is waited for', (s) => slow(slow(s)).sent().after(10).answers(3, 200), '200', 'URX', 3],
      ['all of them take too long', (s) => slow(slow(s)).sent().after(100), '504 upstream request timeout', 'URX,UT', 3],
    ])('%s', (_what, happens, got, flags, endpoint) => {
      const scene = new WalkScene(hedged);
      happens(scene);
      const host = scene.attempts[endpoint - 1]!.lease.endpoint.key;
      expect([scene.got, scene.flags, scene.x.endpoint?.key]).toEqual([got, flags, host]);
      expectNothingLeft(scene);
    });

    it('needs no condition of the policy, but retries', () => {
      const scene = new WalkScene({
        ...hedged,
        retry: policy('retriable-4xx', { perTryTimeoutMs: 10, backOffBaseMs: 1, backOffMaxMs: 1 }),
      });
      expect(slow(scene).running).toEqual([1, 2]);
      const none = new WalkScene({ ...hedged, retry: policy('5xx', { numRetries: 0, perTryTimeoutMs: 10 }) });
      expect(slow(none).running).toEqual([1]);
      none.answers(1, 200);
      expect([none.got, none.flags]).toEqual(['200', 'URX']);
    });
  });

  it('an app that goes away ends the attempt, or the wait for the next one', () => {
    for (const before of [() => undefined, (scene: WalkScene) => scene.answers(1, 503)]) {
      const scene = new WalkScene({ retry });
      before(scene);
      scene.walk.cancel();
      scene.walk.finish(0);
      scene.after(1000);
      expect([scene.flags, scene.attempts.length]).toEqual(['DC', 1]);
      expectNothingLeft(scene);
    }
  });

  it('a filter that fails later ends its exchange, also when the answer to that fails', async () => {
    const failing = { name: 'late', onRequest: () => Promise.reject(new Error('late')) };
    const refused = new WalkScene({}, {}, undefined, [failing]);
    await settled();
    expect([refused.got, refused.errors]).toEqual(['500 a filter of the mesh failed', ['late']]);
    expectNothingLeft(refused);
    const unsayable = new WalkScene({}, {}, undefined, [failing]);
    unsayable.onReply = () => {
      throw new Error('it cannot be said');
    };
    await settled();
    expect([unsayable.got, unsayable.errors]).toEqual(['broken', ['late', 'it cannot be said']]);
    expectNothingLeft(unsayable);
  });

  it('a reply that waits for a slow caller is the only one, whatever times run out', () => {
    const scene = new WalkScene({}, {}, undefined, [], 500);
    const told: number[] = [];
    scene.onReply = ({ status }) => void told.push(status);
    scene.breaks(1, 'remote-reset').after(1_000);
    expect(told).toEqual([503]);
  });

  it('a filter that fails at the end is told, and the exchange has ended all the same', () => {
    const failing = {
      name: 'last',
      onEnd: () => {
        throw new Error('at the end');
      },
    };
    const scene = new WalkScene({}, {}, undefined, [failing]).answers(1, 200);
    expect([scene.got, scene.errors]).toEqual(['200', ['at the end']]);
    expectNothingLeft(scene);
  });

  it('no endpoint is a reply, before the first attempt and after it', () => {
    const empty = new WalkScene({ retry }, { localities: [] });
    expect([empty.got, empty.flags, empty.ended.length]).toEqual(['503 no healthy upstream', 'UH', 1]);
    const drained = new WalkScene({ retry });
    drained.answers(1, 503).cluster.setHosts([]);
    expect([drained.after(25).got, drained.flags]).toEqual(['503 no healthy upstream', 'UH']);
  });
});

/** What promises have to do is done. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
