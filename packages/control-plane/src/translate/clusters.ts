import { CLUSTER_TYPE_URL, Cluster } from '@ripstop/xds-api';
import type { Caller, ProxyNode } from '../model/proxy-node.ts';
import type { MergedDestinationRule } from '../push/destination-rules.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService } from '../push/service.ts';
import { callerView, viewOf } from '../push/shared.ts';
import type { ClusterFields } from './cluster-policy.ts';
import { comparedLabels } from './endpoints.ts';
import { patchedClusters } from './envoy-filter/clusters.ts';
import { gatewayPorts } from './gateway-servers.ts';
import { ownCluster } from './inbound-cluster.ts';
import { inboundPorts } from './inbound-ports.ts';
import { INBOUND_PASSTHROUGH_CLUSTER, inboundCluster } from './names.ts';
import { outbound } from './outbound-cluster.ts';
import { ofReplicas } from './replica.ts';
import { type PackedResource, type Part, packed, type XdsResource } from './resource.ts';
import { ruledName } from './ruled-name.ts';
import { dynamicDnsOfAnyHost, specialClusters } from './special-clusters.ts';

/** CDS of a node: a cluster per service port and subset, and the special ones; for sidecars the inbound ones. */
export function clusterParts(node: ProxyNode, push: PushContext): Part[] {
  if (node.dialect === 'router') {
    return [
      () => {
        const patches = push.patchesFor(node);
        const clusters = [...plainClusters(node, push), ...sniRoutedClusters(node, push)];
        return patches === undefined ? clusters : patchedClusters(clusters, patches, 'GATEWAY');
      },
    ];
  }
  return [() => outboundOf(node, push), () => inboundOf(node, push)];
}

const isInbound = ({ name }: XdsResource): boolean => name === INBOUND_PASSTHROUGH_CLUSTER;

function outboundOf(node: ProxyNode, push: PushContext): readonly XdsResource[] {
  const patches = push.patchesFor(node);
  const clusters = plainClusters(node, push);
  if (patches === undefined || node.dialect !== 'sidecar') return clusters;
  return patchedClusters(
    clusters.filter((cluster) => !isInbound(cluster)),
    patches,
    'SIDECAR_OUTBOUND',
  );
}

function inboundOf(node: ProxyNode, push: PushContext): readonly XdsResource[] {
  const patches = push.patchesFor(node);
  const ports = node.dialect === 'sidecar' ? inboundPorts(node, push) : [];
  const ours = ofReplicas('inbound CDS', { node, push, ports }, (replica) =>
    ports.map((port) => packed(resource(ownCluster(port, push, replica)))),
  );
  if (patches === undefined) return ours;
  const hosts = new Map(ports.map(({ targetPort, services }) => [inboundCluster(targetPort), services.map(({ hostname }) => hostname)]));
  return patchedClusters(
    [...plainClusters(node, push).filter(isInbound), ...ours],
    patches,
    'SIDECAR_INBOUND',
    (name) => hosts.get(name) ?? [],
  );
}

/** Towards the mesh, before EnvoyFilters. */
export function plainClusters(node: ProxyNode, push: PushContext): readonly PackedResource[] {
  return push.shared.get(push.scopeFor(node), clustersView(node, push), '*', () => outboundClusters(node, push));
}

/** Who has the same clusters. failoverPriority compares labels; a DNS cluster carries its endpoints with it. */
export function clustersView(node: ProxyNode, push: PushContext): string {
  return `CDS ${viewOf(node)} ${comparedLabels(node, push)}`;
}

/** Callers of any namespace, who share what no rule of theirs makes different. */
function generalView(node: ProxyNode, push: PushContext): string {
  return `CDS ${callerView(node)} ${comparedLabels(node, push)}`;
}

function resource(fields: ClusterFields): XdsResource {
  return { typeUrl: CLUSTER_TYPE_URL, name: fields.name!, message: Cluster.fromPartial(fields) };
}

function outboundClusters(node: ProxyNode, push: PushContext): PackedResource[] {
  const make = (): PackedResource[] => specialClusters(node, push).map((fields) => packed(resource(fields)));
  const view = generalView(node, push);
  const special = push.shared.across(view, 'special', make, []);
  const { services, looksUpHosts } = push.scopeFor(node);
  const anyHost = looksUpHosts && node.dialect === 'sidecar' ? [packed(resource(dynamicDnsOfAnyHost(node, push)))] : [];
  return [...services.flatMap((service) => serviceClusters(service, node, push, view)), ...special, ...anyHost];
}

/** A service's clusters differ by the rule that the client's namespace gives them, and else not by who calls. */
export function serviceClusters(
  service: MeshService,
  node: ProxyNode,
  push: PushContext,
  view: string = generalView(node, push),
): readonly PackedResource[] {
  if (service.resolution === 'ALIAS') return [];
  const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
  const make = (): PackedResource[] => madeClusters(service, rule, node, push).map((fields) => packed(resource(fields)));
  return push.shared.across(view, ruledName(service, rule, node), make, [service, rule]);
}

function madeClusters(
  service: MeshService,
  rule: MergedDestinationRule | undefined,
  node: Caller,
  push: PushContext,
  sniRouted = false,
): ClusterFields[] {
  const subsets = [undefined, ...(rule?.subsets ?? [])];
  return service.ports.flatMap((port) => subsets.flatMap((subset) => outbound({ node, push, service, port, rule, subset, sniRouted })));
}

/** Where AUTO_PASSTHROUGH servers lead: the services of the mesh once more, by server name (Istio: buildOutboundSniDnatClusters). */
function sniRoutedClusters(node: ProxyNode, push: PushContext): readonly PackedResource[] {
  if (!gatewayPorts(node, push).passesByName) return [];
  const view = `SNI ${generalView(node, push)}`;
  return push.scopeFor(node).services.flatMap((service) => {
    if (service.meshExternal || service.resolution === 'ALIAS') return [];
    const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
    const make = (): PackedResource[] => madeClusters(service, rule, node, push, true).map((fields) => packed(resource(fields)));
    return push.shared.across(view, ruledName(service, rule, node), make, [service, rule]);
  });
}
