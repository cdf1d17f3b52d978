import { BlockList, isIP } from 'node:net';

/** Tests addresses against a CIDR range. Families do not mix: `::ffff:1.2.3.4` is no match for 1.2.3.4, as in Envoy. */
export function compileCidr(prefix: string, length: number): (address: string) => boolean {
  const version = isIP(prefix);
  if (version === 0) throw new Error(`${JSON.stringify(prefix)} is no IP address`);
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(prefix, length, family);
  return (address) => isIP(address) === version && list.check(address, family);
}
