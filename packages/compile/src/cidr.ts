import { BlockList, isIP } from 'node:net';

/** Tests addresses against a CIDR range. Families do not mix: `::ffff:1.2.3.4` is no match for 1.2.3.4, as in Envoy. */
export function compileCidr(prefix: string, length: number): (address: string) => boolean {
  const version = isIP(prefix);
  if (version === 0) throw new Error(`${JSON.stringify(prefix)} is no IP address`);
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(prefix, length, family);
  return (address) => list.check(address, family); // What is no address of this family is in no list of it.
}

/** `1.2.3.0/24`: the range that an address belongs to. */
export function maskedAddress(address: string, length: number): string {
  if (isIP(address) === 4) return `${maskedGroups(address.split('.').map(Number), 8, length).join('.')}/${length}`;
  const groups = maskedGroups(ipv6Groups(address), 16, length).map((group) => group.toString(16));
  return `${canonicalIpv6(groups.join(':'))}/${length}`;
}

function maskedGroups(groups: readonly number[], bits: number, length: number): number[] {
  return groups.map((group, index) => {
    const kept = Math.max(0, Math.min(bits, length - index * bits));
    return group & ~(2 ** (bits - kept) - 1) & (2 ** bits - 1);
  });
}

function ipv6Groups(address: string): number[] {
  const [left, right = []] = canonicalIpv6(address)
    .split('::')
    .map((part) => part.split(':').filter(Boolean)) as [string[], string[]?];
  const zeros: string[] = Array(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
}

/** As URLs write it: the longest row of zeros is `::`. */
function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
