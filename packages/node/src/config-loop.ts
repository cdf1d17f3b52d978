import type { SnapshotCompiler } from '@ripstop/compile';
import type { ConfigSource, ConfigSubscription, ConfigUpdate, Rejection, SnapshotRef } from '@ripstop/core';
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';

/** Called with each new snapshot's sequence number, and with what was refused. */
export interface ConfigLoopEvents {
  onSnapshot?(): void;
  onRejections?(rejections: readonly Rejection[]): void;
}

/**
 * Runs configuration into the data plane: source → compiler → snapshot. Updates that arrive together (CDS, EDS, LDS, RDS of one
 * push) become one swap, because the build waits for the end of the current turn of the event loop.
 */
export class ConfigLoop {
  private readonly compiler: SnapshotCompiler;
  private readonly snapshots: SnapshotRef;
  private readonly events: ConfigLoopEvents;
  private readonly subscription: ConfigSubscription;
  private buildQueued = false;
  private closed = false;

  constructor(source: ConfigSource, compiler: SnapshotCompiler, snapshots: SnapshotRef, events: ConfigLoopEvents = {}) {
    this.compiler = compiler;
    this.snapshots = snapshots;
    this.events = events;
    this.subscription = source.subscribe((update) => this.apply(update));
    // Clusters before listeners, as the server answers: make before break.
    this.subscription.want(CLUSTER_TYPE_URL, '*');
    this.subscription.want(LISTENER_TYPE_URL, '*');
  }

  /** Names of resources that listeners or clusters refer to and that have not come yet. */
  missing(): readonly string[] {
    return this.compiler.missing();
  }

  close(): void {
    this.closed = true;
    this.subscription.close();
  }

  private apply(update: ConfigUpdate): readonly Rejection[] {
    const rejections = this.compiler.apply(update);
    if (rejections.length > 0) this.events.onRejections?.(rejections);
    if (!this.buildQueued) {
      this.buildQueued = true;
      setImmediate(() => this.build());
    }
    return rejections;
  }

  private build(): void {
    this.buildQueued = false;
    if (this.closed) return;
    const wanted = this.compiler.wanted();
    this.subscription.want(ENDPOINT_TYPE_URL, wanted.endpoints);
    this.subscription.want(ROUTE_TYPE_URL, wanted.routes);
    const snapshot = this.compiler.build();
    if (snapshot === undefined) return;
    this.snapshots.swap(snapshot);
    this.events.onSnapshot?.();
  }
}
