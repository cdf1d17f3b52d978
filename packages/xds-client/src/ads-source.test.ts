import { once } from 'node:events';
import grpc from '@grpc/grpc-js';
import type { Clock, ConfigUpdate } from '@ripstop/core';
import { CLUSTER_TYPE_URL, DeltaDiscoveryRequest, DeltaDiscoveryResponse, HEALTH_TYPE_URL, LISTENER_TYPE_URL } from '@ripstop/xds-api';
import { afterEach, describe, expect, it } from 'vitest';
import { type AdsSource, createAdsSource } from './ads-source.ts';

type ServerStream = grpc.ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/** An ADS server that records what it is asked; the test answers by hand. */
class Ads {
  readonly streams: { readonly stream: ServerStream; readonly requests: DeltaDiscoveryRequest[]; readonly token: string }[] = [];
  readonly server: grpc.Server = new grpc.Server();
  address = '';
  private waiting: (() => void)[] = [];

  async start(): Promise<void> {
    this.server.addService(
      {
        delta: {
          path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
          requestStream: true,
          responseStream: true,
          requestSerialize: (message: DeltaDiscoveryRequest) => Buffer.from(DeltaDiscoveryRequest.encode(message).finish()),
          requestDeserialize: (bytes: Buffer) => DeltaDiscoveryRequest.decode(bytes),
          responseSerialize: (message: DeltaDiscoveryResponse) => Buffer.from(DeltaDiscoveryResponse.encode(message).finish()),
          responseDeserialize: (bytes: Buffer) => DeltaDiscoveryResponse.decode(bytes),
        },
      },
      { delta: (stream: ServerStream) => this.accept(stream) },
    );
    const port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    this.address = `127.0.0.1:${port}`;
  }

  /** Waits until the condition holds; it is looked at after each message. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private accept(stream: ServerStream): void {
    const entry = { stream, requests: [] as DeltaDiscoveryRequest[], token: String(stream.metadata.get('authorization')[0] ?? '') };
    this.streams.push(entry);
    stream.on('data', (request: DeltaDiscoveryRequest) => {
      entry.requests.push(request);
      this.notify();
    });
    stream.on('error', () => {}); // A client that closes tears its stream; the test looks at what was sent.
    stream.on('end', () => stream.end());
    this.notify();
  }

  private notify(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

/** Timers run when the test says so. */
function handClock(): Clock & { fire(): void } {
  const timers: (() => void)[] = [];
  return {
    now: () => 0,
    wallTime: () => 0,
    setTimer: (run) => {
      timers.push(run);
      return { cancel: () => {} };
    },
    fire: () => {
      for (const run of timers.splice(0)) run();
    },
  };
}

describe('an ADS source', () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  async function setting(
    token?: () => string,
  ): Promise<{ ads: Ads; source: AdsSource; clock: ReturnType<typeof handClock>; logs: string[] }> {
    const ads = new Ads();
    await ads.start();
    const clock = handClock();
    const logs: string[] = [];
    const source = createAdsSource({
      address: ads.address,
      ...(token === undefined ? {} : { token }),
      node: () => ({ id: 'sidecar~1', cluster: 'c', metadata: { NAMESPACE: 'default' } }),
      clock,
      random: () => 0,
      log: (line) => logs.push(line),
    });
    ends.push(
      () => source.close(),
      () => ads.server.forceShutdown(),
    );
    return { ads, source, clock, logs };
  }

  it.each([
    ['without a token', undefined],
    ['with a token', () => 'secret'],
  ])('names its node in the first request of a stream and in no later one, %s', async (_title, token) => {
    const { ads, source } = await setting(token);
    const subscription = source.subscribe(() => []);
    subscription.want(CLUSTER_TYPE_URL, '*');
    subscription.want(LISTENER_TYPE_URL, '*');
    await ads.until(() => ads.streams[0]?.requests.length === 2);
    const [first, second] = ads.streams[0]!.requests;
    expect(first).toMatchObject({ typeUrl: CLUSTER_TYPE_URL, node: { id: 'sidecar~1', metadata: { NAMESPACE: 'default' } } });
    expect(second).toMatchObject({ typeUrl: LISTENER_TYPE_URL, node: undefined });
    expect(ads.streams[0]!.token).toBe(token === undefined ? '' : 'Bearer secret');
  });

  it('answers with an ACK, and with a NACK that carries every rejection', async () => {
    const { ads, source } = await setting();
    const updates: ConfigUpdate[] = [];
    source
      .subscribe((update) => {
        updates.push(update);
        return update.resources.filter(({ name }) => name !== 'good').map(({ name }) => ({ typeUrl: update.typeUrl, name, reason: 'no' }));
      })
      .want(CLUSTER_TYPE_URL, '*');
    await ads.until(() => ads.streams[0]?.requests.length === 1);
    const resource = (name: string) => ({ name, version: '1', resource: { typeUrl: CLUSTER_TYPE_URL, value: new Uint8Array() } });
    const respond = (nonce: string, names: string[]): void =>
      void ads.streams[0]!.stream.write(
        DeltaDiscoveryResponse.fromPartial({ typeUrl: CLUSTER_TYPE_URL, nonce, resources: names.map(resource) }),
      );
    respond('n1', ['good']);
    await ads.until(() => ads.streams[0]?.requests.length === 2);
    respond('n2', ['bad', 'worse']);
    await ads.until(() => ads.streams[0]?.requests.length === 3);
    const [, ack, nack] = ads.streams[0]!.requests;
    expect(ack).toMatchObject({ responseNonce: 'n1', errorDetail: undefined });
    expect(nack).toMatchObject({ responseNonce: 'n2', errorDetail: { message: expect.stringMatching(/bad: no.*worse: no/s) } });
    expect(updates.map(({ resources }) => resources.map(({ name }) => name))).toEqual([['good'], ['bad', 'worse']]);
  });

  it('comes back after a lost stream, with its node, its names and its health', async () => {
    const { ads, source, clock, logs } = await setting();
    source.subscribe(() => []).want(CLUSTER_TYPE_URL, '*');
    source.register({ serving: true });
    await ads.until(() => ads.streams[0]?.requests.length === 2);
    const gone = once(ads.streams[0]!.stream, 'finish');
    ads.streams[0]!.stream.emit('error', { code: grpc.status.UNAVAILABLE, details: 'restarting' });
    await gone.catch(() => {});
    while (logs.length === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.fire();
    await ads.until(() => ads.streams[1]?.requests.length === 2);
    expect(ads.streams[1]!.requests).toMatchObject([
      { typeUrl: CLUSTER_TYPE_URL, node: { id: 'sidecar~1' }, resourceNamesSubscribe: ['*'] },
      { typeUrl: HEALTH_TYPE_URL, node: { id: 'sidecar~1' } },
    ]);
    expect(logs).toEqual([expect.stringContaining('restarting')]);
  });

  it('says that it knows the time to live of resources, and takes back what has run out', async () => {
    const { ads, source, clock, logs } = await setting();
    const updates: ConfigUpdate[] = [];
    source
      .subscribe((update) => {
        updates.push(update);
        return [];
      })
      .want(CLUSTER_TYPE_URL, '*');
    await ads.until(() => ads.streams[0]?.requests.length === 1);
    expect(ads.streams[0]!.requests[0]!.node!.clientFeatures).toEqual(['xds.config.supports-resource-ttl']);
    const resource = { name: 'web', version: '1', resource: { typeUrl: CLUSTER_TYPE_URL }, ttl: { seconds: 0 } };
    ads.streams[0]!.stream.write(DeltaDiscoveryResponse.fromPartial({ typeUrl: CLUSTER_TYPE_URL, nonce: 'n1', resources: [resource] }));
    await ads.until(() => ads.streams[0]?.requests.length === 2);
    clock.fire();
    expect(updates.at(-1)).toMatchObject({ typeUrl: CLUSTER_TYPE_URL, resources: [], removed: ['web'], full: false });
    expect(logs).toEqual([expect.stringContaining('did not confirm web within the time to live')]);
  });
});
