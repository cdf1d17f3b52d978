import type { TelemetryMetrics, TelemetryMetricsOverride } from '@ripstop/istio-api';
import { namesOf } from './telemetry-logging.ts';

/** What is counted otherwise than by default. */
export interface MergedMetrics {
  /** Nothing is counted. */
  readonly disabled: boolean;
  /** By Istio's name (`REQUEST_COUNT`) or a metric's own, sorted. */
  readonly overrides: readonly MetricOverride[];
  readonly reportingInterval: string | undefined;
}

export interface MetricOverride {
  readonly metric: string;
  readonly drop: boolean;
  /** Sorted by name; without value = the tag is removed. */
  readonly tags: readonly { readonly name: string; readonly value: string | undefined }[];
}

type Mode = 'CLIENT' | 'SERVER';

const ALL_METRICS: readonly string[] = [
  'GRPC_REQUEST_MESSAGES',
  'GRPC_RESPONSE_MESSAGES',
  'REQUEST_COUNT',
  'REQUEST_DURATION',
  'REQUEST_SIZE',
  'RESPONSE_SIZE',
  'TCP_CLOSED_CONNECTIONS',
  'TCP_OPENED_CONNECTIONS',
  'TCP_RECEIVED_BYTES',
  'TCP_SENT_BYTES',
];

/** Overrides gathered for one provider in one mode. */
class Overrides {
  disabled = false;
  reportingInterval: string | undefined = undefined;
  private readonly byMetric = new Map<string, { drop: boolean; readonly tags: Map<string, string | undefined> }>();

  add({ match, disabled, tagOverrides = {} }: TelemetryMetricsOverride): void {
    const all = match?.customMetric === undefined && (match?.metric === undefined || match.metric === 'ALL_METRICS');
    if (all && disabled === true) {
      this.disabled = true;
      return;
    }
    // A lower level that says anything about a metric counts again what a higher one has switched off.
    this.disabled = false;
    for (const metric of all ? ALL_METRICS : [match?.customMetric ?? match!.metric!]) {
      let entry = this.byMetric.get(metric);
      if (entry === undefined) {
        entry = { drop: false, tags: new Map() };
        this.byMetric.set(metric, entry);
      }
      if (disabled !== undefined) entry.drop = disabled;
      for (const [name, { operation, value }] of Object.entries(tagOverrides))
        entry.tags.set(name, operation === 'REMOVE' ? undefined : (value ?? ''));
    }
  }

  get merged(): MergedMetrics {
    return {
      disabled: this.disabled,
      reportingInterval: this.reportingInterval,
      overrides: [...this.byMetric]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([metric, { drop, tags }]) => ({
          metric,
          drop,
          tags: [...tags].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => ({ name, value })),
        })),
    };
  }
}

/** What each provider counts in a mode (istiod: mergeMetrics). Overrides of all levels add up, a later one wins. */
export function mergeMetrics(
  entries: readonly TelemetryMetrics[],
  defaults: readonly string[],
  mode: Mode,
): ReadonlyMap<string, MergedMetrics> {
  if (entries.length === 0) return new Map(defaults.map((name) => [name, new Overrides().merged]));
  const lastNamed = entries.map(({ providers }) => namesOf(providers)).findLast((names) => names.length > 0);
  const inScope = new Set(lastNamed ?? defaults);
  const found = new Map<string, Overrides>();
  let parents = defaults;
  for (const { providers, overrides = [], reportingInterval } of entries) {
    const named = namesOf(providers);
    const names = named.length > 0 ? named : parents;
    parents = names;
    for (const name of names) {
      if (!inScope.has(name)) continue;
      const collected = found.get(name) ?? new Overrides();
      found.set(name, collected);
      if (reportingInterval !== undefined) collected.reportingInterval = reportingInterval;
      for (const override of overrides) if (speaksOf(override, mode)) collected.add(override);
    }
  }
  return new Map([...found].map(([name, collected]) => [name, collected.merged]));
}

function speaksOf({ match }: TelemetryMetricsOverride, mode: Mode): boolean {
  return match?.mode !== (mode === 'CLIENT' ? 'SERVER' : 'CLIENT');
}
