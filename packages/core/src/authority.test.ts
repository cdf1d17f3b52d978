import { describe, expect, it } from 'vitest';
import { isAuthority } from './authority.ts';

describe('an authority', () => {
  it.each(["a!$&'()*+.;=^`{|}~-_9", 'a:1', 'a:65535', 'a:00080', '[::1]', '[FE80::1.2.3.4]:80', 'A.b-c'])('may be %j', (text) => {
    expect([isAuthority(text), isAuthority(text)]).toEqual([true, true]);
  });

  it.each([
    'a:0',
    'a:000000',
    'a:65536',
    'a:123456',
    'a:-1',
    'a:8 ',
    ' a',
    'a\n',
    'é',
    'a,b',
    'a@b',
    'a?',
    'a#',
    '"a"',
    '<a>',
    'a\\b',
    '[::1',
    '::1',
    '[g]',
  ])('may not be %j, whatever came before', (text) => {
    expect([isAuthority('a'), isAuthority(text), isAuthority(text), isAuthority('')]).toEqual([true, false, false, true]);
  });
});
