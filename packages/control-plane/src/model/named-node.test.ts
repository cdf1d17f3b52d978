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

  it.each<[string, Record<string, string>, string]>([
    ['the place that it is at', {}, 'r1/z1/'],
    ['istio-locality before that', { 'istio-locality': 'r2.z2.s2' }, 'r2/z2/s2'],
    ['istio-locality with slashes', { 'istio-locality': 'r2/z2.5' }, 'r2/z2.5/'],
    ['topology.istio.io/locality before that', { 'istio-locality': 'r2.z2.s2', 'topology.istio.io/locality': 'r5.z5' }, 'r5/z5/'],
    ['its topology before all', { 'istio-locality': 'r2.z2.s2', 'topology.kubernetes.io/region': 'r3' }, 'r3//'],
    ['its subzone alone', { 'topology.istio.io/subzone': 's4' }, 'r1/z1/s4'],
    ['a subzone of another kind', { 'istio-locality': 'r2.z2.s2', 'topology.istio.io/subzone': 's4' }, 'r2/z2/s2'],
    ['its zone and region', { 'topology.kubernetes.io/region': 'r3', 'topology.kubernetes.io/zone': 'z3' }, 'r3/z3/'],
  ])('a node stands where its labels say, as by istiod: %s', (_what, labels, place) => {
    const text = JSON.stringify([{ Name: 'reviews', ID, Metadata: { LABELS: labels }, Locality: { Region: 'r1', Zone: 'z1' } }]);
    const { region, zone, subZone } = parseNodes(text, 'nodes.json')[0]!.node.locality;
    expect([region, zone, subZone].join('/')).toBe(place);
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
