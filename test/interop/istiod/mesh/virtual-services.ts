import { type Document, NETWORKING } from './document.ts';
import { GATEWAY_NAMES } from './gateways.ts';
import { httpRoute } from './http-routes.ts';
import { streamRoutes } from './stream-routes.ts';
import { anyHost, anyPattern, exportTo, metadataOf, NAMESPACES, type World } from './world.ts';

/** VirtualServices of the mesh, of gateways and of both, some with delegates; several may want the same host. */
export function virtualServices(world: World): Document[] {
  const { random } = world;
  const delegates = random.several(0, 2, (index) => delegate(world, index));
  return [...random.several(1, 5, (index) => virtualService(world, index, delegates)), ...delegates];
}

function virtualService(world: World, index: number, delegates: readonly Document[]): Document {
  const { random } = world;
  const namespace = random.pick(NAMESPACES);
  const gateways = gatewaysOf(world, namespace);
  const ofMesh = gateways === undefined || gateways.includes('mesh');
  const hosts = [...new Set(random.several(1, 2, () => (ofMesh ? anyPattern(world, namespace) : gatewayHost(world, namespace))))];
  const streams = world.wide ? random.maybe(0.3, () => streamRoutes(world, { namespace, gateways, hosts })) : {};
  const http = Object.keys(streams).length === 0 || random.chance(0.4);
  return {
    apiVersion: NETWORKING,
    kind: 'VirtualService',
    metadata: metadataOf(random, `vs-${index}`, namespace),
    spec: {
      hosts,
      ...(gateways === undefined ? {} : { gateways }),
      ...(http
        ? { http: random.several(1, 3, (position) => httpRoute(world, { namespace, gateways, delegates, last: position === 2 })) }
        : {}),
      ...streams,
      ...exportTo(random),
    },
  };
}

function gatewaysOf({ random }: World, namespace: string): string[] | undefined {
  if (random.chance(0.5)) return undefined;
  const named = random.pick(GATEWAY_NAMES);
  const gateway = named.startsWith(`${namespace}/`) && random.chance(0.5) ? named.slice(namespace.length + 1) : named;
  return random.pick([['mesh'], [gateway], ['mesh', gateway], [gateway]]);
}

function gatewayHost(world: World, namespace: string): string {
  return world.random.chance(0.3) ? world.random.pick(['*', 'shop.example.com', '*.example.com']) : anyHost(world, namespace);
}

/** A VirtualService without hosts, which others refer to. */
function delegate(world: World, index: number): Document {
  const { random } = world;
  const namespace = random.pick(NAMESPACES);
  return {
    apiVersion: NETWORKING,
    kind: 'VirtualService',
    metadata: metadataOf(random, `delegate-${index}`, namespace),
    spec: {
      http: random.several(1, 2, () => httpRoute(world, { namespace, gateways: undefined, delegates: [], last: false, delegated: true })),
      ...exportTo(random),
    },
  };
}
