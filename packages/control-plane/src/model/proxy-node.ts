/** Which shapes a client reads: Envoy sidecar (also our SDK), gateway, proxyless gRPC. */
export type Dialect = 'sidecar' | 'router' | 'grpc';

/** A connected client, from its xDS node. */
export interface ProxyNode {
  /** `sidecar~<ip>~<pod>.<ns>~<ns>.svc.<domain>`. */
  readonly id: string;
  readonly dialect: Dialect;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly ipAddresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly clusterId: string;
  readonly workloadName: string;
  readonly meshId: string;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  /** True for our own SDK and gateway (metadata RIPSTOP_VERSION): gets file:line of every object in `filter_metadata.ripstop`. */
  readonly ripstop: boolean;
  /**
   * Namespace and service account are what a token or certificate proved over TLS. Only such a node gets keys. Never taken from what
   * the node says of itself.
   */
  readonly verified: boolean;
  /** The xDS library, if it says its name: `gRPC Go` 1.85.0. What it takes differs. */
  readonly userAgent?: { readonly name: string; readonly version: string };
  /** What the client says that it knows of the protocol: `xds.config.supports-resource-ttl`. */
  readonly clientFeatures?: readonly string[];
  /** Node metadata as sent. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/**
 * What a client is to the services that it calls: what is made for callers in general needs no more of it, and clients of all namespaces
 * share that.
 */
export type Caller = Pick<ProxyNode, 'dialect' | 'ripstop' | 'locality' | 'labels' | 'metadata' | 'clusterId' | 'ipAddresses'>;
