/** What an Envoy of the mesh is told at its start. Follows the bootstrap that Istio's agent writes, without its private extensions. */
export interface BootstrapInput {
  readonly role: 'sidecar' | 'router';
  /** `cart-1`, the name of the pod. */
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly xdsPort: number;
  readonly variant: 'delta' | 'sotw';
  /** Unix socket of the agent's secret discovery service. */
  readonly sdsPath: string;
}

export function bootstrap(input: BootstrapInput): object {
  return {
    node: node(input),
    admin: { address: socket(0) },
    dynamic_resources: {
      ads_config: {
        api_type: input.variant === 'delta' ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
      cds_config: { ads: {}, resource_api_version: 'V3' },
      lds_config: { ads: {}, resource_api_version: 'V3' },
    },
    static_resources: {
      clusters: [
        http2Cluster('xds-grpc', socket(input.xdsPort)),
        // The name that TLS contexts of the control plane point to (Istio's agent serves it beside the proxy).
        http2Cluster('sds-grpc', { pipe: { path: input.sdsPath } }),
      ],
    },
    layered_runtime: { layers: [{ name: 'global config', static_layer: RUNTIME }] },
  };
}

/** Istio's own runtime settings (tools/packaging/common/envoy_bootstrap.json). */
const RUNTIME = {
  're2.max_program_size.error_level': 32_768,
  'envoy.reloadable_features.http_reject_path_with_fragment': false,
};

function node({ role, name, namespace, serviceAccount, labels }: BootstrapInput): object {
  return {
    id: `${role}~127.0.0.1~${name}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: `${name}.${namespace}`,
    client_features: ['xds.config.supports-resource-ttl', 'xds.config.supports-resource-in-sotw'],
    metadata: {
      NAME: name,
      NAMESPACE: namespace,
      CLUSTER_ID: 'Kubernetes',
      LABELS: labels,
      INSTANCE_IPS: '127.0.0.1',
      SERVICE_ACCOUNT: serviceAccount,
      WORKLOAD_NAME: name,
      MESH_ID: 'cluster.local',
      ISTIO_VERSION: '1.32.0',
    },
  };
}

function http2Cluster(name: string, address: object): object {
  return {
    name,
    connect_timeout: '1s',
    type: 'STATIC',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

function socket(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
