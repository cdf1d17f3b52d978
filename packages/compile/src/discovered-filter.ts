import { type Any, type ExtensionConfigSource, type HttpConnectionManager, type HttpFilter, typeName } from '@ripstop/xds-api';
import { fetchTimeoutOf } from './awaited.ts';
import { unwrapTypedConfig } from './typed-config.ts';

/** A filter whose configuration comes by ECDS, under the filter's own name. */
export interface DiscoveredFilter {
  readonly name: string;
  /** Full names of the messages that it may be. */
  readonly types: readonly string[];
  /** Until a configuration has come, after it was removed, and where it is of another type. */
  readonly fallback: Any | undefined;
  /** The listener is not used before a configuration has come, was refused, or the time is up. */
  readonly waits: boolean;
  /** 0 = for ever. */
  readonly fetchTimeoutMs: number;
}

/** A discovered configuration, or why there is none (yet). */
export type ExtensionState = Any | 'waiting' | 'absent';

/** How a discovered configuration stands, by its name. */
export type ExtensionLookup = (name: string) => ExtensionState;

/** Reads `config_discovery`; throws where Envoy refuses it, or where the configuration would come from elsewhere than the ADS stream. */
export function discoveredFilter(name: string, source: ExtensionConfigSource): DiscoveredFilter {
  const refuse = (why: string): never => {
    throw new Error(`http filter ${name}: ${why}`);
  };
  const from = source.configSource?.configSourceSpecifier?.$case;
  if (from !== 'ads' && from !== 'self') refuse(`config_discovery by ${from ?? 'nothing'} is not supported, only by ads`);
  if (source.typeUrls.length === 0) refuse('config_discovery has no type_urls');
  const fallback = source.defaultConfig;
  if (source.applyDefaultConfigWithoutWarming && fallback === undefined) refuse('it is applied without warming and has no default_config');
  const filter: DiscoveredFilter = {
    name,
    types: source.typeUrls.map(typeName),
    fallback,
    waits: !source.applyDefaultConfigWithoutWarming,
    fetchTimeoutMs: fetchTimeoutOf(source.configSource),
  };
  if (fallback !== undefined) checkType(filter, fallback);
  return filter;
}

/** Throws as Envoy does when a configuration is of none of the types that the filter admits. */
export function checkType(filter: DiscoveredFilter, config: Any): void {
  const type = typeName(unwrapTypedConfig(config).typeUrl);
  if (!filter.types.includes(type))
    throw new Error(`http filter ${filter.name}: a configuration is of type ${type}, expected ${filter.types.join(' or ')}`);
}

/** The configuration to use now; undefined: there is none, and requests end where the filter stands. */
export function configOf(filter: DiscoveredFilter, extensions: ExtensionLookup): Any | undefined {
  const state = extensions(filter.name);
  if (typeof state === 'string') return filter.fallback;
  // A listener that came before the configuration that it is for: until then it has the default one.
  return filter.types.includes(typeName(unwrapTypedConfig(state).typeUrl)) ? state : filter.fallback;
}

/** Of the connection managers of a listener. What cannot be read is refused where the filters are made. */
export function discoveredFilters(managers: readonly HttpConnectionManager[]): readonly DiscoveredFilter[] {
  return managers.flatMap(({ httpFilters }) => httpFilters.flatMap(discoveredOf));
}

function discoveredOf({ name, configType }: HttpFilter): DiscoveredFilter[] {
  return configType?.$case === 'configDiscovery' ? [discoveredFilter(name, configType.value)] : [];
}
