import { TokenMaker } from '../../../packages/jwt/src/testing/token-maker.ts';
import { type AccessRow, as, type Caller, id } from './access-rows.ts';
import { type Expected, fieldsOf, get } from './row.ts';

/* Several trust domains, several issuers of tokens whose keys have one name, and what others say of a certificate. */

const FIRST = 'https://first.test';
const SECOND = 'https://second.test/';
const first = new TokenMaker('RS256', 'k1');
const second = new TokenMaker('RS256', 'k1');
const curve = new TokenMaker('ES256', 'k2');
const seconds = Math.floor(Date.now() / 1000);
const claims = { iss: FIRST, sub: 'anna', aud: 'shop', exp: seconds + 3_600 };
const secondClaims = {
  iss: SECOND,
  sub: 'bea',
  exp: seconds + 3_600,
  realm: { roles: ['staff'], 'a.b': 'dotted', a: { b: 'nested' } },
  'realm.roles': ['root'],
  'realm][roles': ['root'],
  scope: 'read write',
};
const jwks = (...makers: readonly TokenMaker[]): string => JSON.stringify({ keys: makers.map(({ jwk }) => jwk) });

/** ALLOW per path; DENY under /deny. `old.td` and `older.td` are aliases of the mesh's trust domain. */
export const TRUST_POLICY: string = `trustDomainAliases: [old.td, older.td]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec:
  jwtRules:
  - issuer: ${FIRST}
    audiences: [shop, bank]
    jwks: '${jwks(first, curve)}'
  - issuer: ${SECOND}
    jwks: '${jwks(second)}'
    fromHeaders: [{ name: x-second, prefix: "Second " }, { name: x-raw }]
    fromParams: [second]
    fromCookies: [session]
    forwardOriginalToken: true
    outputPayloadToHeader: x-payload
    outputClaimToHeaders: [{ header: x-role-of, claim: realm.a.b }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow }
spec:
  rules:
  - { to: [{ operation: { paths: ["/deny/*", /open] } }] }
  - { to: [{ operation: { paths: [/own] } }], from: [{ source: { principals: ["cluster.local/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/alias] } }], from: [{ source: { principals: ["old.td/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/second-alias] } }], from: [{ source: { principals: ["older.td/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/foreign] } }], from: [{ source: { principals: ["evil.td/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/suffix] } }], from: [{ source: { principals: ["*/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/wild] } }], from: [{ source: { principals: ["*.td/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/not-own] } }], from: [{ source: { notPrincipals: ["cluster.local/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/domain] } }], from: [{ source: { trustDomains: ["old.td"] } }] }
  - { to: [{ operation: { paths: [/domains] } }], from: [{ source: { trustDomains: ["*.td"] } }] }
  - { to: [{ operation: { paths: [/first] } }], from: [{ source: { requestPrincipals: ["${FIRST}/anna"] } }] }
  - { to: [{ operation: { paths: [/second] } }], from: [{ source: { requestPrincipals: ["${SECOND}/bea"] } }] }
  - { to: [{ operation: { paths: [/slash] } }], from: [{ source: { requestPrincipals: ["${SECOND}/team/bea"] } }] }
  - { to: [{ operation: { paths: [/issuer] } }], from: [{ source: { requestPrincipals: ["${FIRST}/*"] } }] }
  - { to: [{ operation: { paths: [/subject] } }], from: [{ source: { requestPrincipals: ["*/bea"] } }] }
  - { to: [{ operation: { paths: [/staff] } }], when: [{ key: "request.auth.claims[realm][roles]", values: [staff] }] }
  - { to: [{ operation: { paths: [/root] } }], when: [{ key: "request.auth.claims[realm][roles]", values: [root] }] }
  - { to: [{ operation: { paths: [/dotted] } }], when: [{ key: "request.auth.claims[realm][a.b]", values: [dotted] }] }
  - { to: [{ operation: { paths: [/dots] } }], when: [{ key: "request.auth.claims[realm.roles]", values: [staff] }] }
  - { to: [{ operation: { paths: [/scope] } }], when: [{ key: "request.auth.claims[scope]", values: [write] }] }
  - { to: [{ operation: { paths: [/presenter] } }], when: [{ key: "request.auth.presenter", values: [app] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny }
spec:
  action: DENY
  rules:
  - { to: [{ operation: { paths: [/deny/own] } }], from: [{ source: { principals: ["cluster.local/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/deny/others] } }], from: [{ source: { notPrincipals: ["cluster.local/ns/default/sa/caller"] } }] }
  - { to: [{ operation: { paths: [/deny/root] } }], when: [{ key: "request.auth.claims[realm][roles]", values: [root, staff] }] }
  - { to: [{ operation: { paths: [/deny/not-staff] } }], when: [{ key: "request.auth.claims[realm][roles]", notValues: [staff] }] }
`;

const OWN = as('caller');
const OLD = as('caller', 'default', 'old.td');
const OLDER = as('caller', 'default', 'older.td');
const OTHER = as('other', 'default', 'old.td');

function row(rowId: string, caller: Caller, path: string, expected: Expected, headers: readonly string[] = [], who = ''): AccessRow {
  const name = [path, who, ...headers.map((line) => line.slice(0, 60))].join(' ').trim();
  return { id: rowId, name, caller, expected, bytes: get(path, ...headers), fields: fieldsOf(path, headers) };
}

const everyone = (path: string, own: Expected, old: Expected, older: Expected, other: Expected): AccessRow[] => [
  row('S70', OWN, path, own, [], 'cluster.local'),
  row('S70', OLD, path, old, [], 'old.td'),
  row('S70', OLDER, path, older, [], 'older.td'),
  row('S70', OTHER, path, other, [], 'another account of old.td'),
  row('S70', 'plaintext', path, path === '/not-own' || path === '/deny/own' ? {} : 'D', [], 'plaintext'),
];

const DOMAINS: readonly AccessRow[] = [
  ...everyone('/own', {}, {}, {}, 'D'),
  ...everyone('/alias', {}, {}, {}, 'D'),
  ...everyone('/second-alias', {}, {}, {}, 'D'),
  ...everyone('/foreign', 'D', 'D', 'D', 'D'),
  ...everyone('/suffix', {}, {}, {}, 'D'),
  ...everyone('/wild', {}, {}, {}, 'D'),
  ...everyone('/not-own', 'D', 'D', 'D', {}),
  // A trust domain of the mesh stands for its aliases, as a principal does.
  ...everyone('/domain', {}, {}, {}, {}),
  ...everyone('/domains', 'D', {}, {}, {}),
  ...everyone('/deny/own', 'D', 'D', 'D', {}),
  ...everyone('/deny/others', {}, {}, {}, 'D'),
  ...['evil.td', 'old.td.evil', 'xold.td', 'old.t', 'OLD.td', 'old.td:1'].map((domain) =>
    row('S89', as('caller', 'default', domain), '/open', 'reset', [], `of ${domain}`),
  ),
];

const FORGED = `By=spiffe://cluster.local/ns/default/sa/a;URI=${id('admin')}`;
/** What the mesh says of the caller itself. */
const OWN_ELEMENT =
  'By=spiffe://cluster\\.local/ns/default/sa/app[-\\d]*;Hash=[0-9a-f]{64};Subject="";URI=spiffe://cluster\\.local/ns/default/sa/caller';
const seenAs = (before: string): Expected => ({
  headers: {
    'x-forwarded-client-cert': new RegExp(`^${before.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}${before === '' ? '' : ','}${OWN_ELEMENT}$`),
  },
});
const xfcc = (...values: readonly string[]): string[] => values.map((value) => `x-forwarded-client-cert: ${value}`);

const CERTIFICATE_HEADERS: readonly AccessRow[] = [
  row('S37', OWN, '/open', seenAs(''), [], 'nothing said'),
  ...[
    [FORGED],
    [FORGED, FORGED],
    ['By=a;Hash=b;Subject="CN=a,O=\\"x\\"";URI=;DNS=x'],
    ['By="a;URI=spiffe://cluster.local/ns/default/sa/admin'],
    ['Chain="-----BEGIN%20CERTIFICATE-----";Cert="x"'],
    [','],
  ].map((values) => row('S37', OWN, '/open', seenAs(values.join()), xfcc(...values))),
  row('S37', 'plaintext', '/open', { headers: { 'x-forwarded-client-cert': undefined } }, xfcc(FORGED, FORGED)),
  row(
    'S42',
    { ...OWN, organization: 'a\r\nx-role: admin' },
    '/open',
    { headers: { 'x-role': undefined } },
    [],
    'a subject with a line end',
  ),
  row('S37', OTHER, '/own', 'D', xfcc(`URI=${id('caller')}`)),
  row('S37', OTHER, '/own', 'D', xfcc(`URI=${id('caller')}`, `By=x;URI=${id('caller')}`)),
  row('S37', 'plaintext', '/own', 'D', xfcc(`URI=${id('caller')}`)),
  row('S37', OWN, '/deny/own', 'D', xfcc(`URI=${id('other')}`)),
];

const bearer = (token: string): string[] => [`authorization: Bearer ${token}`];
const good = first.sign(claims);
const goodSecond = second.sign(secondClaims);
const inSecond = (token: string): string[] => [`x-second: Second ${token}`];
const payload = goodSecond.split('.')[1]!;

const TOKENS: readonly AccessRow[] = [
  row('S100', 'plaintext', '/first', {}, bearer(good)),
  row('S100', 'plaintext', '/first', {}, bearer(curve.sign(claims)), 'the key of another kind'),
  row('S100', 'plaintext', '/open', 401, bearer(second.sign(claims)), 'the other issuer’s key of the same name'),
  row('S100', 'plaintext', '/open', 401, inSecond(first.sign(secondClaims)), 'the other issuer’s key of the same name'),
  row('S100', 'plaintext', '/open', 401, bearer(curve.sign(claims, { kid: 'k1' })), 'a curve’s signature under the name of an RSA key'),
  row('S100', 'plaintext', '/open', 401, bearer(first.sign(claims, { kid: 'k2' })), 'an RSA signature under the name of a curve’s key'),
  row('S99', 'plaintext', '/open', 401, bearer(first.sign(claims, { alg: 'PS256' })), 'another alg than signed'),
  row('S99', 'plaintext', '/open', 401, bearer(first.sign(claims, { alg: 'RS512' })), 'another alg than signed'),
  row('S99', 'plaintext', '/open', 401, bearer(curve.sign(claims, { alg: 'ES384' })), 'another curve than signed'),
  row('S99', 'plaintext', '/open', 401, bearer(curve.sign(claims, { alg: 'HS256' })), 'HS256'),
  row('S99', 'plaintext', '/open', 401, bearer(`${good.split('.').slice(0, 2).join('.')}.`), 'without signature'),
  row('S99', 'plaintext', '/open', 401, bearer(`${good.split('.').slice(0, 2).join('.')}.AA`), 'a short signature'),
  row(
    'S99',
    'plaintext',
    '/open',
    401,
    bearer(`${curve.sign(claims).split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`),
    'ES256 of zeros',
  ),
  row('S99', 'plaintext', '/open', 401, bearer(first.sign(claims, { crit: ['b64'], b64: false })), 'b64 false'),
  row('S99', 'plaintext', '/open', 401, bearer(first.sign(claims, { crit: [] })), 'an empty crit'),
  row('S95', 'plaintext', '/open', 401, bearer(second.sign(secondClaims)), 'a good token of the other issuer, not in its place'),
  row('S95', 'plaintext', '/open', 401, inSecond(good), 'a good token of the other issuer, not in its place'),
  row('S97', 'plaintext', '/first', {}, bearer(first.sign({ ...claims, aud: ['x', 'https://shop/'] })), 'one of several audiences'),
  row('S97', 'plaintext', '/open', 403, bearer(first.sign({ ...claims, aud: 'shop2' })), 'the beginning of an audience'),
  row('S97', 'plaintext', '/open', 403, bearer(first.sign({ ...claims, aud: undefined })), 'no audience'),
  row('S97', 'plaintext', '/first', {}, bearer(first.sign({ ...claims, exp: undefined })), 'no exp'),
  row('S101', 'plaintext', '/second', {}, inSecond(goodSecond)),
  row('S101', 'plaintext', '/second', {}, [`x-raw: ${goodSecond}`], 'a header without prefix'),
  row('S101', 'plaintext', `/second?second=${goodSecond}`, {}),
  row('S101', 'plaintext', '/second', {}, [`cookie: a=1; session=${goodSecond}`]),
  row('S101', 'plaintext', '/second', 'D', [`x-second: second ${goodSecond}`], 'another prefix'),
  row('S101', 'plaintext', `/second?Second=${goodSecond}`, 'D', [], 'another case'),
  row('S101', 'plaintext', '/second', 'D', [`cookie: xsession=${goodSecond}`]),
  row('S101', 'plaintext', '/open', 401, [...inSecond(goodSecond), 'x-raw: x'], 'a bad one beside it'),
  row('S101', 'plaintext', '/open?second=x', 401, inSecond(goodSecond), 'a bad one beside it'),
  row('S101', 'plaintext', '/open', 401, [...inSecond(goodSecond), 'cookie: session=x'], 'a bad one beside it'),
  row('S101', 'plaintext', '/open', 401, [...inSecond(goodSecond), ...inSecond(goodSecond)], 'two lines'),
  // Each issuer judges its own places, and one good token is enough, as in Envoy; of the bad one nothing is believed.
  row('S101', 'plaintext', '/second', {}, [...bearer('x'), ...inSecond(goodSecond)], 'a bad one of the other issuer beside it'),
  row('S101', 'plaintext', '/first', 'D', [...bearer(`${good}x`), ...inSecond(goodSecond)], 'a bad one of the other issuer beside it'),
  row('S101', 'plaintext', '/second', 'D', [...bearer(good), 'x-raw: x'], 'a bad one of the other issuer beside it'),
  row('S101', 'plaintext', `/first?access_token=${good}`, {}, [], 'the default parameter'),
  row('S101', 'plaintext', `/open?access_token=${good}x`, 401, [], 'a bad one in the default parameter'),
  row('S101', 'plaintext', '/open?access_token=x', 401, bearer(good), 'in the parameter, too'),
  row('S102', 'plaintext', '/second', 'D', inSecond(second.sign({ ...secondClaims, sub: 'beatrix' }))),
  // A requestPrincipal is split at its last slash, so that no rule names such a subject.
  row('S102', 'plaintext', '/slash', 'D', inSecond(second.sign({ ...secondClaims, sub: 'team/bea' })), 'a subject with a slash'),
  row('S102', 'plaintext', '/subject', 'D', inSecond(second.sign({ ...secondClaims, sub: 'team/bea' })), 'a subject with a slash'),
  row('S102', 'plaintext', '/issuer', 'D', inSecond(goodSecond)),
  row('S102', 'plaintext', '/issuer', {}, bearer(good)),
  row('S102', 'plaintext', '/subject', {}, inSecond(goodSecond)),
  row('S102', 'plaintext', '/staff', {}, inSecond(goodSecond)),
  row('S102', 'plaintext', '/root', 'D', inSecond(goodSecond), 'keys that look like a way down'),
  row('S102', 'plaintext', '/dotted', {}, inSecond(goodSecond)),
  row('S102', 'plaintext', '/dots', 'D', inSecond(goodSecond)),
  row('S102', 'plaintext', '/scope', {}, inSecond(goodSecond)),
  row('S102', 'plaintext', '/scope', 'D', inSecond(second.sign({ ...secondClaims, scope: 'rewrite write2' }))),
  row('S102', 'plaintext', '/scope', 'D', inSecond(second.sign({ ...secondClaims, scope: { write: 'write' } }))),
  row(
    'S102',
    'plaintext',
    '/staff',
    'D',
    inSecond(second.sign({ ...secondClaims, realm: [{ roles: ['staff'] }] })),
    'a list on the way down',
  ),
  row(
    'S102',
    'plaintext',
    '/staff',
    'D',
    inSecond(second.sign({ ...secondClaims, realm: { roles: { 0: 'staff' } } })),
    'an object for a list',
  ),
  row('S102', 'plaintext', '/staff', 'D', inSecond(second.sign({ ...secondClaims, realm: { roles: [['staff']] } })), 'a list in a list'),
  row('S102', 'plaintext', '/presenter', {}, inSecond(second.sign({ ...secondClaims, azp: 'app' }))),
  row('S102', 'plaintext', '/presenter', 'D', inSecond(goodSecond)),
  row('S102', 'plaintext', '/deny/root', 'D', inSecond(goodSecond)),
  row('S102', 'plaintext', '/deny/not-staff', 'D', inSecond(second.sign({ ...secondClaims, realm: { roles: ['guest'] } }))),
  row('S102', 'plaintext', '/deny/not-staff', {}, inSecond(goodSecond)),
  row('S102', 'plaintext', '/deny/not-staff', 'D', [], 'no token'),
  row('S107', 'plaintext', '/open', { headers: { 'x-payload': undefined, 'x-role-of': undefined } }, ['x-payload: e30', 'x-role-of: root']),
  row('S107', 'plaintext', '/open', { headers: { 'x-payload': payload, 'x-role-of': 'nested' } }, [
    'x-payload: e30',
    ...inSecond(goodSecond),
    'x-role-of: root',
  ]),
  row('S107', 'plaintext', '/open', { headers: { 'x-second': `Second ${goodSecond}` } }, inSecond(goodSecond), 'forwarded'),
  row('S107', 'plaintext', '/open', { headers: { authorization: undefined } }, bearer(good), 'taken away'),
  row('S107', 'plaintext', `/open?a=1&access_token=${good}&b=2`, { path: '/open?a=1&b=2' }, [], 'taken away'),
  row(
    'S107',
    'plaintext',
    '/open',
    503,
    inSecond(second.sign({ ...secondClaims, realm: { a: { b: 'x\ny: z' } } })),
    'a claim with a line end',
  ),
];

export const TRUST_ROWS: readonly AccessRow[] = [...DOMAINS, ...CERTIFICATE_HEADERS, ...TOKENS];
