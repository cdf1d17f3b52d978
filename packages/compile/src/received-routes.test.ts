import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RouteConfiguration } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { ReceivedRoutes } from './received-routes.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const MESSAGE = RouteConfiguration.fromPartial({
  name: '80',
  virtualHosts: [
    { name: 'a', domains: ['a.test'], routes: [{ name: 'first', match: { pathSpecifier: { $case: 'prefix', value: '/' } } }] },
  ],
});
const BODY = RouteConfiguration.encode(MESSAGE).finish();

function received(body: Uint8Array): { routes: ReceivedRoutes; first: WeakRef<RouteConfiguration> } {
  const message = RouteConfiguration.decode(body);
  return { routes: new ReceivedRoutes(body, message), first: new WeakRef(message) };
}

describe('routes that have come', () => {
  it('are the decoded message while it is there', () => {
    const { routes, first } = received(BODY);
    expect(routes.message).toBe(first.deref());
    expect(routes.onDemand).toBe(false);
  });

  it('do not keep the message, and decode it anew', async () => {
    const { routes, first } = received(BODY);
    for (let round = 0; round < 10 && first.deref() !== undefined; round++) {
      await turn();
      collect();
    }
    expect(first.deref()).toBeUndefined();
    expect(routes.message).toEqual(RouteConfiguration.decode(BODY));
    expect(routes.message).toBe(routes.message);
  });

  it('know whether their hosts come one by one', () => {
    const body = RouteConfiguration.encode(RouteConfiguration.fromPartial({ name: 'r', vhds: {} })).finish();
    expect(received(body).routes.onDemand).toBe(true);
  });
});
