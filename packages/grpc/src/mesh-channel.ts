import grpc from '@grpc/grpc-js';
import type { Cancel } from '@ripstop/core';
import type { CallEnvironment } from './call-environment.ts';
import type { CallStream } from './call-stream.ts';
import type { ClientOptions } from './endpoint-channels.ts';
import { MeshCall } from './mesh-call.ts';
import type { MeshTarget } from './mesh-target.ts';

type ParentCall = Parameters<grpc.ChannelInterface['createCall']>[3];

/*
 * How a call goes out:
 *
 *   MeshChannel.createCall → MeshCall: snapshot pinned → core Pipeline (route, filters, weighted cluster, header operations)
 *     → Cluster.acquire (circuit breaker, balancer, ejections) → EndpointChannels: one grpc-js channel per endpoint → attempt
 *     → core RetryState: again on another endpoint, or commit → status → lease released, telemetry
 *
 * The walk is the HTTP driver's, over grpc-js's public Channel interface. grpc-js's own seams (resolver, ConfigSelector, balancer)
 * were tried for it and are too narrow: a ConfigSelector answers synchronously (no injected delay) and its statuses are rewritten,
 * picks are made and thrown away without notice (a lease would leak), retries know only gRPC's rules and cannot choose another host,
 * and resolvers are registered for the whole process, where two meshes would meet.
 */

/** Where a channel leads, and what its calls name. */
export interface ChannelTarget {
  readonly target: MeshTarget;
  /** `grpc.default_authority`, else the target's. */
  readonly defaultAuthority: string;
}

/** What a client of the mesh calls through. It has no connection of its own: those belong to endpoints and are shared. */
export class MeshChannel implements grpc.ChannelInterface {
  readonly #env: CallEnvironment;
  readonly #to: ChannelTarget;
  readonly #name: string;
  readonly #options: ClientOptions;
  readonly #credentials: grpc.CallCredentials | undefined;
  readonly #onClose: () => void;
  readonly #watchers = new Set<Cancel>();
  #closed = false;

  constructor(
    env: CallEnvironment,
    name: string,
    to: ChannelTarget,
    options: ClientOptions,
    credentials: grpc.CallCredentials | undefined,
    onClose: () => void,
  ) {
    this.#env = env;
    this.#name = name;
    this.#to = to;
    this.#options = options;
    this.#credentials = credentials;
    this.#onClose = onClose;
  }

  /** Refuses new calls; running ones go on to their end. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const cancel of [...this.#watchers]) cancel();
    this.#onClose();
  }

  getTarget(): string {
    return this.#name;
  }

  /** READY once there is configuration: connections are made per call. */
  getConnectivityState(_tryToConnect: boolean): grpc.connectivityState {
    if (this.#closed) return grpc.connectivityState.SHUTDOWN;
    return this.#env.parts.snapshots.current === undefined ? grpc.connectivityState.CONNECTING : grpc.connectivityState.READY;
  }

  watchConnectivityState(currentState: grpc.connectivityState, deadline: Date | number, callback: (error?: Error) => void): void {
    if (this.#closed) throw new Error('Channel has been shut down');
    if (currentState !== this.getConnectivityState(false)) {
      process.nextTick(callback);
      return;
    }
    const { snapshots, clock } = this.#env.parts;
    const leftMs = (deadline instanceof Date ? deadline.getTime() : deadline) - clock.wallTime();
    const timer =
      leftMs === Number.POSITIVE_INFINITY ? undefined : clock.setTimer(() => end(new Error(DEADLINE_TEXT)), Math.max(0, leftMs));
    const cancelSwap = snapshots.onSwap(() => end());
    const cancel = (): void => {
      timer?.cancel();
      cancelSwap();
      this.#watchers.delete(end);
    };
    const end = (error?: Error): void => {
      cancel();
      callback(error);
    };
    this.#watchers.add(end);
  }

  getChannelzRef(): ReturnType<grpc.ChannelInterface['getChannelzRef']> {
    return { kind: 'channel', id: 0, name: this.#name } as ReturnType<grpc.ChannelInterface['getChannelzRef']>;
  }

  createCall(
    method: string,
    deadline: grpc.Deadline,
    host: string | null | undefined,
    parent: ParentCall,
    flags: number | null | undefined,
  ): CallStream {
    if (this.#closed) throw new Error('Channel has been shut down');
    const propagated = flags ?? grpc.propagate.DEFAULTS;
    const inherits = parent !== null && (propagated & grpc.propagate.DEADLINE) !== 0;
    const call = new MeshCall(this.#env, {
      authority: host ?? this.#to.defaultAuthority,
      target: this.#to.target,
      method,
      deadline: inherits ? earlier(deadline, parent.getDeadline()) : deadline,
      credentials: this.#credentials,
      options: this.#options,
    });
    if (parent !== null && (propagated & grpc.propagate.CANCELLATION) !== 0)
      parent.on('cancelled', () => call.cancelWithStatus(grpc.status.CANCELLED, 'Cancelled by parent call'));
    return call;
  }
}

const DEADLINE_TEXT = 'Deadline passed without connectivity state change';

function earlier(one: grpc.Deadline, other: grpc.Deadline): number {
  return Math.min(Number(one), Number(other));
}
