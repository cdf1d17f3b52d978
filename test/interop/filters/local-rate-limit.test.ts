import type { Row } from '../../simulation/row.ts';
import { type StaticConfig, typed } from '../../simulation/xds/static-config.ts';
import type { XdsTable } from '../../simulation/xds/xds-table.ts';
import { runFilterTable } from './run-filter-table.ts';

const NAME = 'envoy.filters.http.local_ratelimit';
const TYPE = 'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit';
const full = { default_value: { numerator: 100, denominator: 'HUNDRED' } };
const on = { filter_enabled: full, filter_enforced: full };
const bucket = (max: number, fill = '1000s') => ({ token_bucket: { max_tokens: max, tokens_per_fill: 1, fill_interval: fill } });
const limit = (more: object): object => typed(TYPE, { stat_prefix: 'limiter', ...more });
const header = (key: string, value: string, more: object = {}): object => ({ header: { key, value }, ...more });
const byHeader = { actions: [{ request_headers: { header_name: 'x-who', descriptor_key: 'who' } }] };
const descriptor = (key: string, value: string, max: number): object => ({ entries: [{ key, value }], ...bucket(max) });

interface Prefix {
  readonly prefix: string;
  readonly filter?: object;
  readonly route?: object;
}

/** A filter that is off by itself, and routes that bring their own configuration. */
function routesOf(
  prefixes: readonly Prefix[],
  filter: object = limit({}),
  host: object = {},
): (port: (name: string) => number) => StaticConfig {
  return (port) => ({
    filters: [{ name: NAME, typed_config: filter }],
    clusters: { echo: { ports: [port('echo-v1')] } },
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        ...host,
        routes: prefixes.map(({ prefix, filter: own, route = {} }) => ({
          name: prefix,
          match: { prefix },
          route: { cluster: 'echo', ...route },
          ...(own === undefined ? {} : { typed_per_filter_config: { [NAME]: own } }),
        })),
      },
    ],
  });
}

function calls(
  name: string,
  path: string,
  times: number,
  statuses: Readonly<Record<number, number>>,
  headers: Record<string, string> = {},
): Row {
  return { name, call: { url: `http://shop.example${path}`, headers }, times, expect: { statuses } };
}

const perRoute: XdsTable = {
  name: 'a local rate limit per route',
  config: routesOf([
    { prefix: '/two', filter: limit({ ...on, ...bucket(2), response_headers_to_add: [header('x-limited', 'yes')] }) },
    { prefix: '/one', filter: limit({ ...on, ...bucket(1) }) },
    { prefix: '/told', filter: limit({ ...on, ...bucket(3, '10s'), enable_x_ratelimit_headers: 'DRAFT_VERSION_03' }) },
    {
      prefix: '/loose',
      filter: limit({ filter_enabled: full, ...bucket(1), request_headers_to_add_when_not_enforced: [header('x-would', '1')] }),
    },
    { prefix: '/disabled', filter: limit({ filter_enforced: full, ...bucket(1) }) },
    { prefix: '/busy', filter: limit({ ...on, ...bucket(1), status: { code: 'ServiceUnavailable' } }) },
    { prefix: '/small', filter: limit({ ...on, ...bucket(1), status: { code: 'OK' } }) },
    { prefix: '/grpc', filter: limit({ ...on, ...bucket(1) }) },
    { prefix: '/exhausted', filter: limit({ ...on, ...bucket(1), rate_limited_as_resource_exhausted: true }) },
    { prefix: '/off', filter: typed('envoy.config.route.v3.FilterConfig', { disabled: true }) },
    { prefix: '/' },
  ]),
  rows: [
    calls('lets pass what there are tokens for', '/two', 4, { 200: 2, 429: 2 }),
    calls('has a bucket of its own on each route', '/one', 3, { 200: 1, 429: 2 }),
    calls('tells limit, rest and reset when it is to', '/told', 4, { 200: 3, 429: 1 }),
    calls('tells the upstream what it would refuse', '/loose', 2, { 200: 2 }),
    calls('does nothing where it is not enabled', '/disabled', 3, { 200: 3 }),
    calls('answers with another status', '/busy', 2, { 200: 1, 503: 1 }),
    calls('but not with one below 400', '/small', 2, { 200: 1, 429: 1 }),
    calls('refuses gRPC as UNAVAILABLE', '/grpc', 2, { 200: 2 }, { 'content-type': 'application/grpc' }),
    calls('or as RESOURCE_EXHAUSTED', '/exhausted', 2, { 200: 2 }, { 'content-type': 'application/grpc' }),
    calls('is off where a route switches it off', '/off', 3, { 200: 3 }),
    calls('is off by itself', '/', 3, { 200: 3 }),
  ],
};

const descriptors: XdsTable = {
  name: 'a local rate limit with descriptors',
  config: routesOf(
    [{ prefix: '/', route: { rate_limits: [byHeader] } }],
    limit({
      ...on,
      ...bucket(4),
      enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
      descriptors: [descriptor('who', 'a', 1), descriptor('who', 'b', 2)],
    }),
  ),
  rows: [
    calls('gives a caller its own bucket', '/', 2, { 200: 1, 429: 1 }, { 'x-who': 'a' }),
    calls('and another one another', '/', 3, { 200: 2, 429: 1 }, { 'x-who': 'b' }),
    calls('what passed counted for all', '/', 2, { 200: 1, 429: 1 }),
  ],
};

const dynamic: XdsTable = {
  name: 'a local rate limit with a bucket per value, and limits of the virtual host',
  config: routesOf([{ prefix: '/' }], limit({ ...on, ...bucket(100), descriptors: [descriptor('who', '', 1)] }), {
    rate_limits: [byHeader],
  }),
  rows: [
    calls('counts each value by itself', '/', 2, { 200: 1, 429: 1 }, { 'x-who': 'a' }),
    calls('also one that nobody named', '/', 2, { 200: 1, 429: 1 }, { 'x-who': 'z' }),
    calls('and not who has none', '/', 3, { 200: 3 }),
  ],
};

const actions: XdsTable = {
  name: 'a local rate limit with every action',
  config: routesOf(
    [
      { prefix: '/address', route: { rate_limits: [{ actions: [{ remote_address: {} }] }] } },
      { prefix: '/masked', route: { rate_limits: [{ actions: [{ masked_remote_address: { v4_prefix_mask_len: 8 } }] }] } },
      { prefix: '/generic', route: { rate_limits: [{ actions: [{ generic_key: { descriptor_value: 'g' } }] }] } },
      {
        prefix: '/header',
        route: {
          rate_limits: [{ actions: [{ header_value_match: { descriptor_value: 'h', headers: [{ name: 'x-a', present_match: true }] } }] }],
        },
      },
      {
        prefix: '/query',
        route: {
          rate_limits: [
            {
              actions: [
                { query_parameter_value_match: { descriptor_value: 'q', query_parameters: [{ name: 'a', string_match: { exact: '1' } }] } },
              ],
            },
          ],
        },
      },
      { prefix: '/cluster', route: { rate_limits: [{ actions: [{ source_cluster: {} }, { destination_cluster: {} }] }] } },
      {
        prefix: '/optional',
        route: {
          rate_limits: [
            {
              actions: [
                { generic_key: { descriptor_value: 'o' } },
                { request_headers: { header_name: 'x-none', descriptor_key: 'none', skip_if_absent: true } },
              ],
            },
          ],
        },
      },
    ],
    limit({
      ...on,
      ...bucket(1000),
      descriptors: [
        descriptor('remote_address', '127.0.0.2', 1),
        descriptor('masked_remote_address', '127.0.0.0/8', 1),
        descriptor('generic_key', 'g', 1),
        descriptor('header_match', 'h', 1),
        descriptor('query_match', 'q', 1),
        {
          entries: [
            { key: 'source_cluster', value: 'edge.default' },
            { key: 'destination_cluster', value: 'echo' },
          ],
          ...bucket(1),
        },
        descriptor('generic_key', 'o', 1),
      ],
    }),
  ),
  rows: [
    calls('remote_address', '/address', 2, { 200: 1, 429: 1 }),
    calls('masked_remote_address', '/masked', 2, { 200: 1, 429: 1 }),
    calls('generic_key', '/generic', 2, { 200: 1, 429: 1 }),
    calls('header_value_match without the header', '/header', 2, { 200: 2 }),
    calls('header_value_match', '/header', 2, { 200: 1, 429: 1 }, { 'x-a': '1' }),
    calls('query_parameter_value_match with another value', '/query?a=2', 2, { 200: 2 }),
    calls('query_parameter_value_match', '/query?a=1', 2, { 200: 1, 429: 1 }),
    calls('source_cluster and destination_cluster', '/cluster', 2, { 200: 1, 429: 1 }),
    calls('a header that may be absent', '/optional', 2, { 200: 1, 429: 1 }),
    calls('a header that may be absent and is there: another descriptor', '/optional', 2, { 200: 2 }, { 'x-none': '1' }),
  ],
};

for (const table of [perRoute, descriptors, dynamic, actions]) runFilterTable(table);
