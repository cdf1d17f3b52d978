import { CLUSTER_TYPE_URL, Cluster, DeltaDiscoveryResponse, DiscoveryResponse } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { FakeScheduler } from '../testing/fake-scheduler.ts';
import { packed } from '../translate/resource.ts';
import type { SessionResponse } from './session-messages.ts';
import { SharedBodies } from './shared-bodies.ts';
import { deltaMessage, PREFIX_BYTES, sotwMessage, type WireMessage } from './wire.ts';

function clusters(count: number): SessionResponse['changed'] {
  return Array.from({ length: count }, (_, at) => {
    const name = `outbound|80||service-${at}.default.svc.cluster.local`;
    return packed({ typeUrl: CLUSTER_TYPE_URL, name, message: Cluster.fromPartial({ name, altStatName: `${name};` }) });
  });
}

function responseOf(changed: SessionResponse['changed'], nonce = '7'): SessionResponse {
  return { typeUrl: CLUSTER_TYPE_URL, nonce, version: 'v1', changed, all: changed, removed: ['gone'] };
}

function bytes({ head, body }: WireMessage): Buffer {
  return Buffer.concat([head.subarray(PREFIX_BYTES), ...(body === undefined ? [] : [body])]);
}

describe.each([1, 500])('a response of %d resources', (count) => {
  const bodies = new SharedBodies(new FakeScheduler());
  const changed = clusters(count);

  it('reads as a delta response', () => {
    const message = DeltaDiscoveryResponse.decode(bytes(deltaMessage(responseOf(changed), bodies)));
    expect(message).toMatchObject({ typeUrl: CLUSTER_TYPE_URL, nonce: '7', systemVersionInfo: 'v1', removedResources: ['gone'] });
    expect(message.resources.map(({ name, version }) => ({ name, version }))).toEqual(
      changed.map(({ name, version }) => ({ name, version })),
    );
    expect(Cluster.decode(message.resources.at(-1)!.resource!.value).name).toBe(changed.at(-1)!.name);
  });

  it('reads as a response of the state of the world', () => {
    const message = DiscoveryResponse.decode(bytes(sotwMessage(responseOf(changed), bodies)));
    expect(message).toMatchObject({ typeUrl: CLUSTER_TYPE_URL, nonce: '7', versionInfo: 'v1' });
    expect(message.resources.map(({ value }) => Cluster.decode(value).name)).toEqual(changed.map(({ name }) => name));
  });
});

describe('a response that says the same as the one before', () => {
  const bodies = new SharedBodies(new FakeScheduler());
  const changed = clusters(1);
  const first = deltaMessage({ ...responseOf(changed), removed: [] }, bodies);

  it('is the same message', () => {
    expect(deltaMessage({ ...responseOf(changed), removed: [] }, bodies)).toBe(first);
  });

  it.each([{ nonce: '8' }, { version: 'v2' }, { removed: ['gone'] }, { changed: clusters(1) }, { typeUrl: 'type.googleapis.com/another' }])(
    'and is not when it differs in $0',
    (other) => {
      const response = { ...responseOf(changed), removed: [], ...other };
      const message = deltaMessage(response, bodies);
      expect(message).not.toBe(first);
      expect(DeltaDiscoveryResponse.decode(bytes(message))).toMatchObject({
        nonce: response.nonce,
        systemVersionInfo: response.version,
        removedResources: response.removed,
      });
      deltaMessage({ ...responseOf(changed), removed: [] }, bodies);
    },
  );
});

describe('large responses', () => {
  it('have their resources in one buffer for everybody who is sent the same, told by content', () => {
    const bodies = new SharedBodies(new FakeScheduler());
    const first = deltaMessage(responseOf(clusters(500), '1'), bodies);
    const second = deltaMessage(responseOf(clusters(500), '2'), bodies);
    expect(first.body).toBeDefined();
    expect(second.body).toBe(first.body);
    expect(deltaMessage(responseOf(clusters(499)), bodies).body).not.toBe(first.body);
  });

  it('are forgotten when nobody has asked for them for a while', () => {
    const scheduler = new FakeScheduler();
    const bodies = new SharedBodies(scheduler);
    const { body } = deltaMessage(responseOf(clusters(500)), bodies);
    scheduler.advance(3_000);
    expect(deltaMessage(responseOf(clusters(500)), bodies).body).toBe(body);
    for (let second = 0; second < 6; second++) scheduler.advance(1_000);
    expect(deltaMessage(responseOf(clusters(500)), bodies).body).not.toBe(body);
  });
});
