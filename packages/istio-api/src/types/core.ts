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
  readonly externalIPs?: readonly string[];
  readonly publishNotReadyAddresses?: boolean;
  readonly internalTrafficPolicy?: string;
  readonly trafficDistribution?: string;
}
interface Container {
  readonly ports?: readonly { readonly containerPort: number; readonly name?: string }[];
}
export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly nodeName?: string;
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly (Container & { readonly restartPolicy?: string })[];
}
/** `rest.status` of a Pod. */
export interface PodStatus {
  readonly podIP?: string;
  readonly phase?: string;
  readonly conditions?: readonly { readonly type?: string; readonly status?: string }[];
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
/** What external authorizers of both kinds have in common. */
interface ExternalAuthorizer {
  readonly service?: string;
  readonly port?: number;
  readonly timeout?: string;
  readonly failOpen?: boolean;
  readonly statusOnError?: string;
  readonly includeRequestBodyInCheck?: {
    readonly maxRequestBytes?: number;
    readonly allowPartialMessage?: boolean;
    readonly packAsBytes?: boolean;
  };
}

/** An authorizer that is asked by gRPC (Envoy's `envoy.service.auth.v3.Authorization`). */
export type ExtAuthzGrpcProvider = ExternalAuthorizer;

/** An authorizer that is asked by HTTP. */
export interface ExtAuthzHttpProvider extends ExternalAuthorizer {
  readonly pathPrefix?: string;
  readonly includeHeadersInCheck?: readonly string[];
  readonly includeRequestHeadersInCheck?: readonly string[];
  readonly includeAdditionalHeadersInCheck?: Readonly<Record<string, string>>;
  readonly headersToUpstreamOnAllow?: readonly string[];
  readonly headersToDownstreamOnDeny?: readonly string[];
  readonly headersToDownstreamOnAllow?: readonly string[];
}

export interface ExtensionProvider {
  readonly name?: string;
  readonly envoyExtAuthzHttp?: ExtAuthzHttpProvider;
  readonly envoyExtAuthzGrpc?: ExtAuthzGrpcProvider;
}

export interface MeshConfigSpec {
  readonly extensionProviders?: readonly ExtensionProvider[];
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
  readonly caCertificates?: readonly {
    readonly pem?: string;
    readonly spiffeBundleUrl?: string;
    readonly trustDomains?: readonly string[];
  }[];
  readonly defaultConfig?: {
    readonly tracing?: { readonly sampling?: number };
    readonly gatewayTopology?: { readonly numTrustedProxies?: number; readonly forwardClientCertDetails?: string };
  };
}
