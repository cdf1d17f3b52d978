import { AsyncResource } from 'node:async_hooks';
import { isIPv4, isIPv6 } from 'node:net';
import grpc from '@grpc/grpc-js';
import {
  type Cancel,
  type Cluster,
  type Endpoint,
  isSocketPath,
  type Lease,
  type Svid,
  sameTransport,
  type UpstreamTls,
  withoutPort,
} from '@ripstop/core';
import { type ChannelKey, EndpointChannel } from './endpoint-channel.ts';
import { EndpointCredentials } from './endpoint-credentials.ts';
import type { GrpcParts } from './grpc-parts.ts';
import { upstreamTls } from './transport-error.ts';

const SWEEP_MS = 1_000;
/** After a rotation each connection lives on for a random part of this time, so that handshakes spread. */
const ROTATION_JITTER_MS = 1_000;

/** A client's channel options with a text that is equal when they are. */
export interface ClientOptions {
  readonly values: grpc.ChannelOptions;
  readonly text: string;
}

/**
 * Every connection that the clients of one mesh hold, by endpoint. Retired when EDS dropped the endpoint, its transport changed (mTLS
 * switched on), connecting failed, or the identity was rotated; calls in flight finish where they are.
 */
export class EndpointChannels {
  readonly #parts: GrpcParts;
  readonly #tls: UpstreamTls;
  readonly #channels = new Map<Endpoint, EndpointChannel[]>();
  /** Connections belong to no request: what they report runs in the context in which the mesh was made. */
  readonly #scope = new AsyncResource('RipstopGrpcChannels');
  #svid: Svid | undefined;
  #jitterMs = 0;
  #stopWatching: Cancel | undefined;
  #sweeping = false;

  constructor(parts: GrpcParts) {
    this.#parts = parts;
    this.#tls = upstreamTls(parts);
  }

  /** Connections that take calls, for tests and the admin page. */
  get size(): number {
    let size = 0;
    for (const channels of this.#channels.values()) size += channels.length;
    return size;
  }

  /** The channel of a lease's endpoint, made and dialled on first use. `authority` matters for transports that take the SNI from the request. */
  of({ endpoint, resources }: Lease, cluster: Cluster, authority: string, options: ClientOptions): EndpointChannel {
    const { transport } = endpoint;
    const authorityHost = transport.kind === 'tls' && transport.autoSni && transport.sni === '' ? withoutPort(authority) : '';
    const now = this.#parts.clock.now();
    const known = this.#channels.get(endpoint);
    for (const channel of known ?? []) {
      const { key } = channel;
      if (key.resources !== resources || key.authorityHost !== authorityHost || key.options !== options.text) continue;
      if (!sameTransport(key.transport, transport)) continue;
      if (!channel.retired && now < channel.retireAt) return channel;
    }
    const created = this.#create(endpoint, cluster, { transport, resources, authorityHost, options: options.text }, options.values, now);
    const kept = known?.filter((channel) => !channel.retired && (now < channel.retireAt || retire(channel))) ?? [];
    this.#channels.set(endpoint, [...kept, created]);
    this.#scheduleSweep();
    return created;
  }

  /** Takes a channel out whose connection failed: the next attempt dials again at once, as Envoy does. */
  drop(endpoint: Endpoint, channel: EndpointChannel): void {
    channel.retire();
    const left = this.#channels.get(endpoint)?.filter((other) => other !== channel) ?? [];
    if (left.length === 0) this.#channels.delete(endpoint);
    else this.#channels.set(endpoint, left);
  }

  /** Retires everything. Later calls dial anew. */
  close(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    for (const channels of this.#channels.values()) for (const channel of channels) channel.retire();
    this.#channels.clear();
    this.#tls.forget();
  }

  #create(endpoint: Endpoint, cluster: Cluster, key: ChannelKey, options: grpc.ChannelOptions, now: number): EndpointChannel {
    const { transport, authorityHost } = key;
    this.#watchIdentity();
    const credentials = new EndpointCredentials(transport, this.#tls, authorityHost);
    const { idleTimeoutMs, maxConnectionDurationMs } = cluster.connection;
    const channel = this.#scope.runInAsyncScope(() => {
      const made = new grpc.Channel(dialledTarget(endpoint), credentials, {
        ...options,
        ...(idleTimeoutMs > 0 ? { 'grpc.client_idle_timeout_ms': idleTimeoutMs } : {}),
        // The mesh retries, balances and dials: what grpc-js would do besides must stay off.
        'grpc.enable_retries': 0,
        'grpc.enable_http_proxy': 0,
        'grpc.service_config_disable_resolution': 1,
        'grpc.use_local_subchannel_pool': 1,
      });
      made.getConnectivityState(true);
      return made;
    });
    const usesIdentity =
      transport.kind === 'tls' && (transport.clientCertificate?.kind === 'identity' || transport.trust?.kind === 'identity');
    const retireAt = maxConnectionDurationMs > 0 ? now + maxConnectionDurationMs : Number.POSITIVE_INFINITY;
    return new EndpointChannel(key, channel, cluster, usesIdentity ? (this.#svid?.generation ?? 0) : undefined, retireAt);
  }

  #watchIdentity(): void {
    const { identity } = this.#parts;
    if (identity === undefined || this.#stopWatching !== undefined) return;
    this.#svid = identity.current();
    this.#stopWatching = identity.onRotate((next) => this.#rotate(next));
  }

  #rotate(next: Svid): void {
    const before = this.#svid;
    this.#svid = next;
    this.#tls.forget();
    // Another identity must not speak over connections of the old one at all; a renewed certificate may wait its turn.
    this.#jitterMs = before !== undefined && before.spiffeId !== next.spiffeId ? 0 : ROTATION_JITTER_MS;
    const now = this.#parts.clock.now();
    for (const channels of this.#channels.values()) {
      for (const channel of channels) {
        if (channel.generation === undefined || channel.generation === next.generation) continue;
        channel.retireAt = Math.min(channel.retireAt, now + this.#parts.random() * this.#jitterMs);
      }
    }
  }

  #scheduleSweep(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.#parts.clock.setTimer(() => this.#sweep(), SWEEP_MS);
  }

  #sweep(): void {
    this.#sweeping = false;
    const now = this.#parts.clock.now();
    for (const [endpoint, channels] of this.#channels) {
      const kept = channels.filter(
        (channel) =>
          !channel.retired &&
          ((endpoint.present && sameTransport(channel.key.transport, endpoint.transport) && now < channel.retireAt) || retire(channel)),
      );
      if (kept.length === 0) this.#channels.delete(endpoint);
      else if (kept.length !== channels.length) this.#channels.set(endpoint, kept);
    }
    if (this.#channels.size > 0) this.#scheduleSweep();
  }
}

/** Answers false: it does not stay in the pool. */
function retire(channel: EndpointChannel): false {
  channel.retire();
  return false;
}

/** Of several addresses those of the first one's family: grpc-js tries them in turn. */
function dialledTarget({ address, otherAddresses = [], port, transport }: Endpoint): string {
  // grpc-js writes no header: the name says why nobody is called.
  if (transport.proxyProtocol !== undefined) return 'dns:///proxy-protocol-is-not-spoken-by-grpc-js.invalid:1';
  if (isSocketPath(address)) return `unix:${address}`;
  const all = [address, ...otherAddresses];
  if (isIPv4(address))
    return `ipv4:${all
      .filter(isIPv4)
      .map((one) => `${one}:${port}`)
      .join(',')}`;
  if (isIPv6(address))
    return `ipv6:${all
      .filter(isIPv6)
      .map((one) => `[${one}]:${port}`)
      .join(',')}`;
  return `dns:///${address}:${port}`;
}
