import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Pair } from '../simulation/observation.ts';
import { typed } from '../simulation/xds/static-config.ts';
import { startStaticPair } from './filters/static-mesh.ts';
import { until } from './until.ts';

const { envoy: peer } = inject('peers');
if ('missing' in peer) console.log(`skipped: out-of-band load reports beside an Envoy: ${peer.missing}`);

const STREAM = '/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics';
const CALLS = 700;
/** Of all calls; the pickers are exact but for where a turn begins. */
const TOLERANCE = 0.03;

/** A host over HTTP/2 that says its name, and its load to whoever asks. */
class ReportingHost implements AsyncDisposable {
  /** Streams of reports that are open now. */
  readonly streams = new Set<ServerHttp2Stream>();
  /** Calls of the service, those that were refused included. */
  asked = 0;
  /** False: it has no such service. */
  reports = true;
  private readonly server: Http2Server = createServer();
  private utilization = 0.5;

  static async start(name: string): Promise<ReportingHost> {
    const host = new ReportingHost(name);
    await new Promise<void>((resolve) => host.server.listen(0, '127.0.0.1', resolve));
    return host;
  }

  private constructor(name: string) {
    this.server.on('stream', (stream, headers) => {
      stream.on('error', () => {}); // Who asks may go at any time.
      stream.resume();
      if (headers[':path'] === STREAM) this.report(stream);
      else {
        stream.respond({ ':status': 200 });
        stream.end(name);
      }
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** From now on; everybody is told at once. */
  set load(utilization: number) {
    this.utilization = utilization;
    for (const stream of this.streams) stream.write(this.frame());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.streams) stream.session?.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private report(stream: ServerHttp2Stream): void {
    this.asked++;
    if (!this.reports) {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' }, { endStream: true });
      return;
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    this.streams.add(stream);
    stream.on('close', () => this.streams.delete(stream));
    stream.write(this.frame());
  }

  /** application_utilization (9) and rps_fractional (6) of an OrcaLoadReport, framed for gRPC. */
  private frame(): Buffer {
    const bytes = Buffer.alloc(5 + 18);
    bytes.writeUInt32BE(18, 1);
    bytes[5] = 9 * 8 + 1;
    bytes.writeDoubleLE(this.utilization, 6);
    bytes[14] = 6 * 8 + 1;
    bytes.writeDoubleLE(100, 15);
    return bytes;
  }
}

describe.skipIf('missing' in peer)('client_side_weighted_round_robin with load reports out of band', () => {
  const parts = new AsyncDisposableStack();
  const hosts: ReportingHost[] = [];
  let pair: Pair;

  beforeAll(async () => {
    if ('missing' in peer) return;
    for (const name of ['a', 'b', 'c', 'd']) hosts.push(parts.use(await ReportingHost.start(name)));
    hosts[3]!.reports = false;
    const policy = typed('envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin', {
      enable_oob_load_report: true,
      oob_reporting_period: '1s',
      blackout_period: '0s',
      weight_update_period: '0.1s',
    });
    const more = { load_balancing_policy: { policies: [{ typed_extension_config: { name: 'weighted', typed_config: policy } }] } };
    const virtualHosts = [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'hosts' } }] }];
    const clusters = { hosts: { ports: hosts.map(({ port }) => port), http2: true, more } };
    pair = await startStaticPair(peer.path, { filters: [], virtualHosts, clusters }, parts);
    await until('both sides hear every host that reports', () => hosts.slice(0, 3).every(({ streams }) => streams.size === 2));
  });
  afterAll(() => parts.disposeAsync());

  /** Shares of the calls, by host. */
  async function shares(side: 'envoy' | 'sdk'): Promise<number[]> {
    const counts = new Map<string, number>();
    for (let made = 0; made < CALLS; made++) {
      const { body } = await pair[side].call({ url: 'http://edge/' });
      counts.set(body, (counts.get(body) ?? 0) + 1);
    }
    return ['a', 'b', 'c', 'd'].map((name) => (counts.get(name) ?? 0) / CALLS);
  }

  async function weigh(side: 'envoy' | 'sdk', loads: readonly number[], weights: readonly number[]): Promise<void> {
    for (const [index, load] of loads.entries()) hosts[index]!.load = load;
    const whole = weights.reduce((sum, weight) => sum + weight, 0);
    let last: readonly number[] = [];
    await until(`the weights ${weights.join(':')} of ${side}`, async () => {
      last = await shares(side);
      if (last.some((share, index) => Math.abs(share - weights[index]! / whole) > TOLERANCE)) throw new Error(`they are ${last.join(' ')}`);
      return true;
    });
    expect(last).toHaveLength(4);
  }

  describe.each(['envoy', 'sdk'] as const)('%s', (side) => {
    // One that does not report has the weight in the middle of the others.
    it('weighs hosts by what they say', () => weigh(side, [0.2, 0.4, 0.8], [4, 2, 1, 2]));

    it('follows them as they say another thing', () => weigh(side, [0.8, 0.4, 0.1], [1, 2, 8, 2]));
  });

  it('asks a host that has no such service once, and no more', () => {
    expect(hosts[3]!.asked).toBe(2);
    for (const host of hosts.slice(0, 3)) expect(host.asked).toBe(2);
  });
});
