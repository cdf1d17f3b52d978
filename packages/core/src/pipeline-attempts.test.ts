import { describe, expect, it } from 'vitest';
import type { Endpoint } from './cluster/cluster.ts';
import type { Exchange } from './exchange.ts';
import { Pipeline } from './pipeline.ts';
import { PLAIN_MANAGER, plainForward } from './route/plain-manager.ts';
import type { ForwardAction, Route, VirtualHost } from './route/route.ts';
import { createRouteTable } from './route/route-table.ts';
import { exchange, FakeClock, FakeHead, snapshot } from './testing/fakes.ts';

const clock = new FakeClock();
const pipeline = new Pipeline({ clock, random: () => 0 });

function begun(action: Partial<ForwardAction>, host: Partial<VirtualHost> = {}): Exchange {
  const forward: ForwardAction = { ...plainForward('shop'), bufferLimitBytes: 0, ...action };
  const route: Route = {
    name: '',
    matches: () => true,
    action: forward,
    filters: [],
    headers: undefined,
    operation: '',
    source: undefined,
  };
  const all = { name: 'v', domains: ['*'], routes: [route], includeAttemptCount: false, requireTls: false, ...host };
  const clusters = new Map([['shop', { name: 'shop' } as never]]);
  const x = exchange({ manager: { ...PLAIN_MANAGER, routes: createRouteTable('t', [all], true) }, snapshot: snapshot({ clusters }) });
  expect(pipeline.begin(x)).toBeUndefined();
  return x;
}

function attempt(x: Exchange, hostname = ''): Exchange {
  x.attempt++;
  x.endpoint = { hostname } as Endpoint;
  pipeline.beforeAttempt(x);
  return x;
}

const header = (x: Exchange, name: string): string | undefined => x.request.header(name);

describe('each attempt', () => {
  it('has the host of its endpoint under auto_host_rewrite; what it was before is noted down', () => {
    const x = begun({ autoHostRewrite: true, appendXForwardedHost: true });
    expect(attempt(x, 'one.host').request.authority).toBe('one.host');
    expect(attempt(x, 'two.host').request.authority).toBe('two.host');
    expect([header(x, 'x-envoy-original-host'), header(x, 'x-forwarded-host')]).toEqual(['one.host', 'shop,one.host']);
    expect(attempt(x, '').request.authority).toBe('two.host');
  });

  it('tells how much of the route’s timeout is left', () => {
    const x = attempt(begun({ timeoutMs: 1000 }));
    pipeline.startDeadline(x);
    expect(header(x, 'x-envoy-expected-rq-timeout-ms')).toBe('1000');
    clock.advance(400);
    expect(header(attempt(x), 'x-envoy-expected-rq-timeout-ms')).toBe('600');
    clock.advance(700);
    expect(header(attempt(x), 'x-envoy-expected-rq-timeout-ms')).toBe('1');
  });

  it('is numbered where the virtual host asks for it, for the upstream and for the caller', () => {
    const x = begun({}, { includeAttemptCount: true, includeAttemptCountInResponse: true });
    const answered = (): string | undefined => {
      const head = new FakeHead();
      pipeline.respond(x, head);
      return head.header('x-envoy-attempt-count');
    };
    expect(answered()).toBeUndefined();
    expect([header(attempt(x), 'x-envoy-attempt-count'), answered()]).toEqual(['1', '1']);
    expect([header(attempt(x), 'x-envoy-attempt-count'), answered()]).toEqual(['2', '2']);
  });
});
