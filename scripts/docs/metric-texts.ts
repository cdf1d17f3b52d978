/** What each metric counts. The page fails to be made when one has no text. */
export const METRICS: Readonly<Record<string, string>> = {
  istio_requests_total: 'requests, counted at their end',
  istio_request_duration_milliseconds: 'time from the start of the request to the end of the response, ms',
  istio_request_bytes: 'body bytes of requests',
  istio_response_bytes: 'body bytes of responses',
  istio_build: 'build of this component; always 1',
};

/** Labels of the request metrics, in the order in which they are printed. */
export const LABELS: Readonly<Record<string, string>> = {
  reporter: '`source` for the caller and for gateways, `destination` for the server',
  source_workload: 'who called; at a server `unknown`: a certificate names the account, not the workload',
  source_workload_namespace: 'namespace of the caller, at a server from its certificate',
  source_principal: 'SPIFFE id of the caller',
  source_app: 'label `app` of the caller',
  source_version: 'label `version` of the caller',
  source_canonical_service: 'canonical service of the caller',
  source_canonical_revision: 'canonical revision of the caller, `latest` when it has none',
  source_cluster: 'cluster of the caller',
  destination_workload: 'who answered',
  destination_workload_namespace: 'its namespace',
  destination_principal: 'its SPIFFE id; at a caller only when one single identity was acceptable',
  destination_app: 'its label `app`',
  destination_version: 'its label `version`',
  destination_service: 'host name of the service that was called',
  destination_service_name: 'name of that service',
  destination_service_namespace: 'its namespace',
  destination_canonical_service: 'canonical service of who answered',
  destination_canonical_revision: 'canonical revision of who answered, `latest` when it has none',
  destination_cluster: 'cluster of who answered',
  request_protocol: '`http` or `grpc`',
  response_code: 'status; 0 when none came',
  grpc_response_status: 'gRPC status by number, empty for HTTP',
  response_flags: "Envoy's response flags, `-` for none",
  connection_security_policy: '`mutual_tls` or `none`, on both sides',
};
