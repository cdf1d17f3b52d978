import { describe, expect, it } from 'vitest';
import { compileCidr, maskedAddress } from './cidr.ts';

describe('a block of addresses', () => {
  it.each([
    ['10.1.0.0', 16, ['10.1.0.0', '10.1.255.255'], ['10.0.255.255', '10.2.0.0']],
    ['10.1.2.3', 16, ['10.1.255.255'], ['10.2.2.3']],
    ['10.1.2.3', 32, ['10.1.2.3'], ['10.1.2.2', '10.1.2.4']],
    ['0.0.0.0', 0, ['0.0.0.0', '255.255.255.255'], ['::', '::1']],
    ['2001:db8::', 32, ['2001:db8::', '2001:DB8:ffff::1'], ['2001:db9::', '2001:db7:ffff::']],
    ['::1', 128, ['::1', '0:0:0:0:0:0:0:1'], ['::', '::2']],
    ['::', 0, ['::', 'ffff::'], ['0.0.0.0', '10.0.0.1']],
  ])('%s/%i holds %j, not %j', (prefix, length, inside, outside) => {
    const test = compileCidr(prefix, length);
    expect(inside.filter((address) => !test(address))).toEqual([]);
    expect(outside.filter(test)).toEqual([]);
  });

  it.each(['', 'unix:/tmp/socket', 'localhost', '10.0.0', '10.0.0.1:80', '::ffff:10.0.0.1'])(
    'of IPv4 does not hold %j, which is no IPv4 address',
    (address) => {
      expect(compileCidr('0.0.0.0', 0)(address)).toBe(false);
    },
  );

  it.each(['', 'localhost', '10.0.0', '10.0.0.0/8'])('cannot begin at %j: the error shows it', (prefix) => {
    expect(() => compileCidr(prefix, 8)).toThrow(`${JSON.stringify(prefix)} is no IP address`);
  });
});

describe('the range that an address belongs to', () => {
  it.each([
    ['10.1.2.3', 32, '10.1.2.3/32'],
    ['10.1.2.3', 24, '10.1.2.0/24'],
    ['10.1.2.255', 25, '10.1.2.128/25'],
    ['255.255.255.255', 12, '255.240.0.0/12'],
    ['10.1.2.3', 0, '0.0.0.0/0'],
    ['2001:db8:1:2:3:4:5:6', 128, '2001:db8:1:2:3:4:5:6/128'],
    ['2001:db8:1:2:3:4:5:6', 64, '2001:db8:1:2::/64'],
    ['2001:db8:ffff::', 36, '2001:db8:f000::/36'],
    ['ffff:ffff::1', 17, 'ffff:8000::/17'],
    ['1:2:3:4:5:6:7::', 112, '1:2:3:4:5:6:7:0/112'],
    ['::1', 128, '::1/128'],
    ['::', 128, '::/128'],
    ['::ffff:10.1.2.3', 128, '::ffff:a01:203/128'],
    ['fe80::a:b', 120, 'fe80::a:0/120'],
  ])('%s of %i bits is %s', (address, length, range) => {
    expect(maskedAddress(address, length)).toBe(range);
  });
});
