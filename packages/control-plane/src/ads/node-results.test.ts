import { parseDocuments } from '@ripstop/istio-api';
import { ENDPOINT_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { PushContext } from '../push/push-context.ts';
import { instance, service, sidecar } from '../testing/mesh.ts';
import { NodeResults } from './node-results.ts';

const WEB = 'outbound|80||web.default.svc.cluster.local';
const CART = 'outbound|80||cart.default.svc.cluster.local';
const NAMES = new Set([WEB, CART]);
const { objects } = parseDocuments(service('web') + service('cart'), { file: 'mesh.yaml' });

function pushed(address: string, before?: PushContext): PushContext {
  return new PushContext({ objects, workloads: [instance('web', address)] }, before);
}

describe('what is new for a client since the push before', () => {
  const first = pushed('10.0.0.1');
  const [a, b] = [new NodeResults(sidecar('a-0')), new NodeResults(sidecar('b-0'))];
  for (const client of [a, b]) client.named(ENDPOINT_TYPE_URL, first, NAMES);
  const second = pushed('10.0.0.2', first);

  it('is new for the second one too, though the first has had it made again already', () => {
    a.named(ENDPOINT_TYPE_URL, second, NAMES);
    expect(b.changed(ENDPOINT_TYPE_URL, second, first)).toEqual(new Set([WEB]));
  });

  it('is nothing when the result came out the same', () => {
    const third = pushed('10.0.0.2', second);
    a.named(ENDPOINT_TYPE_URL, third, NAMES);
    expect(b.changed(ENDPOINT_TYPE_URL, third, second)).toEqual(new Set());
  });

  it('is not known over two pushes, nor of a push that is not the newest', () => {
    const fourth = pushed('10.0.0.3', pushed('10.0.0.2', second));
    expect(b.changed(ENDPOINT_TYPE_URL, fourth, first)).toBeUndefined();
  });
});
