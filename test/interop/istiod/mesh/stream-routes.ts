import { destination } from './http-routes.ts';
import type { Random } from './random.ts';
import { NAMESPACES, PORT_NUMBERS, VERSIONS, type World } from './world.ts';

type Json = Record<string, unknown>;

interface Place {
  readonly namespace: string;
  /** Of the VirtualService; undefined is the mesh. */
  readonly gateways: readonly string[] | undefined;
  /** Of the VirtualService: names that a handshake asks for are among them. */
  readonly hosts: readonly string[];
}

const SUBNETS = ['10.96.0.1', '10.96.0.0/16', '240.1.0.1/32', '192.168.0.0/16', '10.0.0.10'];

/** Routes of handshakes and of connections: `tls` and `tcp` of a VirtualService. */
export function streamRoutes(world: World, place: Place): Json {
  const { random } = world;
  return {
    ...random.maybe(0.6, () => ({ tls: random.several(1, 2, () => tlsRoute(world, place)) })),
    ...random.maybe(0.6, () => ({ tcp: random.several(1, 2, () => tcpRoute(world, place)) })),
  };
}

function tlsRoute(world: World, place: Place): Json {
  const { random } = world;
  const match = random.several(1, 2, () => ({ sniHosts: sniHosts(random, place.hosts), ...conditions(random, place) }));
  return { match, route: destinations(world, place.namespace) };
}

function tcpRoute(world: World, place: Place): Json {
  const { random } = world;
  return {
    ...random.maybe(0.6, () => ({ match: random.several(1, 2, () => conditions(random, place)) })),
    route: destinations(world, place.namespace),
  };
}

/** Some of the hosts as they are, names below a wildcard of them. */
function sniHosts(random: Random, hosts: readonly string[]): string[] {
  return random.some(hosts, 1, 2).map((host) => (host.startsWith('*') && random.chance(0.5) ? under(random, host) : host));
}

function under(random: Random, wildcard: string): string {
  return wildcard === '*'
    ? random.pick(['api.example.com', '*.example.com'])
    : `${random.pick(['api', 'www', '*.deep'])}${wildcard.slice(1)}`;
}

/** Whom a route is for; the same in `tls` and `tcp`. */
function conditions(random: Random, { gateways }: Place): Json {
  return {
    ...random.maybe(0.5, () => ({ port: random.pick(PORT_NUMBERS) })),
    ...random.maybe(0.2, () => ({ destinationSubnets: random.some(SUBNETS, 1, 2) })),
    ...random.maybe(0.15, () => ({
      sourceLabels: random.pick<Json>([{ app: 'cart' }, { version: random.pick(VERSIONS) }, { istio: 'ingressgateway' }]),
    })),
    ...random.maybe(0.1, () => ({ sourceNamespace: random.pick(NAMESPACES) })),
    ...(gateways === undefined ? {} : random.maybe(0.12, () => ({ gateways: [random.pick(gateways)] }))),
  };
}

function destinations(world: World, namespace: string): Json[] {
  const { random } = world;
  if (random.chance(0.6)) return [{ destination: destination(world, namespace) }];
  return random.several(2, 3, () => ({ destination: destination(world, namespace), weight: random.pick([0, 1, 10, 50, 90]) }));
}
