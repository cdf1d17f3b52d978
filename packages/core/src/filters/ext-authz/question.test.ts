import { describe, expect, it } from 'vitest';
import { DecisionRecord } from '../../decision-record.ts';
import { Exchange, NO_PEER, type RequestHead } from '../../exchange.ts';
import type { Filter, FilterEnv } from '../../filter.ts';
import type { HttpConnectionManager } from '../../route/route.ts';
import type { Snapshot } from '../../snapshot.ts';
import { createExtAuthz, type ExtAuthzConfig } from './ext-authz.ts';
import type { AuthzQuestion, AuthzVerdict } from './verdict.ts';

const OK: AuthzVerdict = { kind: 'ok', request: [], removed: [], response: [], query: undefined, metadata: undefined };

interface Scene {
  readonly config?: Partial<ExtAuthzConfig>;
  readonly verdict?: Partial<AuthzVerdict>;
  readonly body?: string;
  readonly decision?: DecisionRecord;
}

async function ask({ config = {}, verdict = {}, body, decision }: Scene) {
  const questions: AuthzQuestion[] = [];
  const wanted: number[] = [];
  const request = { path: '/a?b=1', setHeader() {}, removeHeader() {}, header: () => undefined } as unknown as RequestHead;
  const x = new Exchange({
    direction: 'inbound',
    protocol: 'http1',
    request,
    snapshot: {} as Snapshot,
    manager: {} as HttpConnectionManager,
    peer: NO_PEER,
    port: 80,
    startedAt: 0,
  });
  x.route = {} as never;
  x.decision = decision;
  if (body !== undefined)
    x.body = {
      read: async (bytes) => {
        wanted.push(bytes);
        return { bytes: Buffer.from(body), complete: true };
      },
    };
  const authorizer: ExtAuthzConfig['authorizer'] = {
    ask: async (_x, question) => {
      questions.push(question);
      return { ...OK, ...verdict } as AuthzVerdict;
    },
  };
  const whole: ExtAuthzConfig = {
    authorizer,
    failureModeAllow: false,
    failureModeAllowHeader: false,
    statusOnError: 403,
    enabledWhen: undefined,
    enabledShare: undefined,
    denyAtDisable: false,
    body: undefined,
    clearRouteCache: false,
    ...config,
  };
  const filter = createExtAuthz(whole, undefined, { random: () => 0 } as unknown as FilterEnv) as Filter;
  return { x, filter, wanted, questions, reply: await filter.onRequest!(x) };
}

describe('the question to an authorizer', () => {
  it.each<[what: string, verdict: Partial<AuthzVerdict>, chosenAgain: boolean]>([
    ['nothing', {}, false],
    ['a header', { request: [{ how: 'set', name: 'a', value: '1' }] }, true],
    ['a header that is gone', { removed: ['a'] }, true],
    ['the query', { query: { set: [], removed: ['b'] } }, true],
    ['the response alone', { response: [{ how: 'set', name: 'a', value: '1' }] }, false],
  ])('that changes %s has the route chosen again: only where the configuration says so, and there: %s', async (_what, verdict, again) => {
    expect((await ask({ verdict, config: { clearRouteCache: true } })).x.clearRoute).toBe(again);
    expect((await ask({ verdict })).x.clearRoute).toBe(false);
  });

  it.each<[allowPartial: boolean, body: string, wanted: number, shown: string | undefined]>([
    [true, 'abc', 2, 'abc'], // Three bytes are enough: nobody waits for a fourth.
    [true, 'abcd', 2, 'abc'],
    [false, 'abc', 3, 'abc'],
    [false, 'abcd', 3, undefined],
  ])(
    'is shown at most three bytes, a part of the body %s: of %j, once more than %i are here, %j',
    async (allowPartial, body, more, shown) => {
      const { wanted, questions, reply } = await ask({ body, config: { body: { maxBytes: 3, allowPartial } } });
      expect(wanted).toEqual([more]);
      expect(questions.map((question) => Buffer.from(question.body!.bytes).toString())).toEqual(shown === undefined ? [] : [shown]);
      expect((reply as { status: number } | undefined)?.status).toBe(shown === undefined ? 413 : undefined);
    },
  );

  it('is asked without a body where there is none', async () => {
    expect((await ask({ config: { body: { maxBytes: 3, allowPartial: false } } })).questions).toMatchObject([{ body: undefined }]);
  });

  it('leaves no metadata where it gives none, whether it agrees or not', async () => {
    for (const verdict of [{}, { kind: 'denied', status: 403, headers: [], body: '' } as const]) {
      expect((await ask({ verdict })).x.metadata).toBeUndefined();
      const { x } = await ask({ verdict: { ...verdict, metadata: { a: 1 } } as Partial<AuthzVerdict> });
      expect(x.metadata?.get('envoy.filters.http.ext_authz')).toEqual({ a: 1 });
    }
  });

  it('tells a record what was said, or, where nothing is sent, that it would be asked', async () => {
    const told = async (verdict: Partial<AuthzVerdict>): Promise<unknown> => {
      const decision = new DecisionRecord();
      await ask({ verdict, decision });
      return decision.decisions;
    };
    expect(await told({})).toEqual([{ step: 'filter', text: 'external authorization: ok' }]);
    expect(await told({ kind: 'error', reason: 'down' })).toEqual([
      { step: 'filter', text: 'external authorization: error' },
      { step: 'filter', text: 'down' },
    ]);
    const { filter, x } = await ask({});
    x.decision = new DecisionRecord({ dryRun: true });
    expect(filter.explain!(x)).toBeUndefined();
    expect(x.decision.decisions).toEqual([{ step: 'filter', text: 'an external authorizer would be asked' }]);
  });
});
