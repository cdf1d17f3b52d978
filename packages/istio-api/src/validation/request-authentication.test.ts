import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { formatFinding } from '../object.ts';
import { parseDocuments } from '../parse.ts';
import { validateObject } from '../validate.ts';

function findings(rule: string): string[] {
  const text = `apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: { name: x }\nspec: { jwtRules: [${rule}] }`;
  const { objects, findings: problems } = parseDocuments(text, { file: 'a.yaml' });
  return [...problems, ...objects.flatMap(validateObject)].map(formatFinding);
}
const key = (bits: number): object => generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' });
const jwks = (...keys: readonly object[]): string => `{ issuer: a, jwks: '${JSON.stringify({ keys })}' }`;

describe('RequestAuthentication', () => {
  it.each([
    ['keys of its own', jwks(key(2048))],
    ['keys of its own, one of which cannot be read', jwks({ kty: 'RSA', n: '!' }, key(2048))],
    ['a URL', '{ issuer: a, jwksUri: "https://a.test/keys" }'],
    ['discovery', '{ issuer: "https://a.test" }'],
    [
      'everything',
      '{ issuer: a, audiences: [b], jwksUri: "http://a", fromHeaders: [{ name: x-a, prefix: "T " }], fromParams: [p], fromCookies: [c], outputPayloadToHeader: x-p, outputClaimToHeaders: [{ header: x-c, claim: a.b }], forwardOriginalToken: true, timeout: 1s, spaceDelimitedClaims: [r] }',
    ],
  ])('is used with %s', (_what, rule) => {
    expect(findings(rule)).toEqual([]);
  });

  it.each([
    ['no issuer', '{ jwksUri: "https://a" }', 'spec.jwtRules[0].issuer: Required value: issuer must be given'],
    ['an empty issuer', '{ issuer: "" }', 'spec.jwtRules[0].issuer in body should be at least 1 chars long'],
    ['two sources of keys', '{ issuer: a, jwksUri: "https://a", jwks: "{}" }', 'only one of jwks or jwksUri can be set'],
    ['an empty audience', '{ issuer: a, audiences: [""] }', 'spec.jwtRules[0].audiences[0] in body should be at least 1 chars long'],
    ['an empty parameter', '{ issuer: a, fromParams: [""] }', 'fromParams[0] in body should be at least 1 chars long'],
    ['an empty cookie', '{ issuer: a, fromCookies: [""] }', 'fromCookies[0] in body should be at least 1 chars long'],
    ['an empty claim', '{ issuer: a, spaceDelimitedClaims: [""] }', 'spaceDelimitedClaims[0] in body should be at least 1 chars long'],
    ['a URL without scheme', '{ issuer: a, jwksUri: "a/keys" }', 'url must have scheme http:// or https://'],
    ['a file', '{ issuer: a, jwksUri: "file:///keys" }', '"file:///keys": url must have scheme http:// or https://'],
    ['a URL that is none', '{ issuer: a, jwksUri: "http://" }', 'jwksUri: this is no URL'],
    ['a URL with a password', '{ issuer: a, jwks_uri: "https://a:b@c" }', 'needs no user and no password'],
    ['a header without a name', '{ issuer: a, fromHeaders: [{ prefix: b }] }', 'fromHeaders[0].name: Required value'],
    [
      'a header with an empty name',
      '{ issuer: a, fromHeaders: [{ name: "" }] }',
      'fromHeaders[0].name in body should be at least 1 chars long',
    ],
    [
      'a pseudo header',
      '{ issuer: a, outputClaimToHeaders: [{ header: ":authority", claim: b }] }',
      '":authority": spec.jwtRules[0].outputClaimToHeaders[0].header in body should match',
    ],
    ['a payload header that is none', '{ issuer: a, outputPayloadToHeader: "a b" }', '"a b" is no name of a header'],
    [
      'a claim without a name',
      '{ issuer: a, outputClaimToHeaders: [{ header: b, claim: "" }] }',
      'claim in body should be at least 1 chars long',
    ],
    ['keys that are no JSON', "{ issuer: a, jwks: 'x' }", 'jwks: this key set cannot be used: it is no JSON'],
    ['keys that are a list', "{ issuer: a, jwks: '[]' }", 'it is no JSON object'],
    ['keys without keys', "{ issuer: a, jwks: '{}' }", 'it has no "keys"'],
    ['keys of another type', `{ issuer: a, jwks: '{"keys":1}' }`, '"keys" is not a list'],
    ['no key', jwks(), 'it holds no public key'],
    ['a short key', jwks(key(1024)), 'it holds no public key'],
    ['a secret', jwks({ kty: 'oct', k: 'c2VjcmV0' }), 'symmetric keys (kty oct) are not used'],
    ['too many', jwks(...Array.from({ length: 101 }, () => ({ kty: 'x' }))), '101 keys are more than 100'],
    ['a timeout that is none', '{ issuer: a, timeout: apple }', '"apple" is no duration'],
  ])('is refused with %s', (_what, rule, expected) => {
    expect(findings(rule).join('\n')).toContain(expected);
  });
});
