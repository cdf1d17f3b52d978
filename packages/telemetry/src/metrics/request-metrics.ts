import type { Exchange, Outcome } from '@ripstop/core';
import { type Cell, Cells } from './cell.ts';
import { LabelMaker, type TelemetryNode } from './labels.ts';

type ByCode = Map<number, Cell>;

/** Hosts without a service of their own (PassthroughCluster, no route) that get series by name; the rest share one. */
const MAX_FOREIGN_HOSTS = 500;

/**
 * Istio's standard HTTP metrics. Per request: one WeakMap look-up by endpoint (outbound) or connection (inbound), one Map look-up by
 * status and flags, and additions. Label strings are built only when a cell is made.
 */
export class RequestMetrics {
  readonly cells: Cells = new Cells();
  private readonly labels: LabelMaker;
  private readonly byObject = new WeakMap<object, ByCode>();
  private readonly byHost = new Map<string, ByCode>();

  constructor(node: TelemetryNode) {
    this.labels = new LabelMaker(node);
  }

  record(x: Exchange, outcome: Outcome): void {
    const codes = this.codesFor(x);
    // Flags take 25 bits, status 10, gRPC status 5: together still an exact integer.
    const key = (x.flags * 1024 + outcome.status) * 32 + (outcome.grpcStatus === undefined ? 31 : outcome.grpcStatus & 31);
    let cell = codes.get(key);
    if (cell === undefined) {
      cell = this.cells.of(x.direction === 'inbound' ? this.labels.inbound(x, outcome) : this.labels.outbound(x, outcome));
      codes.set(key, cell);
    }
    cell.add(outcome.endedAt - x.startedAt, outcome.requestBytes, outcome.responseBytes);
  }

  private codesFor(x: Exchange): ByCode {
    if (x.direction === 'inbound') return this.inboundCodes(x);
    const object = x.endpoint?.workload === undefined && !x.cluster?.services.length ? undefined : (x.endpoint ?? x.cluster);
    return object === undefined ? this.hostCodes(x.request.authority) : codesOf(this.byObject, object);
  }

  /** By connection and authority: one connection may ask for several hosts. */
  private inboundCodes(x: Exchange): ByCode {
    const codes = codesOf(this.byObject, x.peer) as ByCode & { authority?: string };
    if (codes.authority === undefined) codes.authority = x.request.authority;
    return codes.authority === x.request.authority
      ? codes
      : this.hostCodes(`${x.peer.mtls ? x.peer.uriSans[0] : ''} ${x.request.authority}`);
  }

  private hostCodes(host: string): ByCode {
    const key = this.byHost.size < MAX_FOREIGN_HOSTS || this.byHost.has(host) ? host : '';
    let codes = this.byHost.get(key);
    if (codes === undefined) {
      codes = new Map();
      this.byHost.set(key, codes);
    }
    return codes;
  }
}

function codesOf(map: WeakMap<object, ByCode>, object: object): ByCode {
  let codes = map.get(object);
  if (codes === undefined) {
    codes = new Map();
    map.set(object, codes);
  }
  return codes;
}
