import type { EndpointSpec, HealthStatus, LocalitySpec, TransportSocket, WorkloadLabels } from '@ripstop/core';
import {
  type Address,
  type ClusterLoadAssignment,
  type Endpoint_AdditionalAddress,
  type Endpoint_HealthCheckConfig,
  HealthStatus as HealthMessage,
  type LbEndpoint,
} from '@ripstop/xds-api';
import { filterMetadata } from '../values.ts';

const HEALTH = new Map<number, HealthStatus>([
  [HealthMessage.HEALTHY, 'HEALTHY'],
  [HealthMessage.UNHEALTHY, 'UNHEALTHY'],
  [HealthMessage.DRAINING, 'DRAINING'],
  [HealthMessage.TIMEOUT, 'TIMEOUT'],
  [HealthMessage.DEGRADED, 'DEGRADED'],
]);

export function healthOf(message: HealthMessage): HealthStatus {
  return HEALTH.get(message) ?? 'UNKNOWN';
}

/** The endpoints of an assignment by locality. `transportOf` chooses the transport socket by endpoint metadata (auto-mTLS). */
export function compileEndpoints(
  message: ClusterLoadAssignment | undefined,
  transportOf: (metadata: Readonly<Record<string, unknown>>) => TransportSocket,
): LocalitySpec[] {
  return (message?.endpoints ?? []).map((group) => ({
    locality: { region: group.locality?.region ?? '', zone: group.locality?.zone ?? '', subZone: group.locality?.subZone ?? '' },
    priority: group.priority,
    weight: group.loadBalancingWeight ?? 0,
    endpoints: group.lbEndpoints.flatMap((endpoint) => compileEndpoint(endpoint, transportOf)),
  }));
}

function compileEndpoint(
  message: LbEndpoint,
  transportOf: (metadata: Readonly<Record<string, unknown>>) => TransportSocket,
): EndpointSpec[] {
  const endpoint = message.hostIdentifier?.$case === 'endpoint' ? message.hostIdentifier.value : undefined;
  const place = placeOf(endpoint?.address);
  const weight = message.loadBalancingWeight ?? 1;
  if (weight === 0) throw new Error(`endpoint ${place.address}: load_balancing_weight is 0; it must be at least 1`);
  const others = (endpoint?.additionalAddresses ?? []).map(additionalAddress);
  const lbMetadata = filterMetadata(message.metadata, 'envoy.lb');
  const hashKey = lbMetadata.hash_key;
  return [
    {
      ...place,
      ...(others.length === 0 ? {} : { otherAddresses: others }),
      hostname: endpoint?.hostname ?? '',
      weight,
      health: healthOf(message.healthStatus),
      transport: transportOf(filterMetadata(message.metadata, 'envoy.transport_socket_match')),
      workload: workloadOf(filterMetadata(message.metadata, 'istio').workload),
      ...(endpoint?.healthCheckConfig === undefined ? {} : { check: checkOf(endpoint.healthCheckConfig) }),
      ...(Object.keys(lbMetadata).length > 0 ? { lbMetadata } : {}),
      ...(typeof hashKey === 'string' ? { hashKey } : {}),
    },
  ];
}

/** A Unix socket is its path, with port 0. */
function placeOf({ address }: Address = { address: undefined }): { readonly address: string; readonly port: number } {
  if (address?.$case === 'pipe') {
    if (address.value.path === '') throw new Error('an endpoint must have an address: the path of its pipe is empty');
    return { address: address.value.path, port: 0 };
  }
  if (address?.$case !== 'socketAddress')
    throw new Error(`an endpoint must have a socket address or a pipe, not ${address?.$case ?? 'nothing'}`);
  const { portSpecifier } = address.value;
  return { address: address.value.address, port: portSpecifier?.$case === 'portValue' ? portSpecifier.value : 0 };
}

function additionalAddress({ address }: Endpoint_AdditionalAddress): string {
  const socket = address?.address;
  if (socket?.$case !== 'socketAddress') throw new Error('an additional address must be a socket address');
  return socket.value.address;
}

function checkOf({ disableActiveHealthCheck, portValue, hostname, address }: Endpoint_HealthCheckConfig): EndpointSpec['check'] {
  if (address !== undefined) throw new Error('health_check_config: an address of its own is not supported; a port is');
  return { disabled: disableActiveHealthCheck, port: portValue, hostname };
}

/** istiod's `workload;namespace;canonical service;canonical revision;cluster`. */
function workloadOf(text: unknown): WorkloadLabels | undefined {
  if (typeof text !== 'string') return undefined;
  const [workload = '', namespace = '', canonicalService = '', canonicalRevision = '', cluster = ''] = text.split(';');
  return { workload, namespace, canonicalService, canonicalRevision, cluster };
}
