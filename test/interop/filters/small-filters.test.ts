import type { Row } from '../../simulation/row.ts';
import { type StaticConfig, typed } from '../../simulation/xds/static-config.ts';
import type { XdsTable } from '../../simulation/xds/xds-table.ts';
import { runFilterTable } from './run-filter-table.ts';

const header = (key: string, value: string, action = 'APPEND_IF_EXISTS_OR_ADD'): object => ({
  append: { header: { key, value }, append_action: action },
});
const MUTATION = 'envoy.filters.http.header_mutation';
const mutations = (request: readonly object[], response: readonly object[] = []): object => ({
  mutations: { request_mutations: request, response_mutations: response },
});
const perRoute = (value: object): object => ({
  [MUTATION]: typed('envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute', value),
});

function mutationTable(name: string, wins: boolean): XdsTable {
  return {
    name,
    config: (port): StaticConfig => ({
      filters: [
        {
          name: MUTATION,
          typed_config: typed('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
            ...mutations(
              [
                header('x-add', 'filter'),
                header('x-set', 'filter', 'OVERWRITE_IF_EXISTS_OR_ADD'),
                header('x-absent', 'filter', 'ADD_IF_ABSENT'),
                header('x-present', 'filter', 'OVERWRITE_IF_EXISTS'),
                header('x-path', '%REQ(:PATH)%'),
                { remove: 'x-gone' },
                header('x-gone', 'again'),
              ],
              [{ remove: 'x-secret' }, header('x-code', 'c'), header('x-who', 'filter', 'OVERWRITE_IF_EXISTS_OR_ADD')],
            ),
            most_specific_header_mutations_wins: wins,
          }),
        },
      ],
      clusters: { echo: { ports: [port('echo-v1')] } },
      virtualHosts: [
        {
          name: 'all',
          domains: ['*'],
          typed_per_filter_config: perRoute(
            mutations([header('x-who', 'host', 'OVERWRITE_IF_EXISTS_OR_ADD')], [header('x-who', 'host', 'OVERWRITE_IF_EXISTS_OR_ADD')]),
          ),
          routes: [
            {
              match: { prefix: '/route' },
              route: { cluster: 'echo' },
              typed_per_filter_config: perRoute(
                mutations(
                  [header('x-who', 'route', 'OVERWRITE_IF_EXISTS_OR_ADD')],
                  [header('x-who', 'route', 'OVERWRITE_IF_EXISTS_OR_ADD')],
                ),
              ),
            },
            { match: { prefix: '/direct' }, direct_response: { status: 418 } },
            { match: { prefix: '/' }, route: { cluster: 'echo' } },
          ],
        },
      ],
    }),
    rows: [
      {
        name: 'adds, sets and removes in order',
        call: {
          url: 'http://shop.example/',
          headers: { 'x-add': 'mine', 'x-set': 'mine', 'x-absent': 'mine', 'x-present': 'mine', 'x-gone': 'mine' },
        },
        upstream: [{ headers: { 'x-secret': '1', 'x-code': 'app' } }],
        expect: {
          status: 200,
          sees: { 'x-set': 'filter', 'x-absent': 'mine', 'x-present': 'filter', 'x-gone': 'again', 'x-path': '/', 'x-who': 'host' },
          headers: { 'x-secret': undefined, 'x-who': 'host' },
        },
      },
      {
        name: 'leaves alone what it must not make',
        call: { url: 'http://shop.example/' },
        expect: { status: 200, sees: { 'x-present': undefined } },
      },
      {
        name: 'lets the level win that is configured to',
        call: { url: 'http://shop.example/route' },
        expect: { status: 200, sees: { 'x-who': wins ? 'route' : 'host' }, headers: { 'x-who': wins ? 'route' : 'host' } },
      },
      {
        name: 'changes replies of its own',
        call: { url: 'http://shop.example/direct' },
        expect: { status: 418, headers: { 'x-code': 'c' } },
      },
    ],
  };
}

const BUFFER = 'envoy.filters.http.buffer';
const post = (path: string, body: string, headers: Record<string, string> = {}): Row['call'] => ({
  url: `http://shop.example${path}`,
  method: 'POST',
  body,
  headers,
});

const buffer: XdsTable = {
  name: 'the buffer filter',
  config: (port) => ({
    filters: [{ name: BUFFER, typed_config: typed('envoy.extensions.filters.http.buffer.v3.Buffer', { max_request_bytes: 10 }) }],
    clusters: { echo: { ports: [port('echo-v1')] } },
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            match: { prefix: '/off' },
            route: { cluster: 'echo' },
            typed_per_filter_config: { [BUFFER]: typed('envoy.extensions.filters.http.buffer.v3.BufferPerRoute', { disabled: true }) },
          },
          {
            match: { prefix: '/more' },
            route: { cluster: 'echo' },
            typed_per_filter_config: {
              [BUFFER]: typed('envoy.extensions.filters.http.buffer.v3.BufferPerRoute', { buffer: { max_request_bytes: 20 } }),
            },
          },
          { match: { prefix: '/' }, route: { cluster: 'echo' } },
        ],
      },
    ],
  }),
  rows: [
    { name: 'lets pass what has no body', call: { url: 'http://shop.example/' }, expect: { status: 200, to: ['echo-v1'] } },
    { name: 'lets pass a body of the limit', call: post('/', 'x'.repeat(10)), expect: { status: 200, to: ['echo-v1'] } },
    { name: 'refuses a longer one', call: post('/', 'x'.repeat(11)), expect: { status: 413, body: 'Payload Too Large', to: [] } },
    { name: 'is wider where a route says so', call: post('/more', 'x'.repeat(20)), expect: { status: 200, to: ['echo-v1'] } },
    { name: 'and narrow there too', call: post('/more', 'x'.repeat(21)), expect: { status: 413, to: [] } },
    { name: 'is off where a route says so', call: post('/off', 'x'.repeat(1000)), expect: { status: 200, to: ['echo-v1'] } },
    {
      name: 'tells the length of a chunked body',
      call: {
        url: 'http://shop.example/',
        raw: 'POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      },
      expect: { status: 200, to: ['echo-v1'], sees: { 'content-length': '5', 'transfer-encoding': undefined } },
    },
  ],
};

for (const table of [mutationTable('header mutation', false), mutationTable('header mutation where the most specific wins', true), buffer])
  runFilterTable(table);
