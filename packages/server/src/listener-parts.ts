import type { IncomingMessage, ServerResponse } from 'node:http';
import type {
  Clock,
  ConnectionFacts,
  Exchange,
  IdentitySource,
  PathBinding,
  Pipeline,
  Snapshot,
  SnapshotRef,
  TelemetrySink,
} from '@ripstop/core';
import type { FindChains } from './chain-choice.ts';
import type { InboundPeer } from './peer.ts';
import type { Probes } from './probes.ts';
import type { StreamConnection } from './stream-connection.ts';

/** Where exchanges go that the pipeline lets pass, when it is not the app of this process: a gateway's forwarder. It ends them, too. */
export interface Forwarder {
  request(x: Exchange, request: IncomingMessage, response: ServerResponse): void;
  /** `response` stands on the caller's socket; `head` is what came behind the request already. */
  upgrade(x: Exchange, request: IncomingMessage, response: ServerResponse, head: Buffer): void;
  /** Takes connections of chains of bytes; absent: they are refused. Ends their sockets, too. */
  stream?(connection: StreamConnection): void;
  /** Nothing lets this connection in; its socket is gone. */
  unrouted?(facts: ConnectionFacts, peer: InboundPeer, snapshot: Snapshot): void;
}

/** What a listener is made of. */
export interface ListenerParts {
  readonly snapshots: SnapshotRef;
  readonly pipeline: Pipeline;
  readonly telemetry: TelemetrySink;
  readonly clock: Clock;
  /** Absent: no TLS; connections of chains that demand it are refused. */
  readonly identity?: IdentitySource | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** Port of filter chains and policies, whatever port is bound. */
  readonly workloadPort: number;
  /** Default: the chains of virtualInbound. */
  readonly find?: FindChains | undefined;
  /** How the app's router reads paths; default: as they are. */
  readonly binding?: PathBinding | undefined;
  readonly forwarder?: Forwarder | undefined;
  /** What the platform may ask the app without being of the mesh; default: nothing. */
  readonly probes?: Probes | undefined;
}
