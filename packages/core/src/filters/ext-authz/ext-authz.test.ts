import { describe, expect, it } from 'vitest';
import { DecisionRecord } from '../../decision-record.ts';
import type { FilterEnv } from '../../filter.ts';
import { FilterCounters } from '../../filter-counters.ts';
import type { LocalReply } from '../../local-reply.ts';
import { UNREADABLE_BODY } from '../../request-body.ts';
import type { Route } from '../../route/route.ts';
import { extAuthzConfig, FakeAuthorizer, OK } from '../../testing/ext-authz-doubles.ts';
import { exchange, FakeClock, FakeHead } from '../../testing/fakes.ts';
import { changeQuery } from '../query-string.ts';
import { createExtAuthz, type ExtAuthzConfig, type ExtAuthzOverride } from './ext-authz.ts';
import type { AuthzVerdict } from './verdict.ts';

const DENIED: AuthzVerdict = { kind: 'denied', status: 401, headers: [], body: 'no', metadata: undefined };
const ERROR: AuthzVerdict = { kind: 'error', reason: 'down' };

function scene(verdict: AuthzVerdict, config: Partial<ExtAuthzConfig> = {}, override?: Partial<ExtAuthzOverride>) {
  const authorizer = new FakeAuthorizer(verdict);
  const counters = new FilterCounters();
  const env: FilterEnv = {
    counters,
    statPrefix: 'inbound',
    clock: new FakeClock(),
    random: () => 0.5,
    direction: 'inbound',
    state: (_key, create) => create(),
  };
  const none: ExtAuthzOverride = { disabled: false, contextExtensions: {}, body: undefined, authorizer: undefined };
  const filter = createExtAuthz(extAuthzConfig(authorizer, config), override === undefined ? undefined : { ...none, ...override }, env);
  const request = new FakeHead({ 'x-have': 'old', 'x-gone': '1' }, { path: '/p?q=1' });
  const x = exchange({ request });
  x.route = {} as Route;
  const counts = () =>
    counters.all().flatMap(({ name, value }) => (value > 0 ? [`${name.replace('envoy_http_ext_authz_', '')} ${value}`] : []));
  return { asked: authorizer.asked, filter, x, request, counts };
}

const reply = async (it: ReturnType<typeof scene>): Promise<LocalReply | undefined> => it.filter!.onRequest!(it.x);

describe('external authorization', () => {
  it('writes, joins and removes headers of the request, and parameters of its path', async () => {
    const made = scene({
      ...OK,
      request: [
        { how: 'set', name: 'x-new', value: '1' },
        { how: 'join', name: 'x-have', value: '2' },
        { how: 'join', name: 'x-none', value: '3' },
      ],
      removed: ['x-gone', 'host', ':path'],
      query: { set: [['z', 'a']], removed: ['q'] },
    });
    expect(await reply(made)).toBeUndefined();
    expect(made.request.lines).toEqual([
      ['x-new', '1'],
      ['x-have', 'old,2'],
    ]);
    expect(made.request.path).toBe('/p?z=a');
  });

  it('adds headers to the response of the app, and to no other', async () => {
    const made = scene({
      ...OK,
      response: [
        { how: 'add', name: 'x-a', value: '2' },
        { how: 'if-absent', name: 'x-a', value: '3' },
        { how: 'if-present', name: 'x-b', value: '4' },
        { how: 'set', name: 'x-c', value: '5' },
      ],
    });
    await reply(made);
    const head = new FakeHead({ 'x-a': '1' });
    made.filter!.onResponse!(made.x, head);
    expect(head.lines.join(' ')).toBe('x-a,1 x-a,2 x-c,5');
    const other = new FakeHead();
    made.filter!.onResponse!(exchange(), other);
    expect(other.lines).toEqual([]);
  });

  it('answers a denial with what the authorizer says, but for what belongs to its connection', async () => {
    const made = scene({
      ...DENIED,
      headers: [
        ['x-why', '1'],
        ['date', 'x'],
        ['content-length', '9'],
        ['connection', 'close'],
      ],
    });
    expect(await reply(made)).toMatchObject({
      status: 401,
      body: 'no',
      details: 'ext_authz_denied',
      flags: 0x1000,
      headers: [['x-why', '1']],
    });
  });

  it.each([
    [403, {}],
    [503, { statusOnError: 503 }],
  ])('answers %d when nobody could be asked', async (status, config) => {
    expect(await reply(scene(ERROR, config))).toMatchObject({ status, body: '', details: 'ext_authz_error', flags: 0x1000 });
  });

  it('lets pass when nobody could be asked and that is allowed, and says so when it is told to', async () => {
    const quiet = scene(ERROR, { failureModeAllow: true });
    expect(await reply(quiet)).toBeUndefined();
    expect(quiet.request.header('x-envoy-auth-failure-mode-allowed')).toBeUndefined();
    const open = scene(ERROR, { failureModeAllow: true, failureModeAllowHeader: true });
    expect(await reply(open)).toBeUndefined();
    expect(open.request.header('x-envoy-auth-failure-mode-allowed')).toBe('true');
  });

  it.each([
    ['metadata says nothing', { enabledWhen: () => false }],
    ['chance decides against it', { enabledShare: { numerator: 50, denominator: 100 } }],
  ])('asks nobody where %s, and can deny that', async (_why, config) => {
    const made = scene(DENIED, config);
    expect(made.filter!.onRequest!(made.x)).toBeUndefined();
    expect(made.asked).toEqual([]);
    expect(scene(DENIED, { ...config, denyAtDisable: true }).filter!.onRequest!(made.x)).toMatchObject({
      status: 403,
      details: 'ext_authz_error',
    });
  });

  it('asks nobody about a request without a route, nor where a route switches it off', () => {
    const made = scene(DENIED);
    made.x.route = undefined;
    expect(made.filter!.onRequest!(made.x)).toBeUndefined();
    expect(scene(DENIED, {}, { disabled: true }).filter).toBeUndefined();
  });

  it.each([
    ['up to the limit', 4, false, 'hell', false],
    ['exactly the limit', 5, true, 'hello', false],
    ['the start of a longer one', 8, true, 'hello', true],
  ])('shows of a body %s', async (_what, length, allowPartial, shown, partial) => {
    const made = scene(OK, { body: { maxBytes: 5, allowPartial } });
    made.x.body = { read: async () => ({ bytes: new TextEncoder().encode('hello wo'.slice(0, length)), complete: true }) };
    await reply(made);
    expect(new TextDecoder().decode(made.asked[0]!.body!.bytes)).toBe(shown);
    expect(made.asked[0]!.body).toMatchObject({ partial, received: length });
  });

  it('refuses a body above the limit, and one that cannot be seen, and asks nobody', async () => {
    const made = scene(OK, { body: { maxBytes: 5, allowPartial: false } });
    made.x.body = { read: async () => ({ bytes: new Uint8Array(6), complete: false }) };
    expect(await reply(made)).toMatchObject({ status: 413, details: 'request_payload_too_large' });
    made.x.body = UNREADABLE_BODY;
    expect(await reply(made)).toMatchObject({ status: 403, details: 'ripstop_body_unreadable{ext_authz}' });
    expect(made.asked).toEqual([]);
  });

  it('shows what a route adds to the question, and no body where the route says so', async () => {
    const made = scene(OK, { body: { maxBytes: 5, allowPartial: false } }, { body: 'none', contextExtensions: { tier: 'gold' } });
    made.x.body = UNREADABLE_BODY;
    expect(await reply(made)).toBeUndefined();
    expect(made.asked).toEqual([{ body: undefined, contextExtensions: { tier: 'gold' } }]);
  });

  it.each([
    ['ok', OK, {}, ['ok 1']],
    ['denied', DENIED, {}, ['denied 1']],
    ['error', ERROR, {}, ['error 1']],
    ['let pass all the same', ERROR, { failureModeAllow: true }, ['error 1', 'failure_mode_allowed 1']],
    ['not asked about', OK, { enabledWhen: () => false }, ['disabled 1']],
  ])('counts what is %s by Envoy’s names', async (_what, verdict, config, counts) => {
    const made = scene(verdict, config);
    await reply(made);
    expect(made.counts()).toEqual(counts);
  });

  it('has the route chosen again only when the request was changed', async () => {
    const same = scene(OK, { clearRouteCache: true });
    await reply(same);
    expect(same.x.clearRoute).toBe(false);
    const changed = scene({ ...OK, removed: ['x-gone'] }, { clearRouteCache: true });
    await reply(changed);
    expect(changed.x.clearRoute).toBe(true);
  });

  it('keeps the authorizer’s metadata, of denials as well', async () => {
    const made = scene({ ...DENIED, metadata: { user: 'u' } });
    await reply(made);
    expect(made.x.metadata?.get('envoy.filters.http.ext_authz')).toEqual({ user: 'u' });
  });
});

describe('changed query parameters', () => {
  it.each([
    [
      '/p?z=1&a=1&a=2&y=%20x&c',
      [
        ['b', '2'],
        ['a', '&='],
      ],
      [],
      '/p?a=&=&b=2&c=&y=%20x&z=1',
    ],
    ['/p?z=1&a=1&a=2&c', [], ['a'], '/p?c=&z=1'],
    ['/p?a=1', [], ['a'], '/p'],
    ['/p', [['a', '1']], [], '/p?a=1'],
  ] as const)('of %s, as Envoy 1.40 writes them', (path, set, removed, expected) => {
    expect(changeQuery(path, set, removed)).toBe(expected);
  });
});

describe('what external authorization would do', () => {
  const explained = (config: Partial<ExtAuthzConfig>, route = true) => {
    const { filter, x } = scene(OK, config);
    if (!route) x.route = undefined;
    x.decision = new DecisionRecord({ dryRun: true });
    const reply = filter!.explain!(x) as LocalReply | undefined;
    return [reply?.status, x.decision.decisions.map(({ text }) => text)];
  };

  it('is said without asking anybody', () => {
    expect(explained({})).toEqual([undefined, ['an external authorizer would be asked']]);
    expect(explained({ enabledWhen: () => true })).toEqual([undefined, ['an external authorizer would be asked']]);
    expect(explained({ enabledWhen: () => false })).toEqual([undefined, []]);
    expect(explained({ enabledWhen: () => false, denyAtDisable: true })).toEqual([403, []]);
    expect(explained({}, false)).toEqual([undefined, []]);
  });

  it('is not asked about what has no route', async () => {
    const made = scene(DENIED);
    made.x.route = undefined;
    expect([await reply(made), made.asked]).toEqual([undefined, []]);
  });

  it.each([
    ['http', 401],
    ['https', undefined],
  ] as const)('is asked about who is sent to https, whose route that is: %s', async (scheme, status) => {
    const made = scene(DENIED);
    made.x.route = undefined;
    made.x.virtualHost = { name: 'secure', domains: ['*'], routes: [], includeAttemptCount: false, requireTls: true };
    made.request.scheme = scheme;
    expect((await reply(made))?.status).toBe(status);
  });

  it.each([
    [OK, ['external authorization: ok']],
    [DENIED, ['external authorization: denied']],
    [ERROR, ['external authorization: error', 'down']],
  ])('stands in a record once it has spoken', async (verdict, said) => {
    const made = scene(verdict);
    made.x.decision = new DecisionRecord();
    await reply(made);
    expect(made.x.decision.decisions.map(({ text }) => text)).toEqual(said);
  });
});

describe('the headers of a denial', () => {
  const headers = ['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'date', 'server', 'content-type', 'x-a'].map(
    (name) => [name, '1'] as const,
  );
  const namesOf = async (protocol: 'http1' | 'grpc') => {
    const made = scene({ ...DENIED, headers });
    Object.assign(made.x, { protocol });
    return (await reply(made))?.headers.map(([name]) => name);
  };

  it('are the authorizer’s, but for those of who answers; gRPC has a content type of its own', async () => {
    expect([await namesOf('http1'), await namesOf('grpc')]).toEqual([['content-type', 'x-a'], ['x-a']]);
  });

  it('that is too large for the authorizer is refused as such', async () => {
    const made = scene(OK, { body: { maxBytes: 2, allowPartial: false } });
    made.x.body = { read: async () => ({ bytes: Buffer.from('abc'), complete: true }) };
    expect(await reply(made)).toMatchObject({
      status: 413,
      details: 'request_payload_too_large',
      body: 'Payload Too Large',
      headers: [['connection', 'close']],
    });
  });
});
