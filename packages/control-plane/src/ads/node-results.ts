import { CLUSTER_TYPE_URL, codecOf, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { ResultGroup } from '../push/shared.ts';
import { clustersView } from '../translate/clusters.ts';
import { endpointsView } from '../translate/endpoints.ts';
import { listenersView } from '../translate/outbound-listeners.ts';
import { pieces } from '../translate/pieces.ts';
import { routesView } from '../translate/routes.ts';
import { NAMED_TYPES, translateParts } from '../translate/translate.ts';
import { type EncodedResource, encoded, encodeResources } from './encoded-resource.ts';
import { type Names, SharedNames } from './holding.ts';
import { sameList } from './same-list.ts';

/** All of a type, and the results that it was put together of. */
interface Whole {
  readonly own: ResultGroup;
  readonly parts: readonly string[];
  readonly list: readonly EncodedResource[];
}

/**
 * The resources of one node, push after push. What still holds is not made again (push/shared.ts): a type of which nothing changed is
 * answered with the very same list.
 */
export class NodeResults {
  private readonly node: ProxyNode;
  private own: ResultGroup | undefined;
  private readonly wholes = new Map<string, Whole>();
  /** Of the types that are sent by name: what the node shares with others, and in which push it did. */
  private readonly groups = new Map<string, { push: PushContext; readonly group: ResultGroup }>();
  /** Types of which something was looked up in a push that others had left: no group remembers it. */
  private readonly behind = new Set<string>();

  constructor(node: ProxyNode) {
    this.node = node;
  }

  /** Whether a type is sent whole, or by names. A gRPC client names what it asks for of every type, and has little of each. */
  isWhole(typeUrl: string): boolean {
    return this.node.dialect === 'grpc' || !NAMED_TYPES.has(typeUrl);
  }

  /** Everything of a type that is sent whole. */
  whole(typeUrl: string, push: PushContext, names: readonly string[]): readonly EncodedResource[] {
    if (this.node.dialect === 'grpc') return this.remembered(`${typeUrl} ${names.join(' ')}`, typeUrl, push, names);
    const known = this.wholes.get(typeUrl);
    if (known !== undefined && known.own === this.own && known.own.memory === push.memory && known.own.holds(known.parts, push))
      return known.list;
    const list = this.remembered(typeUrl, typeUrl, push, names);
    const parts = translateParts(typeUrl, this.node, push.tracked, names).map((_part, at) => `${typeUrl} ${at}`);
    if (this.own !== undefined && push.memory.isNewest(push)) this.wholes.set(typeUrl, { own: this.own, parts, list });
    return list;
  }

  /** Those of the names that exist. */
  named(typeUrl: string, push: PushContext, names: Names): readonly EncodedResource[] {
    const group = this.groupOf(typeUrl, push);
    if (group !== undefined) {
      if (!push.memory.isNewest(push)) this.behind.add(typeUrl);
      const make = (): readonly EncodedResource[] => sameList(encodeResources(typeUrl, this.node, push.tracked, [...names]));
      // Clients that come together mostly ask for the same.
      if (names instanceof SharedNames) return group.list(names, push, make);
      return names.size <= FEW_NAMES ? group.few([...names].join('\n'), push, make) : make();
    }
    return [...names].flatMap((name) => this.remembered(`${typeUrl} ${name}`, typeUrl, push, [name]));
  }

  /** Makes some of what a full set needs and others share; true when there is more. A set of thousands takes too long for one go. */
  prepare(typeUrl: string, push: PushContext, names: Names): boolean {
    const { node } = this;
    if (node.dialect === 'grpc' || (NAMED_TYPES.has(typeUrl) && names.size < FEW)) return false;
    const group = this.groupOf(typeUrl, push) ?? this.groupOfWhole(typeUrl, push);
    if (group === undefined) return false;
    const work = (): Iterator<void> => {
      const unmade = [...names].filter((name) => !group.holds([name], push));
      return pieces(typeUrl, node, push.tracked, unmade);
    };
    return group.prepare(push, work, SLICE_MS);
  }

  /** Names of which something may be new since the push before; undefined when that is not known. */
  changed(typeUrl: string, push: PushContext, since: PushContext): ReadonlySet<string> | undefined {
    if (this.behind.delete(typeUrl) || since.memory !== push.memory || since.generation !== push.generation - 1) return undefined;
    const before = this.groupOf(typeUrl, since);
    const group = this.groupOf(typeUrl, push);
    // A client that is told otherwise than before (its Sidecar changed) is in another group.
    if (group === undefined || group !== before || group.since > since.generation) return undefined;
    return group.changed(push);
  }

  private remembered(key: string, typeUrl: string, push: PushContext, names: readonly string[]): readonly EncodedResource[] {
    if (codecOf(typeUrl) === undefined) return [];
    if (this.own === undefined || this.own.memory !== push.memory || this.own.size > MAX_OWN) this.own = push.memory.ownGroup(push);
    const { own } = this;
    const parts = translateParts(typeUrl, this.node, push.tracked, names);
    const made = parts.map((part, at) => push.memory.within(own, `${key} ${at}`, push, { make: () => encoded(part()) }));
    // Mostly nothing of the node's own stands beside what it shares with others.
    const [first = NOTHING, ...rest] = made.filter(({ length }) => length > 0);
    return rest.length === 0 ? first : push.memory.within(own, key, push, { make: () => made.flat(), given: made });
  }

  private groupOf(typeUrl: string, push: PushContext): ResultGroup | undefined {
    const { node } = this;
    const routes = typeUrl === ROUTE_TYPE_URL && node.dialect === 'sidecar';
    if (!routes && (typeUrl !== ENDPOINT_TYPE_URL || node.dialect === 'grpc')) return undefined;
    const known = this.groups.get(typeUrl);
    if (known !== undefined && !known.group.released && (known.push === push || push.memory.isAlike(known.push, push))) {
      known.push = push;
      return known.group;
    }
    const group = this.shared(routes ? routesView(node, push) : endpointsView(node, push), push);
    this.groups.set(typeUrl, { push, group });
    return group;
  }

  private groupOfWhole(typeUrl: string, push: PushContext): ResultGroup | undefined {
    if (typeUrl === CLUSTER_TYPE_URL) return this.shared(clustersView(this.node, push), push);
    return typeUrl === LISTENER_TYPE_URL && this.node.dialect === 'sidecar' ? this.shared(listenersView(this.node), push) : undefined;
  }

  private shared(view: string, push: PushContext): ResultGroup {
    return push.memory.shared(push.scopeKeyOf(this.node), view, push);
  }
}

const NOTHING: readonly EncodedResource[] = [];
/** So few at once are made in one go. */
const FEW = 2;
/** What a change touches; whoever hears of it hears of the same. */
const FEW_NAMES = 8;
/** How long the making of a set goes on before others have their turn. */
const SLICE_MS = 5;
/** Names come and go on a long-lived stream. */
const MAX_OWN = 1000;
