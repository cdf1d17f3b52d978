import type { Document } from './document.ts';
import { headerOperations, httpMatch } from './http-matches.ts';
import type { Random } from './random.ts';
import { anyHost, duration, PORT_NUMBERS, type World } from './world.ts';

type Json = Record<string, unknown>;

interface Place {
  readonly namespace: string;
  /** Of the VirtualService; undefined is the mesh. */
  readonly gateways: readonly string[] | undefined;
  /** What a route may delegate to. */
  readonly delegates: readonly Document[];
  /** More likely without conditions. */
  readonly last: boolean;
  readonly delegated?: boolean;
}

/** One HTTPRoute: any match with any action and any policy beside it. */
export function httpRoute(world: World, place: Place): Json {
  const { random } = world;
  const delegate = place.delegates.length > 0 && random.chance(0.35) ? random.pick(place.delegates) : undefined;
  const matches = random.several(place.last ? 0 : 1, 2, () => httpMatch(world, place.gateways));
  const base: Json = {
    ...random.maybe(0.3, () => ({ name: random.pick(['primary', 'canary']) })),
    ...(matches.length === 0 || random.chance(0.2) ? {} : { match: matches }),
  };
  if (delegate !== undefined)
    return { ...base, ...delegation(random, place.namespace, delegate), ...policies(world, place.namespace, false) };
  if (random.chance(0.1)) return { ...base, redirect: redirect(random), ...headersOf(random) };
  if (random.chance(0.08)) return { ...base, directResponse: directResponse(random), ...headersOf(random) };
  return { ...base, route: destinations(world, place.namespace), ...policies(world, place.namespace, true) };
}

function delegation(random: Random, namespace: string, { metadata }: Document): Json {
  const here = metadata.namespace === namespace && random.chance(0.5);
  return { delegate: { name: metadata.name, ...(here ? {} : { namespace: metadata.namespace }) } };
}

/** What may stand beside a route or a delegate. */
function policies(world: World, namespace: string, routes: boolean): Json {
  const { random } = world;
  return {
    ...random.maybe(0.2, () => ({ rewrite: rewrite(random) })),
    ...random.maybe(0.25, () => ({ timeout: duration(random) })),
    ...random.maybe(0.25, () => ({ retries: retries(random) })),
    ...random.maybe(0.15, () => ({ fault: fault(random) })),
    ...(routes ? mirrors(world, namespace) : {}),
    ...random.maybe(0.12, () => ({ corsPolicy: corsPolicy(random) })),
    ...headersOf(random),
  };
}

export function destination(world: World, namespace: string): Json {
  const { random } = world;
  return {
    host: anyHost(world, namespace),
    ...random.maybe(0.4, () => ({ subset: random.pick(['v1', 'v2', 'v3']) })),
    ...random.maybe(0.5, () => ({ port: { number: random.pick(PORT_NUMBERS) } })),
  };
}

function destinations(world: World, namespace: string): Json[] {
  const { random } = world;
  if (random.chance(0.6))
    return [
      { destination: destination(world, namespace), ...random.maybe(0.1, () => ({ weight: random.pick([100, 1]) })), ...headersOf(random) },
    ];
  return random.several(2, 3, () => ({
    destination: destination(world, namespace),
    weight: random.pick([0, 1, 10, 50, 90]),
    ...headersOf(random),
  }));
}

function headersOf(random: Random): Json {
  return random.maybe(0.12, () => ({ headers: headerOperations(random) }));
}

function redirect(random: Random): Json {
  return {
    ...random.pick([{ uri: '/new' }, { prefixRewrite: '/p' }, {}]),
    ...random.maybe(0.5, () => ({ authority: random.pick(['new.example.com', 'new.example.com:8080']) })),
    ...random.maybe(0.3, () => ({ scheme: random.pick(['https', 'http']) })),
    ...random.pick([{}, { port: 8443 }, { derivePort: 'FROM_REQUEST_PORT' }, { derivePort: 'FROM_PROTOCOL_DEFAULT' }]),
    ...random.maybe(0.5, () => ({ redirectCode: random.pick([301, 302, 303, 307, 308]) })),
  };
}

function directResponse(random: Random): Json {
  return {
    status: random.pick([200, 404, 503]),
    ...random.maybe(0.6, () => ({ body: random.pick([{ string: 'gone' }, { bytes: 'Z29uZQ==' }]) })),
  };
}

function rewrite(random: Random): Json {
  return random.pick<Json>([
    { uri: '/' },
    { uri: '/v2' },
    { authority: 'inner.example.com' },
    { uri: '/v2', authority: 'inner.example.com' },
    { uriRegexRewrite: { match: '^/api/(.*)$', rewrite: '/\\1' } },
  ]);
}

function retries(random: Random): Json {
  if (random.chance(0.15)) return { attempts: 0 };
  return {
    attempts: random.pick([1, 2, 3, 5]),
    ...random.maybe(0.5, () => ({ perTryTimeout: duration(random) })),
    ...random.maybe(0.6, () => ({
      retryOn: random.pick([
        '5xx',
        'gateway-error,reset',
        'connect-failure,503',
        '503,504',
        'retriable-status-codes,429',
        'cancelled,unavailable',
        '',
      ]),
    })),
    ...random.maybe(0.2, () => ({ retryRemoteLocalities: random.chance(0.7) })),
    ...random.maybe(0.2, () => ({ retryIgnorePreviousHosts: random.chance(0.5) })),
    ...random.maybe(0.2, () => ({ backoff: random.pick(['10ms', '1s', '2s']) })),
  };
}

function percentage(random: Random): Json {
  return random.pick<Json>([{ value: 100 }, { value: 50 }, { value: 0.1 }, { value: 0 }, {}]);
}

function fault(random: Random): Json {
  const delay = { fixedDelay: duration(random), ...random.maybe(0.8, () => ({ percentage: percentage(random) })) };
  const abort = {
    ...random.pick<Json>([{ httpStatus: 503 }, { httpStatus: 404 }, { grpcStatus: 'UNAVAILABLE' }]),
    ...random.maybe(0.8, () => ({ percentage: percentage(random) })),
  };
  return random.pick<Json>([{ delay }, { abort }, { delay, abort }]);
}

function mirrors(world: World, namespace: string): Json {
  const { random } = world;
  const target = (): Json => destination(world, namespace);
  if (random.chance(0.85)) return {};
  return random.pick<() => Json>([
    () => ({ mirror: target() }),
    () => ({ mirror: target(), mirrorPercentage: percentage(random) }),
    () => ({ mirror: target(), mirrorPercent: 20 }),
    () => ({
      mirrors: random.several(1, 2, () => ({ destination: target(), ...random.maybe(0.5, () => ({ percentage: percentage(random) })) })),
    }),
  ])();
}

function corsPolicy(random: Random): Json {
  return {
    ...random.pick<Json>([
      { allowOrigins: [{ exact: 'https://shop.example.com' }] },
      { allowOrigins: [{ regex: 'https://.*' }, { prefix: 'http://a' }] },
      { allowOrigin: ['*'] },
      {},
    ]),
    ...random.maybe(0.5, () => ({ allowMethods: random.some(['GET', 'POST', 'PUT'], 1, 3) })),
    ...random.maybe(0.4, () => ({ allowHeaders: random.some(['x-user', 'x-token'], 1, 2) })),
    ...random.maybe(0.4, () => ({ exposeHeaders: ['x-out'] })),
    ...random.maybe(0.4, () => ({ maxAge: random.pick(['24h', '1m', '10s']) })),
    ...random.maybe(0.4, () => ({ allowCredentials: random.chance(0.5) })),
    ...random.maybe(0.4, () => ({ unmatchedPreflights: random.pick(['UNSPECIFIED', 'FORWARD', 'IGNORE']) })),
  };
}
