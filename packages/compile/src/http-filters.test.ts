import { type AppFilter, type Filter, type FilterEnv, type FilterFactory, localReply } from '@ripstop/core';
import {
  type Any,
  ExtAuthz,
  FilterConfig,
  fromProtoJson,
  HttpFilter,
  HttpRbac,
  LocalRateLimit,
  packAny,
  TypedStruct,
  typeUrlOf,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { type AnyFilterFactory, erase } from './filters/decoded-filter.ts';
import { HttpFilters } from './http-filters.ts';
import { standardFilters } from './registry.ts';

const env: FilterEnv = {
  clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
  random: () => 0,
  direction: 'inbound',
  state: (_key, create) => create(),
};
const TYPE = 'type.googleapis.com/';
const registry = new Map(standardFilters().map((factory) => [factory.typeUrl, factory]));
const filtersOf = (filter: object, factories: ReadonlyMap<string, AnyFilterFactory> = registry): HttpFilters =>
  new HttpFilters([fromProtoJson(HttpFilter, filter)], factories, env);
const names = (filters: readonly Filter[]): string[] => filters.map(({ name }) => name);

const LIMIT = {
  stat_prefix: 'a',
  token_bucket: { max_tokens: 1, fill_interval: '1s' },
  filter_enabled: { default_value: { numerator: 100 } },
};
const NAME = 'envoy.filters.http.local_ratelimit';
const typeUrl = typeUrlOf(LocalRateLimit.$type);
const struct = (value: object): Any => packAny(TypedStruct, TypedStruct.fromPartial({ typeUrl, value: value as Record<string, unknown> }));
const routeConfig = (value: object): Any =>
  fromProtoJson(HttpFilter, { name: 'x', typed_config: { '@type': `${TYPE}envoy.config.route.v3.FilterConfig`, ...value } }).configType!
    .value as Any;

describe('a filter that cannot be known is refused, unless it is optional', () => {
  it.each([
    ['without configuration', {}, 'has no configuration'],
    ['of a strange type', { typed_config: { '@type': `${TYPE}a.b.C` } }, '(a.b.C) is not supported and not optional'],
  ])('%s', (_what, filter, why) => {
    expect(() => filtersOf({ name: 'x', ...filter })).toThrow(why);
    expect(names(filtersOf({ name: 'x', ...filter, is_optional: true }).create([]))).toEqual([]);
  });
});

describe('a configuration written as a tree (TypedStruct)', () => {
  const asTree = (value: object): object => ({
    name: NAME,
    typed_config: { '@type': `${TYPE}udpa.type.v1.TypedStruct`, type_url: typeUrl, value },
  });

  it('is the message that it names, at the filter and at a route', () => {
    expect(names(filtersOf(asTree(LIMIT)).create([]))).toEqual([NAME]);
    const off = filtersOf(asTree({ stat_prefix: 'a' }));
    expect([names(off.create([])), names(off.create([{ [NAME]: struct(LIMIT) }]))]).toEqual([[], [NAME]]);
  });

  it.each([
    [{ ...LIMIT, rate_limits: [{}] }, 'the field rate_limits is not known'],
    [{ ...LIMIT, token_bucket: { ...LIMIT.token_bucket, burst: 1 } }, 'the field token_bucket.burst is not known'],
  ])('is refused with a field that nobody knows', (value, why) => {
    expect(() => filtersOf(asTree(value))).toThrow(why);
    expect(() => filtersOf(asTree({ stat_prefix: 'a' })).create([{ [NAME]: struct(value) }])).toThrow(why);
  });
});

describe('a filter that keeps requests out', () => {
  it.each([
    ['authorization', { '@type': typeUrlOf(HttpRbac.$type), rules: {} }],
    ['external authorization', { '@type': typeUrlOf(ExtAuthz.$type), http_service: { server_uri: { uri: 'a', cluster: 'a' } } }],
  ])('stands at listeners of both directions: %s', (_what, config) => {
    const message = fromProtoJson(HttpFilter, { name: 'x', typed_config: config });
    for (const direction of ['inbound', 'outbound'] as const)
      expect(new HttpFilters([message], registry, { ...env, direction }).create([])).toHaveLength(1);
  });
});

describe('a filter is switched', () => {
  const limit = { '@type': typeUrl, ...LIMIT };

  it('off by a route, and on again by a more specific level', () => {
    const filters = filtersOf({ name: NAME, typed_config: limit });
    const off = { [NAME]: routeConfig({ disabled: true }) };
    expect([names(filters.create([])), names(filters.create([off])), names(filters.create([off, {}]))]).toEqual([[NAME], [], []]);
    expect(names(filters.create([off, { [NAME]: routeConfig({ config: limit }) }]))).toEqual([NAME]);
  });

  it('on by a route where it is disabled by itself', () => {
    const filters = filtersOf({ name: NAME, typed_config: limit, disabled: true });
    expect([names(filters.create([])), names(filters.create([{ [NAME]: struct(LIMIT) }]))]).toEqual([[], [NAME]]);
  });

  it('and configured at its level: overrides of all levels are joined where a filter can', () => {
    const seen: string[] = [];
    const joined: FilterFactory<string> = {
      typeUrl: `${TYPE}a.b.C`,
      directions: ['inbound'],
      decode: (body) => new TextDecoder().decode(body),
      mergeOverrides: (general, specific) => `${general}+${specific}`,
      create: (config, override, { place }) => {
        seen.push(`${config}|${override}|${place!.scope}`);
        return { name: 'c', onRequest: () => localReply({ status: 200, details: '' }) };
      },
    };
    const own = (text: string): Any => ({ typeUrl: joined.typeUrl, value: new TextEncoder().encode(text) as Any['value'] });
    const message = HttpFilter.fromPartial({ name: 'c', configType: { $case: 'typedConfig', value: own('f') } });
    const filters = new HttpFilters([message], new Map([[joined.typeUrl, erase(joined)]]), env);
    filters.create([{ c: own('table') }, {}, { c: own('route') }], ['t', 'h', 'r']);
    filters.create([{ c: own('table') }, {}, {}], ['t', 'h', 'r']);
    expect(seen).toEqual(['f|table+route|t/h/r', 'f|table|t']);
  });
});

/** A filter that tells what it was made of: configuration, override. */
function telling(name: string, directions: FilterFactory<string>['directions'] = ['inbound']) {
  const made: string[] = [];
  const factory: FilterFactory<string> = {
    typeUrl: `${TYPE}a.b.${name}`,
    directions,
    decode: (body) => new TextDecoder().decode(body),
    create: (config, override) => {
      made.push(`${config}|${override}`);
      return { name, onRequest: () => undefined };
    },
  };
  const own = (text: string): Any => ({ typeUrl: factory.typeUrl, value: new TextEncoder().encode(text) as Any['value'] });
  const message = HttpFilter.fromPartial({ name, configType: { $case: 'typedConfig', value: own('f') } });
  return { made, own, message, entry: [factory.typeUrl, erase(factory)] as const };
}

describe('of the overrides of several levels', () => {
  const { made, own, message, entry } = telling('c');
  const filters = new HttpFilters([message], new Map([entry]), env);
  const wrapped = (value: object): Any => packAny(FilterConfig, FilterConfig.fromPartial(value));

  it('the most specific one counts where a filter joins none, wrapped or as it is', () => {
    for (const overrides of [
      [{ c: own('table') }, { c: own('route') }],
      [{ c: own('table') }, { c: wrapped({ config: own('route') }) }],
      [{ c: wrapped({ config: own('route') }) }, { c: wrapped({ isOptional: true }) }],
    ]) {
      made.length = 0;
      expect(names(filters.create(overrides))).toEqual(['c']);
      expect(made).toEqual(['f|route']);
    }
  });

  it('one that is of another filter is refused', () => {
    expect(() => filters.create([{ c: struct(LIMIT) }])).toThrow(/per-route configuration of c: expected a\.b\.c, got .*LocalRateLimit/);
  });
});

describe('filters of the app', () => {
  const [a, b] = [telling('a'), telling('b')];
  const registryOf = new Map([a.entry, b.entry]);
  const app = (name: string, more: object = {}): AppFilter => ({ name, onRequest: () => undefined, ...more });
  const order = (messages: readonly HttpFilter[], apps: readonly AppFilter[]): string[] =>
    names(new HttpFilters(messages, registryOf, env, apps).create([]));
  const configured = [a.message, b.message, a.message];

  it.each<[what: string, apps: readonly AppFilter[], wanted: readonly string[]]>([
    ['at the end', [app('x')], ['a', 'b', 'a', 'x']],
    ['before the first of a name', [app('x', { before: 'a' })], ['x', 'a', 'b', 'a']],
    ['before another', [app('x', { before: 'b' })], ['a', 'x', 'b', 'a']],
    ['behind the last of a name', [app('x', { after: 'a' })], ['a', 'b', 'a', 'x']],
    ['behind another', [app('x', { after: 'b' })], ['a', 'b', 'x', 'a']],
    ['in the order that they are given in', [app('x', { after: 'b' }), app('y', { after: 'b' })], ['a', 'b', 'x', 'y', 'a']],
    ['before one, in that order', [app('x', { before: 'b' }), app('y', { before: 'b' })], ['a', 'x', 'y', 'b', 'a']],
    ['at the end, where there is none of the name', [app('x', { after: 'z' }), app('y', { before: 'z' })], ['a', 'b', 'a', 'x', 'y']],
    ['never beside one of the app by its name', [app('x', { before: 'b' }), app('y', { before: 'x' })], ['a', 'x', 'b', 'a', 'y']],
  ])('stand %s', (_what, apps, wanted) => {
    expect(order(configured, apps)).toEqual(wanted);
  });

  it('see the requests of their directions', () => {
    expect(order([], [app('in', { directions: ['inbound'] }), app('out', { directions: ['outbound'] }), app('both')])).toEqual([
      'in',
      'both',
    ]);
  });

  it('are no filters of the configuration', () => {
    const filters = new HttpFilters([a.message], registryOf, env, [app('x')]);
    expect([filters.actsWithoutRoute(a.entry[0]), filters.actsWithoutRoute(b.entry[0])]).toEqual([true, false]);
    expect(names(new HttpFilters([a.message], registryOf, env, [app('x')]).create([]))).toEqual(['a', 'x']);
  });
});

describe('a filter', () => {
  it('of the other direction is left out', () => {
    const { message, entry } = telling('c', ['outbound']);
    expect(names(new HttpFilters([message], new Map([entry]), env).create([]))).toEqual([]);
  });

  it('that only ends the chain needs no configuration', () => {
    expect(names(filtersOf({ name: 'envoy.filters.http.router' }).create([]))).toEqual([]);
  });

  it('is told its own cluster, if there is one', () => {
    expect(new HttpFilters([], registry, env).ownCluster).toBe('');
    expect(new HttpFilters([], registry, { ...env, ownCluster: 'inbound|80||' }).ownCluster).toBe('inbound|80||');
  });

  it('that is discovered is refused with a default that cannot be decoded', () => {
    const config_discovery = {
      config_source: { ads: {} },
      type_urls: [typeUrl],
      default_config: { '@type': `${TYPE}a.b.C` },
    };
    expect(() => filtersOf({ name: 'x', config_discovery })).toThrow(/a\.b\.C/);
  });
});
