import { wildcardsOf } from '../model/address-families.ts';
import { NOWHERE } from '../model/locality-label.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { SETTINGS_METADATA } from '../push/proxy-settings.ts';
import type { PushContext } from '../push/push-context.ts';
import type { InboundPort } from './inbound-ports.ts';

interface Replicas {
  readonly named: ProxyNode;
  readonly unnamed: ProxyNode;
}

const replicas = new WeakMap<ProxyNode, Replicas>();
const keys = new WeakMap<ProxyNode, string>();

/** A node, and what it serves. */
interface Server {
  readonly node: ProxyNode;
  readonly push: PushContext;
  readonly ports: readonly InboundPort[];
}

/** What all replicas of a workload have that serve the same: made once, of a node without what tells one replica from another. */
export function ofReplicas<T>(kind: string, { node, push, ports }: Server, make: (replica: ProxyNode) => T): T {
  const replica = anyReplica(node, push);
  const view = `${kind} ${keyOf(replica)} ${JSON.stringify(ports.map(portKey))}`;
  const documents = ports.flatMap(({ services, ingress }) => [...services, ingress?.sidecar]);
  return push.shared.get(push.scopeFor(node), view, '', () => make(replica), documents);
}

/** Only a Pod with settings of its own keeps its name. */
function anyReplica(node: ProxyNode, push: PushContext): ProxyNode {
  let known = replicas.get(node);
  if (known === undefined) {
    const unnamed = replicaOf(node);
    known = { unnamed, named: { ...unnamed, name: node.name } };
    replicas.set(node, known);
  }
  return push.annotatedProxies.has(`Pod ${node.namespace}/${node.name}`) ? known.named : known.unnamed;
}

function keyOf(replica: ProxyNode): string {
  let key = keys.get(replica);
  if (key === undefined) {
    key = JSON.stringify({ ...replica, labels: Object.entries(replica.labels).sort() });
    keys.set(replica, key);
  }
  return key;
}

/** Documents by name: another one of the same name takes the place of what was made of the one before. */
function portKey({ services, ingress, ...port }: InboundPort): unknown {
  const own = ingress === undefined ? null : { ...ingress, sidecar: ingress.sidecar.metadata.name };
  return [port, own, ...services.map(({ hostname, namespace, name }) => [hostname, namespace, name])];
}

/** Its addresses are the wildcards of its families. */
function replicaOf({
  dialect,
  namespace,
  serviceAccount,
  labels,
  clusterId,
  workloadName,
  meshId,
  ripstop,
  verified,
  ...node
}: ProxyNode): ProxyNode {
  return {
    id: '',
    dialect,
    name: '',
    namespace,
    serviceAccount,
    ipAddresses: wildcardsOf({ ipAddresses: node.ipAddresses, ripstop }),
    labels,
    clusterId,
    workloadName,
    meshId,
    locality: NOWHERE,
    ripstop,
    verified,
    metadata: Object.fromEntries(
      SETTINGS_METADATA.flatMap((name) => (node.metadata[name] === undefined ? [] : [[name, node.metadata[name]]])),
    ),
  };
}
