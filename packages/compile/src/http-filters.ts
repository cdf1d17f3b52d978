import { type AppFilter, createMissingConfig, type Direction, type Filter, type FilterEnv, type RouteRateLimits } from '@ripstop/core';
import {
  type Any,
  type HttpFilter,
  isAny,
  FilterConfig as RouteFilterConfig,
  Router,
  typeName,
  typeUrlOf,
  unpackAny,
} from '@ripstop/xds-api';
import { configOf, discoveredFilter, type ExtensionLookup } from './discovered-filter.ts';
import { type AnyFilterFactory, erase } from './filters/decoded-filter.ts';
import { unwrapTypedConfig } from './typed-config.ts';

/** typed_per_filter_config of a route, its virtual host and its table, least specific first. */
export type FilterOverrides = readonly { readonly [filter: string]: Any }[];

/** Of a route's levels, as in {@link FilterOverrides}. */
export type LevelNames = readonly string[];

interface DecodedFilter {
  readonly name: string;
  readonly factory: AnyFilterFactory;
  readonly config: unknown;
  /** Off, unless a route has a configuration of its own. */
  readonly disabled: boolean;
}

/** One place in the order: what the configuration names, or the app's own, which needs no instance. */
type Place = DecodedFilter | AppFilter;

/** The filters of a connection manager, decoded once; instantiated per route. */
export class HttpFilters {
  private readonly places: readonly Place[];
  private readonly env: FilterEnv;

  constructor(
    messages: readonly HttpFilter[],
    registry: ReadonlyMap<string, AnyFilterFactory>,
    env: FilterEnv,
    appFilters: readonly AppFilter[] = [],
    extensions: ExtensionLookup = NOTHING_DISCOVERED,
  ) {
    this.env = env;
    const configured = messages.flatMap((message) => decodeFilter(message, registry, env.direction, extensions));
    this.places = withAppFilters(
      configured,
      appFilters.filter(({ directions }) => directions === undefined || directions.includes(env.direction)),
    );
  }

  get ownCluster(): string {
    return this.env.ownCluster ?? '';
  }

  /** True where a filter of this type acts on requests that have no route. */
  actsWithoutRoute(typeUrl: string): boolean {
    return this.places.some((place) => 'factory' in place && place.factory.typeUrl === typeUrl && !place.disabled);
  }

  /** The filters of a route; those with nothing to do are left out. Without a route: those of requests that have none. */
  create(overrides: FilterOverrides, names: LevelNames = [], rateLimits: RouteRateLimits = NO_RATE_LIMITS): readonly Filter[] {
    const made: Filter[] = [];
    for (const place of this.places) {
      if (!('factory' in place)) {
        made.push(place);
        continue;
      }
      const { name, factory, config } = place;
      const found = overridesOf(overrides, name);
      if (found === 'disabled' || (found.length === 0 && place.disabled)) continue;
      const decoded = (factory.mergeOverrides === undefined ? found.slice(-1) : found).map((any) => decodeOverride(factory, any, name));
      const override = decoded.length < 2 ? decoded[0] : decoded.reduce((general, specific) => factory.mergeOverrides!(general, specific));
      const scope = scopeOf(overrides, name, names);
      const filter = factory.create(config, override, { ...this.env, place: { scope, rateLimits } });
      if (filter !== undefined) made.push(filter);
    }
    return made;
  }
}

const NOTHING_DISCOVERED: ExtensionLookup = () => 'waiting';
const NO_RATE_LIMITS: RouteRateLimits = { route: [], host: [], includeHost: false };

/** The names down to the most specific level that says something about a filter. */
function scopeOf(overrides: FilterOverrides, filter: string, names: LevelNames): string {
  const level = overrides.findLastIndex((override) => override[filter] !== undefined);
  return names.slice(0, level + 1).join('/');
}

/** Several filters may have one name (rbac): `before` means the first of them, `after` the last. */
function withAppFilters(configured: readonly DecodedFilter[], appFilters: readonly AppFilter[]): readonly Place[] {
  const places: Place[] = [...configured];
  for (const filter of appFilters) {
    const named = (name: string | undefined) => (place: Place) => 'factory' in place && place.name === name;
    const before = places.findIndex(named(filter.before));
    const after = places.findLastIndex(named(filter.after));
    if (before !== -1) places.splice(before, 0, filter);
    else if (after !== -1) places.splice(after + 1 + appsFrom(places, after + 1), 0, filter);
    else places.push(filter);
  }
  return places;
}

/** App filters that stand there already: who was given first stays first. */
function appsFrom(places: readonly Place[], start: number): number {
  let count = 0;
  while (start + count < places.length && !('factory' in places[start + count]!)) count++;
  return count;
}

type Registry = ReadonlyMap<string, AnyFilterFactory>;

function decodeFilter(message: HttpFilter, registry: Registry, direction: Direction, extensions: ExtensionLookup): DecodedFilter[] {
  const { name, configType, isOptional } = message;
  if (configType === undefined) {
    if (isOptional || name === ROUTER) return [];
    // What it would do is not known, so it is not left out.
    throw new Error(`http filter ${name} has no configuration`);
  }
  const discovered = configType.$case === 'configDiscovery' ? discoveredFilter(name, configType.value) : undefined;
  const typed = (any: Any): DecodedFilter[] => decodeConfig(message, any, registry, direction);
  try {
    // The default one is tried even where another is in use: it may be needed at any time.
    if (discovered?.fallback !== undefined) typed(discovered.fallback);
    const config = configType.$case === 'typedConfig' ? configType.value : configOf(discovered!, extensions);
    return config === undefined ? [missingConfig(message)] : typed(config);
  } catch (error) {
    throw new Error(`http filter ${name}: ${error instanceof Error ? error.message : error}`);
  }
}

function missingConfig({ name, disabled }: HttpFilter): DecodedFilter {
  const factory = erase<null>({ typeUrl: '', directions: [], decode: () => null, create: () => createMissingConfig(name) });
  return { name, factory, config: null, disabled };
}

function decodeConfig({ name, isOptional, disabled }: HttpFilter, any: Any, registry: Registry, direction: Direction): DecodedFilter[] {
  const { typeUrl, body } = unwrapTypedConfig(any);
  if (typeName(typeUrl) === Router.$type) return [];
  const factory = registry.get(typeUrlOf(typeName(typeUrl)));
  if (factory === undefined) {
    if (isOptional) return [];
    // It may be an authorization that we do not know: nothing unknown is skipped.
    throw new Error(`(${typeName(typeUrl)}) is not supported and not optional`);
  }
  return factory.directions.includes(direction) ? [{ name, factory, config: factory.decode(body), disabled }] : [];
}

const ROUTER = 'envoy.filters.http.router';

/** Least specific first. What is disabled by the most specific one that says so is off, whatever stands behind it. */
function overridesOf(overrides: FilterOverrides, name: string): readonly Any[] | 'disabled' {
  const found: Any[] = [];
  let disabled = false;
  for (const level of overrides) {
    const any = level[name];
    if (any === undefined) continue;
    const wrapped = isAny(RouteFilterConfig, any) ? unpackAny(RouteFilterConfig, any) : undefined;
    disabled = wrapped?.disabled ?? false;
    if (wrapped === undefined) found.push(any);
    else if (wrapped.config !== undefined && !wrapped.disabled) found.push(wrapped.config);
  }
  return disabled ? 'disabled' : found;
}

function decodeOverride(factory: AnyFilterFactory, any: Any, name: string): unknown {
  const expected = factory.overrideTypeUrl ?? factory.typeUrl;
  const { typeUrl, body } = unwrapTypedConfig(any);
  if (typeName(typeUrl) !== typeName(expected))
    throw new Error(`per-route configuration of ${name}: expected ${typeName(expected)}, got ${typeName(typeUrl)}`);
  return (factory.decodeOverride ?? factory.decode).call(factory, body);
}
