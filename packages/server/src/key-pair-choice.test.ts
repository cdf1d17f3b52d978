import { describe, expect, it } from 'vitest';
import { chooseKeyPairs } from './key-pair-choice.ts';
import { TestAuthority } from './testing/test-authority.ts';

const authority = new TestAuthority();

function keyPair(...dns: readonly string[]) {
  const { cert, key } = authority.issue({ dns });
  return { certificateChainPem: cert, privateKeyPem: key };
}

describe('of several certificates', () => {
  const shop = keyPair('shop.test', 'both.test');
  const wild = keyPair('*.test', 'both.test');

  it('the one with the name is shown, the first of two, and the first for names of none', () => {
    const { otherwise, byName } = chooseKeyPairs([shop, wild]);
    expect(otherwise).toEqual([shop]);
    expect(byName).toEqual([
      ['*.test', [wild]],
      ['shop.test', [shop]],
      ['both.test', [shop]],
    ]);
  });

  it('a single one is shown to everybody', () => {
    expect(chooseKeyPairs([shop])).toEqual({ otherwise: [shop], byName: [] });
  });
});
