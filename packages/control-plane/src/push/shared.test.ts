import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { instance, pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from '../translate/translate.ts';
import type { PushContext } from './push-context.ts';

const CART = 'outbound|80||cart.default.svc.cluster.local';
const labelled = (labels: Readonly<Record<string, string>>, namespace = 'default'): ProxyNode =>
  sidecar('x', namespace, { LABELS: labels });

/** Of which of these types two clients get the very same resources. */
function shared(push: PushContext, a: ProxyNode, b: ProxyNode): string[] {
  const names = { [ENDPOINT_TYPE_URL]: [CART], [ROUTE_TYPE_URL]: ['80'] };
  return [CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, ROUTE_TYPE_URL]
    .filter((typeUrl) => {
      const [first, second] = [a, b].map((node) => translate(typeUrl, node, push, names[typeUrl] ?? []));
      return first!.every((resource, index) => resource === second![index]);
    })
    .map((typeUrl) => typeUrl.split('.').at(-1)!);
}

const ALL = ['Cluster', 'ClusterLoadAssignment', 'RouteConfiguration'];

describe('clients of one scope', () => {
  const workloads = [instance('cart', '10.0.0.1')];

  it('share what does not depend on them, whatever their labels', () => {
    expect(shared(pushOf(service('cart'), workloads), labelled({ app: 'a' }), labelled({ app: 'b' }))).toEqual(ALL);
  });

  it('share over namespaces what does not name the host in short, and nothing with the push after it', () => {
    const push = pushOf(service('cart'), workloads);
    expect(shared(push, labelled({}), labelled({}, 'shop'))).toEqual(['Cluster', 'ClusterLoadAssignment']);
    const [before] = translate(CLUSTER_TYPE_URL, labelled({}), push, []);
    const [after] = translate(CLUSTER_TYPE_URL, labelled({}), pushOf(service('cart'), workloads), []);
    expect(after).not.toBe(before);
  });

  it('share no clusters and endpoints over namespaces whose rules for the host differ', () => {
    const rule = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: cart }
spec:
  host: cart
  exportTo: ['.']
  trafficPolicy: { loadBalancer: { simple: RANDOM } }
`;
    expect(shared(pushOf(service('cart') + rule, workloads), labelled({}), labelled({}, 'shop'))).toEqual([]);
  });

  it('have routes of their own where a rule asks who the client is', () => {
    const rule = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: cart }
spec:
  hosts: [cart]
  http:
    - match: [{ sourceLabels: { app: a } }]
      redirect: { uri: /a }
    - route: [{ destination: { host: cart } }]
`;
    const push = pushOf(service('cart') + rule, workloads);
    expect(shared(push, labelled({ app: 'a' }), labelled({ app: 'b' }))).toEqual(['Cluster', 'ClusterLoadAssignment']);
  });

  it('have endpoints of their own where near ones are told by labels, or by the place of the client', () => {
    const rule = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: cart }
spec:
  host: cart
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 5 }
    loadBalancer: { localityLbSetting: { failoverPriority: [version] } }
`;
    expect(shared(pushOf(service('cart') + rule, workloads), labelled({ version: 'v1' }), labelled({ version: 'v2' }))).toEqual([
      'RouteConfiguration',
    ]);
    const push = pushOf(service('cart'), workloads);
    expect(shared(push, labelled({ 'istio-locality': 'eu' }), labelled({ 'istio-locality': 'us' }))).toEqual([]);
  });
});
