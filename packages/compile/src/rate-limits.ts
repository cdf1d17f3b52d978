import { isIPv6 } from 'node:net';
import { type DescriptorEntry, destinationOf, type Exchange, type RateLimitDescriptor, type RateLimitPolicy } from '@ripstop/core';
import { type MetadataKey, type RateLimit, type RateLimit_Action, RateLimit_Action_MetaData_Source } from '@ripstop/xds-api';
import { maskedAddress } from './cidr.ts';
import { compileHeaderMatcher, compileQueryMatcher } from './matchers.ts';
import { remoteAddress } from './remote-address.ts';

/** An action's entry; `none` = the whole descriptor is dropped, `skip` = it has no entry of this kind. */
type Describe = (x: Exchange) => DescriptorEntry | 'none' | 'skip';

/** rate_limits of a route, a virtual host or a filter. `ownCluster` (`<app>.<namespace>`): for source_cluster. */
export function compileRateLimits(messages: readonly RateLimit[], ownCluster: string): RateLimitPolicy[] {
  return messages.map((message) => {
    const actions = message.actions.map((action) => compileAction(action, ownCluster));
    if (actions.length === 0) throw new Error('rate limit: no actions');
    const override = message.limit === undefined ? undefined : compileOverride(message);
    return { stage: message.stage ?? 0, describe: (x) => describe(x, actions, override) };
  });
}

function describe(
  x: Exchange,
  actions: readonly Describe[],
  override: ((x: Exchange) => RateLimitDescriptor['limit']) | undefined,
): RateLimitDescriptor | undefined {
  const entries: DescriptorEntry[] = [];
  for (const action of actions) {
    const entry = action(x);
    if (entry === 'none') return undefined;
    if (entry !== 'skip') entries.push(entry);
  }
  return entries.length === 0 ? undefined : { entries, limit: override?.(x) };
}

function compileAction({ actionSpecifier: action }: RateLimit_Action, ownCluster: string): Describe {
  switch (action?.$case) {
    case 'sourceCluster':
      return () => ({ key: 'source_cluster', value: ownCluster });
    case 'destinationCluster':
      return (x) => ({ key: 'destination_cluster', value: destinationOf(x) });
    case 'requestHeaders': {
      const { headerName, descriptorKey: key, skipIfAbsent } = action.value;
      const name = headerName.toLowerCase();
      return ({ request }) => {
        const value = request.headerLines(name)[0] ?? (name === 'host' ? request.authority : undefined);
        return value === undefined ? (skipIfAbsent ? 'skip' : 'none') : { key, value };
      };
    }
    case 'remoteAddress':
      return (x) => present('remote_address', remoteAddress(x));
    case 'maskedRemoteAddress': {
      const { v4PrefixMaskLen = 32, v6PrefixMaskLen = 128 } = action.value;
      return (x) => {
        const address = remoteAddress(x);
        return address === ''
          ? 'none'
          : { key: 'masked_remote_address', value: maskedAddress(address, isIPv6(address) ? v6PrefixMaskLen : v4PrefixMaskLen) };
      };
    }
    case 'genericKey': {
      const { descriptorKey, descriptorValue: value } = action.value;
      const entry = { key: descriptorKey === '' ? 'generic_key' : descriptorKey, value };
      return () => entry;
    }
    case 'headerValueMatch': {
      const { descriptorKey, descriptorValue: value, expectMatch = true, headers } = action.value;
      const tests = headers.map((header) => compileHeaderMatcher(header));
      const entry = { key: descriptorKey === '' ? 'header_match' : descriptorKey, value };
      return ({ request }) => (tests.every((test) => test(request)) === expectMatch ? entry : 'none');
    }
    case 'queryParameterValueMatch': {
      const { descriptorKey, descriptorValue: value, expectMatch = true, queryParameters } = action.value;
      const tests = queryParameters.map((parameter) => compileQueryMatcher(parameter));
      const entry = { key: descriptorKey === '' ? 'query_match' : descriptorKey, value };
      return ({ request }) => (tests.every((test) => test(request.path)) === expectMatch ? entry : 'none');
    }
    case 'dynamicMetadata':
      return fromMetadata(action.value.metadataKey, action.value.descriptorKey, action.value.defaultValue, false);
    case 'metadata': {
      const { metadataKey, descriptorKey, defaultValue, source, skipIfAbsent } = action.value;
      if (source !== RateLimit_Action_MetaData_Source.DYNAMIC)
        throw new Error('rate limit action metadata: source ROUTE_ENTRY is not supported');
      return fromMetadata(metadataKey, descriptorKey, defaultValue, skipIfAbsent);
    }
    case 'extension':
      throw new Error(`rate limit action extension ${action.value.name} is not supported`);
    case undefined:
      throw new Error('a rate limit action of a kind that this version does not know');
  }
}

function present(key: string, value: string): ReturnType<Describe> {
  return value === '' ? 'none' : { key, value };
}

function fromMetadata(metadataKey: MetadataKey | undefined, key: string, defaultValue: string, skipIfAbsent: boolean): Describe {
  if (metadataKey === undefined) throw new Error('rate limit action metadata: no metadata_key');
  return (x) => {
    const value = valueAt(x, metadataKey);
    const text = typeof value === 'string' && value !== '' ? value : defaultValue;
    return text === '' ? (skipIfAbsent ? 'skip' : 'none') : { key, value: text };
  };
}

function valueAt(x: Exchange, { key, path }: MetadataKey): unknown {
  let value: unknown = x.metadata?.get(key);
  for (const { segment } of path) {
    const name = segment?.value ?? '';
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  }
  return value;
}

const UNITS: Readonly<Record<string, number>> = { SECOND: 1, MINUTE: 2, HOUR: 3, DAY: 4, MONTH: 5, YEAR: 6 };

/** `limit`: the request's metadata brings its own limit along. */
function compileOverride({ limit }: RateLimit): (x: Exchange) => RateLimitDescriptor['limit'] {
  const key = limit?.overrideSpecifier?.value.metadataKey;
  if (key === undefined) throw new Error('rate limit: limit without dynamic_metadata');
  return (x) => {
    const value = valueAt(x, key);
    if (typeof value !== 'object' || value === null) return undefined;
    const { requests_per_unit: requestsPerUnit, unit } = value as { readonly requests_per_unit?: unknown; readonly unit?: unknown };
    const number = typeof unit === 'string' ? UNITS[unit] : undefined;
    return typeof requestsPerUnit === 'number' && number !== undefined ? { requestsPerUnit, unit: number } : undefined;
  };
}
