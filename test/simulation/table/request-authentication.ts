import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { Call, Expectation, Row, Table } from '../row.ts';

const ISSUER = 'testing@secure.istio.io';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = (key: KeyObject, kid: string): object => ({ ...key.export({ format: 'jwk' }), kid });
const RSA_JWKS = JSON.stringify({ keys: [jwk(rsa.publicKey, 'k1')] });
const EC_JWKS = JSON.stringify({ keys: [jwk(ec.publicKey, 'k2')] });
const now = Math.floor(Date.now() / 1000);

const encode = (text: string): string => Buffer.from(text).toString('base64url');

function token(payload: object | string, { header = {}, key = rsa.privateKey }: { header?: object; key?: KeyObject } = {}): string {
  const alg = key.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256';
  const kid = key.asymmetricKeyType === 'ec' ? 'k2' : 'k1';
  const text = `${encode(JSON.stringify({ alg, kid, ...header }))}.${encode(typeof payload === 'string' ? payload : JSON.stringify(payload))}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

const claims = { iss: ISSUER, sub: 'anna', exp: now + 600 };
const good = token(claims);
const PAYLOAD = good.split('.')[1]!;
const SERVED = { status: 200, to: ['served-v1'] } as const;

function get(path: string, headers: Call['headers'] = {}, more: Partial<Call> = {}): Call {
  return { url: `http://served${path}`, headers, ...more };
}
const bearer = (text: string): { authorization: string } => ({ authorization: `Bearer ${text}` });

let fresh = { token: '', madeAt: Number.NEGATIVE_INFINITY };
/** Has run out 5 s ago. Made when it is sent: runners reach their rows at any time, and both sides of one are to get the same. */
function justExpired(): string {
  if (Date.now() - fresh.madeAt > 20_000)
    fresh = { token: token({ ...claims, exp: Math.floor(Date.now() / 1000) - 5 }), madeAt: Date.now() };
  return fresh.token;
}

const served = (name: string, call: Call, expect: Expectation = {}): Row => ({ name, call, expect: { ...SERVED, ...expect } });
const refused = (name: string, call: Call, body: string, status = 401): Row => ({ name, call, expect: { status, body, to: [] } });
const unsigned = (header: string, payload: string): string => `${encode(header)}.${encode(payload)}.AA`;
const HEADER = '{"alg":"RS256","kid":"k1"}';
const FORM = 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections';

export const tokens: Table = {
  name: 'tokens of one issuer in the usual places',
  place: 'server',
  yaml: `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: jwt, namespace: default }
spec:
  selector: { matchLabels: { app: served } }
  jwtRules:
  - issuer: ${ISSUER}
    jwks: '${RSA_JWKS}'
    outputPayloadToHeader: x-payload
    outputClaimToHeaders:
    - { header: x-a, claim: a }
    - { header: x-nested, claim: n.b }
`,
  rows: [
    served('none', get('/')),
    served('a good one', get('/', bearer(good)), { sees: { authorization: undefined, 'x-payload': PAYLOAD } }),
    served('two spaces', get('/', { authorization: `Bearer  ${good}` })),
    served('something before the scheme', get('/', { authorization: `foo Bearer ${good}` })),
    served('a scheme alone', get('/', { authorization: 'Bearer' })),
    served('another scheme', get('/', { authorization: 'Basic YTpi' })),
    served('the scheme in other letters', get('/', { authorization: 'bearer abc' })),
    served('in the query', get(`/x?access_token=${good}`), { path: '/x' }),
    served('in the query between others', get(`/x?a=1&access_token=${good}&b=2`), { path: '/x?a=1&b=2' }),
    served('in the query with escapes', get(`/x?access%5Ftoken=${good.replace('.', '%2E')}`), { path: '/x' }),
    {
      ...served('in both places', get(`/x?access_token=${good}`, bearer(good))),
      differs: {
        because: 'one line, of the token that gives the principal',
        lines: [`upstream header x-payload: Envoy "${PAYLOAD} | ${PAYLOAD}", SDK "${PAYLOAD}"`],
      },
    },
    refused('in both places, a bad one in the query', get('/x?access_token=bad', bearer(good)), FORM),
    refused('in both places, a bad header', get(`/x?access_token=${good}`, bearer('bad')), FORM),
    refused('an empty parameter', get('/x?access_token='), FORM),
    refused('a bad one before a good one of the same name', get(`/x?access_token=bad&access_token=${good}`), FORM),
    refused('a long path', get(`/${'p'.repeat(300)}`, bearer('bad')), FORM),
    refused('a scheme with nothing that could be a token', get('/', { authorization: 'Bearer ,' }), FORM),
    {
      ...refused('two lines', get('/', { authorization: [`Bearer ${good}`, `Bearer ${good}`] }), FORM),
      stricter: { because: 'which of them counts is read differently by everybody', status: 400 },
    },
    refused('one section', get('/', bearer('abc')), FORM),
    refused('five sections', get('/', bearer('a.b.c.d.e')), FORM),
    refused('alg none, not signed', get('/', bearer(`${encode('{"alg":"none"}')}.${encode(JSON.stringify(claims))}.`)), FORM),
    refused('alg none', get('/', bearer(unsigned('{"alg":"none"}', '{}'))), 'Jwt header [alg] is not supported'),
    refused('no alg', get('/', bearer(unsigned('{}', '{}'))), 'Jwt header [alg] field is required and must be a string'),
    refused('a header of null', get('/', bearer(unsigned('null', '{}'))), 'Jwt header [alg] field is required and must be a string'),
    refused('a header that is a list', get('/', bearer(unsigned('[]', '{}'))), 'Jwt header is an invalid JSON'),
    refused(
      'a header with a name twice',
      get('/', bearer(unsigned('{"alg":"RS256","alg":"none"}', '{}'))),
      'Jwt header is an invalid JSON',
    ),
    refused('a header that is no base64url', get('/', bearer(`a*.${encode('{}')}.AA`)), 'Jwt header is an invalid Base64url encoded'),
    refused('a kid that is no text', get('/', bearer(unsigned('{"alg":"RS256","kid":1}', '{}'))), 'Jwt header [kid] field is not a string'),
    refused('a payload that is a list', get('/', bearer(unsigned(HEADER, '[]'))), 'Jwt payload is an invalid JSON'),
    refused('a payload of null', get('/', bearer(unsigned(HEADER, 'null'))), 'Jwt issuer is not configured'),
    refused('a payload with a name twice', get('/', bearer(unsigned(HEADER, '{"a":{"b":1,"b":2}}'))), 'Jwt payload is an invalid JSON'),
    refused('a lone surrogate', get('/', bearer(unsigned(HEADER, '{"a":"\\ud800"}'))), 'Jwt payload is an invalid JSON'),
    refused('a number beyond a double', get('/', bearer(unsigned(HEADER, '{"a":1e400}'))), 'Jwt payload is an invalid JSON'),
    refused(
      '101 levels',
      get('/', bearer(unsigned(HEADER, `{"a":${'['.repeat(100)}${']'.repeat(100)}}`))),
      'Jwt payload is an invalid JSON',
    ),
    served('100 levels', get('/', bearer(token(`{"iss":"${ISSUER}","a":${'['.repeat(99)}${']'.repeat(99)}}`)))),
    ...['iss', 'sub', 'jti'].map((name) =>
      refused(
        `${name} that is no text`,
        get('/', bearer(unsigned(HEADER, `{"${name}":1}`))),
        `Jwt payload [${name}] field is not a string`,
      ),
    ),
    ...['iat', 'nbf', 'exp'].flatMap((name) => [
      refused(
        `${name} that is no number`,
        get('/', bearer(unsigned(HEADER, `{"${name}":"1"}`))),
        `Jwt payload [${name}] field is not an integer`,
      ),
      refused(
        `${name} below zero`,
        get('/', bearer(unsigned(HEADER, `{"${name}":-1}`))),
        `Jwt payload [${name}] field is not a positive 64 bit integer`,
      ),
    ]),
    refused('exp of null', get('/', bearer(unsigned(HEADER, '{"exp":null}'))), 'Jwt payload [exp] field is not an integer'),
    refused('aud of numbers', get('/', bearer(unsigned(HEADER, '{"aud":[1]}'))), 'Jwt payload [aud] field is not a string or string list'),
    refused('a signature that is no base64url', get('/', bearer(`${good},`)), 'Jwt signature is an invalid Base64url encoded'),
    refused('one =', get('/', bearer(`${good}=`)), 'Jwt signature is an invalid Base64url encoded'),
    served('empty sections', get('/', bearer(`.${good.replace('.', '..')}.`))),
    refused('no issuer', get('/', bearer(unsigned(HEADER, '{}'))), 'Jwt issuer is not configured'),
    refused('another issuer', get('/', bearer(token({ ...claims, iss: 'x' }))), 'Jwt issuer is not configured'),
    refused('expired', get('/', bearer(token({ ...claims, exp: now - 100 }))), 'Jwt is expired'),
    served(
      'expired within the clock skew',
      get('/', {
        get authorization() {
          return `Bearer ${justExpired()}`;
        },
      }),
    ),
    refused('not valid yet', get('/', bearer(token({ ...claims, nbf: now + 3_600 }))), 'Jwt not yet valid'),
    served('not valid yet, within the clock skew', get('/', bearer(token({ ...claims, nbf: now + 50 })))),
    served('without exp', get('/', bearer(token({ iss: ISSUER })))),
    served('without kid', get('/', bearer(token(claims, { header: { kid: undefined } })))),
    refused('another kid', get('/', bearer(token(claims, { header: { kid: 'x' } }))), "Jwks doesn't have key to match kid or alg from Jwt"),
    refused('another signer', get('/', bearer(token(claims, { key: stranger.privateKey }))), 'Jwt verification fails'),
    refused(
      'another signer with its key',
      get('/', bearer(token(claims, { key: stranger.privateKey, header: { jwk: jwk(stranger.publicKey, 'k1') } }))),
      'Jwt verification fails',
    ),
    refused('another algorithm', get('/', bearer(token(claims, { header: { alg: 'ES256' } }))), 'Jwt verification fails'),
    refused('a shared secret', get('/', bearer(token(claims, { header: { alg: 'HS256' } }))), 'Jwt verification fails'),
    served('20 KiB', get('/', bearer(token({ ...claims, b: 'x'.repeat(11_000) })))),
    {
      ...served('exp of 0', get('/', bearer(token({ ...claims, exp: 0 })))),
      stricter: { because: 'it is 1970, not never', status: 401 },
    },
    {
      ...served('an extension that must be understood', get('/', bearer(token(claims, { header: { crit: ['x'] } })))),
      stricter: { because: 'RFC 7515 §4.1.11', status: 401 },
    },
    {
      ...served('padding', get('/', bearer(`${good}==`))),
      stricter: { because: 'RFC 7515 §2: without padding', status: 401 },
    },
    ...Object.entries({
      text: 'ä',
      whole: 5,
      negative: -5,
      fraction: 1.5,
      big: 1e20,
      yes: true,
      list: ['b', 1.5],
      object: { y: 'ä' },
      nothing: null,
      empty: '',
    }).map(([name, a]) => served(`a claim in a header: ${name}`, get('/', { ...bearer(token({ ...claims, a })), 'x-a': 'spoof' }))),
    served('a nested claim', get('/', bearer(token({ ...claims, n: { b: 'c' } }))), { sees: { 'x-nested': 'c' } }),
    served('a claim with a dot in its name', get('/', bearer(token({ ...claims, 'n.b': 'c' }))), { sees: { 'x-nested': undefined } }),
    served('a caller’s own claims', get('/', { 'x-a': 'spoof', 'x-payload': 'spoof' }), {
      sees: { 'x-a': undefined, 'x-payload': undefined },
    }),
    refused('a claim that cannot be a header', get('/', bearer(token({ ...claims, a: 'b\nc' }))), 'invalid header value for: x-a', 503),
    served(
      'a preflight',
      get('/', { ...bearer('bad'), origin: 'https://a', 'access-control-request-method': 'GET' }, { method: 'OPTIONS' }),
    ),
    refused(
      'a preflight without origin',
      get('/', { ...bearer('bad'), 'access-control-request-method': 'GET' }, { method: 'OPTIONS' }),
      FORM,
    ),
    {
      name: 'a gRPC call is refused as gRPC',
      call: get('/a/b', { ...bearer('bad'), 'content-type': 'application/grpc' }, { method: 'POST' }),
      expect: { status: 200, headers: { 'grpc-status': '16' }, to: [] },
    },
    refused('HEAD', get('/', bearer('bad'), { method: 'HEAD' }), ''),
  ],
};

const b = token({ iss: 'b', sub: 'bert', groups: ['g1', 'g2'], scope: 'read write', n: 5 }, { key: ec.privateKey });
const a = token({ iss: 'a', sub: 'anna', aud: ['https://shop.test/', 'x'] });
const DENIED = { status: 403, body: 'RBAC: access denied', to: [] } as const;

export const issuers: Table = {
  name: 'tokens of several issuers, places, audiences and policies on claims',
  place: 'server',
  yaml: `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: jwt, namespace: default }
spec:
  jwtRules:
  - issuer: b
    jwks: '${EC_JWKS}'
    fromHeaders: [{ name: authorization, prefix: "Bearer " }, { name: x-b, prefix: "Token " }]
    fromCookies: [session]
    forwardOriginalToken: true
  - issuer: a
    jwks: '${RSA_JWKS}'
    audiences: [shop.test]
    fromHeaders: [{ name: authorization, prefix: "Bearer " }]
    fromParams: [t]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: claims, namespace: default }
spec:
  rules:
  - to: [{ operation: { paths: [/open] } }]
  - to: [{ operation: { paths: [/any] } }]
    from: [{ source: { requestPrincipals: ["*"] } }]
  - to: [{ operation: { paths: [/a] } }]
    from: [{ source: { requestPrincipals: ["a/*"] } }]
  - to: [{ operation: { paths: [/bert] } }]
    from: [{ source: { requestPrincipals: ["b/bert"] } }]
  - to: [{ operation: { paths: [/group] } }]
    when: [{ key: "request.auth.claims[groups]", values: [g2] }]
  - to: [{ operation: { paths: [/scope] } }]
    when: [{ key: "request.auth.claims[scope]", values: [write] }]
  - to: [{ operation: { paths: [/scopes] } }]
    when: [{ key: "request.auth.claims[scope]", values: ["read write"] }]
  - to: [{ operation: { paths: [/number] } }]
    when: [{ key: "request.auth.claims[n]", values: ["5"] }]
  - to: [{ operation: { paths: [/proto] } }]
    when: [{ key: "request.auth.claims[constructor][name]", values: ["*"] }]
  - to: [{ operation: { paths: [/audience] } }]
    when: [{ key: request.auth.audiences, values: [x] }]
  - to: [{ operation: { paths: [/not-bert] } }]
    from: [{ source: { notRequestPrincipals: ["b/bert"] } }]
`,
  rows: [
    served('none where none is needed', get('/open')),
    ...['/any', '/a', '/bert', '/group', '/scope', '/number', '/audience'].map(
      (path): Row => ({ name: `none: ${path}`, call: get(path), expect: DENIED }),
    ),
    served('none where one principal is excluded', get('/not-bert')),
    served('the first issuer', get('/any', bearer(a))),
    served('the second issuer in the same place', get('/any', bearer(b)), { sees: { authorization: `Bearer ${b}` } }),
    served('a principal by issuer', get('/a', bearer(a))),
    { name: 'a principal of the other issuer', call: get('/a', bearer(b)), expect: DENIED },
    served('a principal by name', get('/bert', bearer(b))),
    { name: 'another name', call: get('/bert', bearer(a)), expect: DENIED },
    { name: 'the excluded principal', call: get('/not-bert', bearer(b)), expect: DENIED },
    served('a claim in a list', get('/group', bearer(b))),
    served('a word of scope', get('/scope', bearer(b))),
    { name: 'the whole of scope', call: get('/scopes', bearer(b)), expect: DENIED },
    { name: 'a number', call: get('/number', bearer(b)), expect: DENIED },
    { name: 'what every object has', call: get('/proto', bearer(b)), expect: DENIED },
    served('an audience', get('/audience', bearer(a))),
    refused('another audience', get('/open', bearer(token({ iss: 'a', aud: 'bank' }))), 'Audiences in Jwt are not allowed', 403),
    refused('no audience', get('/open', bearer(token({ iss: 'a' }))), 'Audiences in Jwt are not allowed', 403),
    served('a header with another prefix', get('/bert', { 'x-b': `Token ${b}` })),
    served('a cookie', get('/bert', { cookie: `x=y; session=${b}` }), { sees: { cookie: `x=y; session=${b}` } }),
    served('a cookie in quotes', get('/bert', { cookie: `session="${b}"` })),
    refused('the first of two cookies counts', get('/open', { cookie: `session=bad; session=${b}` }), FORM),
    served('a parameter of the other issuer', get(`/a?t=${a}`), { path: '/a' }),
    refused('a parameter of this one', get(`/open?t=${b}`), 'Jwt issuer is not configured'),
    served('the usual parameter is none here', get('/open?access_token=bad'), { path: '/open?access_token=bad' }),
    served('one good, one bad of another provider', get('/open?t=bad', { cookie: `session=${b}` })),
    refused('one bad of another provider', get('/open?t=bad'), FORM),
    refused('signed by the wrong issuer', get('/open', bearer(token({ iss: 'b' }))), "Jwks doesn't have key to match kid or alg from Jwt"),
    refused('an unknown issuer', get('/open', bearer(token({ iss: 'c' }))), 'Jwt issuer is not configured'),
  ],
};

const routed = (payload: object): { authorization: string } => bearer(token({ ...claims, ...payload }));

function toGateway(name: string, path: string, headers: Call['headers'], to: string | undefined): Row {
  const expect = to === undefined ? { status: 404, to: [] } : { status: 200, to: [to] };
  return { name, call: { url: `http://claims.example${path}`, headers }, expect };
}

/** `@request.auth.claims` in a VirtualService. */
export const claimRoutes: Table = {
  name: 'a gateway that routes by claims',
  place: 'gateway',
  yaml: `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: jwt, namespace: default }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  jwtRules: [{ issuer: ${ISSUER}, jwks: '${RSA_JWKS}' }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: claims, namespace: default }
spec:
  hosts: [claims.example]
  gateways: [edge]
  http:
  - match: [{ uri: { prefix: /only }, headers: { "@request.auth.claims.group": { exact: admin } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /only } }]
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { prefix: /must }, headers: { "@request.auth.claims.group": { exact: admin } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /nested }, headers: { "@request.auth.claims.realm.roles": { exact: writer } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /bracket }, headers: { "@request.auth.claims[realm.name][roles]": { prefix: wri } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
  - match: [{ uri: { prefix: /not }, withoutHeaders: { "@request.auth.claims.group": { exact: admin } } }]
    route: [{ destination: { host: echo, subset: v1 } }]
  - match: [{ uri: { prefix: /both }, headers: { "@request.auth.claims.group": { regex: "adm.*" }, x-who: { exact: anna } } }]
    route: [{ destination: { host: echo, subset: v2 } }]
`,
  rows: [
    toGateway('no token', '/only', {}, 'echo-v1'),
    toGateway('a token without the claim', '/only', routed({}), 'echo-v1'),
    toGateway('another value', '/only', routed({ group: 'users' }), 'echo-v1'),
    toGateway('the value', '/only', routed({ group: 'admin' }), 'echo-v2'),
    toGateway('the value in a list', '/only', routed({ group: ['users', 'admin'] }), 'echo-v2'),
    toGateway('a number', '/only', routed({ group: 1 }), 'echo-v1'),
    toGateway('a header of that name', '/only', { 'request.auth.claims.group': 'admin' }, 'echo-v1'),
    toGateway('only a claim leads there: none', '/must', {}, undefined),
    toGateway('only a claim leads there', '/must', routed({ group: 'admin' }), 'echo-v2'),
    toGateway('a claim within another', '/nested', routed({ realm: { roles: ['reader', 'writer'] } }), 'echo-v2'),
    toGateway('one with that name', '/nested', routed({ 'realm.roles': 'writer' }), undefined),
    toGateway('a claim with a dot, in brackets', '/bracket', routed({ 'realm.name': { roles: 'writer' } }), 'echo-v2'),
    toGateway('without: no token', '/not', {}, 'echo-v1'),
    toGateway('without: another value', '/not', routed({ group: 'users' }), 'echo-v1'),
    toGateway('without: the value', '/not', routed({ group: 'admin' }), undefined),
    toGateway('a claim and a header', '/both', { ...routed({ group: 'administrators' }), 'x-who': 'anna' }, 'echo-v2'),
    toGateway('the claim alone', '/both', routed({ group: 'admin' }), undefined),
    { name: 'a bad token', call: { url: 'http://claims.example/only', headers: bearer('a.b.c') }, expect: { status: 401, to: [] } },
  ],
};
