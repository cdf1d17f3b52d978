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

  *[Symbol.iterator](): Iterator<ClusterSpec> {
    for (const [name, { message, secretNames: names }] of this.clusters.values()) {
      const eds = edsName(message);
      const assignment = eds === undefined ? undefined : this.endpoints.get(eds);
      const secrets = names.map((secret) => this.secretState(secret));
      let entry = this.known.get(name);
      const sameSecrets = entry !== undefined && secrets.every((secret, index) => secret === entry!.secrets[index]);
      if (entry === undefined || entry.message !== message || entry.assignment !== assignment || !sameSecrets) {
        entry = { message, assignment, secrets, spec: compileCluster(message, assignment, this.secretState) };
        this.known.set(name, entry);
      }
      yield entry.spec;
    }
  }
}
