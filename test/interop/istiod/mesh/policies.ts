import { type Document, SECURITY } from './document.ts';
import { AUTHORIZERS } from './providers.ts';
import type { Random } from './random.ts';
import { metadataOf, NAMESPACES, ROOT, type World } from './world.ts';

type Json = Record<string, unknown>;

const MODES = ['STRICT', 'PERMISSIVE', 'DISABLE', 'UNSET'];

function selector(random: Random): Json {
  return random.maybe(0.5, () => ({
    selector: { matchLabels: random.pick<Json>([{ app: 'cart' }, { app: 'reviews' }, { version: 'v1' }, { istio: 'ingressgateway' }]) },
  }));
}

export function peerAuthentications({ random }: World): Document[] {
  return random.several(0, 3, (index) => {
    const chosen = selector(random);
    return {
      apiVersion: SECURITY,
      kind: 'PeerAuthentication',
      metadata: metadataOf(random, `pa-${index}`, random.pick(NAMESPACES)),
      spec: {
        ...chosen,
        ...random.maybe(0.85, () => ({ mtls: { mode: random.pick(MODES) } })),
        ...(chosen.selector === undefined
          ? {}
          : random.maybe(0.5, () => ({
              portLevelMtls: Object.fromEntries(
                random.some([8080, 9000, 6000, 9090], 1, 2).map((port) => [port, { mode: random.pick(MODES) }]),
              ),
            }))),
      },
    };
  });
}

export function requestAuthentications({ random }: World): Document[] {
  return random.several(0, 1, (index) => ({
    apiVersion: SECURITY,
    kind: 'RequestAuthentication',
    metadata: metadataOf(random, `ra-${index}`, random.pick(NAMESPACES)),
    spec: {
      ...selector(random),
      jwtRules: random.several(1, 2, (rule) => ({
        issuer: random.pick(['https://issuer.example.com', 'testing@secure.istio.io', `issuer-${rule}`]),
        jwks: '{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}',
        ...random.maybe(0.4, () => ({ audiences: random.some(['shop', 'web'], 1, 2) })),
        ...random.maybe(0.3, () => ({ fromHeaders: [{ name: 'x-jwt', ...random.maybe(0.5, () => ({ prefix: 'Bearer ' })) }] })),
        ...random.maybe(0.2, () => ({ fromParams: ['token'] })),
        ...random.maybe(0.2, () => ({ fromCookies: ['token'] })),
        ...random.maybe(0.2, () => ({ outputPayloadToHeader: 'x-payload' })),
        ...random.maybe(0.2, () => ({ outputClaimToHeaders: [{ header: 'x-sub', claim: 'sub' }] })),
        ...random.maybe(0.3, () => ({ forwardOriginalToken: random.chance(0.5) })),
      })),
    },
  }));
}

export function authorizationPolicies(world: World): Document[] {
  const { random } = world;
  const custom = (): Json => ({ action: 'CUSTOM', provider: { name: random.pick([...AUTHORIZERS, ...AUTHORIZERS, 'nobody']) } });
  return random.several(0, 3, (index) => ({
    apiVersion: SECURITY,
    kind: 'AuthorizationPolicy',
    metadata: {
      ...metadataOf(random, `ap-${index}`, random.pick(NAMESPACES)),
      ...random.maybe(0.12, () => ({ annotations: { 'istio.io/dry-run': random.pick(['true', 'false']) } })),
    },
    spec: {
      ...selector(random),
      ...(random.chance(0.2) ? custom() : random.maybe(0.75, () => ({ action: random.pick(['ALLOW', 'DENY', 'ALLOW', 'DENY', 'AUDIT']) }))),
      ...random.maybe(0.9, () => ({ rules: random.several(0, 2, () => rule(random)) })),
    },
  }));
}

/** One that an authorizer decides, and that meets many requests. */
export function customPolicies({ random }: World): Document[] {
  return random.several(0, 1, (index) => ({
    apiVersion: SECURITY,
    kind: 'AuthorizationPolicy',
    metadata: metadataOf(random, `custom-${index}`, random.pick([...NAMESPACES, ROOT, ROOT])),
    spec: {
      ...random.maybe(0.3, () => selector(random)),
      action: 'CUSTOM',
      provider: { name: random.pick(AUTHORIZERS) },
      rules: [random.pick<() => Json>([() => ({}), () => ({ to: [{ operation: operation(random) }] }), () => rule(random)])()],
    },
  }));
}

function rule(random: Random): Json {
  return {
    ...random.maybe(0.6, () => ({ from: random.several(1, 2, () => ({ source: source(random) })) })),
    ...random.maybe(0.6, () => ({ to: random.several(1, 2, () => ({ operation: operation(random) })) })),
    ...random.maybe(0.3, () => ({ when: random.several(1, 2, () => condition(random)) })),
  };
}

/** One to three fields, each possibly negated. */
function fields(random: Random, pools: Readonly<Record<string, readonly string[]>>): Json {
  const names = random.some(Object.keys(pools), 1, 3);
  return Object.fromEntries(
    names.map((name) => [
      random.chance(0.25) ? `not${name[0]?.toUpperCase()}${name.slice(1)}` : name,
      random.some(pools[name] ?? [], 1, 2),
    ]),
  );
}

function source(random: Random): Json {
  return fields(random, {
    principals: ['cluster.local/ns/shop/sa/cart', '*', '*/sa/cart', 'cluster.local/ns/web/*', 'old-td/ns/web/sa/cart'],
    requestPrincipals: ['*', 'issuer-0/sub', 'https://issuer.example.com/*', '*/sub'],
    namespaces: ['shop', 'web', 'sh*', '*op'],
    ipBlocks: ['10.0.0.0/8', '10.0.0.12', '2001:db8::/32'],
    remoteIpBlocks: ['192.168.0.0/16', '203.0.113.7'],
  });
}

function operation(random: Random): Json {
  return fields(random, {
    hosts: ['shop.example.com', '*.example.com', 'Cart*', '*'],
    ports: ['8080', '9000', '80'],
    methods: ['GET', 'POST', 'P*', '*'],
    paths: ['/api', '/api/*', '*/info', '*', '/a/{*}/b', '/a/{**}'],
  });
}

function condition(random: Random): Json {
  const [key, values] = random.pick<readonly [string, readonly string[]]>([
    ['request.headers[x-tenant]', ['a', 'b*', '*']],
    ['source.ip', ['10.0.0.0/8']],
    ['remote.ip', ['10.0.0.1']],
    ['source.namespace', ['shop', 'we*']],
    ['source.principal', ['cluster.local/ns/shop/sa/cart', '*']],
    ['request.auth.principal', ['issuer-0/sub', '*']],
    ['request.auth.audiences', ['shop']],
    ['request.auth.presenter', ['me*']],
    ['request.auth.claims[groups]', ['admin', 'a*', '*']],
    ['request.auth.claims[a][b]', ['c']],
    ['destination.ip', ['10.0.0.0/8']],
    ['destination.port', ['8080', '9000']],
    ['connection.sni', ['*.example.com', 'a.example.com']],
  ]);
  return { key, [random.chance(0.25) ? 'notValues' : 'values']: random.some(values, 1, 2) };
}
