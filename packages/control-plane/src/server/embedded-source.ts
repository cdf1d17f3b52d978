import type { MeshObject } from '@ripstop/istio-api';
import { EXTENSION_TYPE_URL } from '@ripstop/xds-api';
import { type EncodedResource, encodeResources } from '../ads/encoded-resource.ts';
import type { ControlPlaneEvent } from '../events.ts';
import { guardedGet } from '../jwks/guarded-get.ts';
import { JwksResolver } from '../jwks/jwks-resolver.ts';
import { jwksSources } from '../jwks/jwks-source.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { type NodeMessage, proxyNodeOf } from '../model/proxy-node-of.ts';
import { PushContext } from '../push/push-context.ts';
import { FileSource } from '../source/file-source.ts';
import { MemorySource } from '../source/memory-source.ts';
import type { StoreState } from '../source/object-store.ts';
import { NAMED_TYPES, PUSH_ORDER } from '../translate/translate.ts';
import { systemScheduler } from './system-scheduler.ts';

/** The shape of `ConfigSource` in @ripstop/core, which this package does not import (the halves meet as xDS only). */
export interface EmbeddedUpdate {
  readonly typeUrl: string;
  readonly version: string;
  readonly resources: readonly { readonly name: string; readonly version: string; readonly body: Uint8Array }[];
  readonly removed: readonly string[];
  readonly full: boolean;
}

export interface EmbeddedRejection {
  readonly typeUrl: string;
  readonly name: string;
  readonly reason: string;
}

export interface EmbeddedSubscription {
  want(typeUrl: string, names: readonly string[] | '*'): void;
  close(): void;
}

export interface EmbeddedSource {
  subscribe(apply: (update: EmbeddedUpdate) => readonly EmbeddedRejection[]): EmbeddedSubscription;
}

export interface EmbeddedSourceOptions {
  /** A folder of YAML, watched, or one file; or documents in memory. */
  readonly dir: string | MemorySource;
  readonly node: NodeMessage;
  readonly trustDomain?: string;
  readonly onEvent?: (event: ControlPlaneEvent) => void;
}

/**
 * The translator inside a service's own process: configuration without a control plane. Endpoints come from the YAML (WorkloadEntry,
 * ServiceEntry, EndpointSlice), for there is nobody to register with.
 */
export function createEmbeddedSource(options: EmbeddedSourceOptions): EmbeddedSource {
  return { subscribe: (apply) => new Embedded(options, apply) };
}

class Embedded implements EmbeddedSubscription {
  private readonly node: ProxyNode;
  private readonly apply: (update: EmbeddedUpdate) => readonly EmbeddedRejection[];
  private readonly tell: (event: ControlPlaneEvent) => void;
  private readonly source: { close(): void };
  private readonly tokenKeys: JwksResolver;
  private readonly trustDomain: string;
  private objects: readonly MeshObject[] = [];
  private readonly wanted = new Map<string, ReadonlySet<string> | '*'>();
  /** What was handed over, by type and name. */
  private readonly versions = new Map<string, ReadonlyMap<string, string>>();
  private push: PushContext | undefined;
  private queued = false;
  private closed = false;
  private updates = 0;

  constructor({ dir, node, trustDomain = 'cluster.local', onEvent = () => {} }: EmbeddedSourceOptions, apply: Embedded['apply']) {
    this.apply = apply;
    this.tell = onEvent;
    // Nothing leaves the process, and who runs it can read the folder.
    this.node = { ...proxyNodeOf(node), verified: true };
    this.trustDomain = trustDomain;
    this.tokenKeys = new JwksResolver({
      get: guardedGet(),
      scheduler: systemScheduler,
      now: Date.now,
      onChange: () => this.rebuild(this.objects),
      onProblem: (message) => this.tell({ type: 'problem', message }),
    });
    const onChange = ({ objects, findings, files }: StoreState): void => {
      this.objects = objects;
      const keys = this.tokenKeys.want(jwksSources(objects));
      if (keys === undefined) this.rebuild(objects);
      else void keys.then(() => this.rebuild(objects));
      this.tell({ type: 'configuration', objects: objects.length, files, findings });
    };
    const onProblem = (message: string): void => this.tell({ type: 'problem', message });
    this.source = dir instanceof MemorySource ? dir.subscribe(onChange) : new FileSource({ path: dir, onChange, onProblem });
  }

  want(typeUrl: string, names: readonly string[] | '*'): void {
    this.wanted.set(typeUrl, names === '*' ? '*' : new Set(names));
    this.queue();
  }

  close(): void {
    this.closed = true;
    this.source.close();
    this.tokenKeys.close();
  }

  private rebuild(objects: readonly MeshObject[]): void {
    if (this.closed || objects !== this.objects) return;
    this.guarded(() => {
      this.push = new PushContext({ objects, workloads: [], trustDomain: this.trustDomain, tokenKeys: this.tokenKeys.current });
    });
    this.queue();
  }

  /** After the caller's turn: `subscribe` has returned then, and several wishes become one pass. */
  private queue(): void {
    if (this.queued) return;
    this.queued = true;
    setImmediate(() => {
      this.queued = false;
      for (const typeUrl of PUSH_ORDER) if (!this.closed) this.guarded(() => this.deliver(typeUrl));
    });
  }

  private deliver(typeUrl: string): void {
    const wanted = this.wanted.get(typeUrl);
    if (wanted === undefined || this.push === undefined) return;
    const before = this.versions.get(typeUrl);
    const found = encodeResources(typeUrl, this.node, this.push, wanted === '*' ? [] : [...wanted]);
    const mine = wanted === '*' || NAMED_TYPES.has(typeUrl) ? found : found.filter(({ name }) => wanted.has(name));
    const changed = mine.filter(({ name, version }) => before?.get(name) !== version);
    const now = new Map(mine.map(({ name, version }) => [name, version]));
    const gone = [...(before ?? [])].filter(([name, version]) => version !== ABSENT && !now.has(name));
    // Discovered filters keep what they had, as with istiod.
    const removed = typeUrl === EXTENSION_TYPE_URL ? [] : gone.map(([name]) => name);
    // What is asked for by name and is not there is said once, as over delta xDS.
    if (NAMED_TYPES.has(typeUrl) && wanted !== '*')
      for (const name of wanted) {
        if (now.has(name)) continue;
        if (before?.get(name) === undefined) removed.push(name);
        now.set(name, ABSENT);
      }
    this.versions.set(typeUrl, now);
    // The first answer counts even if it is empty: it says that there is nothing.
    if (changed.length === 0 && removed.length === 0 && before !== undefined) return;
    this.apply({ typeUrl, version: `embedded-${++this.updates}`, resources: changed.map(raw), removed, full: false });
  }

  /** This is somebody's service: a defect of the translator must not take it down. */
  private guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.tell({ type: 'problem', message: `the configuration cannot be translated (${reason}); the last one stays` });
    }
  }
}

/** In the place of a version. */
const ABSENT = '';

function raw({ name, version, any }: EncodedResource): EmbeddedUpdate['resources'][number] {
  return { name, version, body: any.value };
}
