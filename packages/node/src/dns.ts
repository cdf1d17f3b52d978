import { lookup } from 'node:dns/promises';
import type { DnsFamily } from '@ripstop/core';

/** Addresses of a name by the system's resolver. Rejects when it has none of the family that counts. */
export async function resolveDns(hostname: string, family: DnsFamily): Promise<readonly string[]> {
  switch (family) {
    case 'v4':
      return addressesOf(hostname, 4);
    case 'v6':
      return addressesOf(hostname, 6);
    case 'auto':
      return addressesOf(hostname, 6).catch(() => addressesOf(hostname, 4));
    case 'v4_preferred':
      return addressesOf(hostname, 4).catch(() => addressesOf(hostname, 6));
    default:
      return inTurn(await addressesOf(hostname, 0));
  }
}

async function addressesOf(hostname: string, family: 0 | 4 | 6): Promise<string[]> {
  const answers = await lookup(hostname, { all: true, family });
  return answers.map(({ address }) => address);
}

/** IPv6 and IPv4 in turn, beginning with IPv6 (RFC 8305), so that no family holds the other one up. */
function inTurn(addresses: readonly string[]): string[] {
  const sixes = addresses.filter((address) => address.includes(':'));
  const fours = addresses.filter((address) => !address.includes(':'));
  const longest = Math.max(sixes.length, fours.length);
  return Array.from({ length: longest }, (_none, index) => [sixes[index], fours[index]])
    .flat()
    .filter((address) => address !== undefined);
}
