import type { DownstreamTls, FilterChain, FilterChainMatch, HttpConnectionManager, MetricOverride, SourceRef } from '@ripstop/core';
import {
  DownstreamTlsContext,
  type FilterChain as FilterChainMessage,
  HttpConnectionManager as HcmMessage,
  isAny,
  type Listener,
  type ListenerFilter,
  ProxyProtocol,
  RawBuffer,
  TcpProxy,
  unpackAny,
} from '@ripstop/xds-api';
import type { Awaited } from './awaited.ts';
import { compileDownstreamTls } from './cluster/tls-context.ts';
import { type DiscoveredFilter, discoveredFilters } from './discovered-filter.ts';
import { awaitedRoutes, compileManager, type ManagerEnv, rdsName } from './http-connection-manager.ts';
import { createAdmission, type DecodedNetworkFilters, decodeNetworkFilters } from './network-filters.ts';
import { secretNames } from './secret.ts';
import { compileTcpProxy, NO_HTTP } from './tcp-proxy.ts';
import { compileAccessLogs } from './telemetry/access-log.ts';
import { sourcesOf } from './values.ts';

/** A listener whose messages were unpacked; its routes are joined later. */
export interface DecodedListener {
  readonly name: string;
  /** `unix://<path>` for a socket of the file system, or an abstract one. */
  readonly address: string;
  readonly port: number;
  /** Of a gateway's listener alone. */
  readonly readsProxyProtocol: boolean;
  /** `inbound`: virtualInbound. `outbound`: a port that apps call. `gateway`: a port that a router node serves. */
  readonly kind: 'inbound' | 'outbound' | 'gateway' | 'virtual_outbound';
  readonly chains: readonly DecodedChain[];
  readonly defaultChain: DecodedChain | undefined;
  /** RDS names, and how long each is waited for. */
  readonly awaitedRoutes: readonly Awaited[];
  readonly routeNames: readonly string[];
  /** Filters whose configuration comes by ECDS. */
  readonly discovered: readonly DiscoveredFilter[];
  /** Certificates that the control plane serves. */
  readonly secretNames: readonly string[];
  /** Documents that say who may call, by `kind namespace/name`. */
  readonly sources: ReadonlyMap<string, SourceRef> | undefined;
  /** Tells of connections that no chain takes. */
  readonly unrouted: HttpConnectionManager;
}

interface DecodedChain {
  readonly name: string;
  readonly match: FilterChainMatch;
  readonly tls: DownstreamTls | undefined;
  readonly manager: HcmMessage | undefined;
  /** Where bytes of a chain without requests go, when it is to one cluster. */
  readonly tcpCluster: string | undefined;
  readonly network: DecodedNetworkFilters;
  readonly filters: readonly ListenerFilter[];
}

/** Istio counts connections where they are served. */
const UNCOUNTED: MetricOverride = { metric: '', drop: true, removed: [], tags: new Map() };

const PROXY_PROTOCOL = 'envoy.filters.listener.proxy_protocol';

/** Decodes a listener and everything inside it; throws naming chain and reason. */
export function decodeListener(message: Listener, isRouter: boolean): DecodedListener {
  const chains = message.filterChains.map(decodeChain);
  const defaultChain = message.defaultFilterChain === undefined ? undefined : decodeChain(message.defaultFilterChain);
  const all = defaultChain === undefined ? chains : [...chains, defaultChain];
  return {
    name: message.name,
    ...placeOf(message),
    readsProxyProtocol: readsProxyProtocol(message, isRouter),
    kind:
      message.name === 'virtualInbound'
        ? 'inbound'
        : message.name === 'virtualOutbound'
          ? 'virtual_outbound'
          : isRouter
            ? 'gateway'
            : 'outbound',
    chains,
    defaultChain,
    sources: sourcesOf(message.metadata),
    unrouted: { ...NO_HTTP, name: message.name, accessLogs: compileAccessLogs(message.accessLog), metrics: [UNCOUNTED] },
    secretNames: [...new Set(all.flatMap(({ tls }) => secretNames(tls)))],
    discovered: discoveredFilters(all.flatMap(({ manager }) => manager ?? [])),
    awaitedRoutes: all.flatMap(({ manager }) => (manager === undefined ? [] : (awaitedRoutes(manager) ?? []))),
    routeNames: [...new Set(all.flatMap(({ manager }) => (manager === undefined ? [] : (rdsName(manager) ?? []))))],
  };
}

function placeOf(message: Listener): Pick<DecodedListener, 'address' | 'port'> {
  const address = message.address?.address;
  if (address?.$case === 'pipe') return { address: `unix://${address.value.path}`, port: 0 };
  const socket = address?.$case === 'socketAddress' ? address.value : undefined;
  return { address: socket?.address ?? '', port: socket?.portSpecifier?.$case === 'portValue' ? socket.portSpecifier.value : 0 };
}

/** Unread, its header would be taken for the request, and the caller for the proxy in front. */
function readsProxyProtocol({ listenerFilters }: Listener, isRouter: boolean): boolean {
  const filter = listenerFilters.find(({ name, configType }) => {
    return name === PROXY_PROTOCOL || (configType?.$case === 'typedConfig' && isAny(ProxyProtocol, configType.value));
  });
  if (filter === undefined) return false;
  if (!isRouter) throw new Error(`listener filter ${PROXY_PROTOCOL} is not supported: only gateways read the PROXY protocol`);
  const config = filter.configType?.$case === 'typedConfig' ? unpackAny(ProxyProtocol, filter.configType.value) : undefined;
  // An upstream would be told more than the address, or callers be let in without a header: neither is done here.
  if (config !== undefined && (config.allowRequestsWithoutProxyProtocol || config.disallowedVersions.length > 0 || config.rules.length > 0))
    throw new Error(
      `listener filter ${PROXY_PROTOCOL}: allow_requests_without_proxy_protocol, disallowed_versions and rules are not supported`,
    );
  return true;
}

function decodeChain(chain: FilterChainMessage): DecodedChain {
  const network = decodeNetworkFilters(chain.filters);
  const manager = isAny(HcmMessage, network.terminal) ? network.terminal : undefined;
  const tcp = isAny(TcpProxy, network.terminal) ? network.terminal : undefined;
  const match = chain.filterChainMatch;
  if (
    match !== undefined &&
    (match.sourcePrefixRanges.length > 0 || match.sourcePorts.length > 0 || match.directSourcePrefixRanges.length > 0)
  ) {
    throw new Error(`filter chain ${chain.name}: matching on source addresses is not supported`);
  }
  const proxy = tcp === undefined ? undefined : unpackAny(TcpProxy, tcp).clusterSpecifier;
  return {
    name: chain.name,
    match: {
      destinationPort: match?.destinationPort ?? 0,
      serverNames: match?.serverNames.map((name) => name.toLowerCase()) ?? [],
      transportProtocol: transportOf(match?.transportProtocol ?? '', chain.name),
      applicationProtocols: match?.applicationProtocols ?? [],
    },
    tls: tlsOf(chain),
    manager: manager === undefined ? undefined : unpackAny(HcmMessage, manager),
    tcpCluster: proxy?.$case === 'cluster' ? proxy.value : undefined,
    network,
    filters: chain.filters,
  };
}

function transportOf(text: string, chain: string): FilterChainMatch['transportProtocol'] {
  if (text === '' || text === 'tls' || text === 'raw_buffer') return text;
  throw new Error(`filter chain ${chain}: transport protocol ${text} is not supported`);
}

function tlsOf(chain: FilterChainMessage): DownstreamTls | undefined {
  const any = chain.transportSocket?.configType?.$case === 'typedConfig' ? chain.transportSocket.configType.value : undefined;
  if (any === undefined || isAny(RawBuffer, any)) return undefined;
  if (!isAny(DownstreamTlsContext, any))
    throw new Error(`filter chain ${chain.name}: transport socket ${chain.transportSocket?.name} is not supported`);
  return compileDownstreamTls(unpackAny(DownstreamTlsContext, any));
}

/** The chains with their routes. Managers are made once per listener and route version; see `SnapshotCompiler`. */
export function compileChains(
  listener: DecodedListener,
  env: ManagerEnv,
): { readonly chains: readonly FilterChain[]; readonly defaultChain: FilterChain | undefined } {
  const compile = (chain: DecodedChain): FilterChain => ({
    name: chain.name,
    match: chain.match,
    tls: chain.tls,
    ...(chain.manager === undefined ? compileBytes(chain, listener, env) : compileHttp(chain, chain.manager, listener, env)),
  });
  return {
    chains: listener.chains.map(compile),
    defaultChain: listener.defaultChain === undefined ? undefined : compile(listener.defaultChain),
  };
}

type Served = Pick<FilterChain, 'http' | 'admission' | 'tcp' | 'refused'>;

function compileHttp({ name, network }: DecodedChain, manager: HcmMessage, listener: DecodedListener, env: ManagerEnv): Served {
  if (network.unsupported !== '') throw new Error(`filter chain ${name}: ${network.unsupported}`);
  return {
    http: { ...compileManager(`${listener.name}/${name}`, manager, env), sources: listener.sources },
    admission: createAdmission(network.judges, env.registry, { ...env.filterEnv, statPrefix: manager.statPrefix }),
    tcp: undefined,
  };
}

/** What is not supported closes the chain and no other: those of HTTP beside it do not suffer. */
function compileBytes({ name, network, filters }: DecodedChain, listener: DecodedListener, env: ManagerEnv): Served {
  const { terminal, judges, unsupported } = network;
  const closed = (refused: string): Served => ({ http: undefined, tcp: undefined, refused });
  if (unsupported !== '') return closed(unsupported);
  if (terminal === undefined) return closed('it has no filter that serves it');
  try {
    const parts = { name: `${listener.name}/${name}`, terminal, judges, filters, sources: listener.sources };
    return { http: undefined, tcp: compileTcpProxy(parts, env) };
  } catch (error) {
    return closed(error instanceof Error ? error.message : String(error));
  }
}

/** The connection manager of an outbound listener: its HTTP chain's. Undefined for a TCP listener. */
export function compileOutboundManager(listener: DecodedListener, env: ManagerEnv): HttpConnectionManager | undefined {
  const chain = [...listener.chains, ...(listener.defaultChain === undefined ? [] : [listener.defaultChain])].find(
    ({ manager }) => manager !== undefined,
  );
  return chain?.manager === undefined ? undefined : compileManager(listener.name, chain.manager, env);
}
