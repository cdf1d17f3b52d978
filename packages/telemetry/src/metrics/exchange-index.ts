import type { Exchange, Outcome } from '@ripstop/core';

type ByCode<T> = Map<number, T>;

/** Hosts without a service of their own (PassthroughCluster, no route) that get series by name; the rest share one. */
const MAX_FOREIGN_HOSTS = 500;

/**
 * Values of exchanges that are counted alike. Finding one is a WeakMap look-up by endpoint (outbound) or connection (inbound) and a Map
 * look-up by status and flags: no label string is made for a request.
 */
export class ExchangeIndex<T> {
  private readonly byObject = new WeakMap<object, ByCode<T>>();
  private readonly byHost = new Map<string, ByCode<T>>();

  of(x: Exchange, outcome: Outcome, make: (x: Exchange, outcome: Outcome) => T): T {
    const codes = this.codesFor(x);
    // Flags take 26 bits, status 10, gRPC status 5: together still an exact integer.
    const key = (x.flags * 1024 + outcome.status) * 32 + (outcome.grpcStatus === undefined ? 31 : outcome.grpcStatus & 31);
    let value = codes.get(key);
    if (value === undefined) {
      value = make(x, outcome);
      codes.set(key, value);
    }
    return value;
  }

  private codesFor(x: Exchange): ByCode<T> {
    if (x.direction === 'inbound') return this.inboundCodes(x);
    const object = x.endpoint?.workload === undefined && !x.cluster?.services.length ? undefined : (x.endpoint ?? x.cluster);
    return object === undefined ? this.hostCodes(x.request.authority) : this.codesOf(object);
  }

  /** By connection and authority: one connection may ask for several hosts. */
  private inboundCodes(x: Exchange): ByCode<T> {
    const codes = this.codesOf(x.peer) as ByCode<T> & { authority?: string };
    if (codes.authority === undefined) codes.authority = x.request.authority;
    return codes.authority === x.request.authority
      ? codes
      : this.hostCodes(`${x.peer.mtls ? x.peer.uriSans[0] : ''} ${x.request.authority}`);
  }

  private hostCodes(host: string): ByCode<T> {
    const key = this.byHost.size < MAX_FOREIGN_HOSTS || this.byHost.has(host) ? host : '';
    let codes = this.byHost.get(key);
    if (codes === undefined) {
      codes = new Map();
      this.byHost.set(key, codes);
    }
    return codes;
  }

  private codesOf(object: object): ByCode<T> {
    let codes = this.byObject.get(object);
    if (codes === undefined) {
      codes = new Map();
      this.byObject.set(object, codes);
    }
    return codes;
  }
}
