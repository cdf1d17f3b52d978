import type { MetricOverride } from '@ripstop/core';
import { type HttpFilter, IstioStatsConfig, isAny, type ListenerFilter, unpackAny } from '@ripstop/xds-api';
import { compileCel } from './cel.ts';

/** What Istio's `istio.stats` filter counts otherwise than by default; empty without the filter. Throws on a bad expression. */
export function compileMetrics(filters: readonly Pick<HttpFilter | ListenerFilter, 'configType'>[]): readonly MetricOverride[] {
  return filters.flatMap(({ configType }) => {
    const any = configType?.$case === 'typedConfig' ? configType.value : undefined;
    return isAny(IstioStatsConfig, any) ? unpackAny(IstioStatsConfig, any).metrics.map(overrideOf) : [];
  });
}

function overrideOf({ name, drop, tagsToRemove, dimensions, match }: IstioStatsConfig['metrics'][number]): MetricOverride {
  if (match !== '') throw new Error(`istio.stats: the match of a metric (${JSON.stringify(match)}) is not supported`);
  const tags = Object.entries(dimensions).map(([tag, value]) => {
    const expression = compileCel(value);
    // Istio: an expression without a value gives `unknown`.
    return [tag, (...exchange: Parameters<typeof expression>) => textOf(expression(...exchange))] as const;
  });
  return { metric: name, drop, removed: tagsToRemove, tags: new Map(tags) };
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'unknown' : value;
  return typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'unknown';
}
