import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import {
  type Cluster,
  type Endpoint,
  Exchange,
  type HttpConnectionManager,
  NO_PEER,
  type Outcome,
  type Peer,
  type RequestHead,
  ResponseFlag,
  type Snapshot,
} from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { compileFormat } from './access-log/format.ts';
import { createTelemetry, type Telemetry } from './telemetry.ts';

const NODE = {
  workload: 'productpage-v1',
  namespace: 'default',
  principal: 'spiffe://cluster.local/ns/default/sa/productpage',
  app: 'productpage',
  version: 'v1',
  canonicalService: 'productpage',
  canonicalRevision: 'v1',
  cluster: 'Kubernetes',
  meshId: 'cluster.local',
};

class FakeHead implements RequestHead {
  readonly scheme = 'http';
  authority = 'reviews:9080';
  method = 'GET';
  path = '/reviews/0?x=1';
  readonly headers = new Map<string, string>();
  constructor(headers: Record<string, string> = {}) {
    for (const [name, value] of Object.entries(headers)) this.headers.set(name, value);
  }
  header(name: string): string | undefined {
    return this.headers.get(name);
  }
  headerLines(name: string): readonly string[] {
    const value = this.headers.get(name);
    return value === undefined ? [] : [value];
  }
  setHeader(name: string, value: string): void {
    this.headers.set(name, value);
  }
  appendHeader(name: string, value: string): void {
    this.headers.set(name, value);
  }
  removeHeader(name: string): void {
    this.headers.delete(name);
  }
}

const manager = { accessLogs: [], metrics: [], tracing: undefined } as unknown as HttpConnectionManager;
const cluster = {
  name: 'outbound|9080||reviews.default.svc.cluster.local',
  services: [{ host: 'reviews.default.svc.cluster.local', name: 'reviews', namespace: 'default' }],
} as unknown as Cluster;
const endpoint = {
  key: '10.0.0.7:9080',
  transport: { kind: 'tls', expectedSans: ['spiffe://cluster.local/ns/default/sa/reviews'] },
  workload: { workload: 'reviews-v2', namespace: 'default', canonicalService: 'reviews', canonicalRevision: 'v2', cluster: 'Kubernetes' },
} as unknown as Endpoint;

function exchange(direction: 'inbound' | 'outbound', init: { head?: RequestHead; peer?: Peer; parent?: Exchange } = {}): Exchange {
  const x = new Exchange({
    direction,
    protocol: 'http1',
    request: init.head ?? new FakeHead(),
    snapshot: {} as Snapshot,
    manager,
    peer: init.peer ?? NO_PEER,
    port: 9080,
    startedAt: 100,
    parent: init.parent,
  });
  if (direction === 'outbound') Object.assign(x, { cluster, endpoint });
  return x;
}

const outcome = (status: number): Outcome => ({ status, grpcStatus: undefined, requestBytes: 0, responseBytes: 42, endedAt: 107 });

function telemetry(): Telemetry {
  const clock = { now: () => 107, wallTime: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678), setTimer: () => ({ cancel() {} }) };
  return createTelemetry({ node: NODE, clock, random: () => 0.5 });
}

/** Labels and value of each istio_requests_total series. */
function requests(text: string): { labels: Record<string, string>; value: number }[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('istio_requests_total{'))
    .map((line) => ({
      labels: Object.fromEntries([...line.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1]!, match[2]!])),
      value: Number(line.slice(line.lastIndexOf(' ') + 1)),
    }));
}

describe('istio_requests_total', () => {
  it('of the source names both sides, the service and the truth about mTLS', () => {
    const sink = telemetry();
    for (let count = 0; count < 3; count++) sink.onEnd(exchange('outbound'), outcome(200));
    const failed = exchange('outbound');
    failed.flags = ResponseFlag.UpstreamOverflow;
    sink.onEnd(failed, outcome(503));
    const series = requests(sink.renderPrometheus());
    expect(series.map(({ value }) => value)).toEqual([3, 1]);
    expect(series[0]!.labels).toMatchObject({
      reporter: 'source',
      source_workload: 'productpage-v1',
      destination_workload: 'reviews-v2',
      destination_service: 'reviews.default.svc.cluster.local',
      destination_service_name: 'reviews',
      destination_principal: 'spiffe://cluster.local/ns/default/sa/reviews',
      response_code: '200',
      response_flags: '-',
      connection_security_policy: 'mutual_tls',
    });
    expect(series[1]!.labels).toMatchObject({ response_code: '503', response_flags: 'UO' });
    expect(Object.keys(series[0]!.labels)).toHaveLength(25);
  });

  it('of the destination takes the caller from its certificate and says unknown for what is not in it', () => {
    const sink = telemetry();
    const peer: Peer = { ...NO_PEER, mtls: true, uriSans: ['spiffe://cluster.local/ns/shop/sa/web'] };
    sink.onEnd(exchange('inbound', { peer }), outcome(200));
    expect(requests(sink.renderPrometheus())[0]!.labels).toMatchObject({
      reporter: 'destination',
      source_principal: 'spiffe://cluster.local/ns/shop/sa/web',
      source_workload_namespace: 'shop',
      source_workload: 'unknown',
      destination_workload: 'productpage-v1',
      connection_security_policy: 'mutual_tls',
    });
  });

  it('counts connections of the same kind in one series, and two hosts on one connection in two', () => {
    const sink = telemetry();
    sink.onEnd(exchange('inbound', { peer: { ...NO_PEER } }), outcome(200));
    const shared = { ...NO_PEER };
    sink.onEnd(exchange('inbound', { peer: shared }), outcome(200));
    const other = new FakeHead();
    other.authority = 'other.example';
    sink.onEnd(exchange('inbound', { peer: shared, head: other }), outcome(200));
    expect(requests(sink.renderPrometheus()).map(({ value }) => value)).toEqual([2, 1]);
  });

  it('puts durations into the right bucket, cumulatively', () => {
    const sink = telemetry();
    sink.onEnd(exchange('outbound'), outcome(200)); // 7 ms
    const buckets = sink
      .renderPrometheus()
      .split('\n')
      .filter((line) => line.startsWith('istio_request_duration_milliseconds_bucket'))
      .map((line) => `${/le="([^"]+)"/.exec(line)![1]}=${line.slice(line.lastIndexOf(' ') + 1)}`);
    expect(buckets.slice(0, 5)).toEqual(['0.5=0', '1=0', '5=0', '10=1', '25=1']);
    expect(buckets.at(-1)).toBe('+Inf=1');
  });
});

describe('propagation', () => {
  it('hands the trace headers of the inbound request to outbound calls, but never credentials, nor over what the app set', () => {
    const sink = telemetry();
    const inbound = exchange('inbound', {
      head: new FakeHead({ 'x-request-id': 'id-1', b3: 'b', authorization: 'Bearer t', cookie: 'c=1', baggage: 'user=1' }),
    });
    const head = new FakeHead({ baggage: 'own=2' });
    sink.onStart(exchange('outbound', { head, parent: inbound }));
    expect(Object.fromEntries(head.headers)).toEqual({ 'x-request-id': 'id-1', b3: 'b', baggage: 'own=2' });
  });

  it.each<[name: string, value: string, carried: string | undefined]>([
    ['tracestate', `a=${'x'.repeat(500)},b=1,c=${'y'.repeat(60_000)},d=1`, `a=${'x'.repeat(500)},b=1`],
    ['tracestate', `a=${'x'.repeat(600)}`, undefined],
    ['tracestate', Array.from({ length: 40 }, (_, at) => `k${at}=1`).join(), Array.from({ length: 32 }, (_, at) => `k${at}=1`).join()],
    ['tracestate', 'a=1,b=2', 'a=1,b=2'],
    ['baggage', `a=${'x'.repeat(8_190)}`, `a=${'x'.repeat(8_190)}`],
    ['baggage', `a=1,b=${'x'.repeat(8_190)}`, 'a=1'],
    ['baggage', Array.from({ length: 70 }, (_, at) => `k${at}=1`).join(), Array.from({ length: 64 }, (_, at) => `k${at}=1`).join()],
    ['traceparent', 'nonsense', 'nonsense'],
  ])('hands on of %s what W3C asks for, in whole members: %.20s', (name, value, carried) => {
    const sink = telemetry();
    const head = new FakeHead({});
    sink.onStart(exchange('outbound', { head, parent: exchange('inbound', { head: new FakeHead({ [name]: value }) }) }));
    expect(head.header(name)).toBe(carried);
  });

  it('finds the exchange whose handler is running, also after an await', async () => {
    const sink = telemetry();
    const x = exchange('inbound');
    const found = await sink.run(x, async () => {
      await Promise.resolve();
      return sink.current();
    });
    expect(found).toBe(x);
    expect(sink.current()).toBeUndefined();
  });

  it('is entered for the rest of a callback: later calls find it, other requests of the connection do not', async () => {
    const sink = telemetry();
    const before: (Exchange | undefined)[] = [];
    const later: [asked: Exchange, found: Exchange | undefined][] = [];
    const server = createServer((_request, response) => {
      before.push(sink.current());
      const x = exchange('inbound');
      const answer = (): void => void setImmediate(() => later.push([x, sink.current()]) && response.end());
      if (!sink.enter(x)) sink.run(x, answer);
      else answer();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const get = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
    socket.write(get + get);
    await expect.poll(() => later.length).toBe(2);
    socket.write(`GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
    await once(socket.resume(), 'close');
    server.close();
    expect(before).toEqual([undefined, undefined, undefined]);
    expect(later).toHaveLength(3);
    for (const [asked, found] of later) expect(found).toBe(asked);
  });
});

describe('access log', () => {
  it('prints what Istio prints by default', () => {
    const format = compileFormat(
      '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "%REQ(USER-AGENT)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% 100%%\n',
    );
    const x = exchange('outbound', { head: new FakeHead({ 'user-agent': 'curl' }) });
    expect(format({ x, outcome: outcome(200), startedAtWall: Date.UTC(2026, 0, 2, 3, 4, 5, 678) })).toBe(
      '[2026-01-02T03:04:05.678Z] "GET /reviews/0?x=1 HTTP/1.1" 200 - via_upstream - "-" 0 42 7 "curl" "reviews:9080" "10.0.0.7:9080" outbound|9080||reviews.default.svc.cluster.local 100%\n',
    );
  });
});
