/** A W3C trace context (traceparent), version 00. */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

/** Undefined for anything that is not a valid version-00 traceparent. */
export function parseTraceparent(text: string | undefined): TraceContext | undefined {
  if (text === undefined || text.length !== 55) return undefined;
  const match = TRACEPARENT.exec(text);
  if (match === null || match[1] === NO_TRACE || match[2] === NO_SPAN) return undefined;
  return { traceId: match[1]!, spanId: match[2]!, sampled: (Number.parseInt(match[3]!, 16) & 1) === 1 };
}

export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-${context.sampled ? '01' : '00'}`;
}
