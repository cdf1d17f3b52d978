import { isIPv4, isIPv6 } from 'node:net';

export interface AddressRange {
  readonly addressPrefix: string;
  readonly prefixLen: number;
}

/** The range with its host bits cleared, as Envoy reads it: in grpc-js-xds `10.1.2.3/16` would hold no address at all. */
export function wholeRange({ addressPrefix, prefixLen }: AddressRange): AddressRange {
  if (isIPv4(addressPrefix)) {
    const groups = addressPrefix.split('.').map(Number);
    return { addressPrefix: masked(groups, 8, prefixLen).join('.'), prefixLen };
  }
  if (!isIPv6(addressPrefix)) return { addressPrefix, prefixLen };
  const groups = masked(ipv6Groups(addressPrefix), 16, prefixLen);
  // In its shortest form, as istiod writes it.
  const whole = groups.map((group) => group.toString(16)).join(':');
  return { addressPrefix: new URL(`http://[${whole}]`).hostname.slice(1, -1), prefixLen };
}

function masked(groups: readonly number[], bits: number, prefixLen: number): number[] {
  return groups.map((group, index) => {
    const kept = Math.min(Math.max(prefixLen - index * bits, 0), bits);
    return group & (((1 << kept) - 1) << (bits - kept));
  });
}

/** Eight numbers; an IPv4 tail counts as two. */
function ipv6Groups(address: string): number[] {
  const parts = (text: string): number[] =>
    text
      .split(':')
      .filter((part) => part !== '')
      .flatMap((part) => {
        if (!part.includes('.')) return [Number.parseInt(part, 16)];
        const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
        return [a * 256 + b, c * 256 + d];
      });
  const [head = '', tail] = address.split('::');
  const start = parts(head);
  const end = tail === undefined ? [] : parts(tail);
  return [...start, ...Array.from({ length: 8 - start.length - end.length }, () => 0), ...end];
}
