import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { parseDocuments } from './parse.ts';
import { SyntaxTrees } from './syntax-trees.ts';

const TEXT = `apiVersion: v1
kind: Service
metadata: { name: a }
spec:
  ports: [{ port: 80, name: http }]
---
apiVersion: v1
kind: Service
metadata: { name: b }
spec:
  externalIPs: [2001:db8::]
  ports:
    - { port: 81, name: http }
`;

/** What nobody holds is gone after this. */
async function collect(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  await new Promise((resolve) => setImmediate(resolve));
  gc();
}

describe('positions of a text', () => {
  it('are the same after its trees were let go', async () => {
    const { objects } = parseDocuments(TEXT, { file: 'a.yaml' });
    const paths = [[], ['metadata', 'name'], ['spec', 'ports', 0, 'name'], ['spec', 'externalIPs', 0], ['spec', 'none']];
    const places = () => objects.map((object) => paths.map((path) => object.locate(path)));
    const before = places();
    await collect();
    expect(places()).toEqual(before);
    expect(before[1]![2]).toEqual({ file: 'a.yaml', line: 13, column: 19 });
  });

  it('come from trees that are made again', async () => {
    const trees = new SyntaxTrees(TEXT);
    const first = new WeakRef(trees.all());
    await collect();
    expect(first.deref()).toBeUndefined();
    expect(trees.all().map((document) => document.toJS() as unknown)).toMatchObject([
      { metadata: { name: 'a' } },
      { metadata: { name: 'b' }, spec: { externalIPs: ['2001:db8::'] } },
    ]);
  });
});
