import { parseDocuments } from '@ripstop/istio-api';
import { CLUSTER_TYPE_URL, LISTENER_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { NodeResults } from '../ads/node-results.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { PushContext } from '../push/push-context.ts';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import type { XdsResource } from './resource.ts';
import { translate } from './translate.ts';

const LABELS = { app: 'web' };
const SAID = { LABELS, WORKLOAD_NAME: 'web' };
const DENY = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: nobody }
spec: { selector: { matchLabels: { version: v2 } }, action: DENY, rules: [{}] }
`;
const POD = `---
apiVersion: v1
kind: Pod
metadata:
  name: web-2
  annotations: { proxy.istio.io/config: '{"proxyHeaders": {"server": {"disabled": true}}}' }
spec: { containers: [] }
`;

function replica(name: string, said: Readonly<Record<string, unknown>> = {}, ip = '10.0.0.1'): ProxyNode {
  return sidecar(name, 'default', { ...SAID, INSTANCE_IPS: ip, ...said });
}

/** What a node serves: its clusters and its listeners. */
function served(node: ProxyNode, push: PushContext): XdsResource[] {
  return [CLUSTER_TYPE_URL, LISTENER_TYPE_URL].flatMap((typeUrl) =>
    translate(typeUrl, node, push, []).filter(({ name }) => name.startsWith('inbound|') || name === 'virtualInbound'),
  );
}

/** `bytes`: the same content; `objects`: made once. */
function compared(first: ProxyNode, second: ProxyNode, yaml = service('web')): { readonly bytes: boolean; readonly objects: boolean } {
  const push = pushOf(yaml);
  const [a, b] = [served(first, push), served(second, push)];
  expect(a.map(({ name }) => name)).toEqual(['inbound|80||', 'virtualInbound']);
  const text = (resources: readonly XdsResource[]): string => JSON.stringify(resources.map(({ message }) => message));
  return { bytes: text(a) === text(b), objects: a.every((resource, at) => resource === b[at]) };
}

describe('what the replicas of a workload serve', () => {
  it('is made once for all of them', () => {
    expect(compared(replica('web-1'), replica('web-2', {}, '10.0.0.2'))).toEqual({ bytes: true, objects: true });
  });

  it.each([
    ['labels that a policy selects', { LABELS: { ...LABELS, version: 'v2' } }, DENY],
    ['a ProxyConfig of its own', { PROXY_CONFIG: { proxyHeaders: { server: { disabled: true } } } }, ''],
    ['a ProxyConfig by annotation', {}, POD],
    ['addresses of another family', { INSTANCE_IPS: 'fd00::2' }, ''],
    ['an idle time of its own', { IDLE_TIMEOUT: '7s' }, ''],
  ])('is its own for one with %s', (_what, said, yaml) => {
    expect(compared(replica('web-1'), replica('web-2', said), service('web') + yaml)).toEqual({ bytes: false, objects: false });
  });

  it('is made again when a service of the same name says something else, and kept when another one does', () => {
    const pushed = (yaml: string, before?: PushContext): PushContext =>
      new PushContext({ objects: parseDocuments(yaml, { file: 'mesh.yaml' }).objects, workloads: [] }, before);
    const results = [replica('web-1'), replica('web-2')].map((node) => new NodeResults(node));
    const look = (push: PushContext): (XdsResource | undefined)[] =>
      results.map((result) => result.whole(LISTENER_TYPE_URL, push, []).find(({ name }) => name === 'virtualInbound'));
    const first = pushed(service('web') + service('cart'));
    const [one, other] = look(first);
    expect(other).toBe(one);
    const second = pushed(service('web') + service('cart', { port: 81 }), first);
    expect(look(second)).toEqual([one, one]);
    const third = pushed(service('web').replace('name: http', 'name: tcp') + service('cart', { port: 81 }), second);
    const [changed, likewise] = look(third);
    expect(likewise).toBe(changed);
    expect(changed!.message).not.toEqual(one!.message);
    expect(changed!.message).toEqual(translate(LISTENER_TYPE_URL, replica('web-3'), third, []).at(-1)!.message);
  });
});
