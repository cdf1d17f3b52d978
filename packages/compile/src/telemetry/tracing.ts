import type { TagSource, TracingConfig } from '@ripstop/core';
import type { CustomTag, HttpConnectionManager } from '@ripstop/xds-api';

/** Envoy's default. */
const MAX_PATH_TAG_LENGTH = 256;

/** How a listener traces; undefined = it does not. */
export function compileTracing({ tracing }: Pick<HttpConnectionManager, 'tracing'>): TracingConfig | undefined {
  if (tracing === undefined) return undefined;
  const tags = new Map<string, TagSource>();
  for (const custom of tracing.customTags) {
    const source = sourceOf(custom);
    if (source !== undefined) tags.set(custom.tag, source);
  }
  return {
    randomSampling: tracing.randomSampling?.value ?? 100,
    overallSampling: tracing.overallSampling?.value ?? 100,
    clientSampling: tracing.clientSampling?.value ?? 100,
    tags,
    maxPathTagLength: tracing.maxPathTagLength ?? MAX_PATH_TAG_LENGTH,
  };
}

/** Undefined for a tag that a process without a proxy has no value for (metadata of routes, clusters and hosts). */
function sourceOf({ type }: CustomTag): TagSource | undefined {
  switch (type?.$case) {
    case 'literal':
      return { kind: 'literal', value: type.value.value };
    case 'environment':
      return { kind: 'environment', name: type.value.name, defaultValue: type.value.defaultValue };
    case 'requestHeader':
      return { kind: 'header', name: type.value.name.toLowerCase(), defaultValue: type.value.defaultValue };
    case 'metadata': {
      const { kind, metadataKey, defaultValue } = type.value;
      if (metadataKey === undefined || (kind?.kind !== undefined && kind.kind.$case !== 'request')) return undefined;
      const path = metadataKey.path.map(({ segment }) => segment?.value ?? '');
      return { kind: 'metadata', filter: metadataKey.key, path, defaultValue };
    }
    default:
      return undefined;
  }
}
