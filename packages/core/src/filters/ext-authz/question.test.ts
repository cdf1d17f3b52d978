import { describe, expect, it } from 'vitest';
import { DecisionRecord } from '../../decision-record.ts';
import type { Filter, FilterEnv } from '../../filter.ts';
import { extAuthzConfig, FakeAuthorizer, OK } from '../../testing/ext-authz-doubles.ts';
import { exchange, FakeHead } from '../../testing/fakes.ts';
import { createExtAuthz, type ExtAuthzConfig } from './ext-authz.ts';
import type { AuthzVerdict } from './verdict.ts';

interface Scene {
  readonly config?: Partial<ExtAuthzConfig>;
  readonly verdict?: Partial<AuthzVerdict>;
  readonly body?: string;
  readonly decision?: DecisionRecord;
}

async function ask({ config = {}, verdict = {}, body, decision }: Scene) {
  const wanted: number[] = [];
  const x = exchange({ direction: 'inbound', request: new FakeHead({}, { path: '/a?b=1' }) });
  x.route = {} as never;
  x.decision = decision;
  if (body !== undefined)
    x.body = {
      read: async (bytes) => {
        wanted.push(bytes);
        return { bytes: Buffer.from(body), complete: true };
      },
    };
  const authorizer = new FakeAuthorizer({ ...OK, ...verdict } as AuthzVerdict);
  const env = { random: () => 0 } as unknown as FilterEnv;
  const filter = createExtAuthz(extAuthzConfig(authorizer, config), undefined, env) as Filter;
  return { x, filter, wanted, questions: authorizer.asked, reply: await filter.onRequest!(x) };
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
