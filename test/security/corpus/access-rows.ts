import { TokenMaker } from '../../../packages/jwt/src/testing/token-maker.ts';
import { type Expected, fieldsOf, get, type Row } from './row.ts';

/** Who sends a row: a stranger over plaintext, or a certificate that the mesh's CA signed. */
export type Caller = 'plaintext' | CallerCertificate;

export interface CallerCertificate {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly organization?: string;
  readonly isCa?: boolean;
  /** Relative to now, milliseconds. */
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  /** A root that the mesh does not know. */
  readonly strangeRoot?: boolean;
  /** Signed by a leaf of the mesh. */
  readonly byLeaf?: boolean;
  /** SNI; absent: none is said. */
  readonly serverName?: string;
  /** No certificate is shown at all. */
  readonly none?: boolean;
}

export interface AccessRow extends Row {
  readonly caller: Caller;
}

const ISSUER = 'https://issuer.test';
const signer = new TokenMaker('RS256');
const other = new TokenMaker('RS256');
const seconds = Math.floor(Date.now() / 1000);
const claims = { iss: ISSUER, sub: 'anna', aud: 'shop', exp: seconds + 3600, groups: ['staff'], nested: { team: 'red' } };

export const id = (account: string, namespace = 'default', trustDomain = 'cluster.local'): string =>
  `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`;
export const as = (account: string, namespace = 'default', trustDomain = 'cluster.local'): CallerCertificate => ({
  uris: [id(account, namespace, trustDomain)],
});

/** ALLOW per path, and DENY under /deny: what a row asks for has one rule that speaks of it. */
export const ACCESS_POLICY: string = `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec:
  jwtRules:
  - issuer: ${ISSUER}
    audiences: [shop]
    jwks: '${JSON.stringify({ keys: [signer.jwk] })}'
    outputClaimToHeaders: [{ header: x-user, claim: sub }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow }
spec:
  rules:
  - { to: [{ operation: { paths: ["/deny/*", /open] } }] }
  - { to: [{ operation: { paths: [/principal] } }], from: [{ source: { principals: ["cluster.local/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/any] } }], from: [{ source: { principals: ["*"] } }] }
  - { to: [{ operation: { paths: [/not] } }], from: [{ source: { notPrincipals: ["cluster.local/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/suffix] } }], from: [{ source: { principals: ["*/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/star] } }], from: [{ source: { principals: ["*x*"] } }] }
  - { to: [{ operation: { paths: [/account] } }], from: [{ source: { serviceAccounts: [my.sa] } }] }
  - { to: [{ operation: { paths: [/account-ns] } }], from: [{ source: { serviceAccounts: [foo/curl] } }] }
  - { to: [{ operation: { paths: [/namespace] } }], from: [{ source: { namespaces: ["a*"] } }] }
  - { to: [{ operation: { paths: [/not-namespace] } }], from: [{ source: { notNamespaces: [evil] } }] }
  - { to: [{ operation: { paths: [/ip] } }], from: [{ source: { ipBlocks: [10.0.0.0/8] } }] }
  - { to: [{ operation: { paths: [/own-ip] } }], from: [{ source: { ipBlocks: [127.0.0.0/8] } }] }
  - { to: [{ operation: { paths: [/remote-ip] } }], from: [{ source: { remoteIpBlocks: [10.0.0.0/8] } }] }
  - { to: [{ operation: { paths: [/port], ports: ["9080"] } }] }
  - { to: [{ operation: { paths: [/other-port], ports: ["9081"] } }] }
  - { to: [{ operation: { paths: ["/one/{*}"] } }] }
  - { to: [{ operation: { paths: ["/all/{**}"] } }] }
  - { to: [{ operation: { paths: ["/one/{*}/x/{**}"] } }] }
  - { to: [{ operation: { paths: [/method], methods: [GET] } }] }
  - { to: [{ operation: { paths: [/host], hosts: [good.com, "*.good.com"] } }] }
  - { to: [{ operation: { paths: [/header] } }], when: [{ key: "request.headers[x-role]", values: [internal] }] }
  - { to: [{ operation: { paths: [/not-header] } }], when: [{ key: "request.headers[x-role]", notValues: [evil] }] }
  - { to: [{ operation: { paths: [/token] } }], from: [{ source: { requestPrincipals: ["${ISSUER}/anna"] } }] }
  - { to: [{ operation: { paths: [/any-token] } }], from: [{ source: { requestPrincipals: ["*"] } }] }
  - { to: [{ operation: { paths: [/claim] } }], when: [{ key: "request.auth.claims[groups]", values: [staff] }] }
  - { to: [{ operation: { paths: [/nested] } }], when: [{ key: "request.auth.claims[nested][team]", values: [red] }] }
  - { to: [{ operation: { paths: [/audience] } }], when: [{ key: "request.auth.audiences", values: [shop] }] }
  - { to: [{ operation: { paths: [/sni] } }], when: [{ key: connection.sni, values: [good.example, "*.good.example"] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: audit }
spec: { action: AUDIT, rules: [{}] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: dry-deny, annotations: { istio.io/dry-run: "true" } }
spec: { action: DENY, rules: [{}] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: dry-allow, annotations: { istio.io/dry-run: "true" } }
spec: { action: ALLOW, rules: [{}] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny }
spec:
  action: DENY
  rules:
  - { to: [{ operation: { paths: [/deny/principal] } }], from: [{ source: { principals: ["cluster.local/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/deny/anonymous] } }], from: [{ source: { notPrincipals: ["*"] } }] }
  - { to: [{ operation: { paths: [/deny/suffix] } }], from: [{ source: { principals: ["*/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/deny/no-token] } }], from: [{ source: { notRequestPrincipals: ["*"] } }] }
  - { to: [{ operation: { paths: [/deny/header] } }], when: [{ key: "request.headers[x-role]", values: [admin] }] }
  - { to: [{ operation: { paths: [/deny/ip] } }], from: [{ source: { notIpBlocks: [10.0.0.0/8] } }] }
  - { to: [{ operation: { paths: [/deny/remote-ip] } }], from: [{ source: { remoteIpBlocks: [10.0.0.0/8] } }] }
  - { to: [{ operation: { paths: ["/deny/t/{*}/x"] } }] }
`;

const CALLER = as('caller');

function row(rowId: string, caller: Caller, path: string, expected: Expected, headers: readonly string[] = [], who = ''): AccessRow {
  const name = [path, ...headers.map((line) => line.slice(0, 60)), who].join(' ').trim();
  return { id: rowId, name, caller, expected, bytes: get(path, ...headers), fields: fieldsOf(path, headers) };
}

/** Admitted as `/x/`, which is `/x` to a router that ignores the slash, and that is not admitted. */
const atItsRoot = (path: string): AccessRow => ({ ...row('S17', 'plaintext', path, {}), bound: { express: 'D', lenient: 'D' } });

const onHost = (host: string, expected: Expected): AccessRow => ({
  id: 'S18',
  name: `/host of ${host}`,
  caller: 'plaintext',
  expected,
  bytes: `GET /host HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  fields: fieldsOf('/host', [`:authority: ${host}`]),
});

const IDENTITIES: readonly AccessRow[] = [
  row('S61', 'plaintext', '/principal', 'D'),
  row('S61', CALLER, '/principal', {}),
  row('S61', as('other'), '/principal', 'D', [], 'other'),
  row('S61', as('caller', 'evil'), '/principal', 'D', [], 'another namespace'),
  row('S62', 'plaintext', '/deny/principal', {}),
  row('S62', CALLER, '/deny/principal', 'D'),
  row('S63', 'plaintext', '/not', {}),
  row('S63', CALLER, '/not', 'D'),
  row('S64', 'plaintext', '/deny/anonymous', 'D'),
  row('S64', CALLER, '/deny/anonymous', {}),
  row('S65', 'plaintext', '/any', 'D'),
  row('S65', CALLER, '/any', {}),
  row('S66', 'plaintext', '/deny/suffix', {}),
  row('S66', CALLER, '/deny/suffix', 'D'),
  row('S66', CALLER, '/suffix', {}),
  row('S67', as('myxsa'), '/account', 'D', [], 'myxsa'),
  row('S67', as('my.sa'), '/account', {}, [], 'my.sa'),
  row('S67', as('my.sa', 'other'), '/account', 'D', [], 'my.sa elsewhere'),
  row('S68', as('curl', 'foo'), '/account-ns', {}, [], 'foo/curl'),
  row('S68', as('curl-junk', 'foo'), '/account-ns', 'D', [], 'foo/curl-junk'),
  row('S68', { uris: ['spiffe://cluster.local/ns/q.com/ns/foo/sa/curl'] }, '/account-ns', 'D', [], 'a second /ns/'),
  row('S69', as('x', 'xa'), '/namespace', 'D', [], 'xa'),
  row('S69', as('x', 'ab'), '/namespace', {}, [], 'ab'),
  row('S69', { uris: ['spiffe://cluster.local/ns/xa/sa/b/ns/a/c'] }, '/namespace', 'D', [], 'a second /ns/'),
  row('S69', { uris: ['spiffe://cluster.local/ns/evil/sa/b/ns/a/c'] }, '/not-namespace', 'D', [], 'a second /ns/'),
  row('S71', as('axb'), '/star', 'D', [], 'axb'),
];

const PLACES: readonly AccessRow[] = [
  row('S38', 'plaintext', '/ip', 'D', ['x-forwarded-for: 10.0.0.1']),
  row('S38', 'plaintext', '/deny/remote-ip', 'D', ['x-forwarded-for: 10.0.0.1']),
  row('S38', 'plaintext', '/deny/remote-ip', 'D', ['x-forwarded-for: ::ffff:10.0.0.1']),
  row('S38', 'plaintext', '/own-ip', {}, ['x-forwarded-for: 10.0.0.1']),
  row('S38', 'plaintext', '/deny/ip', 'D', ['x-forwarded-for: 10.0.0.1']),
  row('S38', 'plaintext', '/remote-ip', {}, ['x-forwarded-for: 10.0.0.1']),
  ...['10.0.0.1,', '10.0.0.1:80', '[10.0.0.1]', 'x', '', '10.0.0.1, fe80::1%eth0', '::ffff:10.0.0.1'].map((value) =>
    row('S38', 'plaintext', '/remote-ip', 'D', [`x-forwarded-for: ${value}`]),
  ),
  row('S75', 'plaintext', '/port', {}),
  row('S75', 'plaintext', '/other-port', 'D'),
  row('S16', 'plaintext', '/one/*', {}),
  row('S17', 'plaintext', '/one/a', {}),
  row('S17', 'plaintext', '/one/a%2fb', {}),
  ...['/one', '/one/', '/one/a/', '/one/a/b', '/one/a/x'].map((path) => row('S17', 'plaintext', path, 'D')),
  atItsRoot('/one/a/x/'),
  row('S17', 'plaintext', '/one/a/x/b/c', {}),
  atItsRoot('/all/'),
  row('S17', 'plaintext', '/all/a/b', {}),
  row('S17', 'plaintext', '/all', 'D'),
  row('S17', 'plaintext', '/deny/t/a/x?q', 'D'),
  row('S17', 'plaintext', '/deny/t/a/b/../x', 'D'),
  row('S72', 'plaintext', '/nobody-allows-it', 'D'),
  row('S72', CALLER, '/nobody-allows-it', 'D'),
  onHost('good.com', {}),
  onHost('GOOD.com', {}),
  onHost('a.good.com', {}),
  ...['evil.com', 'good.com.evil.com', 'xgood.com'].map((host) => onHost(host, 'D')),
];

/** AUDIT and dry runs of everything stand beside the policies: nobody is let in or kept out by them. */
const WATCHED: readonly AccessRow[] = [
  row('S73', 'plaintext', '/open', {}, [], 'under a dry DENY'),
  row('S73', CALLER, '/nobody-allows-it', 'D', [], 'under a dry ALLOW'),
  row('S73', CALLER, '/deny/principal', 'D', [], 'DENY before ALLOW'),
  ...(
    [
      [{ ...CALLER, serverName: 'good.example' }, {}],
      [{ ...CALLER, serverName: 'GOOD.Example' }, {}],
      [{ ...CALLER, serverName: 'a.good.example' }, {}],
      [{ ...CALLER, serverName: 'evil.example' }, 'D'],
      [{ ...CALLER, serverName: 'good.example.evil' }, 'D'],
      [CALLER, 'D'],
      ['plaintext', 'D'],
    ] as const
  ).map(([caller, expected]) =>
    row(
      'S59',
      caller,
      '/sni',
      expected,
      [],
      caller === 'plaintext' ? caller : `SNI ${'serverName' in caller ? caller.serverName : 'none'}`,
    ),
  ),
];

const ROLES: readonly AccessRow[] = [
  row('S27', 'plaintext', '/header', {}, ['x-role: internal']),
  row('S27', 'plaintext', '/header', 'D'),
  row('S27', 'plaintext', '/header', 'D', ['x-role: Internal']),
  row('S27', 'plaintext', '/header', 'D', ['x-role: evil', 'x-role: internal']),
  row('S27', 'plaintext', '/header', 'D', ['x-role: internal', 'x-role: evil']),
  row('S27', 'plaintext', '/header', {}, ['x-role: internal', 'x-role: internal']),
  row('S26', 'plaintext', '/not-header', 'D', ['x-role: good,evil']),
  row('S26', 'plaintext', '/deny/header', 'D', ['x-role: user', 'x-role: admin']),
  row('S26', 'plaintext', '/deny/header', {}, ['x-role: user']),
  row('S26', 'plaintext', '/not-header', 'D', ['x-role: evil']),
  row('S26', 'plaintext', '/not-header', 'D', ['x-role: good', 'x-role: evil']),
  row('S26', 'plaintext', '/not-header', {}, ['x-role: good']),
  row('S120', 'plaintext', '/claim', 'D', ['@request.auth.claims.groups: staff'.slice(1)]),
];

const bearer = (token: string): string[] => [`authorization: Bearer ${token}`];
const good = signer.sign(claims);
const unsigned = (alg: string): string =>
  `${Buffer.from(JSON.stringify({ alg })).toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;

const refusedTokens: readonly (readonly [id: string, name: string, token: string, status: number])[] = [
  ['S95', 'another issuer', signer.sign({ ...claims, iss: 'https://evil.test' }), 401],
  ['S95', 'no issuer', signer.sign({ ...claims, iss: undefined }), 401],
  ['S97', 'expired', signer.sign({ ...claims, exp: seconds - 61 }), 401],
  ['S97', 'not yet valid', signer.sign({ ...claims, nbf: seconds + 3600 }), 401],
  ['S97', 'signed by somebody else', other.sign(claims), 401],
  ['S97', 'another audience', signer.sign({ ...claims, aud: 'bank' }), 403],
  [
    'S97',
    'a changed payload',
    good.replace(/\.[^.]+\./, `.${Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url')}.`),
    401,
  ],
  ...['none', 'None', 'NONE', ''].map((alg) => ['S99', `alg ${alg}`, unsigned(alg), 401] as const),
  ['S99', 'HS256 with the public key', signer.signWithPublicKey(claims), 401],
  ['S99', 'a key of its own', other.sign(claims, { jwk: other.jwk }), 401],
  ['S99', 'jku', other.sign(claims, { jku: 'https://evil.test/jwks' }), 401],
  ['S99', 'x5u', other.sign(claims, { x5u: 'https://evil.test/x5u' }), 401],
  ['S99', 'kid as a path', signer.sign(claims, { kid: '../../x' }), 401],
  ['S99', 'kid as SQL', signer.sign(claims, { kid: "k1' OR '1'='1" }), 401],
  ['S99', 'crit', signer.sign(claims, { crit: ['exp'] }), 401],
  ['S100', 'an unknown kid', signer.sign(claims, { kid: 'k2' }), 401],
  ['S101', 'four parts', `${good}.x`, 401],
  ['S101', 'five parts', `${good}.x.y`, 401],
  ['S101', 'padding', `${good}=`, 401],
  ['S101', 'text behind it', `${good} x`, 401],
  ['S101', 'garbage', 'garbage', 401],
  ['S102', 'exp 0', signer.sign({ ...claims, exp: 0 }), 401],
  ['S102', 'exp that is a text', signer.sign({ ...claims, exp: 'never' }), 401],
  ['S102', 'a negative exp', signer.sign({ ...claims, exp: -1 }), 401],
  ['S102', 'a sub that is a number', signer.sign({ ...claims, sub: 7 }), 401],
];

const TOKENS: readonly AccessRow[] = [
  ...refusedTokens.map(([rowId, name, token, status]) => row(rowId, 'plaintext', '/open', status, bearer(token), name)),
  row('S96', 'plaintext', '/open', {}),
  row('S96', 'plaintext', '/token', 'D'),
  row('S96', 'plaintext', '/deny/no-token', 'D'),
  row('S96', 'plaintext', '/deny/no-token', {}, bearer(good)),
  row('S96', 'plaintext', '/token', {}, bearer(good)),
  row('S96', 'plaintext', '/any-token', {}, bearer(good)),
  row('S96', CALLER, '/token', 'D', [], 'a certificate is no token'),
  row('S100', 'plaintext', '/token', {}, bearer(signer.sign(claims, { kid: undefined })), 'without kid'),
  row('S102', 'plaintext', '/token', 'D', bearer(signer.sign({ ...claims, sub: 'eve' }))),
  row('S102', 'plaintext', '/any-token', 'D', bearer(signer.sign({ ...claims, sub: undefined }))),
  row('S102', 'plaintext', '/claim', {}, bearer(good)),
  row('S102', 'plaintext', '/claim', 'D', bearer(signer.sign({ ...claims, groups: ['guest'] }))),
  row('S102', 'plaintext', '/claim', 'D', bearer(signer.sign({ ...claims, groups: 'staff x' }))),
  row('S102', 'plaintext', '/claim', 'D', bearer(signer.sign({ ...claims, groups: [1] }))),
  row('S102', 'plaintext', '/claim', 'D', bearer(signer.sign({ ...claims, groups: true }))),
  row('S102', 'plaintext', '/nested', {}, bearer(good)),
  row('S102', 'plaintext', '/nested', 'D', bearer(signer.sign({ ...claims, nested: undefined, 'nested.team': 'red' }))),
  row(
    'S102',
    'plaintext',
    '/nested',
    'D',
    bearer(signer.signText(`{"iss":"${ISSUER}","aud":"shop","sub":"anna","__proto__":{"nested":{"team":"red"}}}`)),
  ),
  row('S102', 'plaintext', '/audience', {}, bearer(good)),
  row('S101', 'plaintext', '/token', 'D', [`authorization: bearer ${good}`]),
  row('S101', 'plaintext', '/token', 'D', [`authorization: Basic ${good}`]),
  row('S101', 'plaintext', '/token', {}, [`authorization: Bearer  ${good}`], 'two blanks'),
  row('S107', 'plaintext', '/open', { headers: { 'x-user': undefined } }, ['x-user: root']),
  row('S107', 'plaintext', '/token', { headers: { 'x-user': 'anna' } }, ['x-user: root', ...bearer(good)]),
];

/** OPTIONS of another origin, with a token that has expired. */
const preflight = (name: string, expected: Expected, headers: readonly string[], method = 'OPTIONS'): AccessRow => {
  const sent = [...bearer(signer.sign({ ...claims, exp: seconds - 3_600 })), ...headers];
  return {
    id: 'S98',
    name,
    caller: 'plaintext',
    expected,
    bytes: get('/open', ...sent).replace(/^GET/, method),
    fields: fieldsOf('/open', [`:method: ${method}`, ...sent]),
  };
};
const ORIGIN = 'origin: https://a.test';
const ASKS = 'access-control-request-method: POST';
const PREFLIGHTS: readonly AccessRow[] = [
  preflight('a preflight', {}, [ORIGIN, ASKS]),
  preflight('a preflight without an origin', 401, [ASKS]),
  preflight('a preflight that asks for nothing', 401, [ORIGIN]),
  preflight('a preflight that asks for an empty method', 401, [ORIGIN, 'access-control-request-method:']),
  preflight('a preflight by GET', 401, [ORIGIN, ASKS], 'GET'),
];

const HOUR = 3_600_000;
const certificate = (rowId: string, who: string, caller: CallerCertificate, expected: Expected = 'reset'): AccessRow =>
  row(rowId, caller, '/open', expected, [], who);

/** Certificates at the door: the handshake is the verdict. */
const CERTIFICATES: readonly AccessRow[] = [
  certificate('S89', 'a good one', CALLER, {}),
  certificate('S89', 'none', { none: true }),
  certificate('S89', 'expired by a second', { ...CALLER, notBeforeMs: -HOUR, notAfterMs: -1_000 }),
  certificate('S89', 'not yet valid', { ...CALLER, notBeforeMs: HOUR, notAfterMs: 2 * HOUR }),
  certificate('S89', 'of an unknown root', { ...CALLER, strangeRoot: true }),
  certificate('S89', 'of another trust domain', as('caller', 'default', 'evil.local')),
  certificate('S85', 'signed by a leaf', { ...CALLER, byLeaf: true }),
  certificate('S84', 'that is a CA', { ...CALLER, isCa: true }),
  certificate('S83', 'two URI SANs', { uris: [id('caller'), id('admin')] }),
  certificate('S83', 'a trust domain in capitals', { uris: ['spiffe://CLUSTER.LOCAL/ns/default/sa/caller'] }),
  certificate('S83', 'a port', { uris: ['spiffe://cluster.local:1/ns/default/sa/caller'] }),
  certificate('S83', 'a query', { uris: [`${id('caller')}?x`] }),
  certificate('S83', 'an escape', { uris: ['spiffe://cluster.local/ns/default%2Fsa/caller'] }),
  certificate('S83', 'an empty segment', { uris: ['spiffe://cluster.local/ns//sa/caller'] }),
  certificate('S83', 'user information', { uris: ['spiffe://u@cluster.local/ns/default/sa/caller'] }),
  certificate('S83', 'more than 2,048 bytes', { uris: [id('c'.repeat(2_048))] }),
  certificate('S65', 'a DNS name only', { dns: ['cluster.local'] }),
  certificate('S65', 'no name', {}),
  certificate('S82', 'a DNS name that looks like a URI', { dns: [`a, URI:${id('admin')}`] }),
  certificate('S81', 'a NUL in the URI', { uris: [`${id('caller')}\0.evil`] }),
  certificate('S81', 'a NUL in a DNS name', { uris: [id('caller')], dns: ['a\0.evil'] }),
];

export const ACCESS_ROWS: readonly AccessRow[] = [
  ...IDENTITIES,
  ...PLACES,
  ...WATCHED,
  ...ROLES,
  ...TOKENS,
  ...PREFLIGHTS,
  ...CERTIFICATES,
];
