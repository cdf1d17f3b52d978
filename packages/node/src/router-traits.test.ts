import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { routerTraits } from './router-traits.ts';

const EXPRESS = { ignoreCase: true, ignoreTrailingSlash: true, mergeSlashes: true };
const STRICT = { ignoreCase: false, ignoreTrailingSlash: false, mergeSlashes: false, semicolons: false };
const method = (): void => {};

/** A function with what tells an app of Express. */
function express(missing?: 'handle' | 'set' | 'enabled'): () => void {
  return Object.assign(() => {}, { handle: method, set: method, enabled: method, ...(missing === undefined ? {} : { [missing]: true }) });
}

// Real apps of both are in the attack corpus (test/security).
describe('how a router reads paths', () => {
  it('is known of an app of Express, also as the listener of a server among others', () => {
    expect(routerTraits(express())).toEqual(EXPRESS);
    expect(routerTraits(createServer(express()))).toEqual(EXPRESS);
    expect(routerTraits(createServer(method).on('request', express()))).toEqual(EXPRESS);
  });

  it.each<[what: string, app: unknown]>([
    ['any function', method],
    ['a function with a part of what Express has: no handle', express('handle')],
    ['no set', express('set')],
    ['no enabled', express('enabled')],
    ['an object with all of that', { handle: method, set: method, enabled: method }],
    ['a server of another app', createServer(method)],
    ['a function with listeners', Object.assign(() => {}, { listeners: () => [express()] })],
    ['an object', {}],
    ['an object whose listeners are none', { listeners: [express()] }],
    ['a configuration that is none', { initialConfig: null }],
    ['another', { initialConfig: 'text' }],
    ['nothing', undefined],
    ['null', null],
    ['a text', 'app'],
  ])('is not known of %s', (_what, app) => {
    expect(routerTraits(app)).toBeUndefined();
  });

  it.each<[config: object, traits: object]>([
    [{}, {}],
    [{ caseSensitive: false }, { ignoreCase: true }],
    [{ caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false, useSemicolonDelimiter: false }, {}],
    [{ ignoreTrailingSlash: true }, { ignoreTrailingSlash: true }],
    [{ ignoreDuplicateSlashes: true }, { mergeSlashes: true }],
    [{ useSemicolonDelimiter: true }, { semicolons: true }],
    [{ routerOptions: { caseSensitive: false } }, { ignoreCase: true }],
    [{ caseSensitive: true, routerOptions: { caseSensitive: false } }, { ignoreCase: true }],
  ])('is what Fastify is told: %j', (initialConfig, traits) => {
    expect(routerTraits({ initialConfig })).toEqual({ ...STRICT, ...traits });
  });
});
