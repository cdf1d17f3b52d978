import {
  type FilterChain,
  HttpConnectionManager,
  type HttpFilter,
  isAny,
  LISTENER_TYPE_URL,
  Listener,
  type ListenerListenerFilter as ListenerFilter,
  type ListenerFilter as NetworkFilter,
  packAny,
  unpackAny,
} from '@ripstop/xds-api';
import type { NodePatches, Patch, PatchContext, PatchMatch } from '../../push/envoy-filters.ts';
import type { XdsResource } from '../resource.ts';
import { patchedList } from './inserting.ts';
import { mergeMessage } from './merge.ts';
import { mergeFilter } from './merge-filter.ts';
import { patchedRoutes } from './routes.ts';

type ListenerMatch = NonNullable<PatchMatch['listener']>;

const MANAGER = 'envoy.filters.network.http_connection_manager';
const VIRTUAL: ReadonlySet<string> = new Set(['virtualInbound', 'virtualOutbound']);

/** Listeners with the patches for them and for what is inside them. */
export function patchedListeners(listeners: readonly XdsResource[], patches: NodePatches, context: PatchContext): XdsResource[] {
  const mine = patches.of('LISTENER', context);
  const kept = listeners.flatMap((resource) => {
    const found = patchedListener(resource.message as Listener, mine);
    return found === undefined ? [] : [resourceOf(new ListenerPatcher(found, patches, context).patched())];
  });
  const added = mine.filter(
    ({ operation, match }) => operation === 'ADD' && ((match.context ?? 'ANY') !== 'ANY' || context !== 'SIDECAR_INBOUND'),
  );
  return [...kept, ...added.flatMap(({ value }) => (value === undefined ? [] : [resourceOf(value as Listener)]))];
}

function resourceOf(message: Listener): XdsResource {
  return { typeUrl: LISTENER_TYPE_URL, name: message.name, message };
}

function patchedListener(listener: Listener, patches: readonly Patch[]): Listener | undefined {
  let found = listener;
  for (const { operation, match, value, json, replacesLists } of patches) {
    if (!isListener(found, match.listener, true)) continue;
    if (operation === 'REMOVE') return undefined;
    if (operation === 'MERGE' && value !== undefined) found = mergeMessage(found, value, json, replacesLists);
  }
  return found;
}

/** What stands inside one listener. */
class ListenerPatcher {
  private readonly listener: Listener;
  private readonly patches: NodePatches;
  private readonly context: PatchContext;

  constructor(listener: Listener, patches: NodePatches, context: PatchContext) {
    this.listener = listener;
    this.patches = patches;
    this.context = context;
  }

  patched(): Listener {
    const { listener } = this;
    const listenerFilters = patchedList<ListenerFilter>(listener.listenerFilters, this.of('LISTENER_FILTER'), {
      names: ({ match }) => (match.listener?.listenerFilter ?? '') !== '',
      matches: ({ name }, { match }) => (match.listener?.listenerFilter ?? '') === '' || match.listener?.listenerFilter === name,
      merge: mergeFilter,
    });
    const chains = this.of('FILTER_CHAIN');
    const added = chains.flatMap(({ operation, value }) => (operation === 'ADD' && value !== undefined ? [value as FilterChain] : []));
    const { defaultFilterChain } = listener;
    return Listener.fromPartial({
      ...listener,
      listenerFilters,
      filterChains: [...listener.filterChains.flatMap((chain) => this.chain(chain, chains) ?? []), ...added],
      defaultFilterChain: defaultFilterChain === undefined ? undefined : this.chain(defaultFilterChain, chains),
    } as never);
  }

  private of(kind: 'LISTENER_FILTER' | 'FILTER_CHAIN' | 'NETWORK_FILTER' | 'HTTP_FILTER'): Patch[] {
    return this.patches.of(kind, this.context).filter(({ match }) => isListener(this.listener, match.listener, false));
  }

  private chain(chain: FilterChain, patches: readonly Patch[]): FilterChain | undefined {
    let found = chain;
    for (const { operation, match, value, json, replacesLists } of patches) {
      if (!this.isChain(found, match.listener)) continue;
      if (operation === 'REMOVE') return undefined;
      if (operation === 'MERGE' && value !== undefined) found = mergeMessage(found, value, json, replacesLists);
    }
    const mine = this.of('NETWORK_FILTER').filter(({ match }) => this.isChain(found, match.listener));
    const filters = patchedList<NetworkFilter>(found.filters, mine, {
      names: ({ match }) => match.listener?.filterChain?.filter !== undefined,
      matches: ({ name }, { match }) => isNetworkFilter(name, match.listener),
      merge: mergeFilter,
    });
    return { ...found, filters: filters.map((filter) => this.manager(filter, found)) };
  }

  /** The HTTP filters, and the routes that stand in the connection manager itself. */
  private manager(filter: NetworkFilter, chain: FilterChain): NetworkFilter {
    const any = filter.configType?.$case === 'typedConfig' ? filter.configType.value : undefined;
    if (filter.name !== MANAGER || !isAny(HttpConnectionManager, any)) return filter;
    const mine = this.of('HTTP_FILTER').filter(
      ({ match }) => this.isChain(chain, match.listener) && isNetworkFilter(filter.name, match.listener),
    );
    const message = unpackAny(HttpConnectionManager, any);
    const httpFilters = patchedList<HttpFilter>(message.httpFilters, mine, {
      names: ({ match }) => match.listener?.filterChain?.filter?.subFilter !== undefined,
      matches: ({ name }, { match }) => {
        const wanted = match.listener?.filterChain?.filter?.subFilter;
        return wanted === undefined || wanted.name === name;
      },
      merge: mergeFilter,
    });
    const { routeSpecifier } = message;
    // Those of ALLOW_ANY_DYNAMIC_DNS are no table that a filter names (Istio: ApplyRouteConfigurationPatches is asked for inbound, and for RDS).
    const routes =
      routeSpecifier?.$case === 'routeConfig' && this.context === 'SIDECAR_INBOUND'
        ? { ...routeSpecifier, value: patchedRoutes(routeSpecifier.value, this.patches, this.context) }
        : routeSpecifier;
    const value = packAny(HttpConnectionManager, { ...message, httpFilters, routeSpecifier: routes });
    return { ...filter, configType: { $case: 'typedConfig', value } };
  }

  private isChain({ name, filterChainMatch }: FilterChain, match: ListenerMatch | undefined): boolean {
    if (match === undefined) return true;
    const port = filterChainMatch?.destinationPort ?? 0;
    if (VIRTUAL.has(this.listener.name) && (match.portNumber ?? 0) > 0 && match.portNumber !== port) return false;
    const { filterChain: wanted } = match;
    if (wanted === undefined) return true;
    const alpns = (wanted.applicationProtocols ?? '') === '' ? [] : wanted.applicationProtocols!.split(',');
    return (
      ((wanted.name ?? '') === '' || wanted.name === name) &&
      ((wanted.sni ?? '') === '' || (filterChainMatch?.serverNames ?? []).includes(wanted.sni!)) &&
      ((wanted.transportProtocol ?? '') === '' || filterChainMatch?.transportProtocol === wanted.transportProtocol) &&
      alpns.every((alpn) => (filterChainMatch?.applicationProtocols ?? []).includes(alpn)) &&
      ((wanted.destinationPort ?? 0) === 0 || wanted.destinationPort === port)
    );
  }
}

/** The capture listeners have their ports in the chains, but for patches of the listener itself. */
function isListener({ name, address }: Listener, match: ListenerMatch | undefined, itself: boolean): boolean {
  if (match === undefined) return true;
  if ((match.name ?? '') !== '' && match.name !== name) return false;
  if (!itself && VIRTUAL.has(name)) return true;
  const socket = address?.address?.$case === 'socketAddress' ? address.address.value : undefined;
  const port = socket?.portSpecifier?.$case === 'portValue' ? socket.portSpecifier.value : 0;
  return (match.portNumber ?? 0) === 0 || match.portNumber === port;
}

function isNetworkFilter(name: string, match: ListenerMatch | undefined): boolean {
  const wanted = match?.filterChain?.filter;
  return wanted === undefined || wanted.name === name;
}
