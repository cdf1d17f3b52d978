import { spoken } from '../model/address-families.ts';
import type { Caller } from '../model/proxy-node.ts';
import type { ServiceEndpoint } from '../push/endpoints.ts';
import { NETWORK_LABEL } from '../push/locality-policy.ts';
import type { NetworkGateway, Networks } from '../push/networks.ts';
import { placeOf } from './locality.ts';

const CLUSTER_LABEL = 'topology.istio.io/cluster';

/** What a client sees of a service: whom it calls, and places of which nobody is left. */
export interface Horizon {
  readonly endpoints: readonly ServiceEndpoint[];
  /** Stand for their places alone. */
  readonly unreached: ReadonlySet<ServiceEndpoint>;
}

/**
 * Endpoints of other networks give way to the gateways that lead to them, place by place (Istio: EndpointsByNetworkFilter). Only mTLS
 * gets through there: the server name of its handshake says which service is meant.
 */
export function seenFrom(
  node: Caller,
  endpoints: readonly ServiceEndpoint[],
  networks: Networks,
  speaksMtls: (endpoint: ServiceEndpoint) => boolean,
): Horizon {
  const own = typeof node.metadata.NETWORK === 'string' ? node.metadata.NETWORK : '';
  const found: ServiceEndpoint[] = [];
  const unreached = new Set<ServiceEndpoint>();
  for (const place of Map.groupBy(endpoints, placeOf).values()) {
    const weights = new Map<NetworkGateway, number>();
    const before = found.length;
    for (const endpoint of place) {
      const network = networks.networkOf(endpoint);
      const gateways = networks.gatewaysTo(network, endpoint.clusterId);
      const weight = endpoint.weight * networks.scale;
      const near = own === network || own === '' || network === '';
      const reached = gateways.filter(({ address }) => spoken(node, [address]).length > 0);
      if (gateways.length === 0 || (near && !(own === '' && network !== ''))) {
        // One that is known by its network alone is reached through a gateway, or not at all.
        if (endpoint.address !== '') found.push({ ...endpoint, weight });
      } else if (speaksMtls(endpoint)) {
        const share = Math.floor(weight / reached.length);
        for (const gateway of reached) weights.set(gateway, (weights.get(gateway) ?? 0) + share);
      }
    }
    for (const [gateway, weight] of [...weights].sort(byAddress)) found.push(standIn(gateway, weight, place[0]!));
    if (found.length > before) continue;
    unreached.add(place[0]!);
    found.push(place[0]!);
  }
  return { endpoints: found, unreached };
}

function byAddress([a]: [NetworkGateway, number], [b]: [NetworkGateway, number]): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port;
}

function standIn(
  { network, clusterId, address, port }: NetworkGateway,
  weight: number,
  { locality, place }: ServiceEndpoint,
): ServiceEndpoint {
  return {
    address,
    port,
    workloadPort: port,
    labels: { [NETWORK_LABEL]: network, [CLUSTER_LABEL]: clusterId },
    namespace: '',
    serviceAccount: '',
    workloadName: '',
    clusterId,
    locality,
    ...(place === undefined ? {} : { place }),
    health: 'UNKNOWN',
    weight,
    nodeName: '',
    mtls: true,
    isGateway: true,
  };
}
