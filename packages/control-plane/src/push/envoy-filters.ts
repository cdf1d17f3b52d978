import { createHash } from 'node:crypto';
import { closesWorkloads, MAX_REGEX_LENGTH, type MeshObject } from '@ripstop/istio-api';
import {
  Cluster,
  FilterChain,
  fromProtoJson,
  HttpFilter,
  Listener,
  ListenerListenerFilter,
  type MessageCodec,
  ListenerFilter as NetworkFilter,
  Route,
  RouteConfiguration,
  TypedExtensionConfig,
  VirtualHost,
} from '@ripstop/xds-api';
import { RE2JS } from 're2js';
import type { ProxyNode } from '../model/proxy-node.ts';
import { attaches } from './authorization.ts';

export type PatchContext = 'SIDECAR_INBOUND' | 'SIDECAR_OUTBOUND' | 'GATEWAY';

/** Which part of which resource a patch is for (EnvoyConfigObjectMatch). */
export interface PatchMatch {
  readonly context?: string;
  readonly proxy?: { readonly proxyVersion?: string; readonly metadata?: Readonly<Record<string, string>> };
  readonly cluster?: { readonly name?: string; readonly service?: string; readonly subset?: string; readonly portNumber?: number };
  readonly listener?: {
    readonly name?: string;
    readonly portNumber?: number;
    readonly listenerFilter?: string;
    readonly filterChain?: {
      readonly name?: string;
      readonly sni?: string;
      readonly transportProtocol?: string;
      readonly applicationProtocols?: string;
      readonly destinationPort?: number;
      readonly filter?: { readonly name?: string; readonly subFilter?: { readonly name?: string } };
    };
  };
  readonly routeConfiguration?: {
    readonly name?: string;
    readonly portNumber?: number;
    readonly portName?: string;
    readonly gateway?: string;
    readonly vhost?: {
      readonly name?: string;
      readonly domainName?: string;
      readonly route?: { readonly name?: string; readonly action?: string };
    };
  };
}

export interface Patch {
  readonly operation: string;
  readonly match: PatchMatch;
  /** A message of the type that is patched; undefined for REMOVE. */
  readonly value: object | undefined;
  /** `value` as it is written: which of its fields are set. */
  readonly json: unknown;
  /** MERGE_AND_REPLACE_LIST: a list takes the place of the one before, where MERGE puts it behind. */
  readonly replacesLists?: true;
}

export type PatchedKind =
  | 'CLUSTER'
  | 'LISTENER'
  | 'LISTENER_FILTER'
  | 'FILTER_CHAIN'
  | 'NETWORK_FILTER'
  | 'HTTP_FILTER'
  | 'ROUTE_CONFIGURATION'
  | 'VIRTUAL_HOST'
  | 'HTTP_ROUTE'
  | 'EXTENSION_CONFIG';

interface EnvoyFilterSpec {
  readonly priority?: number;
  readonly configPatches?: readonly {
    readonly applyTo?: string;
    readonly match?: PatchMatch;
    readonly patch?: { readonly operation?: string; readonly value?: unknown };
  }[];
}

/** A message as patches write it. */
export type PatchCodec = MessageCodec<object> & { fromJSON(json: unknown): object };

/** The message that a patch of each kind is of. */
export const PATCH_CODECS: Readonly<Record<PatchedKind, PatchCodec>> = {
  CLUSTER: Cluster,
  LISTENER: Listener,
  LISTENER_FILTER: ListenerListenerFilter,
  FILTER_CHAIN: FilterChain,
  NETWORK_FILTER: NetworkFilter,
  HTTP_FILTER: HttpFilter,
  ROUTE_CONFIGURATION: RouteConfiguration,
  VIRTUAL_HOST: VirtualHost,
  HTTP_ROUTE: Route,
  EXTENSION_CONFIG: TypedExtensionConfig,
};

/** The patches for one node, by what they are for, in the order in which they act. */
export interface NodePatches {
  /** Equal while the patches are. */
  readonly key: string;
  of(kind: PatchedKind, context: PatchContext): readonly Patch[];
}

interface ReadFilter {
  readonly object: MeshObject<EnvoyFilterSpec>;
  readonly key: string;
  readonly patches: ReadonlyMap<string, readonly Patch[]>;
}

/** INSERT_* of things whose order has no meaning is ADD (istiod: convertToEnvoyFilterWrapper). */
const ORDERED: ReadonlySet<string> = new Set(['HTTP_FILTER', 'NETWORK_FILTER', 'HTTP_ROUTE', 'LISTENER_FILTER']);

/** EnvoyFilters by node. Those that authenticate or authorize are not here: what they select refuses (see rbac-filters.ts). */
export class EnvoyFilters {
  private readonly filters: readonly ReadFilter[];
  private readonly rootNamespace: string;

  /** `objects`: oldest first. */
  constructor(objects: readonly MeshObject[], rootNamespace: string) {
    this.rootNamespace = rootNamespace;
    this.filters = objects.filter((object) => !closesWorkloads(object)).map((object) => read(object as MeshObject<EnvoyFilterSpec>));
  }

  /** Undefined when none is for the node. */
  for(node: ProxyNode, gateways: () => ReadonlySet<string>): NodePatches | undefined {
    const mine = this.filters.filter(({ object }) => {
      const { namespace } = object.metadata;
      return (namespace === this.rootNamespace || namespace === node.namespace) && attaches(object, node.namespace, node.labels, gateways);
    });
    if (mine.length === 0) return undefined;
    const ordered = [...mine].sort((a, b) => this.rank(a) - this.rank(b));
    return {
      key: ordered.map(({ key, patches }) => `${key}${choiceOf(patches, node)}`).join(' '),
      of: (kind, context) =>
        ordered.flatMap(({ patches }) => (patches.get(kind) ?? []).filter(({ match }) => isFor(match, context) && isOf(match, node))),
    };
  }

  /** By priority, then the root namespace's; the sort is stable, so the oldest first. */
  private rank({ object }: ReadFilter): number {
    return (object.spec.priority ?? 0) * 2 + (object.metadata.namespace === this.rootNamespace ? 0 : 1);
  }
}

function read(object: MeshObject<EnvoyFilterSpec>): ReadFilter {
  const patches = new Map<string, Patch[]>();
  for (const { applyTo = '', match = {}, patch } of object.spec.configPatches ?? []) {
    const codec = Object.hasOwn(PATCH_CODECS, applyTo) ? PATCH_CODECS[applyTo as PatchedKind] : undefined;
    if (codec === undefined || patch === undefined) continue;
    const { operation = '', value } = patch;
    const inserts = operation.startsWith('INSERT_') && !ORDERED.has(applyTo);
    const list = patches.get(applyTo) ?? [];
    patches.set(applyTo, list);
    const replacesLists = operation === 'MERGE_AND_REPLACE_LIST';
    list.push({
      operation: inserts ? 'ADD' : replacesLists ? 'MERGE' : operation,
      match,
      value: messageOf(codec, value),
      json: value,
      ...(replacesLists ? { replacesLists } : {}),
    });
  }
  const { namespace, name } = object.metadata;
  const hash = createHash('sha1').update(JSON.stringify(object.spec)).digest('base64url').slice(0, 12);
  return { object, patches, key: `${namespace}/${name}@${hash}` };
}

/** What is no message of the type does nothing (istiod does not admit it). */
function messageOf(codec: PatchCodec, value: unknown): object | undefined {
  try {
    return typeof value === 'object' && value !== null ? fromProtoJson(codec, value) : undefined;
  } catch {
    return undefined;
  }
}

/** Which patches of a filter are for a node: `:10` = the first of the two that ask. */
function choiceOf(patches: ReadonlyMap<string, readonly Patch[]>, node: ProxyNode): string {
  const asking = [...patches.values()].flat().filter(({ match }) => match.proxy !== undefined);
  return asking.length === 0 ? '' : `:${asking.map(({ match }) => (isOf(match, node) ? 1 : 0)).join('')}`;
}

function isFor({ context = 'ANY' }: PatchMatch, wanted: PatchContext): boolean {
  return context === 'ANY' || context === wanted;
}

function isOf({ proxy }: PatchMatch, node: ProxyNode): boolean {
  if (proxy === undefined) return true;
  const { proxyVersion = '', metadata = {} } = proxy;
  const version = node.metadata.ISTIO_VERSION;
  if (proxyVersion !== '' && (typeof version !== 'string' || !matchesVersion(proxyVersion, version))) return false;
  return Object.entries(metadata).every(([name, value]) => node.metadata[name] === value);
}

/** Any tenant may write one: never by V8's engine, which backtracks. One that is too long matches no proxy, as in istiod. */
function matchesVersion(pattern: string, version: string): boolean {
  if (pattern.length > MAX_REGEX_LENGTH) return false;
  try {
    return RE2JS.compile(pattern).test(version);
  } catch {
    return false; // No pattern: it matches nothing (istiod does not admit it).
  }
}
