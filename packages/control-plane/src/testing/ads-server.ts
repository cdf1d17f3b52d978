import { AdsService } from '../ads/ads-service.ts';
import type { TypeStatus } from '../ads/session-messages.ts';
import { PushContext } from '../push/push-context.ts';
import { WorkloadRegistry } from '../registry/workload-registry.ts';
import { GrpcServer, type KeepaliveTimes, shutDown } from '../server/grpc-server.ts';
import { FakeScheduler } from './fake-scheduler.ts';

/** An ADS server on loopback whose configuration and time are the test's. Its events are lines that a test waits for. */
export class TestAdsServer implements AsyncDisposable {
  readonly scheduler: FakeScheduler = new FakeScheduler();
  readonly registry: WorkloadRegistry;
  readonly events: string[] = [];
  address = '';
  private readonly ads: AdsService;
  private readonly server: GrpcServer;
  private readonly waiting = new Map<string, () => void>();
  private push: PushContext;

  constructor(
    push: PushContext = new PushContext({ objects: [], workloads: [] }),
    { resourceTtlMs, keepalive }: { readonly resourceTtlMs?: number; readonly keepalive?: KeepaliveTimes } = {},
  ) {
    this.push = push;
    this.server = new GrpcServer({ keepalive });
    this.registry = new WorkloadRegistry(this.scheduler, {
      onRegistered: ({ key }) => this.tell(`registered ${key}`),
      onWithdrawn: ({ key }, reason) => this.tell(`withdrawn ${key}: ${reason}`),
    });
    this.ads = new AdsService({
      registry: this.registry,
      scheduler: this.scheduler,
      resourceTtlMs,
      current: () => this.push,
      onConnected: ({ name }) => this.tell(`connected ${name}`),
      onDisconnected: ({ name }, reason) => this.tell(`disconnected ${name}: ${reason}`),
      onRefused: ({ name }, _typeUrl, reason) => this.tell(`refused ${name}: ${reason}`),
      onDisbelieved: ({ name }, reason) => this.tell(`disbelieved ${name}: ${reason}`),
      onProblem: ({ name }, typeUrl, error) => this.tell(`problem ${name} ${typeUrl}: ${error}`),
    });
  }

  async start(): Promise<this> {
    this.ads.addTo(this.server.services, undefined);
    this.address = await this.server.bind('127.0.0.1:0');
    return this;
  }

  update(push: PushContext): void {
    this.push = push;
    this.ads.update(push);
  }

  /** Ends streams one after the other, then the server. */
  shutDown(withinMs: number): Promise<void> {
    return shutDown([this.server], () => this.ads.drain(withinMs));
  }

  /** Resolves when an event line begins like this; at once when it already did. */
  async event(start: string): Promise<void> {
    if (this.events.some((line) => line.startsWith(start))) return;
    await new Promise<void>((resolve) => this.waiting.set(start, resolve));
  }

  /** Another client can be let in. */
  get hasRoom(): boolean {
    return this.ads.hasRoom;
  }

  status(name: string): readonly TypeStatus[] {
    return this.ads.sessions.find(({ node }) => node.name === name)?.status ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.registry.close();
    this.server.forceShutdown();
  }

  private tell(line: string): void {
    this.events.push(line);
    for (const [start, resolve] of this.waiting) if (line.startsWith(start)) resolve();
  }
}
