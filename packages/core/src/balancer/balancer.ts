/** What balancers see of a host. */
export interface Host {
  /** `ip:port`. */
  readonly key: string;
  /** What hashed balancers hash: `ip:port`, the hostname, or the key that endpoint metadata names. */
  readonly hashKey: string;
  readonly weight: number;
  readonly activeRequests: number;
}

/** Picks a host; `attempt` is the reselection index within one pick (0, 1, …), which moves hashed picks along. Hosts are never empty. */
export interface Balancer<H extends Host> {
  pick(hash: bigint | undefined, attempt: number): H;
}

/** Weights by time: while a host warms up it counts for less (Envoy's slow start). */
export interface Warmup<H> {
  /** 1 once the host is warm. */
  factorOf(host: H): number;
}
