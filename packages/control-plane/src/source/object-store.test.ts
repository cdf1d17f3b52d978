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

  it('hold an object that stands in two files once, and say so for as long as it does', () => {
    const files = new ObjectStore();
    const other = policy('{ action: DENY, rules: [{}] }').replace('name: p', 'name: q');
    const codesOf = (second: string): string[] => {
      const state = files.update([
        { name: 'a.yaml', text: policy('{ action: DENY, rules: [{}] }') },
        { name: 'b.yaml', text: second },
      ])!;
      return [`${state.objects.length}`, ...state.findings.map(({ code }) => code)].filter((code) => !code.startsWith('IST'));
    };
    const same = policy('{ action: ALLOW, rules: [{}] }');
    expect(codesOf(same)).toEqual(['1', 'RIPSTOP_DUPLICATE_OBJECT']);
    expect(codesOf(other)).toEqual(['2']);
    expect(codesOf(`${other}\n---\n${same}`)).toEqual(['2', 'RIPSTOP_DUPLICATE_OBJECT']);
    expect(codesOf('')).toEqual(['1']);
  });
});
