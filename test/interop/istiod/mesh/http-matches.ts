import type { Random } from './random.ts';
import { NAMESPACES, PORT_NUMBERS, VERSIONS, type World } from './world.ts';

type Json = Record<string, unknown>;

/** One HTTPMatchRequest; mostly few conditions, so that some meet the same requests. `gateways`: of the VirtualService. */
export function httpMatch({ random }: World, gateways: readonly string[] | undefined): Json {
  return {
    ...random.maybe(0.15, () => ({ name: random.pick(['first', 'second']) })),
    ...random.maybe(0.75, () => ({ uri: uri(random) })),
    ...random.maybe(0.1, () => ({ ignoreUriCase: random.chance(0.7) })),
    ...random.maybe(0.1, () => ({ scheme: { exact: random.pick(['http', 'https']) } })),
    ...random.maybe(0.15, () => ({ method: random.pick<Json>([{ exact: 'GET' }, { prefix: 'P' }, { regex: 'GET|POST' }]) })),
    ...random.maybe(0.1, () => ({ authority: random.pick<Json>([{ exact: 'shop.example.com' }, { prefix: 'shop' }]) })),
    ...random.maybe(0.3, () => ({
      headers: gateways?.includes('mesh') === false && random.chance(0.35) ? claimsMatch(random) : headersMatch(random),
    })),
    ...random.maybe(0.12, () => ({
      withoutHeaders: gateways?.includes('mesh') === false && random.chance(0.3) ? claimsMatch(random) : headersMatch(random),
    })),
    ...random.maybe(0.12, () => ({ queryParams: queryParams(random) })),
    ...random.maybe(0.1, () => ({ port: random.pick(PORT_NUMBERS) })),
    ...random.maybe(0.1, () => ({
      sourceLabels: random.pick<Json>([{ app: 'cart' }, { version: random.pick(VERSIONS) }, { istio: 'ingressgateway' }]),
    })),
    ...random.maybe(0.1, () => ({ sourceNamespace: random.pick(NAMESPACES) })),
    ...(gateways === undefined ? {} : random.maybe(0.12, () => ({ gateways: [random.pick(gateways)] }))),
  };
}

function uri(random: Random): Json {
  return random.pick<Json>([
    { prefix: '/' },
    { prefix: '/api' },
    { prefix: '/api/' },
    { exact: '/login' },
    { exact: '/' },
    { regex: '/items/[0-9]+' },
    { regex: '.*' },
    { prefix: '/v1' },
  ]);
}

function headersMatch(random: Random): Json {
  const one = (): Json => random.pick<Json>([{ exact: 'jason' }, { prefix: 'ja' }, { regex: 'j.*n' }, { regex: '.*' }, {}, { exact: '' }]);
  return Object.fromEntries(random.some(['end-user', 'x-tenant', 'cookie', ':authority', 'X-Upper'], 1, 2).map((name) => [name, one()]));
}

/** What a gateway asks of the caller's token. */
function claimsMatch(random: Random): Json {
  const one = (): Json => random.pick<Json>([{ exact: 'admin' }, { exact: 'c' }, { prefix: 'ad' }, { regex: '.+' }, {}]);
  const names = ['@request.auth.claims.groups', '@request.auth.claims.sub', '@request.auth.claims[a][b]', '@request.auth.claims.missing'];
  return Object.fromEntries(random.some(names, 1, 2).map((name) => [name, one()]));
}

function queryParams(random: Random): Json {
  const one = (): Json => random.pick<Json>([{ exact: '1' }, { prefix: '1' }, { regex: '[0-9]+' }, {}]);
  return Object.fromEntries(random.some(['page', 'q'], 1, 2).map((name) => [name, one()]));
}

/** `headers` of a route or of a destination. */
export function headerOperations(random: Random): Json {
  const operations = (): Json => ({
    ...random.maybe(0.6, () => ({
      set: Object.fromEntries(random.some(['x-a', 'x-b'], 1, 2).map((name) => [name, 'one'])),
    })),
    ...random.maybe(0.5, () => ({ add: Object.fromEntries(random.some(['x-c', 'x-d'], 1, 2).map((name) => [name, '%START_TIME%'])) })),
    ...random.maybe(0.4, () => ({ remove: random.some(['x-e', 'x-f'], 1, 2) })),
  });
  return { ...random.maybe(0.8, () => ({ request: operations() })), ...random.maybe(0.5, () => ({ response: operations() })) };
}
