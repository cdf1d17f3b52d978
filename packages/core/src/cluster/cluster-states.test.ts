import { describe, expect, it } from 'vitest';
import { clusterSpec, endpoint, exchange, FakeClock, locality, seeded } from '../testing/fakes.ts';
import { isLease } from './cluster.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import { ClusterStates } from './cluster-states.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const addresses = (states: ReadonlyMap<string, { readonly endpoints: readonly { readonly key: string }[] }>): string[] =>
  states.get('reviews')!.endpoints.map(({ key }) => key);

function dns(changes: Partial<ClusterSpec> = {}): ClusterSpec {
  return clusterSpec({ kind: 'strict_dns', localities: [locality([endpoint(80, { address: 'shop.example' })])], ...changes });
}

describe('clusters across pushes', () => {
  it('are the same object, with the same endpoints', () => {
    const states = new ClusterStates({ clock: new FakeClock(), random: seeded(1) });
    const before = states.adopt([clusterSpec({ localities: [locality([endpoint(1), endpoint(2)])] })]).get('reviews')!;
    const [first, second] = before.endpoints;
    const lease = before.acquire(exchange());
    const after = states.adopt([clusterSpec({ localities: [locality([endpoint(2, { weight: 9 }), endpoint(3)])] })]).get('reviews')!;
    expect(after).toBe(before);
    expect(after.endpoints[0]).toBe(second);
    expect(second).toMatchObject({ weight: 9, present: true });
    expect(first!.present).toBe(false);
    if (isLease(lease)) lease.release({ kind: 'cancelled' });
    expect(after.resources.requests.used).toBe(0);
  });

  it('end when they are no longer named', () => {
    const states = new ClusterStates({ clock: new FakeClock(), random: seeded(1) });
    const before = states.adopt([clusterSpec({ localities: [locality([endpoint(1)])] })]).get('reviews')!;
    const [host] = before.endpoints;
    expect(states.adopt([]).size).toBe(0);
    expect(host!.present).toBe(false);
    expect(before.acquire(exchange())).toMatchObject({ details: 'no_healthy_upstream' });
  });
});

describe('DNS clusters', () => {
  it('keep their addresses when a name stops resolving, also across a push, and lose them when the answer is empty', async () => {
    const clock = new FakeClock();
    const lines: string[] = [];
    let answer: readonly string[] | Error = ['10.0.0.1', '10.0.0.2'];
    const resolveDns = async (): Promise<readonly string[]> => {
      if (answer instanceof Error) throw answer;
      return answer;
    };
    const states = new ClusterStates({ clock, random: seeded(1), resolveDns, log: (line) => lines.push(line) });
    let live = states.adopt([dns()]);
    await settled();
    expect(addresses(live)).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    answer = new Error('ENOTFOUND');
    live = states.adopt([dns({ panicThreshold: 1 })]);
    await settled();
    expect(addresses(live)).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    expect(lines).toEqual(['reviews: shop.example does not resolve (ENOTFOUND); the last addresses stay']);
    answer = [];
    clock.advance(5000);
    await settled();
    expect(addresses(live)).toEqual([]);
    states.close();
    expect(clock.pending).toBe(0);
  });

  it('are resolved no longer when they have become another kind', async () => {
    const clock = new FakeClock();
    const states = new ClusterStates({ clock, random: seeded(1), resolveDns: async () => ['10.0.0.1'] });
    for (const kind of ['aggregate', 'eds'] as const) {
      states.adopt([dns()]);
      await settled();
      expect(clock.pending).toBe(1);
      states.adopt([dns({ kind })]);
      expect(clock.pending).toBe(0);
    }
  });

  it('of kind logical_dns are one host with all addresses, and tell the name as hostname', async () => {
    const states = new ClusterStates({ clock: new FakeClock(), random: seeded(1), resolveDns: async () => ['10.0.0.1', '10.0.0.2'] });
    const live = states.adopt([dns({ kind: 'logical_dns' })]);
    await settled();
    expect(live.get('reviews')!.endpoints).toMatchObject([{ key: '10.0.0.1:80', otherAddresses: ['10.0.0.2'], hostname: 'shop.example' }]);
    states.close();
  });

  it('ask for the family that they are told, and sooner again after a failure when they are told', async () => {
    const clock = new FakeClock();
    const asked: string[] = [];
    const resolveDns = async (name: string, family: string): Promise<readonly string[]> => {
      asked.push(`${name} ${family} at ${clock.now()}`);
      if (asked.length < 4) throw new Error('ENOTFOUND');
      return ['::1'];
    };
    const states = new ClusterStates({ clock, random: () => 0.5, resolveDns });
    const live = states.adopt([dns({ dnsFamily: 'v6', dnsFailureRefresh: { baseMs: 200, maxMs: 300 } })]);
    for (const ms of [100, 150, 150, 5000]) {
      await settled();
      clock.advance(ms);
    }
    await settled();
    expect(asked.map((line) => line.split(' at ')[1])).toEqual(['0', '100', '250', '400', '5400']);
    expect([asked[0], addresses(live)]).toEqual(['shop.example v6 at 0', ['[::1]:80']]);
    states.close();
  });

  it('that become EDS clusters are not resolved any more', async () => {
    const clock = new FakeClock();
    const states = new ClusterStates({ clock, random: seeded(1), resolveDns: async () => ['10.0.0.1'] });
    states.adopt([dns()]);
    await settled();
    const live = states.adopt([clusterSpec({ localities: [locality([endpoint(7)])] })]);
    clock.advance(60_000);
    await settled();
    expect(addresses(live)).toEqual(['10.0.0.1:7']);
    expect(clock.pending).toBe(0);
  });

  it('without a resolver say so and have no hosts', async () => {
    const lines: string[] = [];
    const states = new ClusterStates({ clock: new FakeClock(), random: seeded(1), log: (line) => lines.push(line) });
    const live = states.adopt([dns()]);
    await settled();
    expect(addresses(live)).toEqual([]);
    expect(lines).toEqual(['reviews needs DNS, and no resolver was given: it has no hosts']);
  });
});
