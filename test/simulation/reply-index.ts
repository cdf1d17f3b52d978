/** Where a reply of Envoy's is tested, or why it is not. */
export type ReplyProof = { readonly file: string; readonly tests: readonly string[] } | { readonly reason: string };

const out = (...tests: string[]): ReplyProof => ({ file: 'test/simulation/local-replies.test.ts', tests });
const xds = (...tests: string[]): ReplyProof => ({ file: 'test/simulation/xds/table/replies.ts', tests });
const codec = (...tests: string[]): ReplyProof => ({ file: 'test/security/envoy-refusals.test.ts', tests });
const jwt = (...tests: string[]): ReplyProof => ({ file: 'packages/jwt/src/jwt-authn.test.ts', tests });
const authorizer = (...tests: string[]): ReplyProof => ({ file: 'test/simulation/table/external-authorization.ts', tests });

/**
 * Every reply that Envoy makes itself, by the words of the list that was measured on it (the team's page of local replies), and the tests
 * that hold us to it: status, body, headers, flags and details. test/simulation/reply-index.test.ts holds the list and this page together.
 */
export const REPLY_INDEX: Readonly<Record<string, readonly ReplyProof[]>> = {
  'no vhost / no route': [out('no route', 'no route, gRPC'), xds('no route')],
  'cluster missing (name, cluster_header absent/unknown, weighted)': [
    xds('a cluster that is not there', 'the same with 404', 'the same with 500', 'no header that names a cluster'),
  ],
  'no endpoints / no healthy host with panic off': [out('no endpoint', 'no endpoint, gRPC'), xds('no endpoint')],
  'connection refused': [out('refused'), xds('refused')],
  'connect timeout': [out('connect timeout')],
  'upstream closes (FIN or RST) before headers; H2 connection destroyed': [out('closed before headers')],
  'RST_STREAM INTERNAL_ERROR / CANCEL / NO_ERROR before headers': [xds('remote_reset')],
  'RST_STREAM REFUSED_STREAM': [xds('RST_STREAM REFUSED_STREAM')],
  'any of the above after ≥1 retry': [out('refused, after a retry', 'closed before headers, after a retry')],
  'upstream sends garbage, bad content-length, header > limit, > 100 headers, unsolicited 101': [
    out('garbage'),
    xds('bytes that are no HTTP'),
  ],
  'upstream dies mid body (H1 short content-length / chunked)': [out('cut short'), xds('a body cut short')],
  'H2 RST after headers': [xds('RST_STREAM after the headers')],
  'circuit breaker: pending, requests (H1 and H2)': [out('a full queue: x-envoy-overloaded')],
  'max_retries / retry budget overflow': [xds('no retry left in the budget')],
  'retries exhausted on a status code (also num_retries: 0 !)': [out('retries used up on a status'), xds('no retry allowed')],
  'EDS drop_overloads < 100 %': [xds('drop_overloads below 100 %')],
  'EDS drop_overloads = 100 %': [xds('drop_overloads')],
  'route timeout': [out('route timeout', 'route timeout, gRPC')],
  'route timeout after response headers': [xds('the timeout of a route after the headers')],
  'per_try_timeout, no retry left / not retriable': [out('per-try timeout'), xds('per-try timeout without retries')],
  per_try_idle_timeout: [xds('per-try idle timeout', 'per-try idle timeout after a retry')],
  'route idle_timeout or HCM stream_idle_timeout, request complete, no response headers': [xds('idle, the request is complete')],
  'same, request body not complete': [xds('idle, the request is not', 'idle, the request is not, and nobody waits for it')],
  'same, response started': [xds('idle after the headers')],
  'max_stream_duration (route), request complete': [xds('max_stream_duration')],
  'grpc-timeout with grpc_timeout_header_max set': [xds('grpc-timeout')],
  'cluster max_stream_duration': [xds('max_stream_duration of a cluster')],
  'HCM request_timeout': [
    { reason: 'the field is not read: istiod never sends it, and filters that wait for a body have the idle timeout' },
  ],
  'HCM request_headers_timeout': [
    { reason: 'the field is not read: istiod never sends it; a head that does not end is answered by headersTimeout' },
  ],
  'client disconnects': [out('a caller that goes away')],
  'fault abort': [out('fault', 'fault with a gRPC status')],
  'fault delay + abort': [out('delay and fault')],
  'fault delay only': [out('delay')],
  'local rate limit': [xds('a local rate limit')],
  'RBAC deny': [xds('denied by a policy', 'denied by the lack of one')],
  'JWT missing': [jwt('is told to be missing, without an error, where a rule demands one')],
  'JWT malformed': [jwt('one section', 'five sections (encrypted)')],
  'JWT expired / not yet valid / unknown issuer / bad signature / no key': [jwt('is refused as Envoy refuses it', 'expires all the same')],
  'JWT audience wrong or absent': [jwt('a refusal says invalid_token, with 403')],
  'ext_authz (HTTP) denies: 2xx ≠ 200, 3xx, 4xx': [
    authorizer(
      'only 200 allows',
      'a redirect to a login page passes through',
      'without a list of headers to show, a denial shows all of them',
    ),
  ],
  'ext_authz error: timeout, reset, refused, bad HTTP, 5xx': [
    authorizer('5xx is no answer', 'a connection that ends is no answer', 'an authorizer that takes longer than its timeout is no answer'),
  ],
  'buffer filter': [xds('a body that is too long')],
  'CORS preflight': [out('a preflight')],
  redirect: [out('redirect')],
  'direct_response with body': [out('direct response')],
  'direct_response without body': [out('direct response without a body', 'direct response of 301')],
  'direct_response 204 with body configured': [xds('a direct response of 204')],
  'path normalisation reject, escaped slash REJECT, %00': [xds('a path with an escaped slash is refused'), codec('NUL, escaped')],
  "`#fragment` in path: Envoy's default": [
    { reason: 'istiod switches it off in the bootstrap (next line), and Ripstop behaves as Envoy behind istiod' },
  ],
  '`#fragment` in path, Istio: bootstrap runtime http_reject_path_with_fragment=false': [
    { file: 'test/simulation/table/codec.ts', tests: ['a fragment in the target'] },
  ],
  UNESCAPE_AND_REDIRECT: [xds('a caller is sent to the path without escapes')],
  '`OPTIONS *`': [codec('OPTIONS *')],
  'Upgrade type not enabled (Istio: same, only `websocket` is enabled)': [codec('an upgrade that is not configured')],
  'CONNECT not enabled: plain HCM': [{ reason: 'a CONNECT is answered as Istio configures it (next line), which runs the policies first' }],
  'CONNECT, Istio: filters run first (RBAC 403 if denied), then': [codec('CONNECT')],
  'Host missing (or `Connection: host`)': [codec('no Host', 'Connection: host')],
  'invalid host': [codec('http.invalid_authority')],
  'malformed H1': [codec('a header line without colon', 'a length beside chunks', 'http1.invalid_url')],
  'header with underscore, REJECT_REQUEST': [{ reason: 'headers_with_underscores_action is not read: istiod never sends it' }],
  'too many headers (> 100, Host counts) / request line + headers ≥ 60 KiB (long URL too)': [
    codec('http1.too_many_headers', 'http1.headers_too_large'),
  ],
  'HTTP/1.0 request (not accepted); HTTP/0.9, `HTTP/1.2`, `HTTP/2.0` in the request line': [codec('low_version')],
};
