import { isIPv4, isIPv6 } from 'node:net';

/** Both ends of a connection as the proxy in front of it tells them. */
export interface ProxiedAddresses {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/**
 * What stands at the head of a connection. `more` = it does not tell yet, nor before `atBytes` are here (default: one more), `bad` = no header of the PROXY protocol, or one that Envoy
 * refuses. `length` in bytes; `addresses` undefined: the connection speaks for itself (UNKNOWN, LOCAL).
 */
export type ProxyHeader =
  | { readonly kind: 'more'; readonly atBytes?: number }
  | { readonly kind: 'bad' }
  | { readonly kind: 'header'; readonly length: number; readonly addresses: ProxiedAddresses | undefined };

const MORE: ProxyHeader = { kind: 'more' };
const BAD: ProxyHeader = { kind: 'bad' };

const LINE_START = Buffer.from('PROXY ');
/** Envoy's limit of a line; the protocol's is 107. */
const MAX_LINE_BYTES = 108;
const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** Of a binary header, before its addresses. */
const FIXED_BYTES = 16;
const LOCAL = 0;
const PROXY = 1;

/** Reads either version (Envoy: the listener filter proxy_protocol). Extensions of the binary one are passed over. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, SIGNATURE)) return bytes.length < FIXED_BYTES ? MORE : readBinary(bytes);
  if (!startsLike(bytes, LINE_START)) return BAD;
  const end = bytes.indexOf('\r\n');
  if (end === -1) return bytes.length > MAX_LINE_BYTES ? BAD : MORE;
  return end + 2 > MAX_LINE_BYTES ? BAD : readLine(bytes.toString('latin1', 0, end), end + 2);
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

/** `PROXY TCP4 <source> <destination> <source port> <destination port>`. */
function readLine(line: string, length: number): ProxyHeader {
  const [, family, address = '', localAddress = '', portText = '', localPortText = '', ...rest] = line.trimEnd().split(' ');
  if (family === 'UNKNOWN') return { kind: 'header', length, addresses: undefined };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined;
  if (isAddress === undefined || rest.length > 0 || !isAddress(address) || !isAddress(localAddress)) return BAD;
  const [port, localPort] = [portOf(portText), portOf(localPortText)];
  if (port === undefined || localPort === undefined) return BAD;
  return header(length, { address, port, localAddress, localPort });
}

function portOf(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

function readBinary(bytes: Buffer): ProxyHeader {
  const command = bytes[12]!;
  const family = bytes[13]!;
  const length = FIXED_BYTES + bytes.readUInt16BE(14);
  if (command >> 4 !== 2) return BAD;
  if ((command & 0xf) === LOCAL)
    return bytes.length < length ? { kind: 'more', atBytes: length } : { kind: 'header', length, addresses: undefined };
  // Streams and datagrams alike, as in Envoy.
  const known = (command & 0xf) === PROXY && ((family & 0xf) === 1 || (family & 0xf) === 2);
  const width = family >> 4 === 1 ? 4 : family >> 4 === 2 ? 16 : 0;
  const extensions = FIXED_BYTES + 2 * width + 4;
  if (!known || width === 0 || length < extensions) return BAD;
  if (bytes.length < length) return { kind: 'more', atBytes: length };
  if (!areExtensions(bytes.subarray(extensions, length))) return BAD;
  const at = (offset: number): string => addressOf(bytes.subarray(offset, offset + width));
  return header(length, {
    address: at(FIXED_BYTES),
    localAddress: at(FIXED_BYTES + width),
    port: bytes.readUInt16BE(extensions - 4),
    localPort: bytes.readUInt16BE(extensions - 2),
  });
}

/** Type, length in two bytes, value; one after the other. */
function areExtensions(bytes: Buffer): boolean {
  let at = 0;
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return false;
    at += 3 + bytes.readUInt16BE(at + 1);
  }
  return at === bytes.length;
}

function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_none, index) => bytes.readUInt16BE(index * 2).toString(16));
  // The form in which sockets tell their addresses.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Nobody calls from, or is called at, an address that stands for many. */
function header(length: number, addresses: ProxiedAddresses): ProxyHeader {
  const isOne = (address: string): boolean =>
    isIPv4(address)
      ? address !== '0.0.0.0' && address !== '255.255.255.255' && (Number.parseInt(address, 10) & 0xf0) !== 0xe0
      : address !== '::' && !address.toLowerCase().startsWith('ff');
  return isOne(addresses.address) && isOne(addresses.localAddress) ? { kind: 'header', length, addresses } : BAD;
}
