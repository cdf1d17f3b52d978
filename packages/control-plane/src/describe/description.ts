import type { Finding, MeshObject } from '@ripstop/istio-api';

/** A document that has a say, and where it stands. */
export interface Document {
  readonly kind: string;
  /** `namespace/name`. */
  readonly name: string;
  /** `file:line`. */
  readonly at: string;
}

export interface DescribedPort {
  readonly port: number;
  readonly name: string;
  readonly protocol: string;
  readonly targetPort: number | string;
  readonly endpoints: number;
}

export interface DescribedRoutes extends Document {
  /** `mesh`, or gateways as `namespace/name`. */
  readonly gateways: readonly string[];
  readonly hosts: readonly string[];
  /** False: an older one has the host, and clients of the mesh do not use this one. */
  readonly used: boolean;
  /** One line a route that leads to the service: what it matches and where it goes. */
  readonly routes: readonly string[];
}

export interface DescribedSubset {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Endpoints that have these labels. */
  readonly endpoints: number;
}

export interface DescribedRule extends Document {
  readonly host: string;
  /** Settings that are given, by name: loadBalancer, connectionPool, outlierDetection, tls. */
  readonly settings: readonly string[];
  /** tls.mode of calls to the service; undefined: decided by the endpoint (auto-mTLS). */
  readonly tls: string | undefined;
  readonly subsets: readonly DescribedSubset[];
}

export interface DescribedPolicy extends Document {
  readonly action: string;
  readonly dryRun: boolean;
}

export interface DescribedMtls {
  /** STRICT, PERMISSIVE or DISABLE. */
  readonly mode: string;
  /** Ports whose mode is another. */
  readonly ports: Readonly<Record<string, string>>;
  /** What it follows from, the closest first; empty: the default. */
  readonly from: readonly Document[];
}

export interface DescribedWorkload {
  /** `name.namespace`. */
  readonly name: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly health: string;
  readonly mtls: DescribedMtls;
  /** In the order in which they are judged: CUSTOM, DENY, ALLOW, then AUDIT. */
  readonly policies: readonly DescribedPolicy[];
  readonly requestAuthentications: readonly Document[];
  /** What protects it and cannot be enforced: it refuses every request. */
  readonly unenforced: readonly Document[];
}

export interface ServiceDescription extends Document {
  readonly host: string;
  readonly ports: readonly DescribedPort[];
  readonly virtualServices: readonly DescribedRoutes[];
  /** Of clients in the namespace of the service; undefined: none. */
  readonly destinationRule: DescribedRule | undefined;
  readonly workloads: readonly DescribedWorkload[];
  /** About these documents. */
  readonly findings: readonly Finding[];
}

export interface WorkloadDescription extends DescribedWorkload {
  readonly services: readonly ServiceDescription[];
}

export function documentOf({ kind, metadata: { name, namespace }, source: { file, line } }: MeshObject): Document {
  return { kind, name: namespace === '' ? name : `${namespace}/${name}`, at: `${file}:${line}` };
}
