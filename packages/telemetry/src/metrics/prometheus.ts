import type { Cell, Labels, TcpCell } from './cell.ts';
import { BUCKETS, type Histogram } from './histogram.ts';

/** A sample of a metric without histogram. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly samples: readonly { readonly labels: Labels; readonly value: number }[];
}

/** The Prometheus text format (0.0.4) of Istio's standard metrics and some gauges. */
export function renderPrometheus(cells: Iterable<Cell>, tcpCells: Iterable<TcpCell>, gauges: readonly Gauge[]): string {
  const counters: string[] = ['# TYPE istio_requests_total counter'];
  const durations: string[] = ['# TYPE istio_request_duration_milliseconds histogram'];
  const requestSizes: string[] = ['# TYPE istio_request_bytes histogram'];
  const responseSizes: string[] = ['# TYPE istio_response_bytes histogram'];
  for (const cell of cells) {
    const labels = formatLabels(cell.labels);
    // A cell of Telemetry's making may be for one metric alone.
    if (cell.requests > 0) counters.push(`istio_requests_total{${labels}} ${cell.requests}`);
    renderHistogram(durations, 'istio_request_duration_milliseconds', labels, cell.duration);
    renderHistogram(requestSizes, 'istio_request_bytes', labels, cell.requestBytes);
    renderHistogram(responseSizes, 'istio_response_bytes', labels, cell.responseBytes);
  }
  const rest = gauges.flatMap((gauge) => [
    `# HELP ${gauge.name} ${gauge.help}`,
    `# TYPE ${gauge.name} ${gauge.type}`,
    ...gauge.samples.map(({ labels, value }) => {
      const text = formatLabels(labels);
      return `${gauge.name}${text === '' ? '' : `{${text}}`} ${value}`;
    }),
  ]);
  return `${[...counters, ...durations, ...requestSizes, ...responseSizes, ...tcpLines(tcpCells), ...rest].join('\n')}\n`;
}

const TCP_METRICS: readonly (readonly [name: string, value: (cell: TcpCell) => number])[] = [
  ['istio_tcp_connections_opened_total', ({ opened }) => opened],
  ['istio_tcp_connections_closed_total', ({ closed }) => closed],
  ['istio_tcp_sent_bytes_total', ({ sentBytes }) => sentBytes],
  ['istio_tcp_received_bytes_total', ({ receivedBytes }) => receivedBytes],
];

/** Nothing where no connection was carried: most processes carry none. */
function tcpLines(cells: Iterable<TcpCell>): string[] {
  const all = [...cells];
  return TCP_METRICS.flatMap(([name, value]) => {
    const samples = all.flatMap((cell) => (value(cell) > 0 ? [`${name}{${formatLabels(cell.labels)}} ${value(cell)}`] : []));
    return samples.length === 0 ? [] : [`# TYPE ${name} counter`, ...samples];
  });
}

function renderHistogram(lines: string[], name: string, labels: string, histogram: Histogram): void {
  if (histogram.count === 0) return;
  let cumulative = 0;
  for (let index = 0; index < histogram.counts.length; index++) {
    cumulative += histogram.counts[index]!;
    const bound = BUCKETS[index];
    lines.push(`${name}_bucket{${labels},le="${bound === undefined ? '+Inf' : bound}"} ${cumulative}`);
  }
  lines.push(`${name}_sum{${labels}} ${histogram.sum}`, `${name}_count{${labels}} ${cumulative}`);
}

function formatLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`)
    .join(',');
}
