import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pushOf, service } from '../testing/mesh.ts';
import { SelectorIndex } from './selector-index.ts';
import { type MeshService, selects } from './service.ts';

const [template] = pushOf(service('cart'), []).services as [MeshService];
const labels = fc.dictionary(fc.constantFrom('app', 'version', 'tier'), fc.constantFrom('a', 'b'));
const services = fc.array(fc.tuple(labels, fc.constantFrom('default', 'shop')), { maxLength: 12 });

describe('services of a workload', () => {
  it('are those of its namespace with a selector that takes it, in their order', () => {
    fc.assert(
      fc.property(services, labels, (made, workload) => {
        const all = made.map(([selector, namespace], at): MeshService => ({ ...template, name: `s${at}`, selector, namespace }));
        const wanted = all.filter(
          ({ selector = {}, namespace }) => Object.keys(selector).length > 0 && namespace === 'default' && selects(selector, workload),
        );
        expect(new SelectorIndex(all).of('default', workload)).toEqual(wanted);
      }),
    );
  });
});
