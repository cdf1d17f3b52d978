/** Specs of core Kubernetes kinds as far as the mesh reads them. */
export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly protocol?: string;
  readonly appProtocol?: string;
}
export interface ServiceSpec {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly ServicePort[];
  readonly externalName?: string;
  readonly publishNotReadyAddresses?: boolean;
  readonly internalTrafficPolicy?: string;
  readonly trafficDistribution?: string;
}
export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly nodeName?: string;
  readonly containers?: readonly { readonly ports?: readonly { readonly containerPort: number; readonly name?: string }[] }[];
}
/** `rest.status` of a Pod. */
export interface PodStatus {
  readonly podIP?: string;
  readonly phase?: string;
}
/** `rest` of an EndpointSlice. */
export interface EndpointSliceBody {
  readonly endpoints?: readonly {
    readonly addresses?: readonly string[];
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
    readonly targetRef?: { readonly kind?: string; readonly name?: string; readonly namespace?: string };
    readonly zone?: string;
    readonly nodeName?: string;
  }[];
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[];
}
export interface MeshConfigSpec {
  readonly defaultHttpRetryPolicy?: { readonly retryOn?: string };
  readonly trustDomain?: string;
  readonly trustDomainAliases?: readonly string[];
  readonly rootNamespace?: string;
  readonly enableAutoMtls?: boolean;
  readonly outboundTrafficPolicy?: { readonly mode?: string };
  readonly accessLogFile?: string;
  readonly accessLogFormat?: string;
  readonly accessLogEncoding?: string;
  readonly pathNormalization?: { readonly normalization?: string };
  readonly defaultConfig?: {
    readonly tracing?: { readonly sampling?: number };
    readonly gatewayTopology?: { readonly numTrustedProxies?: number };
  };
}
