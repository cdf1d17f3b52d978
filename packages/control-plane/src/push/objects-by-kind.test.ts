import { type MeshObject, parseDocuments } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { service } from '../testing/mesh.ts';
import { ObjectsByKind } from './objects-by-kind.ts';

const read = (name: string): MeshObject => parseDocuments(service(name), { file: `${name}.yaml` }).objects[0]!;
const namesOf = (kinds: ObjectsByKind): string[] => kinds.of('Service').map(({ metadata }) => metadata.name);

describe('documents by kind', () => {
  const [a, b, c] = [read('a'), read('b'), read('c')];
  const before = new ObjectsByKind([a, b, c]);

  it('have the documents of an edit in their place, in order', () => {
    const again = read('b');
    expect(new ObjectsByKind([a, again, c], before).of('Service')).toEqual([a, again, c]);
    expect(namesOf(new ObjectsByKind([a, read('z'), c], before))).toEqual(['a', 'c', 'z']);
  });

  it('have what came, and have not what went', () => {
    expect(namesOf(new ObjectsByKind([a, c], before))).toEqual(['a', 'c']);
    expect(namesOf(new ObjectsByKind([a, b, c, read('aa')], before))).toEqual(['a', 'aa', 'b', 'c']);
  });

  it('are the same array as before while nothing of the kind changed', () => {
    const other = { ...read('x'), kind: 'Pod' };
    const first = new ObjectsByKind([a, other]);
    const second = new ObjectsByKind([a, { ...other }], first);
    expect(second.of('Service')).toBe(first.of('Service'));
    expect(second.of('Pod')).not.toBe(first.of('Pod'));
  });
});
