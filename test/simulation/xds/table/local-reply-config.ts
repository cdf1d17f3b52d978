import type { Row } from '../../row.ts';
import { typed } from '../static-config.ts';
import type { XdsTable } from '../xds-table.ts';

const header = (key: string, value: string, append_action = 'APPEND_IF_EXISTS_OR_ADD'): object => ({
  header: { key, value },
  append_action,
});
const status = (op: string, value: number): object => ({
  status_code_filter: { comparison: { op, value: { default_value: value, runtime_key: 'none' } } },
});
const byHeader = (name: string): object => ({ header_filter: { header: { name, present_match: true } } });
const flag = (...flags: string[]): object => ({ response_flag_filter: { flags } });
const text = (inline_string: string): object => ({ text_format_source: { inline_string } });

const get = (path: string, headers: Record<string, string> = {}): Row['call'] => ({ url: `http://shop.example${path}`, headers });
const grpc = (path: string, headers: Record<string, string> = {}): Row['call'] => ({
  url: `http://shop.example${path}`,
  method: 'POST',
  headers: { 'content-type': 'application/grpc', ...headers },
});

const FAULT = 'envoy.filters.http.fault';

function table(name: string, local_reply_config: object, rows: readonly Row[]): XdsTable {
  return {
    name: `local replies that are rewritten: ${name}`,
    config: (port) => ({
      filters: [
        {
          name: 'envoy.filters.http.cors',
          typed_config: typed('envoy.extensions.filters.http.cors.v3.Cors'),
        },
        {
          name: FAULT,
          typed_config: typed('envoy.extensions.filters.http.fault.v3.HTTPFault', {
            abort: { http_status: 503, percentage: { numerator: 100 } },
            headers: [{ name: 'x-fault', present_match: true }],
          }),
        },
      ],
      clusters: { echo: { ports: [port('echo-v1')] }, none: { ports: [] } },
      virtualHosts: [
        {
          name: 'shop',
          domains: ['shop.example'],
          response_headers_to_add: [header('x-host', 'added')],
          routes: [
            { match: { path: '/direct' }, direct_response: { status: 418, body: { inline_string: 'short and stout' } } },
            { match: { path: '/empty' }, direct_response: { status: 410 } },
            {
              match: { path: '/typed' },
              direct_response: { status: 410, body: { inline_string: '<gone/>' } },
              response_headers_to_add: [header('content-type', 'text/xml')],
            },
            { match: { path: '/moved' }, redirect: { path_redirect: '/new' } },
            { match: { path: '/none' }, route: { cluster: 'none' } },
            { match: { path: '/unknown' }, route: { cluster: 'unheard-of' } },
            {
              match: { path: '/cors' },
              route: { cluster: 'echo' },
              typed_per_filter_config: {
                'envoy.filters.http.cors': typed('envoy.extensions.filters.http.cors.v3.CorsPolicy', {
                  allow_origin_string_match: [{ exact: 'http://a.example' }],
                }),
              },
            },
            { match: { prefix: '/echo' }, route: { cluster: 'echo' } },
          ],
        },
      ],
      manager: { local_reply_config },
    }),
    rows,
  };
}

const cors: Row['call'] = {
  url: 'http://shop.example/cors',
  method: 'OPTIONS',
  headers: { origin: 'http://a.example', 'access-control-request-method': 'GET' },
};

const EVERY_KIND: readonly Row[] = [
  { name: 'a direct response', call: get('/direct'), expect: {} },
  { name: 'one without a body', call: get('/empty'), expect: {} },
  { name: 'one with a content type of its own', call: get('/typed'), expect: {} },
  { name: 'a redirect', call: get('/moved'), expect: {} },
  { name: 'no route', call: get('/nowhere'), expect: {} },
  { name: 'no endpoint', call: get('/none'), expect: {} },
  { name: 'no cluster', call: get('/unknown'), expect: {} },
  { name: 'a fault', call: get('/echo', { 'x-fault': '1' }), expect: {} },
  { name: 'a preflight', call: cors, expect: { status: 200 } },
  { name: 'an upstream', call: get('/echo'), upstream: [{ status: 503, body: 'its own' }], expect: { status: 503, body: 'its own' } },
  { name: 'HEAD', call: { ...get('/direct'), method: 'HEAD' }, expect: {} },
  { name: 'gRPC without an endpoint', call: grpc('/none'), expect: { status: 200 } },
  { name: 'gRPC without a route', call: grpc('/nowhere'), expect: { status: 200 } },
  { name: 'a gRPC fault', call: grpc('/echo', { 'x-fault': '1' }), expect: { status: 200 } },
  {
    name: 'what is no path',
    call: { url: 'http://shop.example/', raw: 'GET /%00 HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n' },
    expect: { status: 400 },
  },
];

const MAPPERS = {
  mappers: [
    { filter: byHeader('x-teapot'), status_code: 418, body: { inline_string: 'a teapot, not %RESPONSE_CODE%' } },
    {
      filter: { and_filter: { filters: [flag('UH'), status('EQ', 503)] } },
      status_code: 504,
      headers_to_add: [header('x-was', '%RESPONSE_CODE% %RESPONSE_FLAGS%'), header('x-host', 'mapped', 'OVERWRITE_IF_EXISTS_OR_ADD')],
      body_format_override: text('none: %LOCAL_REPLY_BODY% %RESPONSE_CODE% %REQ(:PATH)% %RESP(X-WAS)% %REQ(NOT-THERE)%'),
    },
    { filter: status('EQ', 404), body: { inline_string: '' }, status_code: 200 },
    {
      filter: status('LE', 410),
      headers_to_add: [header('content-type', 'text/html', 'OVERWRITE_IF_EXISTS_OR_ADD')],
      body: { inline_string: '<b>gone</b>' },
    },
  ],
};

const JSON_FORMAT = {
  body_format: {
    json_format: {
      status: '%RESPONSE_CODE%',
      message: '%LOCAL_REPLY_BODY%',
      path: '%REQ(:path)%',
      both: '%REQ(:METHOD)% %RESPONSE_CODE_DETAILS%',
      absent: '%REQ(not-there)%',
      nested: { flags: '%RESPONSE_FLAGS%', route: '%ROUTE_NAME%' },
    },
  },
};

export const localReplyConfig: readonly XdsTable[] = [
  table('by nothing', {}, EVERY_KIND),
  table('by mappers', MAPPERS, [
    ...EVERY_KIND,
    {
      name: 'the first that matches',
      call: get('/none', { 'x-teapot': '1' }),
      expect: { status: 418, body: 'a teapot, not %RESPONSE_CODE%' },
    },
    { name: 'no endpoint, as told', call: get('/none'), expect: { status: 504, body: 'none: no healthy upstream 504 /none 503 UH -' } },
    { name: 'gRPC by a mapper', call: grpc('/none', { 'x-teapot': '1' }), expect: { status: 200, headers: { 'grpc-status': '2' } } },
    {
      name: 'gRPC without a route is none by HTTP either',
      call: grpc('/nowhere'),
      expect: { status: 200, headers: { 'grpc-message': undefined } },
    },
  ]),
  table('as text', { body_format: text('%LOCAL_REPLY_BODY%|%RESPONSE_CODE%|%RESPONSE_CODE_DETAILS%|%REQ(X-NONE)%\n') }, EVERY_KIND),
  table('as a text of another type', { body_format: { ...text('<p>%LOCAL_REPLY_BODY%</p>'), content_type: 'text/html; charset=UTF-8' } }, [
    ...EVERY_KIND,
    {
      name: 'what is no HTTP',
      call: { url: 'http://shop.example/', raw: 'GET / HTTP/1.1\r\nHost: shop.example\r\nbad header\r\n\r\n' },
      expect: { status: 400 },
      differs: {
        because: 'bytes that are no request have no exchange that could be rewritten',
        lines: [
          'body: Envoy "<p>Bad Request</p>", SDK "Bad Request"',
          'response header content-length: Envoy "18", SDK "11"',
          'response header content-type: Envoy "text/html; charset=UTF-8", SDK "text/plain"',
        ],
      },
    },
  ]),
  table('as JSON', JSON_FORMAT, EVERY_KIND),
  table(
    'as JSON, by mappers in a format of their own',
    {
      ...JSON_FORMAT,
      mappers: [
        {
          filter: flag(),
          body_format_override: { json_format: { flagged: '%RESPONSE_FLAGS%' }, content_type: 'application/problem+json' },
        },
        { filter: status('GE', 410), body: { inline_string: 'mapped' }, status_code: 599 },
      ],
    },
    EVERY_KIND,
  ),
];
