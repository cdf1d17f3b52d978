import { describe, expect, it } from 'vitest';
import { isLease } from '../cluster/cluster.ts';
import { ClusterState } from '../cluster/cluster-state.ts';
import { clusterSpec, endpoint, exchange, FakeClock, locality, seeded } from '../testing/fakes.ts';
import type { LoadReport } from './load-report.ts';
import type { LoadStreamListener, OpenLoadStream } from './load-stream.ts';

const balancer = {
  kind: 'load_weighted',
  blackoutMs: 0,
  expirationMs: 180_000,
  updateMs: 1000,
  errorPenalty: 1,
  metrics: [],
  outOfBand: { periodMs: 10_000, port: 0, authority: '' },
} as const;

const report = (cpuUtilization: number): LoadReport => ({ applicationUtilization: 0, cpuUtilization, rps: 100, eps: 0, named: new Map() });

/** A cluster, and the streams that were opened to its hosts, by port. */
function watched(ports: readonly number[]) {
  const clock = new FakeClock();
  const streams: { readonly port: number; readonly listener: LoadStreamListener; closed: boolean }[] = [];
  const loadStreams: OpenLoadStream = (_spec, { port }, _cluster, listener) => {
    const stream = { port, listener, closed: false };
    streams.push(stream);
    return {
      close: () => {
        stream.closed = true;
      },
    };
  };
  const connection = { ...clusterSpec({}).connection, protocol: 'http2' } as const;
  const spec = (of: readonly number[]) => clusterSpec({ balancer, connection, localities: [locality(of.map((port) => endpoint(port)))] });
  const cluster = new ClusterState(spec(ports), { clock, random: seeded(3), loadStreams });
  return { clock, streams, cluster, move: (to: readonly number[]) => cluster.update(spec(to)) };
}

describe('hosts that report their load by themselves', () => {
  it('get their share by what they report', () => {
    const { clock, streams, cluster } = watched([1, 2]);
    expect(streams.map(({ port }) => port)).toEqual([1, 2]);
    streams[0]!.listener.onReport(report(0.1));
    streams[1]!.listener.onReport(report(0.3));
    clock.advance(1000);
    const picks: Record<number, number> = {};
    for (let made = 0; made < 400; made++) {
      const lease = cluster.acquire(exchange());
      if (!isLease(lease)) throw new Error(lease.details);
      expect(lease.wantsLoad).toBe(false); // what responses say does not count
      picks[lease.endpoint.port] = (picks[lease.endpoint.port] ?? 0) + 1;
      lease.release({ kind: 'complete' });
    }
    expect(Math.abs(picks[1]! - 300)).toBeLessThanOrEqual(2);
  });

  it('are asked again after a growing wait when a stream breaks, and never again when they do not know the question', () => {
    const { clock, streams } = watched([1]);
    streams[0]!.listener.onEnd(false);
    clock.advance(1000);
    expect(streams).toHaveLength(2);
    streams[1]!.listener.onEnd(false);
    clock.advance(2000);
    expect(streams).toHaveLength(3);
    streams[2]!.listener.onEnd(true);
    clock.advance(600_000);
    expect(streams).toHaveLength(3);
  });

  it('are let go of when they leave, and so are all when the cluster goes', () => {
    const { clock, streams, cluster, move } = watched([1, 2]);
    move([2, 3]);
    expect(streams.map(({ port, closed }) => [port, closed])).toEqual([
      [1, true],
      [2, false],
      [3, false],
    ]);
    streams[1]!.listener.onEnd(false);
    cluster.close();
    clock.advance(60_000);
    expect(streams.map(({ closed }) => closed)).toEqual([true, false, true]);
  });
});

describe('slow start by load', () => {
  it('lets a new host have less than its report gives it, until it is warm', () => {
    const clock = new FakeClock();
    const slow = { ...balancer, outOfBand: undefined, slowStart: { windowMs: 60_000, aggression: 1, minimumShare: 0.1 } };
    const at = (ports: readonly number[]) => clusterSpec({ balancer: slow, localities: [locality(ports.map((port) => endpoint(port)))] });
    const cluster = new ClusterState(at([1]), { clock, random: seeded(3) });
    clock.advance(60_000);
    cluster.update(at([1, 2]));
    const share = (): number => {
      let second = 0;
      for (let made = 0; made < 1000; made++) {
        const lease = cluster.acquire(exchange());
        if (!isLease(lease)) throw new Error(lease.details);
        if (lease.endpoint.port === 2) second++;
        lease.release({ kind: 'complete' });
      }
      return second / 1000;
    };
    expect(share()).toBeCloseTo(0.1 / 1.1, 1);
    clock.advance(60_000);
    expect(share()).toBeCloseTo(0.5, 1);
  });
});
