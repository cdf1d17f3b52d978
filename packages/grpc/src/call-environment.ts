import type grpc from '@grpc/grpc-js';
import { Exchange, endsAtFirstProxy, NO_PEER, parseGrpcTimeout, type Snapshot, type WalkEnvironment } from '@ripstop/core';
import { CallHead } from './call-head.ts';
import type { ClientOptions, EndpointChannels } from './endpoint-channels.ts';
import type { GrpcParts } from './grpc-parts.ts';
import type { MeshTarget } from './mesh-target.ts';
import { joinCrumbs } from './metadata-text.ts';

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
  settleCookie(own);
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

/** grpc-js writes what is left of a deadline over what a route tells, which may be less; the call keeps the app's deadline itself. */
export function attemptDeadline({ request, grpcTimeoutMs }: Exchange, ofApp: grpc.Deadline): grpc.Deadline {
  if (grpcTimeoutMs === undefined) return ofApp;
  const toldMs = parseGrpcTimeout(request.header('grpc-timeout'));
  return toldMs !== undefined && toldMs < grpcTimeoutMs ? Number.POSITIVE_INFINITY : ofApp;
}

/** As the codec of an Envoy beside the app: crumbs are one cookie, and an empty one is none. */
function settleCookie(metadata: grpc.Metadata): void {
  const crumbs = metadata.get('cookie');
  if (crumbs.length === 0) return;
  const cookie = joinCrumbs(crumbs.map(String));
  if (cookie === '') metadata.remove('cookie');
  else if (crumbs.length > 1) metadata.set('cookie', cookie);
}
