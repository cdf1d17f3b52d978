import { describe, expect, it } from 'vitest';
import { wholeRange } from './cidr.ts';

describe('a range of addresses for a gRPC library', () => {
  it.each([
    ['10.1.2.3', 16, '10.1.0.0'],
    ['10.1.2.3', 32, '10.1.2.3'],
    ['10.1.2.255', 25, '10.1.2.128'],
    ['10.1.2.3', 0, '0.0.0.0'],
    ['2001:db8:1:2:3:4:5:6', 48, '2001:db8:1::'],
    ['fe80::1', 128, 'fe80::1'],
    ['fe80::ffff:1', 116, 'fe80::ffff:0'],
    ['::', 0, '::'],
    ['::ffff:10.1.2.3', 112, '::ffff:a01:0'],
  ])('%s/%i begins at %s', (addressPrefix, prefixLen, first) => {
    expect(wholeRange({ addressPrefix, prefixLen })).toEqual({ addressPrefix: first, prefixLen });
  });
});
