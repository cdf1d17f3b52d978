import type { ClientTLSSettings, ServiceEntrySpec, Subset } from '@ripstop/istio-api';
import { Cluster_DiscoveryType, Cluster_LbPolicy } from '@ripstop/xds-api';
import type { Caller } from '../model/proxy-node.ts';
import type { MergedDestinationRule } from '../push/destination-rules.ts';
import { spillsByHealth } from '../push/locality-policy.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../push/service.ts';
import {
  type AutoTls,
  type ClusterFields,
  commonLbConfig,
  connectionSettings,
  httpOptions,
  loadBalancer,
  outlierDetection,
  thresholds,
} from './cluster-policy.ts';
import { discoveryType, dnsFamilyOf, serviceReference } from './cluster-values.ts';
import { dynamicDnsCluster } from './dynamic-dns.ts';
import { loadAssignment, localityOf } from './endpoints.ts';
import { outboundCluster, outboundSni } from './names.ts';
import { originates } from './origination.ts';
import { type OutboundInput, passesThrough, policyOf, upstreamProtocol } from './outbound-input.ts';
import { autoTls, transport } from './outbound-transport.ts';
import { proxied } from './proxied-transport.ts';
import { configPath, duration, milliseconds, sourceMetadata } from './values.ts';

/** One cluster, or none: a DNS cluster without a host to look up is left out (Istio: buildCluster). */
export function outbound(input: OutboundInput): ClusterFields[] {
  const { node, push, service, port, rule, subset, sniRouted = false } = input;
  if (service.resolution === 'DYNAMIC_DNS' && !sniRouted) return dynamicDns(input);
  // The name of the subset is a chain's all the same (Istio: applyDestinationRule, builtAutoPassthroughFilterChains).
  if (service.resolution === 'DYNAMIC_DNS' && subset !== undefined) return [];
  const policy = policyOf(input);
  const name = (sniRouted ? outboundSni : outboundCluster)(service.hostname, port.port, subset?.name);
  const passthroughHosts = passesThrough(input);
  const found = discovery(input, name, passthroughHosts);
  if (found === undefined) return [];
  const { tls } = policy;
  return [
    {
      name,
      altStatName: `${name};`,
      ...connectionSettings(policy.connectionPool, push.mesh.connectTimeout),
      ...thresholds(policy.connectionPool, policy.retryBudget),
      ...outlierDetection(policy.outlierDetection),
      commonLbConfig: commonLbConfig(
        spillsByHealth(service.trafficDistribution) ? {} : policy,
        localityOf(push, service, policy),
        service.persistentSession && subset === undefined && !sniRouted,
      ),
      ...(passthroughHosts ? { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED } : loadBalancer(policy.loadBalancer)),
      ...httpOptions(upstreamProtocol(node, port), policy.connectionPool, sniRouted ? NO_TLS : autoTls(input, tls)),
      ...found,
      ...(sniRouted ? {} : proxied(transport(input, tls, passthroughHosts), policy.proxyProtocol)),
      metadata: { filterMetadata: clusterMetadata(node, service, rule, subset, tls) },
    },
  ];
}

const NO_TLS: AutoTls = { sni: false, san: false };

/** Ports whose requests or handshakes name a host. */
const NAMES_HOST: ReadonlySet<string> = new Set(['HTTP', 'TLS', 'GRPC', 'HTTP2']);

/** Its hosts are not known before they are called, so there is little to say about them, and there are no subsets. */
function dynamicDns(input: OutboundInput): ClusterFields[] {
  const { node, push, service, port, rule, subset } = input;
  if (subset !== undefined || !NAMES_HOST.has(port.protocol)) return [];
  const name = outboundCluster(service.hostname, port.port);
  const { connectionPool, retryBudget, tls, proxyProtocol } = policyOf(input);
  const socket = proxied(transport(input, tls, false), proxyProtocol);
  const encrypts = Object.keys(socket).length > 0;
  const istio = {
    ...(service.meshExternal ? { external: true } : {}),
    ...(rule === undefined ? {} : { config: configPath(rule.object) }),
    ...(originates(tls) ? { alpn_override: 'false' } : {}),
  };
  const auto = { sni: encrypts && (tls?.sni ?? '') === '', san: encrypts && tls?.insecureSkipVerify !== true };
  return [
    {
      name,
      altStatName: `${name};`,
      clusterDiscoveryType: dynamicDnsCluster(node, service.hostname, encrypts && !auto.sni),
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      ...connectionSettings(connectionPool, push.mesh.connectTimeout),
      ...thresholds(connectionPool, retryBudget),
      ...httpOptions(upstreamProtocol(node, port), connectionPool, auto),
      ...socket,
      ...(Object.keys(istio).length === 0 ? {} : { metadata: { filterMetadata: { istio } } }),
    },
  ];
}

function discovery(input: OutboundInput, name: string, passthroughHosts: boolean): ClusterFields | undefined {
  const { node, push, service, port, subset, rule, sniRouted } = input;
  const lookedUp = service.resolution === 'DNS' || service.resolution === 'DNS_ROUND_ROBIN';
  const assignment = lookedUp
    ? loadAssignment({ name, node, push, service, port, rule, subset, policy: policyOf(input), mtlsOnly: sniRouted === true })
    : undefined;
  if (passthroughHosts) {
    // istiod looks at the hosts before it looks at the balancer.
    if (assignment !== undefined && subset === undefined && assignment.endpoints.length === 0) return undefined;
    const override = writtenByItself(service, port) ? port.writtenTargetPort : undefined;
    return {
      clusterDiscoveryType: discoveryType(Cluster_DiscoveryType.ORIGINAL_DST),
      ...(lookedUp && subset === undefined ? dnsLookup(node, push) : {}),
      ...(override === undefined ? {} : { lbConfig: { $case: 'originalDstLbConfig', value: { upstreamPortOverride: override } } }),
    };
  }
  if (assignment === undefined) {
    return {
      clusterDiscoveryType: discoveryType(Cluster_DiscoveryType.EDS),
      edsClusterConfig: {
        serviceName: name,
        edsConfig: { configSourceSpecifier: { $case: 'ads', value: {} }, initialFetchTimeout: milliseconds(0), resourceApiVersion: 2 },
      },
    };
  }
  if (assignment.endpoints.length === 0) return undefined;
  return {
    clusterDiscoveryType: discoveryType(
      service.resolution === 'DNS' ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.LOGICAL_DNS,
    ),
    ...dnsLookup(node, push),
    loadAssignment: assignment,
  };
}

/** Another entry of the same host may have given it the port; its target port stays behind (Istio: PassthroughTargetPorts). */
function writtenByItself({ resolution, registry, object }: MeshService, { port }: MeshServicePort): boolean {
  if (resolution !== 'NONE' || registry !== 'External') return false;
  return ((object.spec as ServiceEntrySpec).ports ?? []).some(({ number }) => number === port);
}

function dnsLookup(node: Caller, { mesh }: PushContext): ClusterFields {
  return { dnsLookupFamily: dnsFamilyOf(node), dnsRefreshRate: duration(mesh.dnsRefreshRate)!, respectDnsTtl: true };
}

function clusterMetadata(
  node: Caller,
  service: MeshService,
  rule: MergedDestinationRule | undefined,
  subset: Subset | undefined,
  tls: ClientTLSSettings | undefined,
): Record<string, Record<string, unknown>> {
  const origination = originates(tls);
  const index = subset === undefined ? -1 : (rule?.object.spec.subsets ?? []).indexOf(subset);
  return {
    istio: {
      services: [serviceReference(service)],
      ...(subset === undefined ? {} : { subset: subset.name }),
      ...(rule === undefined ? {} : { config: configPath(rule.object) }),
      ...(service.meshExternal && subset === undefined ? { external: true } : {}),
      ...(origination ? { alpn_override: 'false' } : {}),
    },
    ...sourceMetadata(node, rule?.source ?? service.object, index >= 0 ? ['spec', 'subsets', index] : []),
  };
}
