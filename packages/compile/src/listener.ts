import type { DownstreamTls, FilterChain, FilterChainMatch, HttpConnectionManager, SourceRef } from '@ripstop/core';
import {
  DownstreamTlsContext,
  type FilterChain as FilterChainMessage,
  HttpConnectionManager as HcmMessage,
  isAny,
  type Listener,
  RawBuffer,
  TcpProxy,
  unpackAny,
} from '@ripstop/xds-api';
import { compileDownstreamTls } from './cluster/tls-context.ts';
import { compileManager, type ManagerEnv, rdsName } from './http-connection-manager.ts';
import { secretNames } from './secret.ts';
import { sourcesOf } from './values.ts';

/** A listener whose messages were unpacked; its routes are joined later. */
export interface DecodedListener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** `inbound`: virtualInbound. `outbound`: a port that apps call. `gateway`: a port that a router node serves. */
  readonly kind: 'inbound' | 'outbound' | 'gateway' | 'virtual_outbound';
  readonly chains: readonly DecodedChain[];
  readonly defaultChain: DecodedChain | undefined;
  readonly routeNames: readonly string[];
  /** Certificates that the control plane serves. */
  readonly secretNames: readonly string[];
  /** Documents that say who may call, by `kind namespace/name`. */
  readonly sources: ReadonlyMap<string, SourceRef> | undefined;
}

interface DecodedChain {
  readonly name: string;
  readonly match: FilterChainMatch;
  readonly tls: DownstreamTls | undefined;
  readonly manager: HcmMessage | undefined;
  readonly tcpCluster: string | undefined;
}

/** Decodes a listener and everything inside it; throws naming chain and reason. */
export function decodeListener(message: Listener, isRouter: boolean): DecodedListener {
  const chains = message.filterChains.map(decodeChain);
  const defaultChain = message.defaultFilterChain === undefined ? undefined : decodeChain(message.defaultFilterChain);
  const socket = message.address?.address?.$case === 'socketAddress' ? message.address.address.value : undefined;
  const port = socket?.portSpecifier?.$case === 'portValue' ? socket.portSpecifier.value : 0;
  const all = defaultChain === undefined ? chains : [...chains, defaultChain];
  return {
    name: message.name,
    address: socket?.address ?? '',
    port,
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
    secretNames: [...new Set(all.flatMap(({ tls }) => secretNames(tls)))],
    routeNames: [...new Set(all.flatMap(({ manager }) => (manager === undefined ? [] : (rdsName(manager) ?? []))))],
  };
}

function decodeChain(chain: FilterChainMessage): DecodedChain {
  const any = chain.filters.map((filter) => (filter.configType?.$case === 'typedConfig' ? filter.configType.value : undefined));
  const manager = any.find((config) => isAny(HcmMessage, config));
  const tcp = any.find((config) => isAny(TcpProxy, config));
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
    http:
      chain.manager === undefined
        ? undefined
        : { ...compileManager(`${listener.name}/${chain.name}`, chain.manager, env), sources: listener.sources },
    tcpCluster: chain.tcpCluster,
  });
  return {
    chains: listener.chains.map(compile),
    defaultChain: listener.defaultChain === undefined ? undefined : compile(listener.defaultChain),
  };
}

/** The connection manager of an outbound listener: its HTTP chain's. Undefined for a TCP listener. */
export function compileOutboundManager(listener: DecodedListener, env: ManagerEnv): HttpConnectionManager | undefined {
  const chain = [...listener.chains, ...(listener.defaultChain === undefined ? [] : [listener.defaultChain])].find(
    ({ manager }) => manager !== undefined,
  );
  return chain?.manager === undefined ? undefined : compileManager(listener.name, chain.manager, env);
}
