import type { ClusterSpec } from '@ripstop/core';
import { ClusterLoadAssignment, Cluster as ClusterMessage } from '@ripstop/xds-api';
import { checkAssignment, clusterSecretNames, compileCluster, edsName } from './cluster/cluster.ts';
import type { ResourceStore } from './resource-store.ts';
import type { SecretState } from './secret.ts';

/** A cluster as it was taken in. */
export interface DecodedCluster {
  readonly message: ClusterMessage;
  readonly secretNames: readonly string[];
}

/** Tried by itself: what cannot be honoured is refused alone. */
export function decodeCluster(body: Uint8Array): DecodedCluster {
  const message = ClusterMessage.decode(body);
  compileCluster(message, undefined);
  return { message, secretNames: clusterSecretNames(message) };
}

export function decodeAssignment(body: Uint8Array): ClusterLoadAssignment {
  const message = ClusterLoadAssignment.decode(body);
  checkAssignment(message);
  return message;
}

interface KnownSpec {
  readonly message: ClusterMessage;
  readonly assignment: ClusterLoadAssignment | undefined;
  readonly secrets: readonly SecretState[];
  readonly spec: ClusterSpec;
}

/** Clusters joined with their endpoints and secrets; compiled again only where one of these changed. */
export class ClusterSpecs {
  private readonly known = new Map<string, KnownSpec>();
  private readonly clusters: ResourceStore<DecodedCluster>;
  private readonly endpoints: ResourceStore<ClusterLoadAssignment>;
  private readonly secretState: (name: string) => SecretState;

  constructor(
    clusters: ResourceStore<DecodedCluster>,
    endpoints: ResourceStore<ClusterLoadAssignment>,
    secretState: (name: string) => SecretState,
  ) {
    this.clusters = clusters;
    this.endpoints = endpoints;
    this.secretState = secretState;
  }

  /** Clusters whose endpoints the source has said nothing about yet, by the name of these. */
  waiting(): readonly { readonly cluster: ClusterMessage; readonly endpoints: string }[] {
    return [...this.clusters.values()].flatMap(([, { message: cluster }]) => {
      const endpoints = edsName(cluster);
      return endpoints !== undefined && this.isWaitedFor(endpoints) ? [{ cluster, endpoints }] : [];
    });
  }

  /** Without those that wait for their endpoints. */
  *[Symbol.iterator](): Iterator<ClusterSpec> {
    for (const name of this.known.keys()) if (!this.clusters.has(name)) this.known.delete(name);
    for (const [name, { message, secretNames: names }] of this.clusters.values()) {
      const eds = edsName(message);
      if (eds !== undefined && this.isWaitedFor(eds)) continue;
      const assignment = eds === undefined ? undefined : this.endpoints.get(eds);
      const secrets = names.map((secret) => this.secretState(secret));
      let entry = this.known.get(name);
      const sameSecrets = entry !== undefined && secrets.every((secret, index) => secret === entry!.secrets[index]);
      if (entry === undefined || entry.message !== message || entry.assignment !== assignment || !sameSecrets) {
        const spec = compileCluster(message, assignment, this.secretState);
        entry = { message, assignment, secrets, spec: entry === undefined ? spec : withKeptParts(spec, message, entry) };
        this.known.set(name, entry);
      }
      yield entry.spec;
    }
  }

  private isWaitedFor(endpoints: string): boolean {
    return !this.endpoints.has(endpoints) && !this.endpoints.isAbsent(endpoints);
  }
}

/** What run-time state hangs on (checks that run, streams of load reports) stays the object that it was while it says the same. */
function withKeptParts(spec: ClusterSpec, message: ClusterMessage, before: KnownSpec): ClusterSpec {
  const same = (part: (of: ClusterMessage) => Partial<ClusterMessage>): boolean =>
    message === before.message || Buffer.compare(encoded(part(message)), encoded(part(before.message))) === 0;
  const checks = same(({ healthChecks }) => ({ healthChecks }));
  const policy = same(({ loadBalancingPolicy, lbPolicy, lbConfig }) => ({ loadBalancingPolicy, lbPolicy, lbConfig }));
  return {
    ...spec,
    healthCheck: checks ? before.spec.healthCheck : spec.healthCheck,
    balancer: policy && spec.balancer.kind === 'load_weighted' ? before.spec.balancer : spec.balancer,
  };
}

function encoded(part: Partial<ClusterMessage>): Uint8Array {
  return ClusterMessage.encode({ ...EMPTY, ...part }).finish();
}

const EMPTY = ClusterMessage.fromPartial({});
