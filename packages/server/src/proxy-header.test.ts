import { describe, expect, it } from 'vitest';
import { readProxyHeader } from './proxy-header.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const binary = (commandAndFamily: string, rest: string): Buffer => {
  const length = (rest.length / 2).toString(16).padStart(4, '0');
  return Buffer.from(`${SIGNATURE}${commandAndFamily}${length}${rest}`, 'hex');
};
/** 1.2.3.4:4660 to 10.0.0.9:443. */
const V4 = '010203040a000009123401bb';
const V4_ADDRESSES = { address: '1.2.3.4', port: 4660, localAddress: '10.0.0.9', localPort: 443 };
/** [2001:db8::1]:4660 to [fd00::9]:443. */
const V6 = '20010db8000000000000000000000001fd000000000000000000000000000009123401bb';

describe('a header of the PROXY protocol', () => {
  it.each([
    ['TCP4', 'PROXY TCP4 1.2.3.4 10.0.0.9 4660 443\r\n', V4_ADDRESSES],
    [
      'TCP6',
      'PROXY TCP6 2001:db8::1 fd00::9 4660 443\r\n',
      { address: '2001:db8::1', port: 4660, localAddress: 'fd00::9', localPort: 443 },
    ],
    ['UNKNOWN', 'PROXY UNKNOWN\r\n', undefined],
    ['UNKNOWN with addresses', 'PROXY UNKNOWN ff::1 ff::2 1 2\r\n', undefined],
  ])('in a line, of %s, gives the ends of the connection', (_what, line, addresses) => {
    expect(readProxyHeader(Buffer.from(`${line}GET / HTTP/1.1\r\n`))).toEqual({ kind: 'header', length: line.length, addresses });
  });

  it.each([
    ['IPv4', binary('2111', V4), V4_ADDRESSES],
    ['datagrams', binary('2112', V4), V4_ADDRESSES],
    ['IPv6', binary('2121', V6), { address: '2001:db8::1', port: 4660, localAddress: 'fd00::9', localPort: 443 }],
    ['extensions', binary('2111', `${V4}04000361626304 0000`.replace(' ', '')), V4_ADDRESSES],
    ['LOCAL', binary('2000', ''), undefined],
    ['LOCAL with bytes that say nothing', binary('2011', 'ffffff'), undefined],
  ])('in binary, of %s, gives them as well', (_what, bytes, addresses) => {
    expect(readProxyHeader(Buffer.concat([bytes, Buffer.from('x')]))).toEqual({ kind: 'header', length: bytes.length, addresses });
  });

  it.each<[what: string, line: string, port: number, localPort: number]>([
    ['the least and the greatest port', 'PROXY TCP4 1.2.3.4 10.0.0.9 0 65535\r\n', 0, 65535],
    ['five digits of less', 'PROXY TCP4 1.2.3.4 10.0.0.9 00080 1\r\n', 80, 1],
    ['a blank at the end', 'PROXY TCP4 1.2.3.4 10.0.0.9 1 2 \r\n', 1, 2],
  ])('may have %s', (_what, line, port, localPort) => {
    expect(readProxyHeader(Buffer.from(line))).toMatchObject({ kind: 'header', addresses: { port, localPort } });
  });

  it('of a line is 108 bytes long at most, whether its end is there or not', () => {
    const line = (bytes: number): Buffer => Buffer.from(`PROXY UNKNOWN ${'x'.repeat(bytes - 16)}\r\n`);
    expect(readProxyHeader(line(108))).toEqual({ kind: 'header', length: 108, addresses: undefined });
    expect(readProxyHeader(line(109))).toEqual({ kind: 'bad' });
    expect(readProxyHeader(Buffer.from(`PROXY ${'x'.repeat(102)}`))).toEqual({ kind: 'more' });
    expect(readProxyHeader(Buffer.from(`PROXY ${'x'.repeat(103)}`))).toEqual({ kind: 'bad' });
  });

  it.each(['224.0.0.1', '239.255.255.255'])('does not come from a group of IPv4: %s', (address) => {
    expect(readProxyHeader(Buffer.from(`PROXY TCP4 ${address} 10.0.0.9 1 2\r\n`))).toEqual({ kind: 'bad' });
  });

  it.each(['223.255.255.255', '240.0.0.1', '0.0.0.1'])('may come from the address %s', (address) => {
    expect(readProxyHeader(Buffer.from(`PROXY TCP4 ${address} 10.0.0.9 1 2\r\n`))).toMatchObject({ addresses: { address } });
  });

  it.each(['::', 'FF02::1'])('does not come from, nor go to, %s', (address) => {
    expect(readProxyHeader(Buffer.from(`PROXY TCP6 ${address} fd00::9 1 2\r\n`))).toEqual({ kind: 'bad' });
    expect(readProxyHeader(Buffer.from(`PROXY TCP6 fd00::9 ${address} 1 2\r\n`))).toEqual({ kind: 'bad' });
  });

  it.each([
    ['no header', 'GET / HTTP/1.1\r\n'],
    ['no header, of one byte', 'G'],
    ['a handshake', '\x16\x03\x01'],
    ['another protocol', 'PROXY UDP4 1.2.3.4 10.0.0.9 1 2\r\n'],
    ['the other family', 'PROXY TCP4 2001:db8::1 fd00::9 1 2\r\n'],
    ['an address that is none', 'PROXY TCP4 1.2.3.400 10.0.0.9 1 2\r\n'],
    ['a missing port', 'PROXY TCP4 1.2.3.4 10.0.0.9 1\r\n'],
    ['a port of six digits', 'PROXY TCP4 1.2.3.4 10.0.0.9 000080 2\r\n'],
    ['a port with a sign', 'PROXY TCP4 1.2.3.4 10.0.0.9 +80 2\r\n'],
    ['another port with a sign', 'PROXY TCP4 1.2.3.4 10.0.0.9 80 2a\r\n'],
    ['a family that is none', 'PROXY TCP5 1.2.3.4 10.0.0.9 1 2\r\n'],
    ['a second address that is none', 'PROXY TCP4 1.2.3.4 10.0.0 1 2\r\n'],
    ['a port that is none', 'PROXY TCP4 1.2.3.4 10.0.0.9 1 65536\r\n'],
    ['a word too many', 'PROXY TCP4 1.2.3.4 10.0.0.9 1 2 3\r\n'],
    ['two blanks', 'PROXY TCP4  1.2.3.4 10.0.0.9 1 2\r\n'],
    ['everybody', 'PROXY TCP4 255.255.255.255 10.0.0.9 1 2\r\n'],
    ['nobody', 'PROXY TCP4 1.2.3.4 0.0.0.0 1 2\r\n'],
    ['a group', 'PROXY TCP6 ff02::1 fd00::9 1 2\r\n'],
    ['a line without end', `PROXY TCP4 ${'1'.repeat(110)}`],
  ])('is refused: %s', (_what, text) => expect(readProxyHeader(Buffer.from(text, 'latin1'))).toEqual({ kind: 'bad' }));

  it.each([
    ['version 1 in binary', binary('1111', V4)],
    ['another command', binary('2211', V4)],
    ['a Unix socket', binary('2131', V4)],
    ['no family', binary('2101', V4)],
    ['fewer bytes than addresses have', binary('2111', V4.slice(2))],
    ['an extension without its length', binary('2111', `${V4}0400`)],
    ['an extension that is too short', binary('2111', `${V4}04000361`)],
  ])('is refused in binary: %s', (_what, bytes) => expect(readProxyHeader(bytes)).toEqual({ kind: 'bad' }));

  it.each([Buffer.from('PROXY TCP4 1.2.3.4 10.0.0.9 4660 443\r\n'), binary('2111', `${V4}040003616263`)])(
    'is waited for until its last byte is there',
    (bytes) => {
      for (let length = 0; length < bytes.length; length++) expect(readProxyHeader(bytes.subarray(0, length)).kind).toBe('more');
    },
  );
});
