import { describe, expect, it } from 'vitest';
import { PathBinding, type RouterTraits } from './path-binding.ts';

const ALL: RouterTraits = { ignoreCase: true, ignoreTrailingSlash: true, mergeSlashes: true, semicolons: true };

describe('a path to a router', () => {
  it.each<[traits: RouterTraits, path: string, read: string, folded: string]>([
    [{}, '/A//b;c/', '/A//b;c/', '/A//b;c/'],
    [{ ignoreCase: true }, '/A//b;c/', '/A//b;c/', '/a//b;c/'],
    [{ ignoreTrailingSlash: true }, '/A//b/', '/A//b', '/A//b'],
    [{ ignoreTrailingSlash: true }, '/a///', '/a', '/a'],
    [{ ignoreTrailingSlash: true }, '/a', '/a', '/a'],
    [{ ignoreTrailingSlash: true }, '/', '/', '/'],
    [{ mergeSlashes: true }, '/A//b///', '/A/b/', '/A/b/'],
    [{ semicolons: true }, '/A;x//b', '/A', '/A'],
    [{ semicolons: true }, '/A;x;y', '/A', '/A'],
    [{ ignoreTrailingSlash: true }, '/a/b', '/a/b', '/a/b'],
    [{ ignoreTrailingSlash: true }, '//', '/', '/'],
    [{ ignoreTrailingSlash: true }, 'a/', 'a', 'a'],
    [{}, '/%41%5A%7f%80%ff', '/%41%5A%7f%80%ff', '/AZ\x7f%80%ff'],
    [ALL, '//A//b/;c', '/A/b', '/a/b'],
    [{}, '/a%20b', '/a%20b', '/a b'],
    [{}, '/a%2Fb', '/a%2Fb', '/a%2Fb'],
    [{}, '/%61%c3%a9', '/%61%c3%a9', '/aé'],
    [{}, '/%61%ff%', '/%61%ff%', '/a%ff%'],
  ])('%j: %s is %s, folded %s', (traits, path, read, folded) => {
    const binding = new PathBinding(traits);
    expect(binding.read(path)).toBe(read);
    expect(binding.fold(path)).toBe(folded);
  });

  it('is compared with a slash at its end only where the router does not mind one', () => {
    expect(new PathBinding({}).readings('/a')).toEqual(['/a']);
    expect(new PathBinding({ ignoreTrailingSlash: true }).readings('/a/')).toEqual(['/a', '/a/']);
  });

  it('is compared as its parameters are read as well: once decoded, reserved characters too', () => {
    expect(new PathBinding({}).readings('/users/a%40b%2Fc')).toEqual(['/users/a%40b%2Fc', '/users/a@b/c']);
    expect(new PathBinding({}).readings('/users/a%2540b')).toEqual(['/users/a%40b']);
    expect(new PathBinding({}).readings('/users/a%20b')).toEqual(['/users/a b']);
    expect(new PathBinding({}).readings('/users/%ff%40%')).toEqual(['/users/%ff%40%', '/users/%ff@%']);
    expect(new PathBinding(ALL).readings('/Users/A%40b;x')).toEqual(['/users/a%40b', '/users/a%40b/', '/users/a@b', '/users/a@b/']);
    expect(new PathBinding(ALL).foldParametersPart('/Users/%40/')).toBe('/users/@/');
  });

  it('of a pattern keeps its semicolons where they can only be those of a parameter', () => {
    expect(new PathBinding(ALL).foldParameters('/Users/a;b//')).toBe('/users/a');
    expect(new PathBinding(ALL).foldParametersPattern('/Users//a%40;b//')).toBe('/users/a@;b');
  });

  it('keeps the slash of a part of a pattern', () => {
    expect(new PathBinding(ALL).foldPart('/Admin%20x/')).toBe('/admin x/');
    expect(new PathBinding({}).foldPart('/Admin/')).toBe('/Admin/');
    expect([new PathBinding(ALL).ignoresCase, new PathBinding({}).ignoresCase]).toEqual([true, false]);
  });
});
