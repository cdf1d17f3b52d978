import { describe, expect, it } from 'vitest';
import { parseSubjectAltNames } from './subject-alt-names.ts';

describe('the names of a certificate', () => {
  it.each<[text: string | undefined, uris: readonly string[], dns: readonly string[]]>([
    [undefined, [], []],
    ['', [], []],
    ['URI:spiffe://a/b', ['spiffe://a/b'], []],
    ['DNS:a.test, URI:spiffe://a/b, DNS:*.b.test, IP Address:10.0.0.1', ['spiffe://a/b'], ['a.test', '*.b.test']],
    // An entry with a comma comes as a JSON string: what stands in it is no entry of its own.
    ['DNS:"evil, URI:spiffe://a/b"', [], ['evil, URI:spiffe://a/b']],
    ['URI:"spiffe://a/\\"b\\\\", DNS:c', ['spiffe://a/"b\\'], ['c']],
    ['DNS:a"b"', [], ['a"b"']],
    ['email:URI:spiffe://a/b', [], []],
    ['DirName:DNS:x', [], []],
  ])('%j are the URIs %j and the hosts %j', (text, uris, dns) => {
    expect(parseSubjectAltNames(text)).toEqual({ uris, dns });
  });
});
