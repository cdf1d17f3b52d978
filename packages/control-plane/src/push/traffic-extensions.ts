import type { MeshObject } from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { attaches } from './authorization.ts';
import { type ListenerClass, modeOf } from './telemetry.ts';

/** When a plugin sees a request: before tokens, before policies, or after both. */
export type Phase = 'AUTHN' | 'AUTHZ' | 'STATS' | 'UNSPECIFIED';

/** A plugin of Envoy's, as WasmPlugin and TrafficExtension both describe it. */
export interface WasmSpec {
  readonly url?: string;
  readonly type?: string;
  readonly sha256?: string;
  readonly imagePullPolicy?: string;
  readonly imagePullSecret?: string;
  readonly pluginConfig?: Readonly<Record<string, unknown>>;
  readonly pluginName?: string;
  readonly failStrategy?: string;
  readonly vmConfig?: { readonly env?: readonly { readonly name: string; readonly valueFrom?: string; readonly value?: string }[] };
}

interface TrafficSelector {
  readonly mode?: string;
  readonly ports?: readonly { readonly number?: number }[];
}

interface ExtensionSpec {
  readonly phase?: string;
  readonly priority?: number | null;
  readonly match?: readonly TrafficSelector[];
}

/** A filter of somebody's own, for Envoys (istiod: TrafficExtensionWrapper). */
export interface TrafficExtension {
  readonly object: MeshObject;
  readonly phase: Phase;
  readonly priority: number;
  /** Of requests, or of connections. */
  readonly type: 'HTTP' | 'NETWORK';
  readonly match: readonly TrafficSelector[];
  readonly filter: { readonly wasm: WasmSpec & { readonly url: string } } | { readonly lua: string };
}

/** Before any that has one. */
const NO_PRIORITY = -(2 ** 31);
const PHASES: ReadonlySet<string> = new Set(['AUTHN', 'AUTHZ', 'STATS']);

/** WasmPlugins and TrafficExtensions, by the workloads that they are for. */
export class TrafficExtensions {
  private readonly rootNamespace: string;
  private readonly byNamespace: ReadonlyMap<string, readonly TrafficExtension[]>;

  /** `objects`: oldest first. */
  constructor(objects: readonly MeshObject[], rootNamespace: string) {
    this.rootNamespace = rootNamespace;
    this.byNamespace = Map.groupBy(
      objects.flatMap((object) => trafficExtensionOf(object) ?? []),
      ({ object }) => object.metadata.namespace,
    );
  }

  /** Those for a node; of its own namespace first, by priority. */
  for({ namespace, labels }: Pick<ProxyNode, 'namespace' | 'labels'>, gateways: () => ReadonlySet<string>): readonly TrafficExtension[] {
    const found = [...new Set([namespace, this.rootNamespace])].flatMap((each) => this.byNamespace.get(each) ?? []);
    if (found.length === 0) return NONE;
    return found
      .filter(({ object }) => attaches(object, namespace, labels, gateways))
      .sort((first, second) => second.priority - first.priority);
  }
}

const NONE: readonly TrafficExtension[] = [];

/** Undefined for a document that names nothing to run. */
export function trafficExtensionOf(object: MeshObject): TrafficExtension | undefined {
  const { phase = '', priority, match } = object.spec as ExtensionSpec;
  const isPlugin = object.kind === 'WasmPlugin';
  const { wasm, lua } = (isPlugin ? { wasm: object.spec } : object.spec) as {
    readonly wasm?: WasmSpec;
    readonly lua?: { readonly inlineCode?: string };
  };
  const common = {
    object,
    phase: (PHASES.has(phase) ? phase : 'UNSPECIFIED') as Phase,
    priority: priority ?? NO_PRIORITY,
    match: match ?? [],
  };
  if (typeof lua?.inlineCode === 'string' && lua.inlineCode !== '') return { ...common, type: 'HTTP', filter: { lua: lua.inlineCode } };
  if (typeof wasm?.url !== 'string' || wasm.url === '') return undefined;
  return { ...common, type: wasm.type === 'NETWORK' ? 'NETWORK' : 'HTTP', filter: { wasm: { ...wasm, url: wasm.url } } };
}

/**
 * Whether a client can run plugins. Our own processes cannot, so what guards them refuses (translate/rbac/rbac-filters.ts); gRPC clients have no
 * such filter.
 */
export function runsExtensions({ dialect, ripstop }: Pick<ProxyNode, 'dialect' | 'ripstop'>): boolean {
  return dialect !== 'grpc' && !ripstop;
}

/** Whether it is for a port of a listener (istiod: matchTrafficExtensionSelectors). */
export function matchesListener({ match }: TrafficExtension, listener: ListenerClass, port: number): boolean {
  return match.length === 0 || match.some((selector) => matchesMode(selector, listener) && matchesPort(selector, port));
}

function matchesMode({ mode = 'UNDEFINED' }: TrafficSelector, listener: ListenerClass): boolean {
  return mode === 'UNDEFINED' || mode === 'CLIENT_AND_SERVER' || mode === modeOf(listener);
}

function matchesPort({ ports = [] }: TrafficSelector, port: number): boolean {
  return ports.length === 0 || ports.some(({ number = 0 }) => number !== 0 && number === port);
}
