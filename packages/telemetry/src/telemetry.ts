import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { context } from '@opentelemetry/api';
import type { AccessLogConfig, Clock, Exchange, Outcome, Random, TelemetrySink } from '@ripstop/core';
import { compileAccessLog, type LogEntry } from './access-log/format.ts';
import { LogWriter } from './access-log/writer.ts';
import { ConnectionMetrics } from './metrics/connection-metrics.ts';
import type { TelemetryNode } from './metrics/labels.ts';
import { type Gauge, renderPrometheus } from './metrics/prometheus.ts';
import { RequestMetrics } from './metrics/request-metrics.ts';
import { propagate } from './trace/propagation.ts';
import { MeshTracer } from './trace/tracer.ts';

export interface TelemetryOptions {
  readonly node: TelemetryNode;
  readonly clock: Clock;
  readonly random: Random;
  /** Gateways report as source and open a server and a client span per request. */
  readonly gateway?: boolean;
  readonly version?: string;
  readonly log?: (line: string) => void;
}

/** Metrics, trace context, spans and access logs of one mesh. */
export class Telemetry implements TelemetrySink {
  private readonly clock: Clock;
  private readonly metrics: RequestMetrics;
  private readonly connections: ConnectionMetrics;
  private readonly tracer: MeshTracer;
  private readonly storage = new AsyncLocalStorage<Exchange>();
  private readonly writers = new Map<string, LogWriter>();
  private readonly formats = new WeakMap<AccessLogConfig, (entry: LogEntry) => string>();
  private readonly gauges: (() => readonly Gauge[])[] = [];
  private readonly version: string;
  private readonly log: (line: string) => void;

  constructor(options: TelemetryOptions) {
    this.clock = options.clock;
    this.metrics = new RequestMetrics(options.node);
    this.connections = new ConnectionMetrics(options.node);
    this.tracer = new MeshTracer(options.random, options.gateway ?? false);
    this.version = options.version ?? '0.1.0';
    this.log = options.log ?? ((line) => process.emitWarning(line, { code: 'RIPSTOP_ACCESS_LOG' }));
  }

  onStart(x: Exchange): void {
    if (x.parent !== undefined) propagate(x.parent, x);
    this.tracer.start(x);
  }

  run<T>(x: Exchange, handler: () => T): T {
    const traced = this.tracer.contextOf(x);
    if (traced === undefined) return this.storage.run(x, handler);
    return this.storage.run(x, () => context.with(traced, handler));
  }

  /** See TelemetrySink. `AsyncLocalStorage.run` makes two frames: the exchange's, and one to go on with afterwards. */
  enter(x: Exchange): boolean {
    if (!CONTEXTS_END || x.telemetry !== undefined) return false;
    this.storage.enterWith(x);
    return true;
  }

  current(): Exchange | undefined {
    return this.storage.getStore();
  }

  onOpen(x: Exchange, soFar: () => Outcome): void {
    this.connections.open(x, soFar);
  }

  onEnd(x: Exchange, outcome: Outcome): void {
    if (x.protocol === 'tcp') this.connections.close(x, outcome);
    else {
      this.metrics.record(x, outcome);
      this.tracer.end(x, outcome);
    }
    const logs = x.manager.accessLogs;
    if (logs.length > 0) this.logAccess(logs, x, outcome);
  }

  /** Adds metrics that others keep (certificate expiry, xDS connection). Asked at each scrape. */
  addGauges(read: () => readonly Gauge[]): void {
    this.gauges.push(read);
  }

  /** `/stats/prometheus`. */
  renderPrometheus(): string {
    const build: Gauge = {
      name: 'istio_build',
      help: 'Build of this component',
      type: 'gauge',
      samples: [{ labels: { component: 'proxy', tag: `ripstop-${this.version}` }, value: 1 }],
    };
    return renderPrometheus(this.metrics.cells.values(), this.connections.cells(), [build, ...this.gauges.flatMap((read) => read())]);
  }

  close(): void {
    for (const writer of this.writers.values()) writer.close();
  }

  private logAccess(logs: readonly AccessLogConfig[], x: Exchange, outcome: Outcome): void {
    const entry: LogEntry = { x, outcome, startedAtWall: this.clock.wallTime() - (this.clock.now() - x.startedAt) };
    for (const config of logs) {
      if (config.filter !== undefined && !config.filter(x, outcome)) continue;
      let format = this.formats.get(config);
      if (format === undefined) {
        format = compileAccessLog(config);
        this.formats.set(config, format);
      }
      this.writer(config.path).write(format(entry));
    }
  }

  private writer(path: string): LogWriter {
    let writer = this.writers.get(path);
    if (writer === undefined) {
      writer = new LogWriter(path, this.log);
      this.writers.set(path, writer);
    }
    return writer;
  }
}

/** Whether what a callback enters ends with it: not so in Node 22, where the next request of a connection would find it. */
const CONTEXTS_END: boolean = contextsEnd();

function contextsEnd(): boolean {
  const storage = new AsyncLocalStorage<true>();
  const resource = new AsyncResource('ripstop.probe');
  resource.runInAsyncScope(() => storage.enterWith(true));
  return resource.runInAsyncScope(() => storage.getStore()) === undefined;
}

export function createTelemetry(options: TelemetryOptions): Telemetry {
  return new Telemetry(options);
}
