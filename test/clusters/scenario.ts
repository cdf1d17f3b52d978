/** A host of a scenario's cluster; hosts are named by their place, from `a` on. */
export interface ScenarioHost {
  /** Endpoint metadata `envoy.lb`. */
  readonly lb?: Readonly<Record<string, unknown>>;
  readonly weight?: number;
  readonly priority?: number;
  readonly zone?: string;
  readonly health?: 'HEALTHY' | 'UNHEALTHY' | 'DRAINING' | 'DEGRADED';
}

/** Requests of one kind: what their route and their head say. */
export interface ScenarioCall {
  readonly name: string;
  /** metadata_match `envoy.lb` of the route. */
  readonly match?: Readonly<Record<string, unknown>>;
}

/** One cluster, and the hosts that each kind of request may reach (`-` = 503 no healthy upstream), as Envoy has them. */
export interface Scenario {
  readonly name: string;
  /** Proto JSON of the cluster, without name, type and endpoints. */
  readonly cluster: Readonly<Record<string, unknown>>;
  readonly hosts: readonly ScenarioHost[];
  /** An aggregate of clusters with so many of the hosts each, in order. */
  readonly aggregates?: readonly number[];
  readonly calls: readonly (readonly [call: ScenarioCall, hosts: string])[];
}
