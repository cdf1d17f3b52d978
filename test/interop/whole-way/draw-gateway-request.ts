import { concrete, type Drawn, drawHead, drawRest } from './draw-request.ts';
import { addressOfName } from './loopback.ts';
import type { Request } from './trial.ts';

type Json = Record<string, unknown>;

/** A request from outside that often meets what the mesh's gateways serve. `ports`: of the gateway's listeners. */
export function drawGatewayRequest({ random, mesh }: Drawn, ports: readonly number[]): Request {
  const routed = mesh.documents.filter(({ kind, spec }) => kind === 'VirtualService' && isOfGateway(spec as Json));
  const route = routed.length > 0 && random.chance(0.85) ? random.pick(routed) : undefined;
  const hosts = route === undefined ? HOSTS : (route.spec as { hosts: string[] }).hosts;
  const host = concrete(random, random.pick(hosts), []);
  return {
    ...drawHead(random, route),
    ...drawRest(random),
    host: host === '*' ? random.pick(HOSTS) : host,
    port: ports.length === 0 ? 8080 : random.pick(ports),
    caller: { address: addressOfName(random.pick(['caller', 'other'])) },
  };
}

const HOSTS = ['shop.example.com', 'api.example.com', 'nobody.example.org', 'shop.example.com:80'];

function isOfGateway({ hosts, gateways }: Json): boolean {
  return hosts !== undefined && ((gateways ?? []) as string[]).some((name) => name !== 'mesh');
}
