import { DecisionRecord, type Exchange, type Outcome, type Random, type TelemetrySink } from '@ripstop/core';

/** When decision records are kept. Without these options none is, and a request pays nothing. */
export interface DecisionOptions {
  /** Share of requests, 0 to 1. Default 0: only requests that ask. */
  readonly sample?: number;
  /**
   * Whose `x-ripstop-explain` header is honoured at this service's door: `namespace/serviceaccount` or SPIFFE ids; `*` = every caller with
   * a certificate of the mesh. The app's own calls may always ask. Default: nobody.
   */
  readonly askers?: readonly string[];
  /** Records that /decisions of the admin server shows; the oldest go. Default 256. */
  readonly keep?: number;
  /** Called at the end of each request that has a record. */
  readonly onDecision?: (record: DecisionRecord) => void;
}

/** Asks for a record of this request; taken off on the way in, passed on on the way out. */
export const ASK_HEADER = 'x-ripstop-explain';

/** Records of this process, and the telemetry sink that starts them: every driver tells it of a request before anything is decided. */
export class Decisions implements TelemetrySink {
  private readonly inner: TelemetrySink;
  private readonly sample: number;
  private readonly askers: ReadonlySet<string>;
  private readonly keep: number;
  private readonly onDecision: ((record: DecisionRecord) => void) | undefined;
  private readonly prefix: string;
  private readonly random: Random;
  private readonly records = new Map<string, DecisionRecord>();
  private count = 0;

  constructor(
    inner: TelemetrySink,
    options: DecisionOptions,
    { workload, random }: { readonly workload: string; readonly random: Random },
  ) {
    this.inner = inner;
    this.sample = options.sample ?? 0;
    this.askers = new Set(options.askers);
    this.keep = options.keep ?? 256;
    this.onDecision = options.onDecision;
    this.prefix = workload;
    this.random = random;
  }

  onStart(x: Exchange): void {
    const own = x.direction === 'outbound' && x.peer.address === '';
    const asked = this.asked(x, own);
    if (asked || (this.sample > 0 && this.random() < this.sample)) x.decision = this.open(asked || own);
    this.inner.onStart(x);
  }

  run<T>(x: Exchange, handler: () => T): T {
    return this.inner.run(x, handler);
  }

  enter(x: Exchange): boolean {
    return this.inner.enter?.(x) ?? false;
  }

  current(): Exchange | undefined {
    return this.inner.current();
  }

  onOpen(x: Exchange, soFar: () => Outcome): void {
    this.inner.onOpen?.(x, soFar);
  }

  onEnd(x: Exchange, outcome: Outcome): void {
    this.inner.onEnd(x, outcome);
  }

  /** Undefined when it was never made, or is forgotten. */
  get(id: string): DecisionRecord | undefined {
    return this.records.get(id);
  }

  /** The latest first, for the admin page; with `?id=` the one. */
  page(url: URL): unknown {
    const id = url.searchParams.get('id');
    if (id !== null) return this.records.get(id) ?? null;
    return [...this.records.values()].reverse();
  }

  private asked(x: Exchange, own: boolean): boolean {
    if (x.request.header(ASK_HEADER) === undefined) return false;
    if (own) return true;
    x.request.removeHeader(ASK_HEADER);
    return x.peer.mtls && (this.askers.has('*') || x.peer.uriSans.some((san) => this.askers.has(san) || this.askers.has(accountOf(san))));
  }

  /** A stranger's response does not tell that its request was sampled. */
  private open(announced: boolean): DecisionRecord {
    const record = new DecisionRecord({
      id: `${this.prefix}/${++this.count}`,
      announced,
      ...(this.onDecision === undefined ? {} : { onClosed: this.onDecision }),
    });
    this.records.set(record.id, record);
    if (this.records.size > this.keep) this.records.delete(this.records.keys().next().value!);
    return record;
  }
}

/** `namespace/serviceaccount` of a SPIFFE id; '' for others. */
function accountOf(spiffeId: string): string {
  const [, namespace, account] = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(spiffeId) ?? [];
  return namespace === undefined ? '' : `${namespace}/${account}`;
}
