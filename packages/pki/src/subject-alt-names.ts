import { isIP } from 'node:net';
import { binary, type DerNode, sequence, tagged } from './der.ts';

/** Names that a certificate speaks for. */
export interface SubjectAltNames {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
}

/** GeneralNames: dNSName [2], uniformResourceIdentifier [6], iPAddress [7]. */
export function generalNames({ uris = [], dns = [], ips = [] }: SubjectAltNames): DerNode {
  return sequence(...uris.map((uri) => tagged(6, uri)), ...dns.map((name) => tagged(2, name)), ...ips.map((ip) => tagged(7, ipBytes(ip))));
}

function ipBytes(ip: string): string {
  if (isIP(ip) === 4) return binary(Uint8Array.from(ip.split('.').map(Number)));
  if (isIP(ip) !== 6) throw new Error(`${JSON.stringify(ip)} is no IP address`);
  // As URLs write it: no IPv4 address at the end, no zone.
  const [head, tail = ''] = new URL(`http://[${ip}]`).hostname.slice(1, -1).split('::') as [string, string?];
  const words = (part: string): number[] => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)));
  const before = words(head);
  const after = words(tail);
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return binary(Uint8Array.from(all.flatMap((word) => [word >> 8, word & 0xff])));
}
