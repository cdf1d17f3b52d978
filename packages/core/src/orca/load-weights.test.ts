import { describe, expect, it } from 'vitest';
import { isLease } from '../cluster/cluster.ts';
import { ClusterState } from '../cluster/cluster-state.ts';
import { clusterSpec, endpoint, exchange, FakeClock, locality, seeded } from '../testing/fakes.ts';
import { HostLoad, type LoadWeightsSpec } from './host-load.ts';
import { loadReportOf } from './load-report.ts';

const spec: LoadWeightsSpec = { blackoutMs: 10_000, expirationMs: 180_000, updateMs: 1000, errorPenalty: 1, metrics: [] };

/** A field of a protobuf message with a double. */
const double = (field: number, value: number): Buffer => {
  const bytes = Buffer.alloc(9);
  bytes[0] = field * 8 + 1;
  bytes.writeDoubleLE(value, 1);
  return bytes;
};
const run = (field: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([field * 8 + 2, bytes.length]), bytes]);

describe('load reports', () => {
  const read = (name: string, value: string) => loadReportOf((asked) => (asked === name ? value : undefined));
  const full = { applicationUtilization: 0.5, cpuUtilization: 0.25, rps: 100, eps: 2, named: new Map([['named_metrics.queue', 3]]) };
  const metric = run(8, Buffer.concat([run(1, Buffer.from('queue')), double(2, 3)]));
  const binary = Buffer.concat([double(1, 0.25), double(6, 100), double(7, 2), double(9, 0.5), metric]).toString('base64');

  it.each([
    ['endpoint-load-metrics-bin', binary],
    ['endpoint-load-metrics', `BIN ${binary}`],
    ['endpoint-load-metrics', 'TEXT cpu_utilization=0.25,application_utilization=0.5, rps_fractional=100,eps=2,named_metrics.queue=3'],
    [
      'endpoint-load-metrics',
      'JSON {"cpu_utilization":0.25,"applicationUtilization":0.5,"rps_fractional":100,"eps":2,"named_metrics":{"queue":3}}',
    ],
  ])('are read from %s: %s', (name, value) => {
    expect(read(name, value)).toEqual(full);
  });

  it.each([
    '',
    'cpu_utilization=1',
    'TEXT cpu_utilization',
    'TEXT cpu_utilization=x',
    'TEXT nobody=1',
    'JSON {',
    'JSON 1',
    'BIN ###',
    'BIN CQ==',
  ])('that cannot be read are none: %s', (value) => {
    expect(read('endpoint-load-metrics', value)).toBeUndefined();
  });
});

describe('the weight of a host', () => {
  const weight = (report: string, changes: Partial<LoadWeightsSpec> = {}): number | undefined => {
    const load = new HostLoad();
    load.report(loadReportOf((name) => (name.endsWith('-bin') ? undefined : `TEXT ${report}`))!, { ...spec, ...changes }, 0);
    return load.current({ ...spec, blackoutMs: 0, ...changes }, 0);
  };

  it.each<[report: string, changes: Partial<LoadWeightsSpec>, weight: number | undefined]>([
    ['rps_fractional=1000,application_utilization=0.5', {}, 2000],
    ['rps_fractional=1000,application_utilization=0.5,cpu_utilization=0.1', {}, 2000],
    ['rps_fractional=1000,cpu_utilization=0.1', {}, 10_000],
    [
      'rps_fractional=1000,cpu_utilization=0.1,named_metrics.q=0.2,utilization.r=0.4',
      { metrics: ['named_metrics.q', 'utilization.r'] },
      2500,
    ],
    ['rps_fractional=1000,cpu_utilization=0.1', { metrics: ['named_metrics.q'] }, 10_000],
    ['rps_fractional=1000,eps=500,cpu_utilization=0.5', {}, 1000],
    ['rps_fractional=1000,eps=500,cpu_utilization=0.5', { errorPenalty: 3 }, 500],
    ['rps_fractional=1000,eps=500,cpu_utilization=0.5', { errorPenalty: 0 }, 2000],
    ['rps_fractional=0,cpu_utilization=0.5', {}, undefined],
    ['rps_fractional=1000,cpu_utilization=0', {}, undefined],
  ])('%s %j: %s', (report, changes, expected) => {
    expect(weight(report, changes)).toBe(expected);
  });

  it('counts after the blackout, as long as reports come, and anew after they stopped', () => {
    const load = new HostLoad();
    const report = loadReportOf((name) => (name.endsWith('-bin') ? undefined : 'TEXT rps_fractional=10,cpu_utilization=0.1'))!;
    const at = (now: number): number | undefined => load.current(spec, now);
    load.report(report, spec, 0);
    expect([at(9_999), at(10_000), at(180_000), at(180_001)]).toEqual([undefined, 100, 100, undefined]);
    load.report(report, spec, 200_000);
    expect([at(205_000), at(210_000)]).toEqual([undefined, 100]);
  });
});

describe('client-side weighted round robin', () => {
  it('gives hosts their share by what they report, the median to those that report nothing', () => {
    const clock = new FakeClock();
    const hosts = [1, 2, 3, 4].map((port) => endpoint(port));
    const balancer = { kind: 'load_weighted', ...spec, blackoutMs: 0 } as const;
    const cluster = new ClusterState(clusterSpec({ balancer, localities: [locality(hosts)] }), { clock, random: seeded(3) });
    const reports: Record<number, string> = { 1: '0.1', 2: '0.2', 3: '0.4' };
    const picks = (count: number): Record<number, number> => {
      const found: Record<number, number> = {};
      for (let made = 0; made < count; made++) {
        const lease = cluster.acquire(exchange());
        if (!isLease(lease)) throw new Error(lease.details);
        const { port } = lease.endpoint;
        found[port] = (found[port] ?? 0) + 1;
        const utilization = reports[port];
        if (utilization !== undefined && lease.wantsLoad)
          lease.reportLoad((name) => (name.endsWith('-bin') ? undefined : `TEXT rps_fractional=100,cpu_utilization=${utilization}`));
        expect(lease.wantsLoad).toBe(utilization === undefined);
        lease.release({ kind: 'complete' });
      }
      return found;
    };
    expect(picks(40)).toEqual({ 1: 10, 2: 10, 3: 10, 4: 10 });
    clock.advance(1000);
    // 1000, 500, 250 and their median: 4 : 2 : 1 : 2.
    const found = picks(900);
    for (const [port, share] of [
      [1, 400],
      [2, 200],
      [3, 100],
      [4, 200],
    ] as const)
      expect(Math.abs(found[port]! - share)).toBeLessThanOrEqual(2);
  });

  it('other balancers ask for no report', () => {
    const cluster = new ClusterState(clusterSpec({ localities: [locality([endpoint(1)])] }), { clock: new FakeClock(), random: seeded(1) });
    const lease = cluster.acquire(exchange());
    expect(isLease(lease) && lease.wantsLoad).toBe(false);
  });
});
