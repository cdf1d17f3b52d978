import { type Filter, type FilterEnv, type FilterFactory, localReply } from '@ripstop/core';
import { type Any, ExtAuthz, fromProtoJson, HttpFilter, HttpRbac, LocalRateLimit, packAny, TypedStruct, typeUrlOf } from '@ripstop/xds-api';
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
