import type { Answer, Row } from '../../row.ts';
import { type StaticConfig, typed } from '../static-config.ts';
import type { XdsTable } from '../xds-table.ts';

/*
 * Replies that a mesh makes itself, with what Envoy's access log says of them: those that need more than a YAML of Istio says. Which
 * reply of Envoy's stands in which table: test/simulation/reply-index.ts.
 */

const RESET = 'upstream connect error or disconnect/reset before headers. reset reason: ';
const before = (reason: string): string => `upstream_reset_before_response_started{${reason}}`;
const after = (reason: string): string => `upstream_reset_after_response_started{${reason}}`;
const url = (path: string): string => `http://replies.example${path}`;
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const RBAC = 'envoy.filters.http.rbac';
const BUFFER = 'envoy.filters.http.buffer';
const LIMIT = 'envoy.filters.http.local_ratelimit';
const SLOW: readonly Answer[] = [{ afterMs: 4000 }];
const grpc = { method: 'POST', headers: { 'content-type': 'application/grpc' } };
/** A request whose body does not come. */
const incomplete = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: replies.example\r\nContent-Length: 5\r\n\r\n`;

function drops(numerator: number): object {
  return { policy: { drop_overloads: [{ category: 'load', drop_percentage: { numerator, denominator: 'MILLION' } }] } };
}

function config(port: (name: string) => number): StaticConfig {
  const echo = { ports: [port('echo-v1')] };
  const full = { default_value: { numerator: 100 } };
  return {
    filters: [
      { name: RBAC, typed_config: typed('envoy.extensions.filters.http.rbac.v3.RBAC') },
      {
        name: LIMIT,
        typed_config: typed('envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', { stat_prefix: 'limit' }),
      },
      { name: BUFFER, typed_config: typed('envoy.extensions.filters.http.buffer.v3.Buffer', { max_request_bytes: 10 }) },
    ],
    clusters: {
      echo,
      refused: { ports: [1] },
      garbage: { ports: [port('garbage')] },
      cut: { ports: [port('cut')] },
      begun: { ports: [port('begun')] },
      resets: { ports: [port('resets')], http2: true },
      empty: { ports: [] },
      'drop-most': { ...echo, assignment: drops(999_999) },
      'drop-all': { ...echo, assignment: drops(1_000_000) },
      'no-retries': { ...echo, more: { circuit_breakers: { thresholds: [{ max_retries: 0 }] } } },
      limited: {
        ...echo,
        more: {
          typed_extension_protocol_options: {
            [HTTP_OPTIONS]: typed(HTTP_OPTIONS, {
              common_http_protocol_options: { max_stream_duration: '0.3s' },
              explicit_http_config: { http_protocol_options: {} },
            }),
          },
        },
      },
    },
    virtualHosts: [
      {
        name: 'replies',
        domains: ['replies.example'],
        routes: [
          { match: { prefix: '/rst' }, route: { cluster: 'resets' } },
          { match: { prefix: '/late' }, route: { cluster: 'resets' } },
          { match: { prefix: '/nowhere-404' }, route: { cluster: 'nowhere', cluster_not_found_response_code: 'NOT_FOUND' } },
          { match: { prefix: '/nowhere-500' }, route: { cluster: 'nowhere', cluster_not_found_response_code: 'INTERNAL_SERVER_ERROR' } },
          { match: { prefix: '/nowhere' }, route: { cluster: 'nowhere' } },
          { match: { prefix: '/by-header' }, route: { cluster_header: 'x-cluster' } },
          { match: { prefix: '/empty' }, route: { cluster: 'empty' } },
          { match: { prefix: '/refused' }, route: { cluster: 'refused' } },
          { match: { prefix: '/garbage' }, route: { cluster: 'garbage' } },
          { match: { prefix: '/cut' }, route: { cluster: 'cut' } },
          { match: { prefix: '/drop-most' }, route: { cluster: 'drop-most' } },
          { match: { prefix: '/drop-all' }, route: { cluster: 'drop-all' } },
          { match: { prefix: '/budget' }, route: { cluster: 'no-retries', retry_policy: { retry_on: '5xx', num_retries: 1 } } },
          { match: { prefix: '/never-again' }, route: { cluster: 'echo', retry_policy: { retry_on: '5xx', num_retries: 0 } } },
          { match: { prefix: '/begun-timeout' }, route: { cluster: 'begun', timeout: '0.3s' } },
          { match: { prefix: '/begun-idle' }, route: { cluster: 'begun', idle_timeout: '0.3s' } },
          {
            match: { prefix: '/per-try-idle-again' },
            route: { cluster: 'echo', timeout: '0s', retry_policy: { per_try_idle_timeout: '0.3s', retry_on: '5xx', num_retries: 1 } },
          },
          { match: { prefix: '/per-try-idle' }, route: { cluster: 'echo', retry_policy: { per_try_idle_timeout: '0.3s' } } },
          { match: { prefix: '/per-try' }, route: { cluster: 'echo', retry_policy: { per_try_timeout: '0.3s' } } },
          { match: { prefix: '/idle' }, route: { cluster: 'echo', idle_timeout: '0.3s' } },
          { match: { prefix: '/max' }, route: { cluster: 'echo', max_stream_duration: { max_stream_duration: '0.3s' } } },
          { match: { prefix: '/grpc-max' }, route: { cluster: 'echo', max_stream_duration: { grpc_timeout_header_max: '0.3s' } } },
          { match: { prefix: '/grpc-capped' }, route: { cluster: 'echo', timeout: '5s', max_grpc_timeout: '1s' } },
          { match: { prefix: '/grpc-route' }, route: { cluster: 'echo', timeout: '5s', max_grpc_timeout: '0s' } },
          { match: { prefix: '/limited' }, route: { cluster: 'limited' } },
          {
            match: { prefix: '/denied' },
            route: { cluster: 'echo' },
            typed_per_filter_config: {
              [RBAC]: typed('envoy.extensions.filters.http.rbac.v3.RBACPerRoute', {
                rbac: {
                  rules: {
                    action: 'DENY',
                    policies: { 'no one': { permissions: [{ any: true }], principals: [{ any: true }] } },
                  },
                },
              }),
            },
          },
          {
            match: { prefix: '/unlisted' },
            route: { cluster: 'echo' },
            typed_per_filter_config: {
              [RBAC]: typed('envoy.extensions.filters.http.rbac.v3.RBACPerRoute', { rbac: { rules: {} } }),
            },
          },
          {
            match: { prefix: '/often' },
            route: { cluster: 'echo' },
            typed_per_filter_config: {
              [LIMIT]: typed('envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', {
                stat_prefix: 'limit',
                filter_enabled: full,
                filter_enforced: full,
                token_bucket: { max_tokens: 1, tokens_per_fill: 1, fill_interval: '3600s' },
                response_headers_to_add: [{ header: { key: 'x-limited', value: 'yes' } }],
              }),
            },
          },
          {
            match: { prefix: '/direct-204' },
            direct_response: { status: 204, body: { inline_string: 'none' } },
          },
          {
            match: { prefix: '/unbuffered' },
            route: { cluster: 'echo', idle_timeout: '0.3s' },
            typed_per_filter_config: { [BUFFER]: typed('envoy.extensions.filters.http.buffer.v3.BufferPerRoute', { disabled: true }) },
          },
          { match: { prefix: '/echo' }, route: { cluster: 'echo' } },
        ],
      },
    ],
  };
}

const rows: readonly Row[] = [
  made('no route', '/', 404, 'NR route_not_found', ''),
  made('a cluster that is not there', '/nowhere', 503, 'NC cluster_not_found', ''),
  made('the same with 404', '/nowhere-404', 404, 'NC cluster_not_found', ''),
  made('the same with 500', '/nowhere-500', 500, 'NC cluster_not_found', ''),
  made('no header that names a cluster', '/by-header', 503, 'NC cluster_not_found', ''),
  made('no endpoint', '/empty', 503, 'UH no_healthy_upstream', 'no healthy upstream'),
  made(
    'refused',
    '/refused',
    503,
    `UF ${before('remote_connection_failure|delayed_connect_error:_Connection_refused')}`,
    `${RESET}remote connection failure`,
  ),
  made('bytes that are no HTTP', '/garbage', 502, `UPE ${before('protocol_error')}`, `${RESET}protocol error`),
  made('a body cut short', '/cut', 0, `UPE ${after('protocol_error')}`),
  ...[0, 2, 8].map((code) => made(`RST_STREAM ${code}`, `/rst/${code}`, 503, `UR ${before('remote_reset')}`, `${RESET}remote reset`)),
  made('RST_STREAM REFUSED_STREAM', '/rst/7', 503, `UR ${before('remote_refused_stream_reset')}`, `${RESET}remote refused stream reset`),
  made('RST_STREAM after the headers', '/late', 0, `UR ${after('remote_reset')}`),
  made('drop_overloads below 100 %', '/drop-most', 503, 'DO drop_overload', 'drop overload', { 'x-envoy-drop-overload': 'true' }),
  made('drop_overloads', '/drop-all', 503, 'UDO unconditional_drop_overload', 'unconditional drop overload', {
    'x-envoy-unconditional-drop-overload': 'true',
  }),
  { ...made('no retry left in the budget', '/budget', 503, 'UO via_upstream', 'mine'), upstream: [{ status: 503, body: 'mine' }] },
  { ...made('no retry allowed', '/never-again', 503, 'URX via_upstream', 'mine'), upstream: [{ status: 503, body: 'mine' }] },
  made('the timeout of a route after the headers', '/begun-timeout', 0, 'UT response_timeout'),
  made('idle after the headers', '/begun-idle', 0, 'SI stream_idle_timeout'),
  slow('per-try timeout without retries', '/per-try', 504, 'UT upstream_per_try_timeout', 'upstream request timeout'),
  slow('per-try idle timeout', '/per-try-idle', 504, 'UT upstream_per_try_idle_timeout', 'upstream request timeout'),
  slow(
    'per-try idle timeout after a retry',
    '/per-try-idle-again',
    504,
    'URX,UT upstream_per_try_idle_timeout',
    'upstream request timeout',
  ),
  slow('idle, the request is complete', '/idle', 504, 'SI stream_idle_timeout', 'stream timeout'),
  {
    ...made('idle, the request is not', '/idle', 408, 'SI stream_idle_timeout', 'stream timeout', { connection: 'close' }),
    call: { url: url('/idle'), raw: incomplete('/idle') },
  },
  {
    ...made('idle, the request is not, and nobody waits for it', '/unbuffered', 408, 'SI stream_idle_timeout', 'stream timeout'),
    call: { url: url('/unbuffered'), raw: incomplete('/unbuffered') },
  },
  slowGrpc(
    'grpc-timeout in the place of a timeout',
    '/grpc-route',
    '300m',
    'UT response_timeout',
    { status: '14', message: 'upstream request timeout' },
    '300m',
  ),
  slowGrpc(
    'a longer one where it is capped',
    '/grpc-capped',
    '10S',
    'UT response_timeout',
    { status: '14', message: 'upstream request timeout' },
    '1000m',
  ),
  slowGrpc(
    'none where it is capped',
    '/grpc-capped',
    undefined,
    'UT response_timeout',
    { status: '14', message: 'upstream request timeout' },
    '1000m',
  ),
  slowGrpc(
    'grpc-timeout where only the stream has a limit',
    '/max',
    '200m',
    '- max_duration_timeout',
    { status: '4', message: 'downstream duration timeout' },
    '300m',
  ),
  slow('max_stream_duration', '/max', 504, '- max_duration_timeout', 'downstream duration timeout'),
  slowGrpc('grpc-timeout', '/grpc-max', '10S', '- max_duration_timeout', { status: '4', message: 'downstream duration timeout' }, '300m'),
  slow(
    'max_stream_duration of a cluster',
    '/limited',
    504,
    'UMSDR upstream_max_stream_duration_reached',
    'upstream max stream duration reached',
  ),
  made('denied by a policy', '/denied', 403, '- rbac_access_denied_matched_policy[no_one]', 'RBAC: access denied'),
  made('denied by the lack of one', '/unlisted', 403, '- rbac_access_denied_matched_policy[none]', 'RBAC: access denied'),
  made('the only call that a local rate limit allows', '/often', 200, '- via_upstream'),
  made('a local rate limit', '/often', 429, 'RL local_rate_limited', 'local_rate_limited', { 'x-limited': 'yes' }),
  {
    ...made('a body that is too long', '/echo', 413, '- request_payload_too_large', 'Payload Too Large'),
    call: { url: url('/echo'), method: 'POST', body: 'x'.repeat(11) },
  },
  made('a direct response of 204', '/direct-204', 204, '- direct_response', ''),
  made('a good answer', '/echo', 200, '- via_upstream'),
];

export const replies: XdsTable = { name: 'replies that a gateway makes', config, rows };

function made(name: string, path: string, status: number, account: string, body?: string, headers: Row['expect']['headers'] = {}): Row {
  return { name, call: { url: url(path) }, expect: { status, account, headers, ...(body === undefined ? {} : { body }) } };
}

function slow(name: string, path: string, status: number, account: string, body: string, headers: Row['expect']['headers'] = {}): Row {
  return { ...made(name, path, status, account, body, headers), upstream: SLOW };
}

function slowGrpc(
  name: string,
  path: string,
  timeout: string | undefined,
  account: string,
  { status, message }: { readonly status: string; readonly message: string },
  told: string,
): Row {
  const row = slow(name, path, 200, account, '', { 'grpc-status': status, 'grpc-message': message });
  const headers = { ...grpc.headers, ...(timeout === undefined ? {} : { 'grpc-timeout': timeout }) };
  return { ...row, call: { url: url(path), ...grpc, headers }, expect: { ...row.expect, sees: { 'grpc-timeout': told } } };
}

function slashes(action: string, row: Row): XdsTable {
  return {
    name: `escaped slashes: ${action}`,
    config: (port) => ({
      filters: [],
      clusters: { echo: { ports: [port('echo-v1')] } },
      virtualHosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'echo' } }] }],
      manager: { path_with_escaped_slashes_action: action },
    }),
    rows: [row],
  };
}

/** What becomes of `%2F` in a path. */
export const escapedSlashes: readonly XdsTable[] = [
  slashes(
    'REJECT_REQUEST',
    made('a path with an escaped slash is refused', '/a%2Fb', 400, '- path_normalization_failed', '', { connection: 'close' }),
  ),
  slashes(
    'UNESCAPE_AND_REDIRECT',
    made('a caller is sent to the path without escapes', '/a%2Fb', 307, '- path_normalization_failed', '', { location: '/a/b' }),
  ),
];
