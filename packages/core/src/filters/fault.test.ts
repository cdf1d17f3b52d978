import { describe, expect, it } from 'vitest';
import type { FilterEnv } from '../filter.ts';
import type { LocalReply } from '../local-reply.ts';
import { formatResponseFlags } from '../response-flags.ts';
import { compileHeaderMatch } from '../route/header-matcher.ts';
import { exchange, FakeClock, FakeHead, seeded } from '../testing/fakes.ts';
import { createFault, type FaultConfig } from './fault.ts';

const ALWAYS = { numerator: 100, denominator: 100 };
const NEVER = { numerator: 0, denominator: 100 };
const NONE: FaultConfig = { delay: undefined, abort: undefined, headers: [], maxActiveFaults: undefined };
const TEAPOT = { http: 418, grpc: undefined };

class Scene {
  readonly clock = new FakeClock();
  private readonly states = new Map<string, unknown>();
  readonly env: FilterEnv;

  constructor(random = seeded(1)) {
    const state = <T>(key: string, create: () => T): T => {
      if (!this.states.has(key)) this.states.set(key, create());
      return this.states.get(key) as T;
    };
    this.env = { clock: this.clock, random, direction: 'outbound', state };
  }

  filter(config: Partial<FaultConfig>): NonNullable<ReturnType<typeof createFault>> {
    const made = createFault({ ...NONE, ...config }, this.env);
    if (made === undefined) throw new Error('nothing to do');
    return made;
  }
}

const status = (reply: unknown): number | undefined => (reply as LocalReply | undefined)?.status;

describe('fault injection', () => {
  it('costs nothing when it can do nothing', () => {
    const { env } = new Scene();
    expect(createFault(NONE, env)).toBeUndefined();
    expect(createFault({ ...NONE, delay: { share: NEVER, fixedMs: 5 }, abort: { share: NEVER, status: TEAPOT } }, env)).toBeUndefined();
  });

  it('aborts with Envoy’s reply', () => {
    const x = exchange();
    expect(new Scene().filter({ abort: { share: ALWAYS, status: { http: 503, grpc: undefined } } }).onRequest!(x)).toMatchObject({
      status: 503,
      body: 'fault filter abort',
      details: 'fault_filter_abort',
    });
  });

  it('a gRPC status is an HTTP 200 that carries it', () => {
    expect(new Scene().filter({ abort: { share: ALWAYS, status: { http: 200, grpc: 14 } } }).onRequest!(exchange())).toMatchObject({
      status: 200,
      grpcStatus: 14,
    });
  });

  it.each([
    { numerator: 10, denominator: 100 },
    { numerator: 5000, denominator: 10_000 },
    { numerator: 990_000, denominator: 1_000_000 },
  ])('hits its share: %j', (share) => {
    const filter = new Scene(seeded(4)).filter({ abort: { share, status: TEAPOT } });
    let aborted = 0;
    for (let count = 0; count < 5000; count++) if (filter.onRequest!(exchange()) !== undefined) aborted++;
    expect(aborted / 5000).toBeCloseTo(share.numerator / share.denominator, 1);
  });

  it('delays, then aborts, each with its own dice: flags DI, DI,FI, FI', async () => {
    const half = { numerator: 50, denominator: 100 };
    const seen = new Set<string>();
    const scene = new Scene(seeded(9));
    const filter = scene.filter({ delay: { share: half, fixedMs: 2000 }, abort: { share: half, status: TEAPOT } });
    for (let count = 0; count < 40; count++) {
      const x = exchange();
      const answer = filter.onRequest!(x);
      scene.clock.advance(1999);
      expect(scene.clock.pending).toBe(answer instanceof Promise ? 1 : 0);
      scene.clock.advance(1);
      const reply = (await answer) as LocalReply | undefined;
      x.flags |= reply?.flags ?? 0;
      seen.add(formatResponseFlags(x.flags));
    }
    expect([...seen].sort()).toEqual(['-', 'DI', 'DI,FI', 'FI']);
  });

  it('only touches requests with all the headers of its configuration', () => {
    const has = (name: string) =>
      compileHeaderMatch({ name, match: { kind: 'present', present: true }, invert: false, treatMissingAsEmpty: false });
    const filter = new Scene().filter({ abort: { share: ALWAYS, status: TEAPOT }, headers: [has('end-user'), has('x-test')] });
    const by = (headers: Record<string, string>) => status(filter.onRequest!(exchange({ request: new FakeHead(headers) })));
    expect([by({ 'end-user': 'jason', 'x-test': '' }), by({ 'end-user': 'jason' }), by({})]).toEqual([418, undefined, undefined]);
  });

  it('never does more than max_active_faults at a time', async () => {
    const scene = new Scene();
    const filter = scene.filter({ delay: { share: ALWAYS, fixedMs: 100 }, abort: { share: ALWAYS, status: TEAPOT }, maxActiveFaults: 2 });
    const running = [exchange(), exchange()];
    const answers = running.map((x) => filter.onRequest!(x));
    expect(filter.onRequest!(exchange())).toBeUndefined();
    scene.clock.advance(100);
    expect((await Promise.all(answers)).map(status)).toEqual([418, 418]);
    const outcome = { status: 418, grpcStatus: undefined, requestBytes: 0, responseBytes: 0, endedAt: 0 };
    filter.onEnd!(running[0]!, outcome);
    filter.onEnd!(running[0]!, outcome);
    filter.onEnd!(exchange(), outcome);
    expect(filter.onRequest!(exchange())).toBeInstanceOf(Promise);
    expect(filter.onRequest!(exchange())).toBeUndefined();
  });
});

describe('faults that requests ask for', () => {
  const abort = { share: ALWAYS, status: undefined };
  const p = 'x-envoy-fault-';

  it.each<[headers: Record<string, string>, status: number | undefined, grpc: number | undefined]>([
    [{}, undefined, undefined],
    [{ [`${p}abort-request`]: '503' }, 503, undefined],
    [{ [`${p}abort-request`]: '199' }, undefined, undefined],
    [{ [`${p}abort-request`]: '600' }, undefined, undefined],
    [{ [`${p}abort-request`]: 'x' }, undefined, undefined],
    [{ [`${p}abort-grpc-request`]: '5' }, 200, 5],
    [{ [`${p}abort-grpc-request`]: '17' }, undefined, undefined],
    [{ [`${p}abort-request`]: '404', [`${p}abort-grpc-request`]: '5' }, 404, undefined],
    [{ [`${p}abort-request`]: '404', [`${p}abort-request-percentage`]: '0' }, undefined, undefined],
  ])('%j', (headers, wanted, grpc) => {
    const reply = new Scene().filter({ abort }).onRequest!(exchange({ request: new FakeHead(headers) })) as LocalReply | undefined;
    expect([reply?.status, reply?.grpcStatus]).toEqual([wanted, grpc]);
  });

  it('a request may ask for less than the configured share, not for more', () => {
    const share = (asked: string | undefined): number => {
      const filter = new Scene(seeded(6)).filter({ abort: { share: { numerator: 40, denominator: 100 }, status: TEAPOT } });
      let aborted = 0;
      for (let count = 0; count < 3000; count++) {
        const headers = asked === undefined ? {} : { [`${p}abort-request-percentage`]: asked };
        if (filter.onRequest!(exchange({ request: new FakeHead(headers as Record<string, string>) })) !== undefined) aborted++;
      }
      return Math.round((20 * aborted) / 3000) / 20;
    };
    expect([share(undefined), share('10'), share('90'), share('x')]).toEqual([0.4, 0.1, 0.4, 0.4]);
  });

  it('a delay is as long as the request says', async () => {
    const scene = new Scene();
    const filter = scene.filter({ delay: { share: ALWAYS, fixedMs: undefined } });
    const asked = filter.onRequest!(exchange({ request: new FakeHead({ [`${p}delay-request`]: '70' }) }));
    scene.clock.advance(69);
    expect(scene.clock.pending).toBe(1);
    scene.clock.advance(1);
    expect(await asked).toBeUndefined();
    for (const headers of [{}, { [`${p}delay-request`]: '0' }, { [`${p}delay-request`]: '-5' }])
      expect(filter.onRequest!(exchange({ request: new FakeHead(headers as Record<string, string>) }))).toBeUndefined();
  });
});
