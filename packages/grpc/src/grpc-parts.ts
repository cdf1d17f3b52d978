import type { Clock, IdentitySource, Pipeline, Random, SnapshotRef, TelemetrySink } from '@ripstop/core';

/** What the gRPC drivers take of a mesh; `mesh.parts` of @ripstop/node is one. */
export interface GrpcParts {
  readonly snapshots: SnapshotRef;
  readonly pipeline: Pipeline;
  readonly telemetry: TelemetrySink;
  readonly clock: Clock;
  readonly random: Random;
  /** Absent: no mTLS; endpoints that demand it answer UNAVAILABLE (UF), TLS connections are refused. */
  readonly identity?: IdentitySource | undefined;
  readonly log?: ((line: string) => void) | undefined;
}
