import type { TelemetryCustomTag, TelemetryProvider, TelemetryTracing } from '@ripstop/istio-api';
import { namesOf } from './telemetry-logging.ts';

/** How a listener traces. */
export interface TracingSettings {
  /** Undefined = spans are not reported. */
  readonly provider: TelemetryProvider | undefined;
  /** Percent; undefined = as defaultConfig.tracing.sampling says. */
  readonly sampling: number | undefined;
  /** Undefined = those of defaultConfig.tracing. */
  readonly customTags: Readonly<Record<string, TelemetryCustomTag>> | undefined;
  readonly istioTags: boolean;
  readonly requestIdSampling: boolean;
  readonly propagation: boolean;
}

/** Field by field, a later entry wins; tags replace each other as a whole (istiod: Telemetries.Tracing). */
export function mergeTracing(
  entries: readonly TelemetryTracing[],
  defaults: readonly string[],
  mode: 'CLIENT' | 'SERVER',
  providerOf: (name: string) => TelemetryProvider | undefined,
): TracingSettings {
  let provider = defaults[0] === undefined ? undefined : providerOf(defaults[0]);
  let merged: TelemetryTracing = {};
  for (const { match, providers, ...fields } of entries) {
    const only = match?.mode;
    if ((only === 'CLIENT' || only === 'SERVER') && only !== mode) continue;
    const [name] = namesOf(providers);
    if (name !== undefined) provider = providerOf(name);
    merged = { ...merged, ...fields };
  }
  return {
    provider: merged.disableSpanReporting === true ? undefined : provider,
    sampling: merged.randomSamplingPercentage,
    customTags: merged.customTags,
    istioTags: merged.enableIstioTags ?? true,
    requestIdSampling: merged.useRequestIdForTraceSampling ?? true,
    propagation: merged.disableContextPropagation !== true,
  };
}
