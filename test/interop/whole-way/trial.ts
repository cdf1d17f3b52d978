import type { Answer } from '../../simulation/row.ts';
import type { Mesh } from '../istiod/mesh/random-mesh.ts';

/** Where in a mesh an Envoy and the SDK stand. `grpc`: beside an app that calls by gRPC. */
export type Place = 'sidecar' | 'grpc' | 'server' | 'gateway';

/** Who asks a server. */
export interface RequestCaller {
  /** Absent: in plaintext. */
  readonly spiffeId?: string;
  readonly address: string;
}

/** How a caller outside of the mesh speaks TLS. */
export interface RequestTls {
  /** '' = it names nobody. */
  readonly sni: string;
  readonly alpn: readonly string[];
  /** Whose certificate it shows, when it is asked for one. */
  readonly spiffeId?: string | undefined;
}

/** One request. */
export interface Request {
  readonly host: string;
  /** As it stands in the URL; 80 is left out there. Of a server: its workload port. */
  readonly port: number;
  /** Of a server's request. */
  readonly caller?: RequestCaller;
  /** Of a gateway's request; absent: in plaintext. */
  readonly tls?: RequestTls;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Of a gRPC call, from its start. */
  readonly deadlineMs?: number;
  /** What upstreams answer, in order. */
  readonly answers: readonly Answer[];
}

/** A drawn mesh, one of its nodes, and the requests that are made there. */
export interface Trial {
  readonly mesh: Mesh;
  readonly place: Place;
  /** `Name` of the node. */
  readonly node: string;
  readonly requests: readonly Request[];
}

/** What a proxy says of one request. */
export interface Account {
  readonly route: string;
  readonly cluster: string;
  readonly host: string;
  readonly flags: string;
  readonly details: string;
}

/** A request that got another end through Envoy than through the SDK; without one, configurations that differ as a whole. */
export interface Difference {
  readonly trial: Trial;
  readonly request: Request | undefined;
  readonly lines: readonly string[];
  /** What both say of it in their access logs. */
  readonly accounts?: Readonly<Record<'envoy' | 'sdk', Account | undefined>>;
}
