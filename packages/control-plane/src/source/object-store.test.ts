import { describe, expect, it } from 'vitest';
import { ObjectStore } from './object-store.ts';

const store = (text: string) => new ObjectStore().update([{ name: 'a.yaml', text }])!;
const policy = (spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: ${spec}`;

describe('the documents in force', () => {
  it('hold what is right and cannot be enforced, so that translation closes what it protects', () => {
    const { objects, findings } = store(policy('{ action: CUSTOM, provider: { name: x }, rules: [{}] }'));
    expect(findings.map(({ code, severity }) => `${severity} ${code}`)).toEqual(['error RIPSTOP_UNENFORCEABLE']);
    expect(objects).toHaveLength(1);
  });

  it('do not hold a document with a mistake; its last good version stays', () => {
    const files = new ObjectStore();
    files.update([{ name: 'a.yaml', text: policy('{ action: DENY, rules: [{}] }') }]);
    const { objects, findings } = files.update([{ name: 'a.yaml', text: policy('{ action: DENY, ruels: [{}] }') }])!;
    expect(findings.map(({ code }) => code)).toContain('RIPSTOP_UNKNOWN_FIELD');
    expect(objects.map(({ spec }) => spec)).toEqual([{ action: 'DENY', rules: [{}] }]);
  });
});
