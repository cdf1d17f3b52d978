import type { SnapshotCompiler } from '@ripstop/compile';
import type { Clock, ConfigSource, ConfigSubscription, ConfigUpdate, Rejection, Snapshot, SnapshotRef, Timer } from '@ripstop/core';
import {
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  EXTENSION_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  SECRET_TYPE_URL,
  Secret,
  VIRTUAL_HOST_TYPE_URL,
} from '@ripstop/xds-api';
import { HostSubscriptions } from '@ripstop/xds-client';

/** Called with each new snapshot's sequence number, and with what was refused. */
export interface ConfigLoopEvents {
  onSnapshot?(): void;
  onRejections?(rejections: readonly Rejection[]): void;
  /** The resources together could not be made a snapshot: a defect, since each was tried by itself. The last snapshot stays. */
  onFailure?(error: Error): void;
  /** The roots of the mesh as the control plane has them now, PEM. With it they are asked for. */
  onTrustBundle?(pem: string): void;
}

/** SDS name of the mesh's roots. */
const ROOT_CA = 'ROOTCA';
/** How long a start waits for certificates. Without an answer (the control plane is away) the rest is served without them. */
const SECRETS_WAIT_MS = 2_000;

/**
 * Runs configuration into the data plane: source → compiler → snapshot. Updates that arrive together (CDS, EDS, LDS, RDS of one
 * push) become one swap, because the build waits for the end of the current turn of the event loop.
 */
export class ConfigLoop {
  private readonly compiler: SnapshotCompiler;
  private readonly snapshots: SnapshotRef;
  private readonly events: ConfigLoopEvents;
  private readonly subscription: ConfigSubscription;
  private readonly hosts: HostSubscriptions;
  /** Route configurations whose hosts come on demand. */
  private hostTables: readonly string[] = [];
  private buildQueued = false;
  private closed = false;
  private readonly clock: Clock;
  /** Set while the first snapshot waits for certificates. */
  private waiting: Timer | undefined;
  private waited = false;
  /** Of resources that have not come, by type and name. */
  private readonly fetches = new Map<string, Timer>();

  constructor(source: ConfigSource, compiler: SnapshotCompiler, snapshots: SnapshotRef, clock: Clock, events: ConfigLoopEvents = {}) {
    this.clock = clock;
    this.compiler = compiler;
    this.snapshots = snapshots;
    this.events = events;
    this.hosts = new HostSubscriptions({
      clock,
      onChange: () => this.wantHosts(),
      lastUse: (name) => compiler.onDemand.lastUse(name),
      forget: (name) => compiler.onDemand.forget(name),
    });
    this.subscription = source.subscribe((update) => this.apply(update));
    // Clusters before listeners, as the server answers: make before break.
    this.subscription.want(CLUSTER_TYPE_URL, '*');
    this.subscription.want(LISTENER_TYPE_URL, '*');
  }

  /** Names of resources that listeners or clusters refer to and that have not come yet. */
  missing(): readonly string[] {
    return [...this.compiler.missing(), ...this.compiler.warming().map((name) => `first health checks of ${name}`)];
  }

  close(): void {
    this.closed = true;
    this.waiting?.cancel();
    for (const timer of this.fetches.values()) timer.cancel();
    this.hosts.close();
    this.subscription.close();
  }

  /** For a request whose host is not known; see HostRequests. */
  askForHost(name: string): Promise<Snapshot | undefined> | undefined {
    return this.closed ? undefined : this.hosts.ask(name)?.then(() => this.snapshots.current);
  }

  /** Something that a build waited for is here. */
  rebuild(): void {
    if (this.buildQueued || this.closed) return;
    this.buildQueued = true;
    setImmediate(() => this.build());
  }

  private apply(update: ConfigUpdate): readonly Rejection[] {
    const rejections = this.compiler.apply(update);
    if (update.typeUrl === SECRET_TYPE_URL && this.events.onTrustBundle !== undefined) this.trust(update, this.events.onTrustBundle);
    if (rejections.length > 0) this.events.onRejections?.(rejections);
    // Route tables take hosts by themselves.
    if (update.typeUrl === VIRTUAL_HOST_TYPE_URL) this.hosts.settle(update, rejections);
    else this.rebuild();
    return rejections;
  }

  private trust({ resources }: ConfigUpdate, onTrustBundle: (pem: string) => void): void {
    const root = resources.find(({ name }) => name === ROOT_CA);
    if (root === undefined) return;
    const { type } = Secret.decode(root.body);
    const specifier = type?.$case === 'validationContext' ? type.value.trustedCa?.specifier : undefined;
    if (specifier?.$case === 'inlineBytes') onTrustBundle(Buffer.from(specifier.value).toString());
  }

  private build(): void {
    this.buildQueued = false;
    if (this.closed) return;
    try {
      this.follow();
    } catch (error) {
      // In a turn of its own, where nobody else would catch it: this is somebody's service.
      this.events.onFailure?.(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private follow(): void {
    const named = this.compiler.wanted();
    const wanted = this.events.onTrustBundle === undefined ? named : { ...named, secrets: [...named.secrets, ROOT_CA] };
    this.subscription.want(ENDPOINT_TYPE_URL, wanted.endpoints);
    this.subscription.want(ROUTE_TYPE_URL, wanted.routes);
    this.subscription.want(EXTENSION_TYPE_URL, wanted.extensions);
    this.compiler.keep(wanted);
    this.timeFetches();
    this.hosts.keepTables(wanted.hostTables);
    this.hostTables = wanted.hostTables;
    this.wantHosts();
    this.subscription.want(SECRET_TYPE_URL, wanted.secrets);
    if (this.waitsForSecrets()) return;
    const snapshot = this.compiler.build();
    if (snapshot === undefined) return;
    this.snapshots.swap(snapshot);
    this.events.onSnapshot?.();
  }

  /** With what the server gives unasked, as an Envoy asks. */
  private wantHosts(): void {
    this.subscription.want(VIRTUAL_HOST_TYPE_URL, this.hostTables.length === 0 ? [] : ['*', ...this.hosts.names]);
  }

  /** Nothing is waited for longer than its `initial_fetch_timeout`. */
  private timeFetches(): void {
    const awaited = new Map(this.compiler.awaited().map((resource) => [`${resource.typeUrl} ${resource.name}`, resource]));
    for (const [key, timer] of this.fetches) {
      if (awaited.has(key)) continue;
      timer.cancel();
      this.fetches.delete(key);
    }
    for (const [key, resource] of awaited) {
      if (this.fetches.has(key) || resource.fetchTimeoutMs === 0) continue;
      const giveUp = (): void => {
        this.compiler.giveUp(resource);
        this.rebuild();
      };
      this.fetches.set(key, this.clock.setTimer(giveUp, resource.fetchTimeoutMs));
    }
  }

  /** Only the first snapshot waits: a gateway that has just started would refuse its first callers. */
  private waitsForSecrets(): boolean {
    const done = this.waited || this.snapshots.current !== undefined || this.compiler.missing().length > 0;
    if (done || this.compiler.awaitedSecrets().length === 0) {
      this.waiting?.cancel();
      return false;
    }
    this.waiting ??= this.clock.setTimer(() => {
      this.waited = true;
      this.build();
    }, SECRETS_WAIT_MS);
    return true;
  }
}
