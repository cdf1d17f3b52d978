import { describe, expect, it } from 'vitest';
import { parseNodes } from './named-node.ts';

const ID = 'sidecar~10.0.0.6~reviews-v1-1.shop~shop.svc.cluster.local';

describe('a nodes file', () => {
  it('names nodes and says where they stand', () => {
    const text = JSON.stringify([
      { Name: 'reviews', ID, Metadata: { LABELS: { app: 'reviews' } }, Locality: { Region: 'r1', Zone: 'z1' } },
    ]);
    const [entry] = parseNodes(text, 'nodes.json');
    expect(entry).toMatchObject({
      name: 'reviews',
      node: { id: ID, namespace: 'shop', labels: { app: 'reviews' }, locality: { region: 'r1', zone: 'z1', subZone: '' } },
    });
  });

  it.each([
    ['{', /^nodes\.json is not JSON/],
    ['{}', /^nodes\.json: give a JSON array/],
    ['[1]', /^nodes\.json: \[0\]: a node is an object/],
    [`[{"ID":"${ID}"}]`, /^nodes\.json: \[0\]\.Name must be a string/],
    ['[{"Name":"a"}]', /^nodes\.json: \[0\] a: ID must be a string/],
    ['[{"Name":"a","ID":"sidecar~1"}]', /^nodes\.json: \[0\] a: node id "sidecar~1" is not <type>/],
    [`[{"Name":"a","ID":"${ID}"},{"Name":"a","ID":"${ID}"}]`, /^nodes\.json: \[1\]\.Name: "a" is there twice/],
  ])('%s is refused with the place', (text, message) => {
    expect(() => parseNodes(text, 'nodes.json')).toThrow(message);
  });
});
