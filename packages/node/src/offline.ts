import { erase, SnapshotCompiler, standardFilters } from '@ripstop/compile';
import {
  type AskedRequest,
  type Clock,
  ClusterStates,
  type ConfigUpdate,
  type ExplainEnv,
  type Explanation,
  explainInbound,
  explainOutbound,
  Pipeline,
  type Random,
  type Snapshot,
} from '@ripstop/core';
import { jwtAuthn } from '@ripstop/jwt';
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import { callerOf } from './explain.ts';
import { systemClock } from './system-clock.ts';

/** A resource as a client receives it. */
export interface OfflineResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly body: Uint8Array;
}

export interface OfflineWorkload {
  readonly resources: readonly OfflineResource[];
  /** `spiffe://…` of the workload, for what it writes into x-forwarded-client-cert. */
  readonly spiffeId: string;
  readonly trustDomain: string;
}

/** Some workload's configuration, run here to be asked about. Nothing listens, connects or resolves. */
export class OfflineMesh {
  /** What the data plane would refuse, with reasons. */
  readonly refused: readonly string[];
  private readonly snapshot: Snapshot;
  private readonly env: ExplainEnv;
  private readonly trustDomain: string;

  /** Throws when the resources do not make a whole. */
  constructor({ resources, spiffeId, trustDomain }: OfflineWorkload) {
    const env = { clock: systemClock, random: Math.random };
    this.env = { ...env, pipeline: new Pipeline({ ...env, ownSpiffeId: () => spiffeId }) };
    this.trustDomain = trustDomain;
    const { snapshot, refused } = compileOffline(resources, env);
    this.snapshot = snapshot;
    this.refused = refused;
  }

  /** A call that the workload's app makes. */
  outbound(asked: AskedRequest): Promise<Explanation> {
    return explainOutbound(this.env, this.snapshot, asked);
  }

  /** A request to the workload; `from` as in `Mesh.explain`. */
  inbound(asked: AskedRequest, from: string, port: number): Promise<Explanation> {
    return explainInbound(this.env, this.snapshot, { asked, peer: callerOf(from, this.trustDomain), port });
  }

  /** The workload port behind a port of a Service, as the inbound routes name it; undefined when none does. */
  workloadPort(servicePort: number): number | undefined {
    const name = `inbound|http|${servicePort}`;
    return this.snapshot.inbound.find(({ http }) => http?.routes.virtualHosts.some((host) => host.name === name))?.match.destinationPort;
  }
}

/** A snapshot of resources alone, and what of them was refused. Throws when they do not make a whole. */
export function compileOffline(
  resources: readonly OfflineResource[],
  env: { readonly clock: Clock; readonly random: Random },
): { readonly snapshot: Snapshot; readonly refused: readonly string[] } {
  const compiler = new SnapshotCompiler({
    ...env,
    filters: [...standardFilters(), erase(jwtAuthn)],
    clusterStates: new ClusterStates(env),
  });
  const refused = TYPES.flatMap((typeUrl) => compiler.apply(updateOf(typeUrl, resources)).map(({ name, reason }) => `${name}: ${reason}`));
  const snapshot = compiler.build();
  if (snapshot === undefined) throw new Error(`the configuration is not whole: ${compiler.missing().join(', ')} missing`);
  return { snapshot, refused };
}

const TYPES = [CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL];
const VERSION = 'offline';

function updateOf(typeUrl: string, resources: readonly OfflineResource[]): ConfigUpdate {
  const mine = resources.filter((resource) => resource.typeUrl === typeUrl).map((resource) => ({ ...resource, version: VERSION }));
  return { typeUrl, version: VERSION, resources: mine, removed: [], full: true };
}
