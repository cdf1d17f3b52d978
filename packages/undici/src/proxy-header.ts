import { isIPv4, isIPv6, type Socket } from 'node:net';

/** Both ends of the connection that is carried on, for the header of the PROXY protocol. */
export interface CarriedEnds {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
}

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const LOCAL = 0x20;
const PROXY = 0x21;
const STREAM_OVER_IPV4 = 0x11;
const STREAM_OVER_IPV6 = 0x21;

/**
 * What a new connection begins with (Envoy: upstream_proxy_protocol). Without a connection that is carried on, a line tells the
 * connection's own ends, and the binary header that there is nothing to tell.
 */
export function proxyHeader(version: 1 | 2, carried: CarriedEnds | undefined, socket: Socket): Buffer {
  if (version === 2) return carried === undefined ? Buffer.from([...SIGNATURE, LOCAL, 0, 0, 0]) : binaryHeader(carried);
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket;
  return Buffer.from(line(carried ?? { address: localAddress, port: localPort, localAddress: remoteAddress, localPort: remotePort }));
}

function line({ address, port, localAddress, localPort }: CarriedEnds): string {
  const family = isIPv4(address) && isIPv4(localAddress) ? 'TCP4' : isIPv6(address) && isIPv6(localAddress) ? 'TCP6' : 'UNKNOWN';
  return family === 'UNKNOWN' ? 'PROXY UNKNOWN\r\n' : `PROXY ${family} ${address} ${localAddress} ${port} ${localPort}\r\n`;
}

function binaryHeader({ address, port, localAddress, localPort }: CarriedEnds): Buffer {
  const [from, to] = [bytesOf(address), bytesOf(localAddress)];
  if (from.length === 0 || from.length !== to.length) return Buffer.from([...SIGNATURE, LOCAL, 0, 0, 0]);
  const ports = [port >> 8, port & 0xff, localPort >> 8, localPort & 0xff];
  const family = from.length === 4 ? STREAM_OVER_IPV4 : STREAM_OVER_IPV6;
  return Buffer.from([...SIGNATURE, PROXY, family, 0, from.length * 2 + ports.length, ...from, ...to, ...ports]);
}

function bytesOf(address: string): number[] {
  if (isIPv4(address)) return address.split('.').map(Number);
  if (!isIPv6(address)) return [];
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const left = groups(head);
  const right = groups(tail ?? '');
  const middle = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...middle, ...right].map((group) => Number.parseInt(group, 16)).flatMap((group) => [group >> 8, group & 0xff]);
}
