import { describe, expect, it } from 'vitest';
import { FakeHead } from '../../core/src/testing/fakes.ts';
import { DEFAULT_PLACES, findTokens, redactTokens, removeToken, sortedPlaces, type TokenPlaces } from './token-places.ts';

const NO_PLACES: TokenPlaces = { headers: [], params: [], cookies: [] };
const head = (more: Partial<FakeHead>): FakeHead => Object.assign(new FakeHead(), more);

/** `kind name token` of what is found. */
function found(places: Partial<TokenPlaces>, request: Partial<FakeHead>): string[] {
  return findTokens(head(request), { ...NO_PLACES, ...places }).map(({ place, token }) => `${place.kind} ${place.name} ${token}`);
}

describe('the places of tokens', () => {
  it('are those of RFC 6750 by default', () => {
    const request: Partial<FakeHead> = { lines: [['authorization', 'Bearer h']], path: '/?access_token=p' };
    expect(found(DEFAULT_PLACES, request)).toEqual(['param access_token p', 'header authorization h']);
    expect(found(DEFAULT_PLACES, { lines: [['cookie', 'access_token=c']] })).toEqual([]);
  });

  it('are looked through as Envoy does: cookies, parameters, headers, each from the last name to the first', () => {
    const places = sortedPlaces({
      headers: [
        { name: 'b', prefix: '' },
        { name: 'a', prefix: 'Z ' },
        { name: 'a', prefix: 'A ' },
        { name: 'c', prefix: '' },
      ],
      params: ['q', 'p'],
      cookies: ['d', 'c'],
    });
    const request: Partial<FakeHead> = {
      lines: [
        ['a', 'A Z 1'],
        ['b', '2'],
        ['c', '3'],
        ['cookie', 'c=4; d=5'],
      ],
      path: '/?p=6&q=7',
    };
    expect(found(places, request)).toEqual([
      'cookie d 5',
      'cookie c 4',
      'param q 7',
      'param p 6',
      'header c 3',
      'header b 2',
      'header a 1',
      'header a Z 1',
    ]);
  });

  it.each([
    ['', 'x y', 'x y'],
    ['Bearer ', 'Bearer abc', 'abc'],
    ['Bearer ', 'x Bearer abc', 'abc'],
    ['Bearer ', 'Bearer   abc', 'abc'],
    ['Bearer ', 'Bearer "_a"', '_a"'],
    ['Bearer ', 'Bearer -a', '-a'],
    ['Bearer ', 'Bearer .a', '.a'],
    ['Bearer ', 'Bearer ', ''],
    ['Bearer ', 'Bearer ///', '///'],
    ['Bearer ', 'bearer abc', undefined],
    ['Bearer ', 'abc', undefined],
  ])('in a header are behind the prefix %j: of %j it is %j', (prefix, value, token) => {
    const tokens = found({ headers: [{ name: 'h', prefix }] }, { lines: [['h', value]] });
    expect(tokens).toEqual(token === undefined ? [] : [`header h ${token}`]);
  });

  it.each([
    ['/x', undefined],
    ['/p=1', undefined],
    ['/x?p=1', '1'],
    ['/x?a=b&p=1&p=2', '1'],
    ['/x?p', ''],
    ['/x?p=', ''],
    ['/x?p=a=b', 'a=b'],
    ['/x?%70=%31%2e%zz', '1.%zz'],
    ['/x?p=%4A%6f%4', 'Jo%4'],
    ['/x?ap=1&P=2', undefined],
    ['/x?a=?p=1', undefined],
  ])('in the query of %s: %j', (path, token) => {
    expect(found({ params: ['p'] }, { path })).toEqual(token === undefined ? [] : [`param p ${token}`]);
  });

  it.each([
    [['c=1'], '1'],
    [['a=b;c=1;d=e'], '1'],
    [['a=b', ' c = 1 '], '1'],
    [['c=1; c=2'], '1'],
    [['c=1', 'c=2'], '1'],
    [['c="1"'], '1'],
    [['c=""'], ''],
    [['c="'], '"'],
    [['c="1'], '"1'],
    [['c=1"'], '1"'],
    [['c'], undefined],
    [['c; c=2'], '2'],
    [['c=a=b'], 'a=b'],
    [['cc=1; C=2'], undefined],
  ])('in the cookies %j: %j', (lines, token) => {
    const tokens = found({ cookies: ['c'] }, { lines: lines.map((line) => ['cookie', line] as const) });
    expect(tokens).toEqual(token === undefined ? [] : [`cookie c ${token}`]);
  });
});

describe('an accepted token', () => {
  const request = (): FakeHead =>
    head({
      lines: [
        ['t', '1'],
        ['cookie', 't=1'],
      ],
      path: '/x?a=%20&t=1&b&%74=2&c=t',
    });

  it.each([
    ['header', [['cookie', 't=1']], '/x?a=%20&t=1&b&%74=2&c=t'],
    [
      'param',
      [
        ['t', '1'],
        ['cookie', 't=1'],
      ],
      '/x?a=%20&b&c=t',
    ],
    [
      'cookie',
      [
        ['t', '1'],
        ['cookie', 't=1'],
      ],
      '/x?a=%20&t=1&b&%74=2&c=t',
    ],
  ] as const)('of a %s is taken out there, and nowhere else', (kind, lines, path) => {
    const seen = request();
    removeToken(seen, { kind, name: 't' });
    expect([seen.lines, seen.path]).toEqual([lines, path]);
  });

  it('that was the whole query leaves none', () => {
    const seen = head({ path: '/x?t=1&t=2' });
    removeToken(seen, { kind: 'param', name: 't' });
    expect(seen.path).toBe('/x');
  });
});

describe('a path for logs', () => {
  it.each([
    ['/x', '/x'],
    ['/t=1', '/t=1'],
    ['/x?t=secret', '/x?t=[redacted]'],
    ['/x?a=b&%74=secret&t&c=t', '/x?a=b&t=[redacted]&t=[redacted]&c=t'],
    ['/x?u=secret', '/x?u=[redacted]'],
  ])('%s shows no token: %s', (path, shown) => {
    expect(redactTokens(path, new Set(['t', 'u']))).toBe(shown);
  });
});
