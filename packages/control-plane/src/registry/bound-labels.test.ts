import { describe, expect, it } from 'vitest';
import { labelProblem } from './bound-labels.ts';

const BOUND = { app: 'web', version: 'v1' };

describe('a node whose token is bound to app=web,version=v1', () => {
  const problem = (labels: Readonly<Record<string, string>>): string | undefined => labelProblem({ labels, serviceAccount: 'shop' }, BOUND);

  it.each([
    ['its labels', {}],
    ['what the platform adds', { 'security.istio.io/tlsMode': 'istio', 'istio-locality': 'a.b.c', 'topology.istio.io/subzone': 'x' }],
    ['the names that follow from them', { 'service.istio.io/canonical-name': 'web', 'service.istio.io/canonical-revision': 'v1' }],
    ['the name of its account', { 'service.istio.io/canonical-name': 'shop', 'service.istio.io/canonical-revision': 'latest' }],
  ])('may have %s', (_what, more) => {
    expect(problem({ ...BOUND, ...more })).toBeUndefined();
  });

  it.each([
    ['another value', { ...BOUND, version: 'v2' }, 'the token is bound to label version=v1, the node says v2'],
    ['less', { app: 'web' }, 'the token is bound to label version=v1, the node says none'],
    ['more', { ...BOUND, role: 'admin' }, 'role=admin is none of them'],
    ['the name of another service', { ...BOUND, 'service.istio.io/canonical-name': 'pay' }, 'canonical-name=pay is none of them'],
  ])('may not have %s', (_what, labels, reason) => {
    expect(problem(labels)).toContain(reason);
  });

  it('bound to none may have none', () => {
    expect(labelProblem({ labels: { app: 'web' }, serviceAccount: 'web' }, {})).toContain('app=web is none of them');
  });
});
