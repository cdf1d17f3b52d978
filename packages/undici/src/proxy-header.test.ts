import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type CarriedEnds, proxyHeader } from './proxy-header.ts';

const SOCKET = { localAddress: '10.0.0.1', localPort: 40_000, remoteAddress: '10.0.0.2', remotePort: 80 } as Socket;
const V4: CarriedEnds = { address: '1.2.3.4', port: 4660, localAddress: '10.0.0.9', localPort: 443 };
const V6: CarriedEnds = { address: '2001:db8::1', port: 4660, localAddress: 'fd00::1:9', localPort: 443 };
const SIGNATURE = '0d0a0d0a000d0a515549540a';

describe('the header that a connection begins with', () => {
  it.each<[string, CarriedEnds | undefined, string]>([
    ['its own ends', undefined, 'PROXY TCP4 10.0.0.1 10.0.0.2 40000 80\r\n'],
    ['those of the connection that is carried on', V4, 'PROXY TCP4 1.2.3.4 10.0.0.9 4660 443\r\n'],
    ['those over IPv6', V6, 'PROXY TCP6 2001:db8::1 fd00::1:9 4660 443\r\n'],
    ['nothing of a Unix socket', { ...V4, address: '/run/a' }, 'PROXY UNKNOWN\r\n'],
  ])('is a line with %s', (_what, carried, expected) => expect(proxyHeader(1, carried, SOCKET).toString()).toBe(expected));

  it.each<[string, CarriedEnds | undefined, string]>([
    ['nothing', undefined, `${SIGNATURE}20000000`],
    ['the connection that is carried on', V4, `${SIGNATURE}2111000c010203040a000009123401bb`],
    ['one over IPv6', V6, `${SIGNATURE}2121002420010db8000000000000000000000001fd000000000000000000000000010009123401bb`],
    ['nothing of two families', { ...V4, localAddress: '::1' }, `${SIGNATURE}20000000`],
  ])('in binary tells %s', (_what, carried, expected) => expect(proxyHeader(2, carried, SOCKET).toString('hex')).toBe(expected));
});
