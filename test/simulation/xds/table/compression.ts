import type { Answer, Row } from '../../row.ts';
import { typed } from '../static-config.ts';
import type { XdsTable } from '../xds-table.ts';

const NAME = 'envoy.filters.http.compressor';
const LIBRARIES = { gzip: 'gzip.compressor.v3.Gzip', br: 'brotli.compressor.v3.Brotli', zstd: 'zstd.compressor.v3.Zstd' } as const;
type Coding = keyof typeof LIBRARIES;

function library(coding: Coding, config: object = {}): object {
  return { name: coding, typed_config: typed(`envoy.extensions.compression.${LIBRARIES[coding]}`, config) };
}

function filter(coding: Coding, more: object = {}, name: string = NAME, config: object = {}): object {
  return {
    name,
    typed_config: typed('envoy.extensions.filters.http.compressor.v3.Compressor', { compressor_library: library(coding, config), ...more }),
  };
}

const perRoute = (value: object): object => ({
  typed_per_filter_config: { [NAME]: typed('envoy.extensions.filters.http.compressor.v3.CompressorPerRoute', value) },
});

const TEXT = 'all the same '.repeat(50);
const plain: Answer = { body: TEXT };
const answers = (headers: NonNullable<Answer['headers']>, body = TEXT): readonly Answer[] => [{ body, headers }];

/** The response is encoded so; '' = as it is, and caches are told; 'none' = as it is, and they are not. */
function encoded(
  name: string,
  coding: Coding | '' | 'none',
  accept: string | undefined,
  upstream: readonly Answer[] = [plain],
  call: { readonly path?: string; readonly method?: string } = {},
): Row {
  const { path = '/', method = 'GET' } = call;
  const isEncoded = coding !== '' && coding !== 'none';
  return {
    name,
    call: { url: `http://shop.example${path}`, method, headers: accept === undefined ? {} : { 'accept-encoding': accept } },
    upstream,
    expect: {
      headers: {
        ...(isEncoded ? { 'content-encoding': coding, 'content-length': undefined } : {}),
        ...(coding === 'none' ? { vary: undefined } : {}),
      },
      ...(method === 'HEAD' ? {} : { body: upstream[0]!.body! }),
    },
  };
}

function table(name: string, filters: readonly object[], rows: readonly Row[], routes: readonly object[] = []): XdsTable {
  return {
    name: `compression: ${name}`,
    config: (port) => ({
      filters,
      clusters: { echo: { ports: [port('echo-v1')] } },
      virtualHosts: [{ name: 'all', domains: ['*'], routes: [...routes, { match: { prefix: '/' }, route: { cluster: 'echo' } }] }],
    }),
    rows,
  };
}

const accepts = (name: string, accept: string, coding: Coding | ''): Row => encoded(name, coding, accept);

/** Envoy's compressor filter. */
export const compression: readonly XdsTable[] = [
  table(
    'gzip',
    [filter('gzip')],
    [
      encoded('who does not ask gets it plain', '', undefined),
      accepts('who asks gets it', 'gzip', 'gzip'),
      accepts('among others', 'deflate, gzip;q=0.5, br', 'gzip'),
      accepts('any', '*', 'gzip'),
      accepts('any, but not this one', '*, gzip;q=0', ''),
      accepts('not at all', 'gzip;q=0', ''),
      accepts('rather none', 'identity, gzip;q=0.5', ''),
      accepts('rather this one', 'identity;q=0.5, gzip', 'gzip'),
      accepts('another one', 'br', ''),
      accepts('an empty wish', '', ''),
      accepts('a q that is none', 'gzip;q=x', ''),
      accepts('another parameter', 'gzip;level=1', 'gzip'),
      accepts('in capitals', 'GZIP', ''),
      encoded('a short body', 'none', 'gzip', answers({}, 'short')),
      encoded('a body of the least length', 'gzip', 'gzip', answers({}, 'x'.repeat(30))),
      encoded('a body of unknown length', 'gzip', 'gzip', answers({ 'content-length': [], 'transfer-encoding': 'chunked' }, 'short')),
      encoded('JSON with a charset', 'gzip', 'gzip', answers({ 'content-type': 'application/json; charset=utf-8' })),
      encoded('a type in capitals', 'gzip', 'gzip', answers({ 'content-type': 'Text/HTML' })),
      encoded('a picture', 'none', 'gzip', answers({ 'content-type': 'image/png' })),
      encoded('what is encoded already', 'none', 'gzip', answers({ 'content-encoding': 'identity' })),
      encoded('what must not be changed', 'none', 'gzip', answers({ 'cache-control': 'public, No-Transform' })),
      encoded('a Vary of its own', 'gzip', 'gzip', answers({ vary: 'origin' })),
      encoded('a Vary that says it already', 'gzip', 'gzip', answers({ vary: 'origin, accept-encoding' })),
      encoded('a weak validator', 'gzip', 'gzip', answers({ etag: 'W/"1"' })),
      encoded('a strong validator', 'gzip', 'gzip', answers({ etag: '"1"' })),
      encoded('an error', 'gzip', 'gzip', [{ status: 500, body: TEXT }]),
      encoded('HEAD', '', 'gzip', [plain], { method: 'HEAD' }),
      encoded('off on a route', 'none', 'gzip', [plain], { path: '/off' }),
      {
        ...encoded('a route that does not ask the upstream', 'gzip', 'gzip', [plain], { path: '/own' }),
        expect: { headers: { 'content-encoding': 'gzip' }, sees: { 'accept-encoding': undefined } },
      },
    ],
    [
      { match: { prefix: '/off' }, route: { cluster: 'echo' }, ...perRoute({ disabled: true }) },
      {
        match: { prefix: '/own' },
        route: { cluster: 'echo' },
        ...perRoute({ overrides: { response_direction_config: { remove_accept_encoding_header: true } } }),
      },
    ],
  ),
  table(
    'settings',
    [
      filter(
        'gzip',
        {
          response_direction_config: {
            common_config: { min_content_length: 5, content_type: ['text/plain', 'image/svg+xml'] },
            disable_on_etag_header: true,
            remove_accept_encoding_header: true,
          },
        },
        NAME,
        { memory_level: 9, window_bits: 15, compression_level: 'BEST_SPEED' },
      ),
    ],
    [
      encoded('a lower limit', 'gzip', 'gzip', answers({}, 'short')),
      encoded('below it', 'none', 'gzip', answers({}, 'shor')),
      encoded('a type that is not listed', 'none', 'gzip', answers({ 'content-type': 'text/html' })),
      encoded('one with a validator', 'none', 'gzip', answers({ etag: 'W/"1"' })),
      {
        ...encoded('the upstream is not asked', 'gzip', 'gzip'),
        expect: { headers: { 'content-encoding': 'gzip' }, sees: { 'accept-encoding': undefined } },
      },
    ],
  ),
  table(
    'off',
    [filter('gzip', { response_direction_config: { common_config: { enabled: { default_value: false } } } })],
    [encoded('nothing is encoded', 'none', 'gzip')],
  ),
  table('brotli', [filter('br')], [accepts('who asks gets it', 'br', 'br'), accepts('who does not', 'gzip', '')]),
  table('zstd', [filter('zstd')], [accepts('who asks gets it', 'zstd', 'zstd')]),
  table(
    'several',
    [filter('gzip'), filter('br', {}, 'brotli')],
    [
      accepts('the first of equals', 'gzip, br', 'gzip'),
      accepts('as the caller orders them', 'br, gzip', 'br'),
      accepts('the better one', 'gzip;q=0.5, br;q=0.8', 'br'),
      accepts('any', '*', 'gzip'),
      accepts('any but one', 'gzip;q=0, *', 'br'),
    ],
  ),
  table(
    'several, of which one comes first',
    [filter('gzip'), filter('br', { choose_first: true }, 'brotli')],
    [accepts('of equals', 'gzip, br', 'br'), accepts('not of others', 'gzip, br;q=0.5', 'gzip')],
  ),
];
