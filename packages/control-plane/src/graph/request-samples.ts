/** The istio_requests_total and duration series of one source, summed per edge, as one scrape shows them. */
export interface EdgeTotals {
  readonly source: string;
  readonly sourceNamespace: string;
  readonly target: string;
  readonly targetNamespace: string;
  readonly version: string;
  readonly requests: number;
  /** Responses with a 5xx code, or none at all. */
  readonly errors: number;
  /** Requests over mutual TLS. */
  readonly mutualTls: number;
  /** Cumulative counts by upper bound in milliseconds, ascending; the last bound is Infinity. */
  readonly buckets: ReadonlyMap<number, number>;
}

interface Accumulator {
  source: string;
  sourceNamespace: string;
  target: string;
  targetNamespace: string;
  version: string;
  requests: number;
  errors: number;
  mutualTls: number;
  buckets: Map<number, number>;
}

const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the source-reported edges out of a Prometheus text; keyed by source, target and target version. */
export function readEdges(text: string): Map<string, EdgeTotals> {
  const edges = new Map<string, Accumulator>();
  for (const line of text.split('\n')) {
    const name = line.slice(0, line.indexOf('{'));
    if (name !== 'istio_requests_total' && name !== 'istio_request_duration_milliseconds_bucket') continue;
    const close = line.lastIndexOf('}');
    const labels = new Map([...line.slice(name.length + 1, close).matchAll(LABEL)].map((match) => [match[1]!, match[2]!]));
    if (labels.get('reporter') !== 'source') continue;
    const edge = edgeOf(edges, labels);
    const value = Number(line.slice(close + 1).trim());
    if (name === 'istio_requests_total') addRequests(edge, labels, value);
    else addBucket(edge, labels.get('le') ?? '+Inf', value);
  }
  return edges;
}

function edgeOf(edges: Map<string, Accumulator>, labels: ReadonlyMap<string, string>): Accumulator {
  const source = labels.get('source_canonical_service') ?? 'unknown';
  const target = labels.get('destination_service_name') ?? 'unknown';
  const revision = labels.get('destination_canonical_revision') ?? 'latest';
  const version = labels.get('destination_workload') === 'unknown' ? '' : revision;
  const key = [source, labels.get('source_workload_namespace'), target, labels.get('destination_service_namespace'), version].join('|');
  let edge = edges.get(key);
  if (edge === undefined) {
    edge = {
      source,
      sourceNamespace: labels.get('source_workload_namespace') ?? '',
      target,
      targetNamespace: labels.get('destination_service_namespace') ?? '',
      version,
      requests: 0,
      errors: 0,
      mutualTls: 0,
      buckets: new Map(),
    };
    edges.set(key, edge);
  }
  return edge;
}

function addRequests(edge: Accumulator, labels: ReadonlyMap<string, string>, value: number): void {
  edge.requests += value;
  const code = Number(labels.get('response_code') ?? '0');
  if (code >= 500 || code === 0) edge.errors += value;
  if (labels.get('connection_security_policy') === 'mutual_tls') edge.mutualTls += value;
}

function addBucket(edge: Accumulator, bound: string, value: number): void {
  const upper = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
  edge.buckets.set(upper, (edge.buckets.get(upper) ?? 0) + value);
}
