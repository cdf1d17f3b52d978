import type { Door } from './corpus/doors.ts';
import type { Shown } from './denials.ts';

/** How a row of reference/security-and-faults.md §2 is kept. */
export interface PageRow {
  readonly id: string;
  /** Doors at which cells of the corpus try it: exactly these. */
  readonly doors: readonly Door[];
  /** Further tests, or all of them where it is no matter of a request. */
  readonly shown: readonly Shown[];
  /** Why it has no cells at the other doors, or does not apply at all. */
  readonly because?: string;
}

const EVERY_DOOR: readonly Door[] = ['HTTP/1.1', 'HTTP/2', 'gRPC'];
const STREAM_DOORS: readonly Door[] = ['HTTP/2', 'gRPC'];
const HTTP1: readonly Door[] = ['HTTP/1.1'];

const everywhere = (id: string, ...shown: Shown[]): PageRow => ({ id, doors: EVERY_DOOR, shown });
const at = (id: string, doors: readonly Door[], because: string, ...shown: Shown[]): PageRow => ({ id, doors, because, shown });
/** Not a matter of a request that comes in. */
const by = (id: string, ...shown: Shown[]): PageRow => ({ id, doors: [], shown });
const notHere = (id: string, because: string, ...shown: Shown[]): PageRow => ({ id, doors: [], because, shown });

const WORDS_OF_HTTP1 = 'HTTP/2 has no such bytes';
const PATHS = 'packages/core/src/path-normalization.test.ts';
const BINDING = 'packages/core/src/path-binding.test.ts';
const FORWARDED = 'packages/core/src/forwarded-headers.test.ts';
const REFUSALS = 'test/security/envoy-refusals.test.ts';
const RBAC = 'packages/compile/src/filters/rbac.test.ts';
const RULES = 'packages/control-plane/src/translate/rbac/rule-fields.test.ts';
const CONNECTIONS = 'packages/server/src/connections.test.ts';
const HELLO = 'packages/server/src/client-hello.test.ts';
const PEER = 'packages/server/src/peer.test.ts';
const MATERIAL = 'packages/server/src/tls-material.test.ts';
const AUTHN = 'packages/jwt/src/jwt-authn.test.ts';
const JWT = 'packages/jwt/src/jwt.test.ts';
const KEYS = 'packages/jwt/src/jwks.test.ts';
const GET = 'packages/control-plane/src/jwks/guarded-get.test.ts';
const RESOLVER = 'packages/control-plane/src/jwks/jwks-resolver.test.ts';
const CA = 'packages/control-plane/src/ca/ca.test.ts';
const CA_SERVICE = 'packages/control-plane/src/ca/ca-service.test.ts';
const ATTESTORS = 'packages/control-plane/src/ca/attest/attestors.test.ts';
const CONTROL_PLANE = 'packages/control-plane/src/server/control-plane.test.ts';
const UPSTREAM_TLS = 'packages/undici/src/mtls.test.ts';
const DISPATCHER = 'packages/undici/src/mesh-dispatcher.test.ts';
const HTTP_AUTHORIZER = 'packages/core/src/filters/ext-authz/http-authorizer.test.ts';
const CSR = 'packages/pki/src/encoding.test.ts';

/** Every row of the page, in its order. */
export const PAGE: readonly PageRow[] = [
  // 2a.1 Path and request target
  everywhere('S01'),
  everywhere('S02', [PATHS, 'leaves a path as it is under NONE, but for its fragment']),
  everywhere('S03', [BINDING, 'is compared with a slash at its end only where']),
  everywhere('S04', [PATHS, 'under DECODE_AND_MERGE_SLASHES decodes every']),
  everywhere('S05'),
  everywhere('S06'),
  everywhere('S07', [BINDING, 'once decoded, reserved characters too']),
  everywhere('S08', [PATHS, 'rejects a zero byte, escaped or not']),
  by('S09', ['test/security/envoy-paths.test.ts', 'every %XX behind /admin']),
  everywhere('S10'),
  everywhere('S11', [PATHS, '(S11)']),
  everywhere('S12', ['test/security/agreement.test.ts', 'no app serves what its policy forbids, however the path is spelled']),
  everywhere('S13', ['packages/server/src/request-target.test.ts', 'a request line']),
  at('S14', STREAM_DOORS, 'the page speaks of :path', ['packages/server/src/http2/http2.test.ts', "'a path without a slash'"]),
  everywhere('S15'),
  everywhere('S16'),
  everywhere('S17', ['test/security/regex-bombs.test.ts', 'path templates are judged in linear time']),

  // 2a.2 Host, authority, protocol version
  everywhere('S18'),
  everywhere('S19'),
  everywhere(
    'S20',
    ['packages/core/src/authority.test.ts', 'may not be %j, whatever came before'],
    ['packages/grpc/src/settle-call.test.ts', 'of authority %j is refused'],
  ),
  everywhere('S21'),
  at('S22', STREAM_DOORS, 'HTTP/1.1 has no :authority'),
  everywhere('S23', [REFUSALS, "details: 'missing_host_header'"]),
  at('S24', HTTP1, WORDS_OF_HTTP1, [REFUSALS, "details: 'low_version'"]),
  everywhere('S25', [REFUSALS, "details: 'low_version'"]),

  // 2a.3 Repeated headers, header names and bytes
  everywhere('S26', ['packages/grpc/src/stream-lines.test.ts', 'of one name are told apart']),
  everywhere('S27'),
  by('S28', [HTTP_AUTHORIZER, 'has authorization and the headers that are allowed, lines of one name joined']),
  everywhere('S29', ['packages/grpc/src/settle-call.test.ts', 'has one authorization']),
  everywhere('S30'),
  everywhere('S31'),
  at('S32', HTTP1, WORDS_OF_HTTP1),
  everywhere('S33', ['packages/grpc/src/settle-call.test.ts', 'with names that hold an underscore']),

  // 2a.4 Trusted-proxy and mesh headers
  everywhere('S34', [FORWARDED, '%s comes from callers with an identity of the mesh']),
  everywhere('S35'),
  everywhere('S36', [FORWARDED, '%s comes from nobody']),
  everywhere('S37', [FORWARDED, 'x-forwarded-client-cert'], ['packages/server/src/spoofed-headers.test.ts', 'x-forwarded-client-cert']),
  everywhere('S38', [FORWARDED, 'hops: number'], [RBAC, 'forwarded: string | undefined, hops: number']),

  // 2a.5 HTTP/2 pseudo headers, method, emitted values
  at('S39', STREAM_DOORS, 'HTTP/1.1 has no :scheme; its absolute form is S13'),
  at('S40', STREAM_DOORS, WORDS_OF_HTTP1),
  everywhere('S41', ['packages/server/src/request-target.test.ts', 'of a method that Envoy does not know is none']),
  everywhere(
    'S42',
    [FORWARDED, 'of names that could be read as several, or as another element, has them escaped'],
    [PEER, 'a control character in a DNS SAN'],
  ),

  // 2a.6 Framing, chunking, upgrade, CONNECT, Expect, h2c, pipelining
  everywhere('S43'),
  at('S44', HTTP1, WORDS_OF_HTTP1),
  everywhere('S45'),
  at('S46', HTTP1, 'CONNECT of HTTP/2 opens no tunnel (S49), and it has no upgrade', [
    CONNECTIONS,
    'are no tunnels: CONNECT meets the policies, then 404',
  ]),
  at('S47', HTTP1, 'HTTP/2 has no upgrade', [CONNECTIONS, 'of other kinds are refused, and HTTP/2 by upgrade is ignored']),
  everywhere('S48', [CONNECTIONS, 'are denied before any listener of the app, and the connection ends']),
  everywhere('S49', ['packages/server/src/requests.test.ts', 'is judged before 100 Continue is said']),
  everywhere('S50', ['packages/server/src/requests.test.ts', 'are answered in their order when they are pipelined, denials too']),

  // 2a.7 Prototype names, size limits, timeouts, redirects, logging, TLS hello, floods
  everywhere('S51', [AUTHN, 'with a claim of the name of Object’s']),
  everywhere('S52', ['packages/server/src/request-target.test.ts', 'has at most a hundred headers']),
  at('S53', STREAM_DOORS, WORDS_OF_HTTP1, ['packages/grpc/src/stream-lines.test.ts', 'of a cookie, %j, are one']),
  by('S54', ['packages/undici/src/tls-origination.test.ts', 'fails the call and nothing else']),
  at('S55', STREAM_DOORS, 'grpc-timeout means nothing in HTTP/1.1', [
    'packages/grpc/src/inbound.test.ts',
    "tells a handler the caller's deadline",
  ]),
  by('S56', [DISPATCHER, 'hands a redirect to the caller, and follows none']),
  by('S57', ['packages/telemetry/src/access-log/format.test.ts', 'is one line whatever a caller sends']),
  by('S58', ['packages/compile/src/filters/ext-authz/grpc-authorizer.test.ts', 'bytes that are no UTF-8 as "!", others as what they are']),
  everywhere('S59', [HELLO, 'of %s tell SNI, in lower case, and every protocol offered'], [HELLO, 'the same whatever its records']),
  at(
    'S60',
    STREAM_DOORS,
    'floods of HTTP/1.1 and the rest: npm run gate:dos',
    ['packages/core/src/abuse/reset-budget.test.ts', 'a connection ends'],
    ['packages/server/src/http2/http2.test.ts', 'lose their connection when they take a hundred streams back at once'],
  ),

  // 2b.1 AuthorizationPolicy semantics
  ...['S61', 'S62', 'S63', 'S64'].map((id) => everywhere(id)),
  everywhere('S65', [PEER, 'speaks for one identity, is no CA, and has no hidden characters']),
  everywhere('S66', [RULES, 'whose principal %s in a mesh of %j is one of %j']),
  everywhere('S67'),
  everywhere('S68', ['packages/compile/src/filters/rbac-readings.test.ts', '/ns/']),
  everywhere('S69', ['packages/compile/src/filters/rbac-readings.test.ts', '/ns/']),
  everywhere('S70', ['test/conformance/authz-http.test.ts', 'authorization policies become the filters that Istio makes of them']),
  everywhere('S71', [RULES, 'whose principal %s in a mesh of %j is one of %j']),
  everywhere('S72', ['test/conformance/authorization-decisions.test.ts', 'decide as the policies say']),
  everywhere(
    'S73',
    ['test/e2e/audit-and-dry-run.test.ts', 'AUDIT and dry-run policies refuse nobody'],
    ['test/simulation/table/external-authorization.ts', 'its denial ends the request before a DENY policy'],
  ),
  by(
    'S74',
    ['packages/control-plane/src/push/selector-index.test.ts', 'are those of its namespace with a selector that takes it'],
    ['packages/control-plane/src/gateway-api/gateways.test.ts', 'action: DENY, rules: [{}]'],
  ),
  everywhere('S75', [
    'packages/control-plane/src/translate/rbac/filters.test.ts',
    'over TCP drop an ALLOW rule that a connection cannot be judged by',
  ]),
  by(
    'S76',
    [RBAC, 'refuses what it cannot enforce, saying what: %j'],
    ['packages/compile/src/http-filters.test.ts', 'a filter that cannot be known is refused, unless it is optional'],
  ),

  // 2b.2 Cross-namespace and host ownership
  by(
    'S77',
    ['packages/control-plane/src/gateway-api/stream-routes.test.ts', "document('ReferenceGrant'"],
    [UPSTREAM_TLS, 'answers 503 UF when the peer is another SPIFFE id or none'],
  ),
  by('S78', ['packages/control-plane/src/translate/secrets.test.ts', 'are not given to another namespace, by either scheme']),
  by(
    'S79',
    ['packages/control-plane/src/translate/sni-routed.test.ts', 'leads to services that its hosts name and its namespace may see'],
    ['packages/control-plane/src/translate/sni-routed.test.ts', 'hands connections to endpoints that speak mTLS, and to no other'],
  ),

  // 2b.3 Certificates, SAN, trust changes, secure naming
  by('S80', ['packages/core/src/server-name.test.ts', "['foo.example.com', 'DNS:f*.example.com']"]),
  everywhere('S81', [PEER, 'speaks for one identity, is no CA, and has no hidden characters']),
  everywhere('S82', [UPSTREAM_TLS, 'URI:spiffe://fake']),
  everywhere('S83'),
  everywhere('S84', [CSR, 'of a leaf say: no CA, signs and enciphers, for servers and clients']),
  everywhere('S85', [CA, 'believes no leaf before its time, and none that another signed in its name']),
  by(
    'S86',
    [MATERIAL, 'is none without the secret that the chain names, with the reason'],
    [MATERIAL, 'is none without an identity where the mesh is to be shown'],
  ),
  by(
    'S87',
    [CONNECTIONS, 'to another root refuses callers of the old one: on new connections, on open ones, and on those that resume a session'],
    ['packages/grpc/src/inbound.test.ts', 'resumes no session, so that a caller whose root was taken out does not come back by one'],
  ),
  by('S88', [CONNECTIONS, 'is looked at again on each connection: sessions are not resumed']),
  everywhere('S89', [CONNECTIONS, 'is needed, and another authority’s is none']),
  by(
    'S90',
    [UPSTREAM_TLS, 'answers 503 UF when the peer is another SPIFFE id or none'],
    ['packages/grpc/src/inbound.test.ts', 'a client refuses a server that is somebody else'],
  ),

  // 2b.4 CA, CSR, attestation tokens
  by(
    'S91',
    [CA, "issues the caller's identity, whatever names the CSR asks for"],
    [CONTROL_PLANE, "issues the token's identity, never what the CSR asks for"],
  ),
  by('S92', [ATTESTORS, 'name the account, with the keys where the issuer says they are'], [ATTESTORS, "are a person's"]),
  by(
    'S93',
    [CSR, 'may be 16 KiB long, and not a byte more'],
    [CSR, 'is refused when another has signed it'],
    [CSR, 'RSA of 2040 bits'],
    [CA, "issues the caller's identity"],
  ),
  by(
    'S94',
    [CA, 'are refused after their time, and when the payload or the algorithm was changed'],
    [CA_SERVICE, 'takes a token for one certificate once'],
    [ATTESTORS, 'without a signature, or signed with the public key as a secret, are refused'],
  ),

  // 2b.5 JWT and JWKS
  ...['S95', 'S96', 'S97'].map((id) => everywhere(id)),
  everywhere('S98', [AUTHN, "describe('preflights'"]),
  everywhere('S99', [KEYS, 'of RSA under 2048 bits verify nothing'], [AUTHN, 'an algorithm of another key type']),
  everywhere(
    'S100',
    [AUTHN, 'is verified again with other keys, and refused when they are not its signer’s'],
    ['test/security/withdrawn-keys.test.ts', 'is judged by the keys in force: %s'],
    [RESOLVER, 'are fetched again, and a change is told'],
  ),
  everywhere('S101', ['packages/jwt/src/token-places.test.ts', 'are looked through as Envoy does']),
  everywhere('S102', [JWT, "describe('claims'"]),
  by(
    'S103',
    [KEYS, 'that the data plane would have to fetch is not fetched: its tokens are refused, others pass'],
    [RESOLVER, 'that are not known are a valid point whose private key nobody has'],
  ),
  by(
    'S104',
    [GET, 'does not dial blocked ranges, whatever a name resolves to'],
    [GET, 'knows http and https only'],
    [GET, "'another status'"],
  ),
  by(
    'S105',
    [GET, "'an answer without end'"],
    [GET, "'more than a MiB'"],
    [RESOLVER, "'has too many'"],
    [RESOLVER, 'survive a restart while the issuer is away'],
  ),
  by(
    'S106',
    [RESOLVER, 'are fetched, public parts only, and whoever asked first waits for them'],
    [AUTHN, 'many requests with a new token share one verification'],
  ),
  everywhere(
    'S107',
    [AUTHN, 'of a caller are dropped, with a token and without, also with a preflight'],
    [AUTHN, 'are refused when they cannot be one'],
  ),

  // 2b.6 Control-plane and debug endpoints, regex, JSON, ext_authz, TCP, defaults
  by(
    'S108',
    ['packages/control-plane/src/server/client-status.test.ts', 'asks for a token, and is not there in plaintext'],
    [
      'packages/control-plane/src/server/http-server.test.ts',
      'shows other machines that it is ready and what it counts, and nothing of the mesh',
    ],
  ),
  by(
    'S109',
    [CONTROL_PLANE, "'a token that was changed'"],
    ['packages/control-plane/src/server/http-server.test.ts', 'survives what is no HTTP'],
    ['test/fuzz/messages.test.ts', 'however it is mutated, is refused or makes a snapshot'],
  ),
  by(
    'S110',
    ['test/security/regex-bombs.test.ts', 'patterns that explode'],
    ['test/security/regex-bombs.test.ts', 'a pattern that is too large'],
  ),
  by('S111', [JWT, 'is UTF-8, a hundred levels at most, and nothing where it is null'], [AUTHN, "'101 levels'"]),
  by(
    'S112',
    ['test/simulation/table/external-authorization.ts', 'an authorizer that takes longer than its timeout is no answer'],
    ['test/simulation/table/external-authorization.ts', 'only 200 allows'],
    ['test/simulation/table/external-authorization.ts', 'a longer one is refused'],
  ),
  by('S113', ['packages/node/src/listen.test.ts', 'refuses a server of bytes, which no policy would protect']),
  by('S114', ['test/security/shared-secrets.test.ts', 'holds no key and no token that two meshes could share']),
  notHere('S115', 'the control plane starts no programs: a Gateway without an address is run by workloads that somebody else started'),
  by('S116', ['packages/compile/src/filters/ext-authz/grpc-authorizer.test.ts', 'bytes that are no UTF-8 as "!", others as what they are']),

  // 2b.7 Response side, fault and mirror, mesh-private headers, tracing, subset
  by('S117', [DISPATCHER, 'takes no response with %s, and ends the connection'], [DISPATCHER, 'bytes behind %s answer no other request']),
  by(
    'S118',
    ['packages/core/src/filters/fault.test.ts', 'a request may ask for less than the configured share, not for more'],
    ['packages/grpc/src/outbound-connections.test.ts', 'whose answer nobody waits for'],
  ),
  by(
    'S119',
    [FORWARDED, '%s comes from callers with an identity of the mesh'],
    ['packages/server/src/spoofed-headers.test.ts', 'a gateway does not ask the mesh in the name of a stranger'],
  ),
  everywhere('S120'),
  by('S121', ['packages/telemetry/src/telemetry.test.ts', 'hands on of %s what W3C asks for, in whole members']),
  by('S122', ['test/simulation/table/routing.ts', 'route: [{ destination: { host: echo, subset: v2 } }]']),

  // 2b.8 Rows from the Envoy run
  everywhere('S123'),
  at('S124', HTTP1, 'HTTP/2 forbids the header connection (S40)'),
  by('S125', ['test/simulation/table/external-authorization.ts', 'a copy that it does not set survives']),
  by('S126', [CONNECTIONS, 'are waited for 15 s']),
];
