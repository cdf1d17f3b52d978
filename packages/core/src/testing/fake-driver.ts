import type { AttemptDriver, LiveAttempt } from '../attempt/attempt-driver.ts';
import { DeadlineQueues } from '../attempt/deadline-queue.ts';
import { ExchangeWalk } from '../attempt/exchange-walk.ts';
import type { Lease } from '../cluster/cluster.ts';
import type { ClusterSpec } from '../cluster/cluster-spec.ts';
import { ClusterState } from '../cluster/cluster-state.ts';
import type { Exchange } from '../exchange.ts';
import type { Filter } from '../filter.ts';
import type { LocalReply } from '../local-reply.ts';
import type { Outcome, ResetReason } from '../outcome.ts';
import { Pipeline } from '../pipeline.ts';
import type { Random } from '../ports.ts';
import { formatResponseFlags } from '../response-flags.ts';
import { PLAIN_MANAGER, plainForward } from '../route/plain-manager.ts';
import type { ForwardAction } from '../route/route.ts';
import { createRouteTable } from '../route/route-table.ts';
import { clusterSpec, endpoint, exchange, FakeClock, FakeHead, locality, seeded, snapshot } from './fakes.ts';

class FakeAttempt implements LiveAttempt {
  readonly lease: Lease;
  running = true;
  constructor(lease: Lease) {
    this.lease = lease;
  }
  start(): void {}
  reset(): void {
    this.running = false;
  }
}

/** A walk over a cluster of three hosts whose driver sends nothing: the test says what becomes of each attempt. */
export class WalkScene implements AttemptDriver {
  readonly clock: FakeClock = new FakeClock();
  readonly cluster: ClusterState;
  readonly x: Exchange;
  readonly walk: ExchangeWalk;
  readonly attempts: FakeAttempt[] = [];
  readonly ended: Outcome[] = [];
  readonly errors: string[] = [];
  held: number = 0;
  /** What the app got: a status, and how it ended. */
  got = '';
  replayable = true;
  requestComplete = true;

  constructor(
    action: Partial<ForwardAction>,
    cluster: Partial<ClusterSpec> = {},
    random: Random = seeded(1),
    filters: readonly Filter[] = [],
    /** Not 0: the connection manager's limit, of a request that is not complete. */
    requestTimeoutMs = 0,
  ) {
    this.requestComplete = requestTimeoutMs === 0;
    const hosts = [locality([endpoint(1), endpoint(2), endpoint(3)])];
    this.cluster = new ClusterState(clusterSpec({ localities: hosts, ...cluster }), { clock: this.clock, random });
    const manager = {
      ...PLAIN_MANAGER,
      requestTimeoutMs,
      routes: createRouteTable('test', [hostOf({ ...plainForward(this.cluster.name), ...action }, filters)], true),
    };
    this.x = exchange({ manager, snapshot: snapshot({ clusters: new Map([[this.cluster.name, this.cluster]]) }) });
    const { clock } = this;
    const telemetry = {
      onStart() {},
      run: <T>(_x: Exchange, handler: () => T) => handler(),
      current: () => undefined,
      onEnd: (_x: Exchange, outcome: Outcome) => this.ended.push(outcome),
    };
    const hold = { take: () => this.held++, give: () => this.held-- };
    const pipeline = new Pipeline({ clock, random });
    this.walk = new ExchangeWalk({ pipeline, deadlines: new DeadlineQueues(clock), clock, random, telemetry, hold }, this.x, this);
    this.walk.begin();
  }

  /** Response headers on an attempt, 1 = the first; the body ends with them. */
  answers(attempt: number, status: number, headers: Record<string, string> = {}): this {
    const live = this.attempts[attempt - 1]!;
    if (!live.running) throw new Error(`attempt ${attempt} does not run any more`);
    const grpc = headers['grpc-status'];
    if (this.walk.onHead(live, new FakeHead(headers, { status }), grpc === undefined ? undefined : Number(grpc))) {
      this.walk.onEnd(live);
      this.end(status, `${status}`);
    }
    live.running = false;
    return this;
  }

  breaks(attempt: number, reason: ResetReason): this {
    this.walk.onReset(this.attempts[attempt - 1]!, reason);
    return this;
  }

  /** The newest attempt's connection stands. */
  opened(): this {
    this.walk.startStream(this.attempts.at(-1)!);
    return this;
  }

  /** The newest attempt's connection stands and the request is sent. */
  sent(): this {
    this.walk.startTry(this.attempts.at(-1)!);
    return this;
  }

  after(ms: number): this {
    this.clock.advance(ms);
    return this;
  }

  get flags(): string {
    return formatResponseFlags(this.x.flags);
  }

  /** Attempts that still run, 1 = the first. */
  get running(): number[] {
    return this.attempts.flatMap(({ running }, index) => (running ? [index + 1] : []));
  }

  onRouted(now: number): void {
    this.walk.forward(now, this.requestComplete);
  }

  createAttempt(lease: Lease): LiveAttempt {
    const attempt = new FakeAttempt(lease);
    this.attempts.push(attempt);
    return attempt;
  }

  onReply(reply: LocalReply): void {
    this.end(reply.status, `${reply.status} ${reply.body}`);
  }

  onBreak(): void {
    this.end(200, 'broken');
  }

  onFilterError(error: Error): void {
    this.errors.push(error.message);
  }

  private end(status: number, got: string): void {
    this.got = got;
    this.walk.finish(status);
  }
}

function hostOf(action: ForwardAction, filters: readonly Filter[]): Parameters<typeof createRouteTable>[1][number] {
  const route = { name: 'all', matches: () => true, action, filters, headers: undefined, operation: '', source: undefined };
  return { name: 'all', domains: ['*'], routes: [route], includeAttemptCount: false, requireTls: false };
}
