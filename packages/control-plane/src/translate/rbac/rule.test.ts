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
});
