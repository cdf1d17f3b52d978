import type grpc from '@grpc/grpc-js';
import { Exchange, endsAtFirstProxy, NO_PEER, type Snapshot, type WalkEnvironment } from '@ripstop/core';
import { CallHead } from './call-head.ts';
import type { ClientOptions, EndpointChannels } from './endpoint-channels.ts';
import type { GrpcParts } from './grpc-parts.ts';
import type { MeshTarget } from './mesh-target.ts';

/** What every call of a mesh's clients shares. */
export interface CallEnvironment {
  readonly parts: GrpcParts;
  readonly walk: WalkEnvironment;
  readonly channels: EndpointChannels;
  nextCallNumber: number;
}

/** What the app asked for. */
export interface CallInit {
  readonly authority: string;
  /** What the channel was made for: its port selects the listener. */
  readonly target: MeshTarget;
  /** `/package.Service/Method`. */
  readonly method: string;
  readonly deadline: grpc.Deadline;
  readonly credentials: grpc.CallCredentials | undefined;
  readonly options: ClientOptions;
}

/** The exchange of a call, with the snapshot that it stays with. */
export function callExchange({ clock, telemetry }: WalkEnvironment, call: CallInit, snapshot: Snapshot, metadata: grpc.Metadata): Exchange {
  const own = metadata.clone();
  for (const name in own.getMap()) if (endsAtFirstProxy(name)) own.remove(name);
  return new Exchange({
    direction: 'outbound',
    protocol: 'grpc',
    request: new CallHead('http', call.authority, call.method, own, call.target.authority),
    snapshot,
    manager: snapshot.outbound.forPort(call.target.port) ?? snapshot.outbound.catchAll,
    peer: NO_PEER,
    port: call.target.port,
    startedAt: clock.now(),
    parent: telemetry.current(),
  });
}
