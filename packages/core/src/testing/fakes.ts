import type { Locality } from '../cluster/cluster.ts';
import type { ClusterSpec, EndpointSpec, LocalitySpec } from '../cluster/cluster-spec.ts';
import { DEFAULT_THRESHOLDS } from '../cluster/resources.ts';
import { Exchange, type ExchangeInit, NO_PEER, type RequestHead, type ResponseHead } from '../exchange.ts';
import type { OutlierSpec } from '../outlier/outlier-spec.ts';
import type { Clock, Random, Timer } from '../ports.ts';
import { PLAIN_MANAGER } from '../route/plain-manager.ts';
import type { Snapshot } from '../snapshot.ts';

/** A clock that stands until it is advanced. */
export class FakeClock implements Clock {
  private time = 0;
  private timers: { readonly at: number; readonly run: () => void }[] = [];

  now(): number {
    return this.time;
  }

  wallTime(): number {
    return 1_700_000_000_000 + this.time;
  }

  setTimer(run: () => void, delayMs: number): Timer {
    const timer = { at: this.time + delayMs, run };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((other) => other !== next);
      this.time = next.at;
      next.run();
    }
    this.time = end;
  }

  get pending(): number {
    return this.timers.length;
  }
}

/** mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Lines = Readonly<Record<string, string | readonly string[]>>;

/** A head over a plain list of lines, with Envoy's joining. */
export class FakeHead implements RequestHead, ResponseHead {
  scheme: 'http' | 'https' = 'http';
  authority = 'shop';
  originalDestination?: string;
  method = 'GET';
  path = '/';
  status = 200;
  lines: (readonly [name: string, value: string])[];

  constructor(
    headers: Lines = {},
    pseudo: Partial<Pick<FakeHead, 'scheme' | 'authority' | 'originalDestination' | 'method' | 'path' | 'status'>> = {},
  ) {
    this.lines = Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value): [string, string] => [name, value]));
    Object.assign(this, pseudo);
  }

  header(name: string): string | undefined {
    const lines = this.headerLines(name);
    return lines.length === 0 ? undefined : lines.join(',');
  }

  headerLines(name: string): readonly string[] {
    return this.lines.filter(([other]) => other === name).map(([, value]) => value);
  }

  firstLine(name: string): string | undefined {
    return this.headerLines(name)[0];
  }

  setHeader(name: string, value: string): void {
    this.removeHeader(name);
    this.lines.push([name, value]);
  }

  appendHeader(name: string, value: string): void {
    this.lines.push([name, value]);
  }

  removeHeader(name: string): void {
    this.lines = this.lines.filter(([other]) => other !== name);
  }
}

export function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  const outbound = { forPort: () => undefined, catchAll: PLAIN_MANAGER, ports: [] };
  return { version: '1', sequence: 1, outbound, inbound: [], gateways: [], clusters: new Map(), ...changes };
}

export function exchange(changes: Partial<ExchangeInit> = {}): Exchange {
  const x = new Exchange({
    direction: 'outbound',
    protocol: 'http1',
    request: new FakeHead(),
    snapshot: snapshot(),
    manager: PLAIN_MANAGER,
    peer: NO_PEER,
    port: 80,
    startedAt: 0,
    parent: undefined,
    ...changes,
  });
  x.matchPath = x.request.path.split('?')[0]!;
  return x;
}

export function endpoint(port: number, changes: Partial<EndpointSpec> = {}): EndpointSpec {
  return {
    address: '10.0.0.1',
    port,
    hostname: '',
    weight: 1,
    health: 'UNKNOWN',
    transport: { kind: 'raw' },
    workload: undefined,
    ...changes,
  };
}

export function locality(
  endpoints: readonly EndpointSpec[],
  changes: Partial<Omit<LocalitySpec, 'locality'>> & { readonly zone?: string } = {},
): LocalitySpec {
  const where: Locality = { region: '', zone: changes.zone ?? '', subZone: '' };
  return { locality: where, priority: changes.priority ?? 0, weight: changes.weight ?? 0, endpoints };
}

export function clusterSpec(changes: Partial<ClusterSpec> = {}): ClusterSpec {
  return {
    name: 'reviews',
    kind: 'eds',
    services: [],
    subset: '',
    external: false,
    connection: {
      connectTimeoutMs: 1000,
      protocol: 'http1',
      maxRequestsPerConnection: 0,
      idleTimeoutMs: 0,
      maxConnectionDurationMs: 0,
      keepAliveTimeMs: 0,
      maxConcurrentStreams: 0,
    },
    thresholds: DEFAULT_THRESHOLDS,
    balancer: { kind: 'round_robin' },
    outlier: undefined,
    panicThreshold: 0,
    localityWeighted: false,
    localities: [],
    dnsRefreshMs: 5000,
    transport: { kind: 'raw' },
    source: undefined,
    ...changes,
  };
}

/** Envoy's defaults, but for the share of hosts that may be ejected: all. */
export function outlierSpec(changes: Partial<OutlierSpec> = {}): OutlierSpec {
  return {
    consecutive5xx: 5,
    consecutiveGatewayFailure: 5,
    consecutiveLocalOriginFailure: 5,
    splitExternalLocalOrigin: false,
    intervalMs: 10_000,
    baseEjectionMs: 30_000,
    maxEjectionMs: 300_000,
    maxEjectionPercent: 100,
    enforcing5xxPercent: 100,
    enforcingGatewayPercent: 0,
    enforcingLocalOriginPercent: 100,
    successRate: { enforcingPercent: 100, minimumHosts: 5, requestVolume: 100, stdevFactor: 1900 },
    failurePercentage: { enforcingPercent: 0, threshold: 85, minimumHosts: 5, requestVolume: 50 },
    ...changes,
  };
}
