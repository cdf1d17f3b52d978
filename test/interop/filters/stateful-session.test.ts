import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { UPSTREAMS } from '../../simulation/base-mesh.ts';
import { compare } from '../../simulation/compare.ts';
import { Upstreams } from '../../simulation/mesh/upstreams.ts';
import type { Caller, Pair } from '../../simulation/observation.ts';
import { type StaticConfig, typed } from '../../simulation/xds/static-config.ts';
import { startStaticPair } from './static-mesh.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: stateful sessions: no Envoy: ${envoy.missing}`);

const NAME = 'envoy.filters.http.stateful_session';
const STATE = 'envoy.extensions.http.stateful_session';
const cookie = (more: object = {}): object => ({
  session_state: {
    name: 'envoy.http.stateful_session.cookie',
    typed_config: typed(`${STATE}.cookie.v3.CookieBasedSessionState`, { cookie: { name: 'session', path: '/', ...more } }),
  },
});
const byHeader = {
  session_state: {
    name: 'envoy.http.stateful_session.header',
    typed_config: typed(`${STATE}.header.v3.HeaderBasedSessionState`, { name: 'x-session' }),
  },
};
const perRoute = (value: object): object => ({
  [NAME]: typed('envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute', value),
});

function config(ports: readonly number[]): StaticConfig {
  const route = (prefix: string, session: object): object => ({
    match: { prefix },
    route: { cluster: 'echo' },
    typed_per_filter_config: perRoute(session),
  });
  return {
    filters: [{ name: NAME, typed_config: typed('envoy.extensions.filters.http.stateful_session.v3.StatefulSession', cookie()) }],
    clusters: { echo: { ports } },
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          route('/header', { stateful_session: byHeader }),
          route('/strict', { stateful_session: { ...cookie(), strict: true } }),
          route('/long', { stateful_session: cookie({ ttl: '3600s', path: '/long' }) }),
          route('/off', { disabled: true }),
          { match: { prefix: '/' }, route: { cluster: 'echo' } },
        ],
      },
    ],
  };
}

const base64 = (...bytes: readonly (number | string)[]): string =>
  Buffer.concat(bytes.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part])))).toString('base64');

describe.skipIf('missing' in envoy)('a stateful session', () => {
  const parts = new AsyncDisposableStack();
  let upstreams: Upstreams;
  let pair: Pair;
  const hosts = ['echo-v1', 'echo-v2'];
  const addressOf = (host: string): string => `127.0.0.1:${upstreams.port(host)}`;
  const cookieOf = (host: string): string => `session="${base64(0x0a, addressOf(host).length, addressOf(host))}"`;
  beforeAll(async () => {
    if ('missing' in envoy) return;
    upstreams = parts.use(await Upstreams.start(UPSTREAMS));
    pair = await startStaticPair(envoy.path, config(hosts.map((host) => upstreams.port(host))), parts);
  });
  afterAll(() => parts.disposeAsync());

  async function call(caller: Caller, path: string, headers: Record<string, string> = {}) {
    upstreams.play([]);
    const reply = await caller.call({ url: `http://shop.example${path}`, headers });
    return { seen: { replies: [reply], requests: upstreams.requests }, host: upstreams.requests[0]?.workload, reply };
  }

  /** Calls both until each was sent to the host. */
  async function both(path: string, host: string, headers: Record<string, string> = {}) {
    const found = [];
    for (const caller of [pair.envoy, pair.sdk]) {
      let answer = await call(caller, path, headers);
      for (let tries = 0; answer.host !== host && tries < 20; tries++) answer = await call(caller, path, headers);
      found.push(answer);
    }
    return found;
  }

  it.each(hosts)('tells a caller without one, in Envoy’s words, that it is bound to %s', async (host) => {
    const [byEnvoy, bySdk] = await both('/', host);
    expect(byEnvoy!.reply.headers['set-cookie']).toContain(`${cookieOf(host)}`);
    expect(compare(byEnvoy!.seen, bySdk!.seen, 'gateway')).toEqual([]);
  });

  it.each(hosts)('sends a caller to the host of its cookie, and says nothing then: %s', async (host) => {
    for (let times = 0; times < 4; times++) {
      const headers = { cookie: `a=b; ${cookieOf(host)}` };
      const [byEnvoy, bySdk] = [await call(pair.envoy, '/', headers), await call(pair.sdk, '/', headers)];
      expect([byEnvoy.host, bySdk.host]).toEqual([host, host]);
      expect(compare(byEnvoy.seen, bySdk.seen, 'gateway')).toEqual([]);
    }
  });

  it('chooses anew for a host that is gone, and says so', async () => {
    const gone = { cookie: `session="${base64(0x0a, 11, '127.0.0.9:1')}"` };
    const [byEnvoy, bySdk] = await both('/', 'echo-v1', gone);
    expect(compare(byEnvoy!.seen, bySdk!.seen, 'gateway')).toEqual([]);
  });

  it('but not where it is strict', async () => {
    const gone = { cookie: `session="${base64(0x0a, 11, '127.0.0.9:1')}"` };
    const [byEnvoy, bySdk] = [await call(pair.envoy, '/strict', gone), await call(pair.sdk, '/strict', gone)];
    expect(byEnvoy.reply.status).toBe(503);
    expect(compare(byEnvoy.seen, bySdk.seen, 'gateway')).toEqual([]);
  });

  it('has nothing to say for nonsense', async () => {
    const [byEnvoy, bySdk] = await both('/', 'echo-v1', { cookie: 'session=!!!' });
    expect(compare(byEnvoy!.seen, bySdk!.seen, 'gateway')).toEqual([]);
  });

  it('may end: a cookie with an age says when, and is worth nothing afterwards', async () => {
    const [byEnvoy, bySdk] = await both('/long/a', 'echo-v1');
    const withoutValue = (text = ''): string => text.replace(/"[^"]+"/, '""');
    expect(withoutValue(bySdk!.reply.headers['set-cookie'])).toBe(withoutValue(byEnvoy!.reply.headers['set-cookie']));
    const [value] = /(?<=")[^"]+/.exec(byEnvoy!.reply.headers['set-cookie'] ?? '') ?? [];
    for (const caller of [pair.envoy, pair.sdk])
      for (let times = 0; times < 4; times++)
        expect((await call(caller, '/long/a', { cookie: `session="${value}"` })).host).toBe('echo-v1');
    // Expired in 1970.
    const address = addressOf('echo-v1');
    const old = { cookie: `session="${base64(0x0a, address.length, address, 0x10, 5)}"` };
    const [one, other] = await both('/long/a', 'echo-v2', old);
    expect([one!.host, other!.host]).toEqual(['echo-v2', 'echo-v2']);
  });

  it('does not hold under another path', async () => {
    const [byEnvoy, bySdk] = await both('/longer', 'echo-v2', { cookie: cookieOf('echo-v1') });
    expect([byEnvoy!.host, bySdk!.host]).toEqual(['echo-v2', 'echo-v2']);
  });

  it.each(hosts)('may be a header: %s', async (host) => {
    const [byEnvoy, bySdk] = await both('/header', host);
    expect(byEnvoy!.reply.headers['x-session']).toBe(base64(addressOf(host)));
    expect(compare(byEnvoy!.seen, bySdk!.seen, 'gateway')).toEqual([]);
    const headers = { 'x-session': base64(addressOf(host)) };
    const [again, too] = [await call(pair.envoy, '/header', headers), await call(pair.sdk, '/header', headers)];
    expect([again.host, too.host]).toEqual([host, host]);
    expect(compare(again.seen, too.seen, 'gateway')).toEqual([]);
  });

  it('is off where a route switches it off', async () => {
    const [byEnvoy, bySdk] = await both('/off', 'echo-v2', { cookie: cookieOf('echo-v1') });
    expect(compare(byEnvoy!.seen, bySdk!.seen, 'gateway')).toEqual([]);
    expect(byEnvoy!.reply.headers['set-cookie']).toBeUndefined();
  });
});
