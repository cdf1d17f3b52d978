import type { Exchange } from '../exchange.ts';
import type { AcquireOptions } from './cluster.ts';
import type { EndpointState } from './endpoint-state.ts';
import type { HostPicker, Level, TriedPriorities } from './host-picker.ts';

/** A host for one attempt. A retry picks again while it gets hosts that it has tried. */
export function selectHost(picker: HostPicker, x: Exchange, options?: AcquireOptions, level?: Level): EndpointState | undefined {
  if (options === undefined) return picker.pick(x, 0, undefined, level);
  const tried = triedPriorities(options);
  const { avoid } = options;
  let host = picker.pick(x, 0, tried, level);
  if (avoid === undefined || avoid.length === 0) return host;
  // Repicks after the first one; the last pick is used anyway (host_selection_retry_max_attempts).
  const most = options.maxSelectionAttempts ?? 1;
  for (let attempt = 1; attempt <= most && host !== undefined && avoid.includes(host); attempt++)
    host = picker.pick(x, attempt, tried, level);
  return host;
}

function triedPriorities({ tried, previousPrioritiesFrequency = 0 }: AcquireOptions): TriedPriorities | undefined {
  if (tried === undefined || tried.length === 0 || previousPrioritiesFrequency === 0) return undefined;
  return { tried: tried.map(({ priority }) => priority), frequency: previousPrioritiesFrequency };
}
