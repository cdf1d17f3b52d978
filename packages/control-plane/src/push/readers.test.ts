import { parseDocuments } from '@ripstop/istio-api';
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL } from '@ripstop/xds-api';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { NodeResults } from '../ads/node-results.ts';
import { instance, service, sidecar } from '../testing/mesh.ts';
import { Made } from './made.ts';
import { PushContext } from './push-context.ts';

const SERVICES = Array.from({ length: 100 }, (_, index) => `app-${index}`);
const { objects } = parseDocuments(SERVICES.map((name) => service(name)).join(''), { file: 'mesh.yaml' });
const nameOf = (app: string): string => `outbound|80||${app}.default.svc.cluster.local`;
const NAMES = new Set(SERVICES.map(nameOf));

function pushed(address: string, before?: PushContext, more: typeof objects = []): PushContext {
  return new PushContext({ objects: [...objects, ...more], workloads: [instance('app-1', address)] }, before);
}

/** A client that has everything of the push. */
function client(push: PushContext): NodeResults {
  const results = new NodeResults(sidecar());
  results.whole(CLUSTER_TYPE_URL, push, []);
  results.named(ENDPOINT_TYPE_URL, push, NAMES);
  return results;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a change of endpoints', () => {
  it('is looked for where somebody has looked at them, however many results there are', () => {
    const first = pushed('10.0.0.1');
    const results = client(first);
    const second = pushed('10.0.0.2', first);
    const asked = vi.spyOn(Made.prototype, 'holds');
    expect(results.changed(ENDPOINT_TYPE_URL, second, first)).toEqual(new Set([nameOf('app-1')]));
    expect(asked.mock.calls.length).toBeLessThan(10);
  });

  it('is seen push after push, also where nobody asked about it in between', () => {
    const first = pushed('10.0.0.1');
    const [a, b] = [client(first), client(first)];
    const second = pushed('10.0.0.2', first);
    const [before] = a.named(ENDPOINT_TYPE_URL, second, new Set([nameOf('app-1')]));
    const third = pushed('10.0.0.3', second);
    const fourth = pushed('10.0.0.4', third);
    expect(b.changed(ENDPOINT_TYPE_URL, fourth, third)).toEqual(new Set([nameOf('app-1')]));
    const [after] = a.named(ENDPOINT_TYPE_URL, fourth, new Set([nameOf('app-1')]));
    expect(after!.version).not.toBe(before!.version);
  });

  it('with something else that changed has everybody look for himself', () => {
    const first = pushed('10.0.0.1');
    const results = client(first);
    const more = parseDocuments(service('new'), { file: 'new.yaml' }).objects;
    const second = pushed('10.0.0.2', first, more);
    const asked = vi.spyOn(Made.prototype, 'holds');
    expect(results.changed(ENDPOINT_TYPE_URL, second, first)).toEqual(new Set([nameOf('app-1')]));
    expect(asked.mock.calls.length).toBeGreaterThan(SERVICES.length);
  });

  it('leaves those who were not told of it with what they knew, so that they look at no more than what changed next', () => {
    const first = pushed('10.0.0.1');
    const results = client(first);
    const second = pushed('10.0.0.2', first);
    results.changed(ENDPOINT_TYPE_URL, second, first);
    results.named(ENDPOINT_TYPE_URL, second, new Set([nameOf('app-1')]));
    const more = parseDocuments(service('new'), { file: 'new.yaml' }).objects;
    const third = pushed('10.0.0.2', second, more);
    const looked = vi.spyOn(third, 'endpoints');
    expect(results.changed(ENDPOINT_TYPE_URL, third, second)).toEqual(new Set());
    expect(looked.mock.calls.length).toBeLessThan(10);
  });

  it('reaches those whose results were made of shared ones that nobody else has asked about for long', () => {
    let push = pushed('10.0.0.1');
    const results = client(push);
    for (let step = 0; step < 100; step++) {
      const next = pushed(`10.0.1.${step}`, push);
      expect(results.changed(ENDPOINT_TYPE_URL, next, push)).toEqual(new Set([nameOf('app-1')]));
      results.named(ENDPOINT_TYPE_URL, next, new Set([nameOf('app-1')]));
      push = next;
    }
    const fresh = client(pushed('10.0.1.99')).named(ENDPOINT_TYPE_URL, pushed('10.0.1.99'), NAMES);
    const versions = (list: readonly { readonly version: string }[]): string[] => list.map(({ version }) => version);
    expect(versions(results.named(ENDPOINT_TYPE_URL, push, NAMES))).toEqual(versions(fresh));
  });
});

describe('a client that asked while others were a push further', () => {
  it('is told of everything in the next push: nobody remembers what it was given', () => {
    const first = pushed('10.0.0.1');
    const early = new NodeResults(sidecar());
    const [one, other] = [new Set([nameOf('app-1')]), new Set([nameOf('app-2')])];
    early.named(ENDPOINT_TYPE_URL, first, other);
    const second = pushed('10.0.0.2', first);
    early.named(ENDPOINT_TYPE_URL, second, other);
    const late = new NodeResults(sidecar());
    late.named(ENDPOINT_TYPE_URL, first, one);
    expect(late.changed(ENDPOINT_TYPE_URL, second, first)).toBeUndefined();
    late.named(ENDPOINT_TYPE_URL, second, one);
    expect(late.changed(ENDPOINT_TYPE_URL, pushed('10.0.0.3', second), second)).toEqual(one);
  });
});
