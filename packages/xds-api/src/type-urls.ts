const PREFIX = 'type.googleapis.com/';

/** The resource types of an ADS stream, as type URLs. */
export const LISTENER_TYPE_URL: string = `${PREFIX}envoy.config.listener.v3.Listener`;
export const ROUTE_TYPE_URL: string = `${PREFIX}envoy.config.route.v3.RouteConfiguration`;
/** Virtual hosts of a route configuration that are given by the host that is asked for (VHDS). */
export const VIRTUAL_HOST_TYPE_URL: string = `${PREFIX}envoy.config.route.v3.VirtualHost`;
export const CLUSTER_TYPE_URL: string = `${PREFIX}envoy.config.cluster.v3.Cluster`;
export const ENDPOINT_TYPE_URL: string = `${PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment`;
export const SECRET_TYPE_URL: string = `${PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret`;
/** Configurations of filters that a listener names and does not hold (ECDS). */
export const EXTENSION_TYPE_URL: string = `${PREFIX}envoy.config.core.v3.TypedExtensionConfig`;
/** Istio's workload-health message over ADS: no error_detail means healthy. Ripstop's workloads register with it. */
export const HEALTH_TYPE_URL: string = `${PREFIX}istio.v1.HealthInformation`;

/** The full message name of a type URL: what stands behind the last slash. */
export function typeName(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}

/** The type URL of a full message name. */
export function typeUrlOf(name: string): string {
  return PREFIX + name;
}
