import type { Random } from '../istiod/mesh/random.ts';
import { concrete, type Drawn, drawHead, drawRest } from './draw-request.ts';
import { drawToken } from './draw-token.ts';
import { addressOfName } from './loopback.ts';
import { gatewayRoutes } from './routes.ts';
import type { Request, RequestTls } from './trial.ts';

/** A request from outside that often meets what the mesh's gateways serve. `ports`: of the gateway's listeners, and whether they speak TLS. */
export function drawGatewayRequest({ random, mesh }: Drawn, ports: ReadonlyMap<number, boolean>): Request {
  const routed = gatewayRoutes(mesh.documents);
  const route = routed.length > 0 && random.chance(0.85) ? random.pick(routed) : undefined;
  const hosts = route === undefined || route.hosts.length === 0 ? HOSTS : route.hosts;
  const host = concrete(random, random.pick(hosts), []);
  const whole = host === '*' ? random.pick(HOSTS) : host;
  const port = ports.size === 0 ? 8080 : random.pick([...ports.keys()]);
  const head = drawHead(random, route);
  return {
    ...head,
    ...drawRest(random),
    headers: { ...head.headers, ...drawToken(random, mesh.documents) },
    host: whole,
    port,
    caller: { address: addressOfName(random.pick(['caller', 'other'])) },
    ...(ports.get(port) === true && random.chance(0.9) ? { tls: drawTls(random, whole) } : {}),
  };
}

function drawTls(random: Random, host: string): RequestTls {
  const name = host.replace(/:\d+$/, '');
  return {
    sni: random.chance(0.85) ? name : random.pick(['', 'other.example.com', 'shop.example.com', name.toUpperCase()]),
    alpn: random.pick([['h2', 'http/1.1'], ['http/1.1'], ['h2'], []]),
    ...random.maybe(0.5, () => ({
      spiffeId: random.pick(['spiffe://cluster.local/ns/web/sa/cart', 'spiffe://cluster.local/ns/shop/sa/reviews']),
    })),
  };
}

const HOSTS = ['shop.example.com', 'api.example.com', 'nobody.example.org', 'shop.example.com:80'];
