import { PilotMetrics } from '../../packages/control-plane/src/metrics/pilot-metrics.ts';
import { PushContext } from '../../packages/control-plane/src/push/push-context.ts';
import { NO_PEER, type Outcome } from '../../packages/core/src/index.ts';
import { createTelemetry } from '../../packages/telemetry/src/index.ts';
import { BUCKETS } from '../../packages/telemetry/src/metrics/histogram.ts';
import { code, generatedFrom, table } from './markdown.ts';
import { LABELS, METRICS } from './metric-texts.ts';

type Telemetry = ReturnType<typeof createTelemetry>;

/** docs/reference/metrics.md: what the code prints after one request, with what it means. */
export function renderMetrics(): string {
  const data = afterOneRequest();
  const push = new PushContext({ objects: [], workloads: [] });
  const control = new PilotMetrics('', () => ({ push, nodes: [], ca: { rootNotAfterMs: 0, issuerNotAfterMs: 0 }, nowMs: 0 })).render();
  return `${generatedFrom('what packages/telemetry and packages/control-plane print, and scripts/docs/metric-texts.ts')}

# Metrics

## Services and gateways

\`/stats/prometheus\` (also \`/metrics\`) at RIPSTOP_ADMIN, in the Prometheus text format: Istio's standard HTTP metrics with Istio's labels and buckets, so that its dashboards work. They are counted at the end of the stream, by both sides.

${metricTable(data, METRICS)}

Buckets of the histograms: ${BUCKETS.join(', ')}, +Inf.

### Labels

A label that is not known is \`unknown\`.

${table(
  ['label', 'meaning'],
  labelsOf(data).map((name) => [code(name), textOf(LABELS, name)]),
)}

At most 20,000 label sets are kept; what comes after is counted with every label \`overflow\`. Hosts without a service of their own get series by name up to 500, then share one.

## Control plane

\`/metrics\` at its HTTP address (127.0.0.1:15014), under istiod's names.

${metricTable(control, helpOf(control))}
`;
}

function metricTable(text: string, texts: Readonly<Record<string, string>>): string {
  const rows = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [code(name!), type!, textOf(texts, name!)]);
  return table(['metric', 'type', 'counts'], rows);
}

/** The control plane's metrics say themselves what they count. */
function helpOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name, help]) => [name!, help!]));
}

function labelsOf(text: string): string[] {
  const labels = /^istio_requests_total\{(.*)\} 1$/m.exec(text)?.[1] ?? '';
  return [...labels.matchAll(/(\w+)="/g)].map((match) => match[1]!);
}

function textOf(texts: Readonly<Record<string, string>>, name: string): string {
  const text = texts[name];
  if (text === undefined) throw new Error(`scripts/docs/metric-texts.ts has no text for ${name}`);
  return text;
}

/** Telemetry looks at this much of an exchange that no service answered. */
function afterOneRequest(): string {
  const telemetry = createTelemetry({
    node: {
      workload: 'web',
      namespace: 'default',
      principal: '',
      app: 'web',
      version: 'v1',
      canonicalService: 'web',
      canonicalRevision: 'v1',
      cluster: 'Kubernetes',
      meshId: 'cluster.local',
    },
    clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel: () => {} }) },
    random: () => 0.5,
  });
  const x = {
    direction: 'outbound',
    protocol: 'http1',
    request: { authority: 'reviews' },
    peer: NO_PEER,
    flags: 0,
    startedAt: 0,
    manager: { accessLogs: [], metrics: [] },
  };
  const outcome = { status: 200, requestBytes: 0, responseBytes: 0, endedAt: 1, grpcStatus: undefined };
  telemetry.onEnd(x as unknown as Parameters<Telemetry['onEnd']>[0], outcome as Outcome);
  const text = telemetry.renderPrometheus();
  telemetry.close();
  return text;
}
