import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { Document } from '../istiod/mesh/document.ts';
import type { Random } from '../istiod/mesh/random.ts';
import { type Drawn, drawHead, drawRest } from './draw-request.ts';
import { addressOfName } from './loopback.ts';
import type { Request, RequestCaller } from './trial.ts';

type Json = Record<string, unknown>;

/** A request to a workload that often meets the policies of the mesh. */
export function drawServerRequest(drawn: Drawn, app: string): Request {
  const { random, mesh } = drawn;
  const operations = rulesOf(mesh.documents).flatMap(({ to = [] }) => to.map(({ operation }) => operation));
  const operation: Json = operations.length > 0 && random.chance(0.6) ? random.pick(operations) : {};
  const head = drawHead(random, undefined);
  const rest = drawRest(random);
  const path = sampleOf(random, operation.paths) ?? head.path;
  return {
    ...head,
    ...rest,
    answers: rest.answers.filter(({ hangUp }) => hangUp !== true),
    host: sampleOf(random, operation.hosts) ?? random.pick(HOSTS),
    port: random.pick(portsOf(mesh.documents, app, drawn.namespace)),
    method: methodOf(sampleOf(random, operation.methods)) ?? head.method,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: { ...head.headers, ...drawConditions(random), ...drawToken(random, mesh.documents) },
    caller: drawCaller(random, mesh.config.trustDomain as string | undefined),
  };
}

const HOSTS = ['shop.example.com', 'api.example.com', 'cart', 'Cart.shop', 'db.shop.svc.cluster.local'];

interface Rule {
  readonly to?: readonly { readonly operation: Json }[];
}

function rulesOf(documents: readonly Document[]): Rule[] {
  return documents.filter(({ kind }) => kind === 'AuthorizationPolicy').flatMap(({ spec }) => ((spec as Json).rules ?? []) as Rule[]);
}

/** A value that one of the patterns takes, or nearly. */
function sampleOf(random: Random, patterns: unknown): string | undefined {
  if (!Array.isArray(patterns)) return undefined;
  const pattern = random.pick(patterns as string[]);
  return pattern
    .replaceAll('{**}', random.pick(['x/y', 'x']))
    .replaceAll(/\{\*\}/g, 'x')
    .replaceAll('*', random.pick(['x', 'xy']));
}

function methodOf(method: string | undefined): string | undefined {
  return method === undefined || ['GET', 'POST', 'PUT'].includes(method) ? method : 'POST';
}

/** Ports of HTTP that the Services of a workload lead to. */
function portsOf(documents: readonly Document[], app: string, namespace: string): number[] {
  const own = documents.filter(
    ({ kind, metadata }) => kind === 'EndpointSlice' && metadata.namespace === namespace && metadata.name === `${app}-s1`,
  );
  const ports = own.flatMap(({ ports: each }) => each as { name: string; port: number; protocol: string }[]);
  const http = ports.filter(
    ({ name, protocol }) => protocol === 'TCP' && /^(http(?!s)|grpc|api|plain|x|y|same)/.test(name) && name !== 'http-z',
  );
  return http.length === 0 ? [8080] : http.map(({ port }) => port);
}

function drawConditions(random: Random): Record<string, string> {
  return {
    ...random.maybe(0.4, () => ({ 'x-tenant': random.pick(['a', 'bee', 'c']) })),
    ...random.maybe(0.3, () => ({
      'x-forwarded-for': random.pick(['192.168.1.1', '203.0.113.7', '192.168.1.1, 203.0.113.7', '10.9.9.9, 192.168.0.1, 1.2.3.4']),
    })),
  };
}

function drawCaller(random: Random, trustDomain = 'cluster.local'): RequestCaller {
  const address = random.pick([addressOfName('caller'), addressOfName('other'), '127.0.0.1']);
  if (random.chance(0.4)) return { address };
  const domain = random.chance(0.1) ? 'old-td' : trustDomain;
  return {
    address,
    spiffeId: `spiffe://${domain}/ns/${random.pick(['shop', 'web', 'istio-system'])}/sa/${random.pick(['cart', 'reviews', 'default'])}`,
  };
}

interface TokenRule {
  readonly issuer: string;
  readonly audiences?: readonly string[];
  readonly fromHeaders?: readonly { readonly name: string; readonly prefix?: string }[];
}

/** A token by one of the mesh's rules: mostly a good one, where the rule wants it. */
function drawToken(random: Random, documents: readonly Document[]): Record<string, string> {
  const rules = documents
    .filter(({ kind }) => kind === 'RequestAuthentication')
    .flatMap(({ spec }) => ((spec as Json).jwtRules ?? []) as TokenRule[]);
  if (rules.length === 0 || random.chance(0.3)) return {};
  const { issuer, audiences = ['shop'], fromHeaders } = random.pick(rules);
  const claims = {
    iss: random.chance(0.85) ? issuer : 'somebody else',
    sub: random.pick(['sub', 'me']),
    aud: random.chance(0.85) ? random.pick([audiences[0], [...audiences]]) : 'other',
    azp: random.pick(['me', 'you']),
    exp: random.chance(0.9) ? 4_102_444_800 : 1_000_000_000,
    groups: random.pick(['admin', ['admin', 'all'], []]),
    a: { b: random.pick(['c', 'd']) },
  };
  const token = random.chance(0.9) ? signed(claims) : signed(claims).replace(/\.[^.]{8}([^.]*)$/, '.AAAAAAAA$1');
  const place = random.chance(0.8) ? fromHeaders?.[0] : undefined;
  return place === undefined ? { authorization: `Bearer ${token}` } : { [place.name]: `${place.prefix ?? ''}${token}` };
}

/** The private half of the key that drawn rules name: RFC 7515, A.3. */
const KEY: KeyObject = createPrivateKey({
  format: 'jwk',
  key: {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
  },
});

function signed(claims: Json): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', kid: 'k1', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: KEY, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
