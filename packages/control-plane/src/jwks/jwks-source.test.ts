import { parseDocuments } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { jwksSourceOf, jwksSources } from './jwks-source.ts';

const URI = 'https://issuer.test/keys';

describe('where the keys of a token issuer are', () => {
  it.each<[rule: object, source: object | undefined]>([
    [{ jwksUri: URI }, { key: URI, uri: URI, timeoutMs: 5_000 }],
    [{ jwks_uri: URI }, { key: URI, uri: URI, timeoutMs: 5_000 }],
    [{ jwks: '' }, { key: 'discover me', uri: undefined, timeoutMs: 5_000 }],
    [
      { jwksUri: URI, timeout: '2s' },
      { key: URI, uri: URI, timeoutMs: 2_000 },
    ],
    [
      { jwksUri: URI, timeout: '1h' },
      { key: URI, uri: URI, timeoutMs: 30_000 },
    ],
    [{ jwks: '{"keys":[]}', jwksUri: URI }, undefined],
  ])('of the rule %j is %j', (rule, source) => {
    expect(jwksSourceOf({ issuer: 'me', ...rule })).toEqual(source && { issuer: 'me', ...source });
  });

  it('is collected from every document, each place once, the first to name it', () => {
    const document = (name: string, ...jwtRules: object[]): string =>
      JSON.stringify({
        apiVersion: 'security.istio.io/v1',
        kind: 'RequestAuthentication',
        metadata: { name, namespace: 'default' },
        spec: jwtRules.length === 0 ? {} : { jwtRules },
      });
    const other = '{"apiVersion":"v1","kind":"Service","metadata":{"name":"s","namespace":"default"},"spec":{"jwtRules":[{"issuer":"x"}]}}';
    const text = [
      document('a', { issuer: 'first', jwksUri: URI }, { issuer: 'inline', jwks: '{"keys":[]}' }),
      document('none'),
      document('b', { issuer: 'second', jwksUri: URI }, { issuer: 'https://found.test' }),
      other,
    ].join('\n---\n');
    const { objects } = parseDocuments(text, { file: 'a.yaml' });
    expect([...jwksSources(objects).values()].map(({ key, issuer }) => [key, issuer])).toEqual([
      [URI, 'first'],
      ['discover https://found.test', 'https://found.test'],
    ]);
  });
});
