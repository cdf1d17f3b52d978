import { describe, expect, it } from 'vitest';
import { rbacPolicy } from './rule.ts';

const options = { namespace: 'foo', trustDomains: [], tcp: false, allow: true };

describe('a rule', () => {
  it('names trust domains as istiod does: a prefix, or a regex whose star stands for no slash', () => {
    const { principals } = rbacPolicy({ from: [{ source: { trustDomains: ['cluster.local'], notTrustDomains: ['bad*'] } }] }, options)!;
    const text = JSON.stringify(principals);
    expect(text).toContain('"$case":"prefix","value":"spiffe://cluster.local/"');
    expect(text).toContain('"notId"');
    expect(text).toContain('"regex":"spiffe://bad[^/]*/.*"');
  });

  it('may ask for the trust domain under `when`', () => {
    const { principals } = rbacPolicy({ when: [{ key: 'source.trustDomain', values: ['a.b'] }] }, options)!;
    expect(JSON.stringify(principals)).toContain('spiffe://a.b/');
  });

  it.each([
    ['the domain itself', 'cluster.local', ['td', 'old']],
    ['an alias', 'old', ['td', 'old']],
    ['a prefix of one', 'o*', ['td', 'old']],
    ['another domain', 'far', ['far']],
  ])('names in a principal every trust domain for %s', (_what, domain, expected) => {
    const aliased = { ...options, trustDomains: ['td', 'old'] };
    const text = JSON.stringify(rbacPolicy({ from: [{ source: { principals: [`${domain}/ns/a/sa/b`] } }] }, aliased));
    expect([...text.matchAll(/spiffe:\/\/([^/]+)\/ns/g)].map(([, name]) => name)).toEqual(expected);
  });

  it('takes a trust domain of the mesh for all of them', () => {
    const aliased = { ...options, trustDomains: ['td', 'old'] };
    const text = JSON.stringify(rbacPolicy({ from: [{ source: { trustDomains: ['old', 'far'] } }] }, aliased));
    expect([...text.matchAll(/spiffe:\/\/([^/]+)\//g)].map(([, name]) => name)).toEqual(['td', 'old', 'far']);
  });
});
