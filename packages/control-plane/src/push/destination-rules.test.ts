import { describe, expect, it } from 'vitest';
import { pushOf, service } from '../testing/mesh.ts';

const HOST = 'web.default.svc.cluster.local';

/** `name: labels that select, namespace, exportTo`. */
function rule(name: string, { selector = '', namespace = 'default', exportTo = '' } = {}): string {
  const more = `${selector === '' ? '' : `, workloadSelector: { matchLabels: ${selector} }`}${exportTo === '' ? '' : `, exportTo: ${exportTo}`}`;
  return `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { host: ${HOST}, subsets: [{ name: ${name}, labels: { version: v1 } }]${more} }\n`;
}

/** Subsets of the rule that governs a client's calls. */
function subsets(rules: string, client: string, labels: Readonly<Record<string, string>>): string {
  const { destinationRules } = pushOf(service('web') + rules, []);
  return (destinationRules.find(HOST, 'default', client, labels)?.subsets ?? []).map(({ name }) => name).join(' ');
}

describe('a DestinationRule that selects its clients', () => {
  const A = { selector: '{ app: a }' };
  it.each([
    ['governs those that it selects', rule('one', A), 'default', { app: 'a', version: 'v1' }, 'one'],
    ['governs nobody else', rule('one', A), 'default', { app: 'b' }, ''],
    ['stands beside the rule for everybody', rule('one', A) + rule('all'), 'default', { app: 'a' }, 'one'],
    ['leaves the others the rule for everybody', rule('one', A) + rule('all'), 'default', { app: 'b' }, 'all'],
    ['counts before an older one for everybody', rule('all') + rule('one', A), 'default', { app: 'a' }, 'one'],
    ['is for its own namespace, whatever it exports', rule('one', { ...A, exportTo: '["*"]' }), 'shop', { app: 'a' }, ''],
    ['is merged with one that selects the same', rule('one', A) + rule('two', A), 'default', { app: 'a' }, 'one two'],
    ['stays apart from one that selects others', rule('one', A) + rule('two', { selector: '{ app: b }' }), 'default', { app: 'b' }, 'two'],
    ['needs all its labels', rule('one', { selector: '{ app: a, version: v1 }' }), 'default', { app: 'a' }, ''],
    // As istiod does, which shows by its answers: the rule without a selector vanishes.
    ['swallows one of the namespace alone', rule('one', A) + rule('all', { exportTo: '["."]' }), 'default', { app: 'a' }, 'one all'],
    ['hides rules of the service namespace', rule('one', { ...A, namespace: 'shop' }) + rule('all'), 'shop', { app: 'b' }, ''],
  ])('%s', (_what, rules, client, labels, expected) => {
    expect(subsets(rules, client, labels)).toBe(expected);
  });

  it('says nothing about how the workload itself is called', () => {
    const { destinationRules } = pushOf(service('web') + rule('one', A) + rule('all'), []);
    expect(destinationRules.findInbound(HOST, 'default', 'default')?.subsets.map(({ name }) => name)).toEqual(['all']);
  });
});
