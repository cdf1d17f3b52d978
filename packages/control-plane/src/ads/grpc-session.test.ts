import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { FakeScheduler } from '../testing/fake-scheduler.ts';
import { grpcNode } from '../testing/grpc-node.ts';
import { instance, pushOf, service } from '../testing/mesh.ts';
import type { SessionResponse } from './session-messages.ts';
import { XdsSession } from './xds-session.ts';

const WEB = 'outbound|80||web.default.svc.cluster.local';
const LEAST_REQUEST = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web, namespace: default }
spec: { host: web, trafficPolicy: { loadBalancer: { simple: LEAST_REQUEST } } }
`;

function started(library: string) {
  const sent: SessionResponse[] = [];
  const push = pushOf(service('web') + service('cart') + LEAST_REQUEST, [instance('web', '10.0.0.5')]);
  const session = new XdsSession({
    node: grpcNode(library),
    push,
    scheduler: new FakeScheduler(),
    stateOfTheWorld: true,
    send: (response) => sent.push(response),
    onRefused: () => {},
    onProblem: (_typeUrl, error) => {
      throw error;
    },
  });
  const ask = (typeUrl: string, subscribe: readonly string[], nonce = ''): string[] => {
    session.request({ typeUrl, subscribe, unsubscribe: [], initialVersions: {}, nonce, error: undefined });
    return sent.at(-1)!.all.map(({ name }) => name);
  };
  return { session, sent, ask };
}

describe('an xDS session of a gRPC library', () => {
  it('answers with what is asked for by name, of every type', () => {
    const { ask } = started('gRPC Go');
    expect(ask(LISTENER_TYPE_URL, ['web.default.svc.cluster.local:80'])).toEqual(['web.default.svc.cluster.local:80']);
    expect(ask(ROUTE_TYPE_URL, [WEB])).toEqual([WEB]);
    expect(ask(CLUSTER_TYPE_URL, [WEB])).toEqual([WEB]);
    expect(ask(ENDPOINT_TYPE_URL, [WEB])).toEqual([WEB]);
  });

  it('keeps in a later answer what was asked for before, and says what does not exist', () => {
    const { ask, sent } = started('gRPC Go');
    ask(LISTENER_TYPE_URL, ['web:80']);
    expect(ask(LISTENER_TYPE_URL, ['cart:80'], sent.at(-1)!.nonce)).toEqual(['web:80', 'cart:80']);
    expect(ask(LISTENER_TYPE_URL, ['nobody:80'], sent.at(-1)!.nonce)).toEqual(['web:80', 'cart:80']);
    expect(sent.at(-1)!.removed).toEqual(['nobody:80']);
  });

  it.each([
    ['gRPC Go', []],
    ['gRPC Node Pure JS', [{ resource: WEB, text: 'loadBalancer: the client has no LEAST_REQUEST; it gets ROUND_ROBIN' }]],
  ])('knows what the library does otherwise: %s', (library, notes) => {
    const { session, ask } = started(library);
    expect(session.notes).toEqual([]);
    ask(CLUSTER_TYPE_URL, [WEB]);
    expect(session.notes).toEqual(notes);
  });
});
