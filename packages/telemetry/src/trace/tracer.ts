import {
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { type Exchange, formatResponseFlags, type Outcome, type Random, type TagSource } from '@ripstop/core';
import { formatTraceparent, parseTraceparent, type TraceContext } from './trace-context.ts';

/** What an exchange's `telemetry` slot holds when it takes part in a trace. */
export interface TraceState {
  readonly span: Span;
}

/**
 * Spans of the mesh through @opentelemetry/api: a SERVER span per inbound exchange, a CLIENT span per outbound call (gateways make both
 * of one exchange). Sampling is decided first (the caller's decision, else the listener's random_sampling); an unsampled request has
 * no span object. Without an OpenTelemetry SDK there are no spans, and trace headers pass through as they came.
 */
export class MeshTracer {
  private tracer: Tracer | undefined;
  /** The provider that makes no spans, once it was met. */
  private idle: object | undefined;
  private readonly random: Random;
  private readonly gateway: boolean;

  constructor(random: Random, gateway: boolean) {
    this.random = random;
    this.gateway = gateway;
  }

  start(x: Exchange): void {
    const tracer = this.activeTracer();
    if (tracer === undefined) return;
    if (x.direction === 'inbound') this.startInbound(tracer, x);
    else this.startOutbound(tracer, x);
  }

  /** The OTel context for the app's handler, so that the app's own spans become children of ours. */
  contextOf(x: Exchange): Context | undefined {
    const state = x.telemetry as TraceState | undefined;
    return state === undefined ? undefined : trace.setSpan(context.active(), state.span);
  }

  end(x: Exchange, outcome: Outcome): void {
    const state = x.telemetry as (TraceState & { readonly server?: Span }) | undefined;
    if (state === undefined) return;
    for (const span of state.server === undefined ? [state.span] : [state.span, state.server]) finish(span, x, outcome);
  }

  private startInbound(tracer: Tracer, x: Exchange): void {
    const remote = parseTraceparent(x.request.header('traceparent'));
    if (!this.sampled(remote, x)) return;
    const span = tracer.startSpan(operation(x), { kind: SpanKind.SERVER, attributes: requestAttributes(x) }, remoteContext(remote));
    if (span.isRecording()) x.telemetry = { span } satisfies TraceState;
  }

  private startOutbound(tracer: Tracer, x: Exchange): void {
    if (this.gateway) this.startGateway(tracer, x);
    else this.startClient(tracer, x);
  }

  private startClient(tracer: Tracer, x: Exchange): void {
    const parentState = x.parent?.telemetry as TraceState | undefined;
    // A span that the app itself opened inside the handler is nearer than ours.
    const active = trace.getSpan(context.active());
    const parentSpan = active?.isRecording() ? active : parentState?.span;
    const remote = parentSpan === undefined ? parseTraceparent(x.request.header('traceparent')) : undefined;
    if (parentSpan === undefined && (x.parent !== undefined || !this.sampled(remote, x))) return;
    const parent = parentSpan === undefined ? remoteContext(remote) : trace.setSpan(ROOT_CONTEXT, parentSpan);
    this.inject(x, tracer.startSpan(operation(x), { kind: SpanKind.CLIENT, attributes: requestAttributes(x) }, parent));
  }

  /** A gateway has one exchange where a sidecar has two: both spans start here. */
  private startGateway(tracer: Tracer, x: Exchange): void {
    const remote = parseTraceparent(x.request.header('traceparent'));
    if (!this.sampled(remote, x)) return;
    const server = tracer.startSpan(operation(x), { kind: SpanKind.SERVER, attributes: requestAttributes(x) }, remoteContext(remote));
    const span = tracer.startSpan(
      operation(x),
      { kind: SpanKind.CLIENT, attributes: requestAttributes(x) },
      trace.setSpan(ROOT_CONTEXT, server),
    );
    this.inject(x, span);
    if (x.telemetry !== undefined) x.telemetry = { span, server };
  }

  private inject(x: Exchange, span: Span): void {
    if (!span.isRecording()) return;
    x.telemetry = { span } satisfies TraceState;
    const { traceId, spanId } = span.spanContext();
    x.request.setHeader('traceparent', formatTraceparent({ traceId, spanId, sampled: true }));
  }

  private sampled(remote: TraceContext | undefined, x: Exchange): boolean {
    if (remote !== undefined) return remote.sampled;
    const tracing = x.manager.tracing;
    return tracing !== undefined && this.random() * 100 < tracing.randomSampling;
  }

  /** Undefined while no SDK is registered; the API then hands out a no-op provider. */
  private activeTracer(): Tracer | undefined {
    if (this.tracer !== undefined) return this.tracer;
    const provider = trace.getTracerProvider() as { getDelegate?(): object };
    const delegate = provider.getDelegate?.() ?? provider;
    if (delegate === this.idle) return undefined;
    if (delegate.constructor.name === 'NoopTracerProvider') {
      this.idle = delegate;
      return undefined;
    }
    this.tracer = trace.getTracer('@ripstop/telemetry');
    return this.tracer;
  }
}

/** Until the route is known the span is named by host, as Envoy does; finish() gives it the route's operation. */
function operation(x: Exchange): string {
  return x.route?.operation || `${x.request.authority}${x.direction === 'inbound' ? '' : '/*'}`;
}

function remoteContext(remote: TraceContext | undefined): Context {
  if (remote === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, sampled } = remote;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  });
}

function requestAttributes(x: Exchange): Record<string, string> {
  return {
    'http.request.method': x.request.method,
    'url.path': x.request.path.slice(0, x.manager.tracing?.maxPathTagLength ?? 256),
    'server.address': x.request.authority,
  };
}

/** Tags of the listener's configuration; a header is read as it came, what policies noted is known at the end. */
function addTags(span: Span, x: Exchange): void {
  const tags = x.manager.tracing?.tags;
  if (tags === undefined) return;
  for (const [name, source] of tags) {
    const value = tagValue(source, x);
    if (value !== '') span.setAttribute(name, value);
  }
}

function tagValue(source: TagSource, x: Exchange): string {
  switch (source.kind) {
    case 'literal':
      return source.value;
    case 'environment':
      return process.env[source.name] ?? source.defaultValue;
    case 'header':
      return x.request.headerLines(source.name)[0] ?? source.defaultValue;
    case 'metadata': {
      let value: unknown = x.metadata?.get(source.filter);
      for (const key of source.path)
        value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
      return value === undefined ? source.defaultValue : typeof value === 'string' ? value : JSON.stringify(value);
    }
  }
}

function finish(span: Span, x: Exchange, outcome: Outcome): void {
  span.updateName(operation(x));
  addTags(span, x);
  span.setAttribute('http.response.status_code', outcome.status);
  span.setAttribute('response_flags', formatResponseFlags(x.flags));
  if (x.cluster !== undefined) span.setAttribute('upstream_cluster', x.cluster.name);
  if (x.endpoint !== undefined) span.setAttribute('peer.address', x.endpoint.key);
  if (x.attempt > 1) span.setAttribute('ripstop.attempts', x.attempt);
  if (outcome.status >= 500 || outcome.status === 0) span.setStatus({ code: SpanStatusCode.ERROR, message: x.details });
  span.end();
}
