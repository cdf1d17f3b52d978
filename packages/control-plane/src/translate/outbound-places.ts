import { localhostsOf, wildcardsOf } from '../model/address-families.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { isHttp, type Protocol } from '../push/protocol.ts';
import { addressesFor, type MeshService } from '../push/service.ts';
import type { Binding } from './outbound-entries.ts';
import type { PortInput } from './outbound-side.ts';

/** Where a service that is not HTTP is called. */
export interface Place extends Binding {
  /** None, or the ranges of destinations that are meant. */
  readonly ranges: readonly string[];
}

/** Where a Sidecar says that an Envoy listens; undefined where it says nothing. A process of ours has no listener. */
export function boundTo({ side: { node }, egress: { bind, opens } }: PortInput): Binding | undefined {
  if (node.ripstop || (bind === '' && !opens)) return undefined;
  const [address, ...others] = bind === '' ? localhostsOf(node) : [bind];
  return { address, others, anywhere: address === wildcardsOf(node)[0], opens };
}

export function everywhere(node: ProxyNode): Binding {
  const [address, ...others] = wildcardsOf(node);
  return { address, others, anywhere: true, opens: false };
}

/**
 * A service is called at its own addresses, a range of them at every address (Istio makes a service of each); a headless one at its
 * endpoints', ready or not, but not at ours.
 */
export function placesOf(input: PortInput): Place[] {
  const { side, service, port, egress } = input;
  const { node, push } = side;
  const bound = boundTo(input);
  if (bound !== undefined) return [{ ...bound, ranges: [] }];
  const open: Place = { ...everywhere(node), ranges: [] };
  if (service.resolution === 'NONE' && service.addresses.length === 0 && egress.port === undefined && isTcpOrAuto(port.protocol)) {
    const endpoints = push.endpointsAt(service, port);
    if (service.registry === 'External' && endpoints.length === 0 && service.selector === undefined) return [open];
    const others = endpoints.filter(({ address }) => address !== node.ipAddresses[0] && isIp(address));
    return [...new Set(others.map(({ address }) => address))].map((address) => placeAt(address));
  }
  if (service.addresses.length === 0)
    return [service.registry === 'External' ? open : placeAt('0.0.0.0', { anywhere: open.address === '0.0.0.0' })];
  const ranges = service.addresses.filter((address) => address.includes('/')).map((range) => ({ ...open, ranges: [range] }));
  return ranges.length > 0 && ranges.length === service.addresses.length ? ranges : [...ranges, ...addressed(node, service)];
}

/** As istiod does: an address that the client does not speak to is better than none. */
function addressed(node: ProxyNode, service: MeshService): Place[] {
  const found = addressesFor(node, service).filter((address) => !address.includes('/'));
  return (found.length > 0 ? found : service.addresses.slice(0, 1)).map((address) => placeAt(address));
}

function placeAt(address: string, fields: Partial<Place> = {}): Place {
  return { address, others: [], anywhere: false, opens: false, ranges: [], ...fields };
}

/** TLS is told by its server name where there is no address (Istio: IsTCP). */
function isTcpOrAuto(protocol: Protocol): boolean {
  return protocol === 'Auto' || !isHttp(protocol);
}

function isIp(address: string): boolean {
  return /^[\d.]+$/.test(address) || address.includes(':');
}
