import { describe, expect, it } from 'vitest';
import { DecisionRecord } from '../decision-record.ts';
import type { Exchange } from '../exchange.ts';
import { localReply } from '../local-reply.ts';
import { Pipeline } from '../pipeline.ts';
import { ResponseFlag } from '../response-flags.ts';
import { exchange, FakeClock, FakeHead, snapshot } from '../testing/fakes.ts';
import { createOnDemandTable, type HostRequests } from './on-demand.ts';
import { PLAIN_MANAGER } from './plain-manager.ts';
import type { Route, VirtualHost } from './route.ts';

const found: Route = {
  name: 'found',
  matches: () => true,
  action: { kind: 'reply', reply: () => localReply({ status: 200, details: 'direct_response' }) },
  filters: [],
  headers: undefined,
  operation: '',
  source: undefined,
};

/** A table without hosts, whose first host comes when the test says so. */
function scene(ask: HostRequests['ask']) {
  const clock = new FakeClock();
  const hosts: VirtualHost[] = [];
  let version = 0;
  const source = {
    hosts: () => hosts,
    get version() {
      return version;
    },
  };
  const ran: string[] = [];
  const note = (name: string) => ({ name, onRequest: (x: Exchange) => void ran.push(`${name} ${x.route?.name ?? 'no route'}`) });
  const manager = {
    ...PLAIN_MANAGER,
    routes: createOnDemandTable('table', source, true, { ask }),
    defaultFilters: [note('default')],
    streamIdleTimeoutMs: 1000,
  };
  const come = (more: Partial<VirtualHost> = {}): void => {
    version++;
    const routes = [{ ...found, filters: [note('own')] }];
    hosts.push({ name: 'late', domains: ['late'], routes, includeAttemptCount: false, requireTls: false, lastUse: { at: -1 }, ...more });
  };
  const begin = (authority = 'late') => {
    const x = exchange({ request: new FakeHead({}, { authority }), manager, startedAt: 7 });
    return { x, reply: new Pipeline({ clock, random: () => 0 }).begin(x) };
  };
  return { clock, ran, come, begin, hosts };
}

describe('a request for a host that is not known', () => {
  it('waits for it; then it has its route, its filters, and the snapshot of that moment', async () => {
    const next = snapshot({ version: 'next' });
    const { promise, resolve } = Promise.withResolvers<typeof next>();
    const { come, begin, ran, hosts, clock } = scene(() => promise);
    const { x, reply } = begin();
    expect(ran).toEqual([]);
    come();
    resolve(next);
    expect(await reply).toMatchObject({ status: 200 });
    expect(x.snapshot).toBe(next);
    expect(ran).toEqual(['own found']);
    expect(hosts[0]!.lastUse).toEqual({ at: 7 });
    expect(clock.pending).toBe(0);
    expect(begin().reply).toMatchObject({ status: 200 });
  });

  it('has no route when there is no such host, and no wait when that is known', async () => {
    const answers: (Promise<undefined> | undefined)[] = [Promise.resolve(undefined), undefined];
    const { begin, ran } = scene(() => answers.shift());
    expect(await begin().reply).toMatchObject({ status: 404, flags: ResponseFlag.NoRouteFound });
    expect(begin().reply).toMatchObject({ status: 404 });
    expect(ran).toEqual(['default no route', 'default no route']);
  });

  it('is answered when nobody is, for as long as a stream may be idle', async () => {
    const { begin, clock, ran } = scene(() => new Promise(() => {}));
    const { x, reply } = begin();
    clock.advance(1000);
    expect(await reply).toMatchObject({ status: 504 });
    expect([x.details, x.flags]).toEqual(['stream_idle_timeout', ResponseFlag.StreamIdleTimeout]);
    expect(ran).toEqual([]);
  });

  it('asks for nothing where https is demanded, without a host, or in a dry run', async () => {
    let asked = 0;
    const { begin, come } = scene(() => {
      asked++;
      return undefined;
    });
    begin('');
    come({ domains: ['secure'], requireTls: true });
    expect(begin('secure').reply).toMatchObject({ status: 301 });
    expect(asked).toBe(0);
    begin('other');
    expect(asked).toBe(1);
  });

  it('is explained without asking', async () => {
    const { clock } = scene(() => undefined);
    const record = new DecisionRecord({ dryRun: true });
    const ask = (): never => {
      throw new Error('asked');
    };
    const routes = createOnDemandTable('table', { version: 0, hosts: () => [] }, true, { ask });
    const x = exchange({ request: new FakeHead({}, { authority: 'late' }), manager: { ...PLAIN_MANAGER, routes } });
    x.decision = record;
    expect(await new Pipeline({ clock, random: () => 0 }).begin(x)).toMatchObject({ status: 404 });
    expect(JSON.stringify(record)).toContain('late would be asked for');
  });
});
