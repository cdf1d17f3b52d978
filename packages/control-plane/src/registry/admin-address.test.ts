import { describe, expect, it } from 'vitest';
import { adminAddressOf } from './admin-address.ts';

describe('where a workload’s metrics are asked for', () => {
  it.each([
    ['its own address', '10.0.0.7:15020', '10.0.0.7:41000', '10.0.0.7:15020'],
    ['every address of its machine', '0.0.0.0:15020', '10.0.0.7:41000', '10.0.0.7:15020'],
    ['every address of its machine, IPv6', '[::]:15020', 'fd00::7:41000', '[fd00::7]:15020'],
    ['its own address, IPv6', '[fd00::7]:15020', 'fd00::7:41000', '[fd00::7]:15020'],
    ['IPv4 that came by IPv6', '10.0.0.7:15020', '::ffff:10.0.0.7:41000', '10.0.0.7:15020'],
    ['a loopback address, from this machine', '127.0.0.1:15020', '127.0.0.1:41000', '127.0.0.1:15020'],
    ['another loopback address, from this machine', '127.0.0.9:15020', '::1:41000', '127.0.0.9:15020'],
    ['a loopback address, from this machine by a mapped one', 'localhost:15020', '::ffff:127.0.0.1:41000', 'localhost:15020'],
    ['a loopback address, from another machine by IPv6: that is not ours', '127.0.0.1:15020', 'fd00::7:41000', ''],
    ['a loopback address, from nobody knows where: that is not ours', 'localhost:15020', 'unknown', ''],
    ['a loopback address, from another machine: that is not ours', '127.0.0.1:15020', '10.0.0.7:41000', ''],
    ['none', '', '10.0.0.7:41000', ''],
    ['no text', 15_020, '10.0.0.7:41000', ''],
  ])('is %s', (_what, said, peer, address) => {
    expect(adminAddressOf(said, peer)).toEqual({ address, problem: '' });
  });

  it.each([
    ['another machine', '169.254.169.254:80', '10.0.0.7:41000'],
    ['a name', 'metadata.internal:80', '10.0.0.7:41000'],
    ['a machine, from this one', '10.0.0.7:15020', '127.0.0.1:41000'],
    ['the wildcard of nobody', '0.0.0.0:15020', 'unknown'],
    ['a path behind it', '10.0.0.7:15020/secrets?', '10.0.0.7:41000'],
    ['a user before it', 'me@10.0.0.7:15020', '10.0.0.7:41000'],
  ])('is nowhere when it names %s, and says so', (_what, said, peer) => {
    const { address, problem } = adminAddressOf(said, peer);
    expect([address, problem]).toEqual(['', expect.stringContaining(said)]);
  });
});
