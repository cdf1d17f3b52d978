/** What balancers see of a host. */
export interface Host {
  /** `ip:port`, the ring key. */
  readonly key: string;
  readonly weight: number;
  readonly activeRequests: number;
}

/** Picks a host; `attempt` is the reselection index within one pick (0, 1, …), which moves hashed picks along. Hosts are never empty. */
export interface Balancer<H extends Host> {
  pick(hash: bigint | undefined, attempt: number): H;
}
