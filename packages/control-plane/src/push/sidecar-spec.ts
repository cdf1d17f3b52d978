import type { ConnectionPoolSettings, Destination, MeshObject } from '@ripstop/istio-api';

/** A port that a Sidecar serves in the place of those of the Services. */
export interface IngressListener {
  readonly port: { readonly number: number; readonly protocol?: string; readonly name?: string };
  readonly bind?: string;
  readonly captureMode?: string;
  readonly defaultEndpoint?: string;
  readonly connectionPool?: ConnectionPoolSettings;
}

export interface EgressPort {
  readonly number?: number;
  readonly protocol?: string;
  readonly name?: string;
}

/** A Sidecar, as far as it decides what a workload is told about and what it serves. */
export interface SidecarSpec {
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly egress?: readonly {
    readonly hosts?: readonly string[];
    readonly port?: EgressPort;
    readonly bind?: string;
    readonly captureMode?: string;
  }[];
  readonly outboundTrafficPolicy?: { readonly mode?: string; readonly egressProxy?: Destination };
  readonly ingress?: readonly IngressListener[];
  readonly inboundConnectionPool?: ConnectionPoolSettings;
}

export type SidecarObject = MeshObject<SidecarSpec>;
