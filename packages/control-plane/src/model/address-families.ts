import { isIPv4, isIPv6 } from 'node:net';
import type { ProxyNode } from './proxy-node.ts';

/** Families of addresses that a client has (Istio: IPMode). */
export type AddressFamilies = 'IPv4' | 'IPv6' | 'both';

type Addressed = Pick<ProxyNode, 'ipAddresses' | 'ripstop'>;

/** A process of ours opens no listeners, so it is told the same whatever its machine speaks. */
export function familiesOf({ ipAddresses, ripstop }: Addressed): AddressFamilies {
  const six = ipAddresses.filter(isIPv6).length;
  if (ripstop || six === 0) return 'IPv4';
  return six === ipAddresses.length ? 'IPv6' : 'both';
}

/** Everywhere, for a client that binds there; what it listens on first leads. */
export function wildcardsOf(node: Addressed): readonly [string, ...string[]] {
  return WILDCARDS[familiesOf(node)];
}

/** The machine itself. */
export function localhostsOf(node: Addressed): readonly [string, ...string[]] {
  return LOCALHOSTS[familiesOf(node)];
}

/** Of addresses or ranges those that the client speaks to; of both families those of the first one (Istio: FilterAddressesByIPFamily). */
export function spoken(node: Addressed, addresses: readonly string[]): string[] {
  if (node.ripstop) return [...addresses];
  const families = familiesOf(node);
  const [four, six] = [addresses.filter((address) => isIPv4(bare(address))), addresses.filter((address) => isIPv6(bare(address)))];
  if (families !== 'both') return families === 'IPv4' ? four : six;
  return isIPv6(bare(addresses[0] ?? '')) ? six : four;
}

function bare(address: string): string {
  return address.split('/', 1)[0]!;
}

const WILDCARDS = { IPv4: ['0.0.0.0'], IPv6: ['::'], both: ['0.0.0.0', '::'] } as const;
const LOCALHOSTS = { IPv4: ['127.0.0.1'], IPv6: ['::1'], both: ['127.0.0.1', '::1'] } as const;
