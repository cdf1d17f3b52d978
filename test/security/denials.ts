/** Where it is shown: a file of tests, and words that stand in it. */
export type Shown = readonly [file: string, words: string];

/** A row of reference/denials.md, by its section and the beginning of its cause. */
export interface Denial {
  readonly section: string;
  readonly cause: string;
  readonly shown: readonly Shown[];
  /** What is otherwise, in words of docs/reference/differences.md. */
  readonly differs?: string;
}

const REFUSALS = 'test/security/envoy-refusals.test.ts';
const CORPUS = 'test/security/corpus/rows.ts';
const HTTP2 = 'packages/server/src/http2/http2.test.ts';
const RBAC = 'packages/compile/src/filters/rbac.test.ts';
const AUTHORIZATION = 'test/simulation/table/authorization.ts';
const TOKENS = 'packages/jwt/src/jwt-authn.test.ts';
const KEYS = 'packages/jwt/src/jwks.test.ts';
const EXT_AUTHZ = 'packages/core/src/filters/ext-authz/ext-authz.test.ts';
const EXT_AUTHZ_TABLE = 'test/simulation/table/external-authorization.ts';
const UPSTREAM = 'test/simulation/local-replies.test.ts';
const UPSTREAM_TLS = 'packages/undici/src/mtls.test.ts';
const CONNECTIONS = 'packages/server/src/connections.test.ts';
const TLS = 'test/security/tls-refusals.test.ts';

const NOT_LOGGED = "bytes that node:http's parser refuses";
const NO_ALERTS = 'TLS alerts to a caller whose certificate is refused or missing';
const STREAM_RESET = 'malformed HTTP/2 requests';

const codec = (cause: string, words: readonly Shown[], differs?: string): Denial => ({
  section: 'Codec and HCM',
  cause,
  shown: words,
  ...(differs === undefined ? {} : { differs }),
});
const rbac = (cause: string, ...shown: Shown[]): Denial => ({ section: 'RBAC', cause, shown });
const jwt = (cause: string, ...shown: Shown[]): Denial => ({ section: 'JWT', cause, shown });
const authorizer = (cause: string, ...shown: Shown[]): Denial => ({ section: 'ext_authz (HTTP authorizer)', cause, shown });
const upstream = (cause: string, ...shown: Shown[]): Denial => ({ section: 'Upstream (router)', cause, shown });
const tls = (cause: string, ...shown: Shown[]): Denial => ({ section: 'TLS listener', cause, shown, differs: NO_ALERTS });

/** Every refusal that an Envoy makes itself as the sidecar of a server, and where it is shown that Ripstop makes the same. */
export const DENIALS: readonly Denial[] = [
  codec('parser error: bad method', [[REFUSALS, "codec('a target without a slash'"]], NOT_LOGGED),
  codec('NUL, control', [[REFUSALS, 'in a value`, header(']], NOT_LOGGED),
  codec('Transfer-Encoding: chunked together with Content-Length', [[REFUSALS, "codec('a length beside chunks'"]], NOT_LOGGED),
  codec('`GET *`, bad host or port', [[REFUSALS, "details: 'http1.invalid_url'"]]),
  codec('absolute form with a scheme other than', [[REFUSALS, "details: 'http1.invalid_scheme'"]]),
  codec('Host with space', [[REFUSALS, "details: 'http.invalid_authority'"]]),
  codec('`Connection:` nominates', [[REFUSALS, "details: 'http1.connection_header_rejected'"]]),
  codec('Transfer-Encoding other than exactly one', [[REFUSALS, "details: 'http1.invalid_transfer_encoding'"]]),
  codec('HTTP/1.0, HTTP/0.9', [[REFUSALS, "details: 'low_version'"]]),
  codec('more than 100 header lines', [[REFUSALS, "details: 'http1.too_many_headers'"]]),
  codec('request line + headers ≥ 60 KiB', [[REFUSALS, "details: 'http1.headers_too_large'"]]),
  codec('HTTP/1.1 without Host', [[REFUSALS, "details: 'missing_host_header'"]]),
  codec('normalisation fails', [
    [REFUSALS, "details: 'path_normalization_failed'"],
    ['test/security/envoy-paths.test.ts', 'paths.json'],
  ]),
  codec('`OPTIONS *`, absolute form without path', [[REFUSALS, "details: 'absolute_path_rejected'"]]),
  codec('method `QUERY` without content-type', [[REFUSALS, "details: 'query_missing_content_type'"]]),
  codec('`Upgrade: foo`', [[REFUSALS, "details: 'upgrade_failed'"]]),
  codec('CONNECT host:port', [[REFUSALS, "details: 'route_not_found'"]]),
  codec('h2: invalid `:path`', [[HTTP2, "['a path without a slash'"]], STREAM_RESET),
  codec(
    'h2: empty `:path`',
    [
      [CORPUS, "'a name in capitals'"],
      [CORPUS, "'an unknown pseudo header'"],
      [CORPUS, "'te: gzip'"],
      [CORPUS, "'two lengths'"],
    ],
    STREAM_RESET,
  ),
  codec('h2: more than 100 headers', [
    [HTTP2, "['more than 100 fields'"],
    [HTTP2, 'are let through with exactly 100 fields'],
  ]),
  codec('h2: header list > 60 KiB', [[CORPUS, "'a field of 64 KiB'"]]),
  codec('h2: content-length ≠ body', [[CORPUS, "'a length that is not the body'"]]),

  rbac('ALLOW: nothing matched', [RBAC, 'rbac_access_denied_matched_policy[none]'], [AUTHORIZATION, 'metadata: { name: allow-nothing']),
  rbac('DENY matched', [RBAC, 'rbac_access_denied_matched_policy[a]'], [AUTHORIZATION, 'DENY wins over ALLOW']),
  rbac('upgrade request denied', [REFUSALS, 'an upgrade that a policy denies']),
  rbac('HEAD', [REFUSALS, 'HEAD has the length and no body']),
  rbac('gRPC', [REFUSALS, 'a gRPC caller reads a gRPC status']),
  rbac('LOG (AUDIT), shadow', [RBAC, 'istio_dry_run_deny_shadow_engine_result'], [AUTHORIZATION, 'AUDIT and a dry DENY refuse nobody']),
  { section: 'RBAC', cause: 'TCP (network RBAC)', shown: [], differs: 'TCP, and TLS that the app did not ask the mesh for' },

  jwt('required and absent', [TOKENS, "'Jwt is missing'"]),
  jwt('not 3 sections', [TOKENS, 'Jwt is not in the form of Header.Payload.Signature']),
  jwt('header bad base64', [TOKENS, "'Jwt header is an invalid Base64url encoded'"], [TOKENS, "'Jwt header is an invalid JSON'"]),
  jwt('payload not a JSON object', [TOKENS, "'Jwt payload is an invalid JSON'"]),
  jwt('signature bad base64', [TOKENS, "'Jwt signature is an invalid Base64url encoded'"], [TOKENS, "['padding'"]),
  jwt('alg missing or not a string', [TOKENS, 'field is required and must be a string'], [TOKENS, 'is not supported']),
  jwt('kid not a string', [TOKENS, "'Jwt header [kid] field is not a string'"]),
  jwt('exp not a number', [TOKENS, "'Jwt payload [exp] field is not an integer'"], [TOKENS, "'Jwt payload [sub] field is not a string'"]),
  jwt('iss unknown or absent', [TOKENS, "'Jwt issuer is not configured'"]),
  jwt('expired (> 60 s)', [TOKENS, "'Jwt is expired'"], [TOKENS, "'Jwt not yet valid'"]),
  jwt('kid unknown', [TOKENS, "Jwks doesn't have key to match kid or alg from Jwt"]),
  jwt('signature wrong', [TOKENS, "'Jwt verification fails'"], [TOKENS, "['the public key as a secret'"]),
  jwt('JWKS fetch fails', [KEYS, '401 Jwks remote fetch is failed']),
  jwt('audience absent or wrong', [TOKENS, 'Audiences in Jwt are not allowed']),
  jwt('claim→header value illegal', [TOKENS, 'filter_removed_required_request_headers']),

  authorizer('authorizer answers 2xx ≠ 200', [EXT_AUTHZ, "details: 'ext_authz_denied'"], [EXT_AUTHZ_TABLE, 'only 200 allows']),
  authorizer('authorizer answers 5xx', [EXT_AUTHZ, "details: 'ext_authz_error'"], [EXT_AUTHZ_TABLE, '5xx is no answer']),
  authorizer('body > max_request_bytes', [EXT_AUTHZ, "details: 'request_payload_too_large'"], [EXT_AUTHZ_TABLE, 'a longer one is refused']),
  authorizer('failure_mode_allow', [EXT_AUTHZ_TABLE, 'an authorizer that does not answer lets everybody in']),

  upstream('SAN mismatch, no URI SAN', [UPSTREAM_TLS, 'SAN_matcher']),
  upstream('refused', [UPSTREAM, 'remote_connection_failure|delayed_connect_error:_Connection_refused']),
  upstream('connect timeout', [UPSTREAM, "name: 'connect timeout'"], [UPSTREAM_TLS, 'reset reason: connection timeout']),
  upstream('server refuses OUR certificate', [UPSTREAM_TLS, 'connection termination']),

  tls(
    'no matching chain',
    [CONNECTIONS, 'refuses TLS while it has no certificate'],
    ['test/simulation/table/mutual-tls.ts', 'plaintext gets no answer'],
  ),
  tls('no client certificate', [CONNECTIONS, 'the caller showed no certificate']),
  tls('unknown CA', [CONNECTIONS, "['one of another authority'"]),
  tls('expired, **not yet valid**', [CONNECTIONS, 'CERT_HAS_EXPIRED'], [CONNECTIONS, 'CERT_NOT_YET_VALID']),
  tls('SAN list miss', [CONNECTIONS, "['of a trust domain in capitals'"], [CONNECTIONS, "['with a DNS name only'"]),
  tls('EKU serverAuth only', [CONNECTIONS, "['one for servers only'"]),
  tls('TLS 1.1; no shared cipher', [TLS, "'TLS 1.1'"], [TLS, "'TLS 1.2 with ChaCha20 only'"]),
];
