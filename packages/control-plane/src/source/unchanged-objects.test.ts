import { parseDocuments } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { unchangedObjects } from './unchanged-objects.ts';

const service = (name: string, port: number): string => `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ port: ${port} }] }
`;
const list = (...names: string[]): string => `apiVersion: v1
kind: List
items:
${names.map((name) => `  - apiVersion: v1\n    kind: Service\n    metadata:\n      name: ${name}\n`).join('')}`;

/** Names of the objects that are the same as before. */
function same(oldText: string, text: string): string[] {
  const before = { text: oldText, objects: parseDocuments(oldText, { file: 'f' }).objects };
  const objects = unchangedObjects(parseDocuments(text, { file: 'f' }).objects, text, before);
  return objects.filter((object) => before.objects.includes(object)).map(({ metadata }) => metadata.name);
}

describe('objects of a file that is read again', () => {
  it.each([
    ['of which one changes', `${service('a', 1)}---\n${service('b', 2)}`, `${service('a', 1)}---\n${service('b', 3)}`, ['a']],
    ['of which the first changes', `${service('a', 1)}---\n${service('b', 2)}`, `${service('a', 9)}---\n${service('b', 2)}`, ['b']],
    ['that moves down a line', service('a', 1), `# first\n${service('a', 1)}`, []],
    ['to which one is added', service('a', 1), `${service('a', 1)}---\n${service('b', 2)}`, []],
    ['from which the last is taken', `${service('a', 1)}---\n${service('b', 2)}`, `${service('a', 1)}---\n`, []],
    ['that is a list', list('a', 'b', 'c'), list('a', 'x', 'c'), ['a', 'c']],
    ['whose list item grows', list('a', 'b'), list('a', 'b').replace('name: a\n', 'name: a\n      labels: { x: y }\n'), []],
    ['with anchors', `x: &p 1\n${service('a', 1)}`, `x: &p 2\n${service('a', 1)}`, []],
  ])('are the same where their lines are: a file %s', (_what, before, after, expected) => {
    expect(same(before, after)).toEqual(expected);
  });

  it('are not taken from a list whose item was longer before', () => {
    const longer = list('a', 'b').replace('name: b\n', 'name: b\n      labels: { x: y }\n');
    expect(same(longer, list('a', 'b'))).toEqual(['a']);
    expect(
      same(
        list('a', 'b', 'c'),
        list('a', 'b', 'c').replace(/ {2}- apiVersion: v1\n {4}kind: Service\n {4}metadata:\n {6}name: b\n/, '    other: 1\n#\n#\n#\n'),
      ),
    ).toEqual(['c']);
  });
});
