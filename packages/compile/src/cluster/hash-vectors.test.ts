import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Cluster,
  ClusterStates,
  compileWeightedClusters,
  type Endpoint,
  Exchange,
  isLease,
  NO_PEER,
  type RequestHead,
  xxh64,
} from '@ripstop/core';
import { Cluster as ClusterMessage, fromProtoJson, RouteAction } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileHashPolicies } from '../hash-policy.ts';
import { compileCluster } from './cluster.ts';

const root = process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../../../shared/conformance');
const file = join(root, 'envoy-vectors/hash.json');
const present = existsSync(file);
if (!present) console.log(`skipped: picks of a real Envoy (no ${file})`);

interface Vectors {
  readonly clusters: Readonly<Record<string, unknown>>;
  readonly route_hash_policy: readonly unknown[];
  readonly vectors: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly retry_sequences: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  readonly xxh64_sample: Readonly<Record<string, string>>;
  readonly weighted_cluster_use_hash_policy: {
    readonly config: { readonly weighted_clusters: { readonly clusters: readonly { readonly name: string; readonly weight: number }[] } };
    readonly vectors: Readonly<Record<string, string>>;
  };
}

const recorded: Vectors = present
  ? (JSON.parse(readFileSync(file, 'utf8')) as Vectors)
  : {
      clusters: {},
      route_hash_policy: [],
      vectors: {},
      retry_sequences: {},
      xxh64_sample: {},
      weighted_cluster_use_hash_policy: { config: { weighted_clusters: { clusters: [] } }, vectors: {} },
    };

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const random = (): number => 0.5;

async function clusterOf(message: unknown): Promise<Cluster> {
  const states = new ClusterStates({ clock, random, resolveDns: async (name) => [name] });
  const spec = compileCluster(fromProtoJson(ClusterMessage, message), undefined);
  const cluster = states.adopt([spec]).get(spec.name)!;
  // DNS clusters have their hosts a turn later.
  await new Promise((resolve) => setImmediate(resolve));
  return cluster;
}

const policies = fromProtoJson(RouteAction, { hash_policy: recorded.route_hash_policy }).hashPolicy;

function hashed(key: string): Exchange {
  const lines = (name: string): readonly string[] => (name === 'x-k' ? [key] : []);
  const request: RequestHead = {
    scheme: 'http',
    authority: 'a',
    method: 'GET',
    path: '/',
    header: (name) => lines(name)[0],
    headerLines: lines,
    setHeader() {},
    appendHeader() {},
    removeHeader() {},
  };
  const none = undefined as never;
  const x = new Exchange({
    direction: 'outbound',
    protocol: 'http1',
    request,
    snapshot: none,
    manager: none,
    peer: NO_PEER,
    port: 80,
    startedAt: 0,
  });
  compileHashPolicies(policies)?.(x);
  return x;
}

function tryOnce(cluster: Cluster, x: Exchange, tried: readonly Endpoint[], previousHosts: boolean): Endpoint {
  const options = { avoid: previousHosts ? tried : undefined, maxSelectionAttempts: previousHosts ? 5 : 1 };
  const lease = cluster.acquire(x, tried.length === 0 ? undefined : options);
  if (!isLease(lease)) throw new Error(`refused: ${lease.details}`);
  lease.release({ kind: 'complete' });
  return lease.endpoint;
}

describe.skipIf(!present)('hashed balancers pick what a real Envoy 1.40 picked', () => {
  it.each(Object.keys(recorded.vectors))('200 keys in %s', async (name) => {
    const cluster = await clusterOf(recorded.clusters[name]);
    const picks = Object.keys(recorded.vectors[name]!).map((key) => [key, tryOnce(cluster, hashed(key), [], false).port]);
    expect(Object.fromEntries(picks)).toEqual(recorded.vectors[name]);
  });

  it.each(Object.keys(recorded.retry_sequences))('the hosts that attempt after attempt goes to: %s', async (name) => {
    const [kind, clusterName] = name.split('/');
    const cluster = await clusterOf(recorded.clusters[clusterName!]);
    const wanted = recorded.retry_sequences[name]!;
    const sequences = Object.entries(wanted).map(([key, ports]) => {
      const tried: Endpoint[] = [];
      for (const _port of ports) tried.push(tryOnce(cluster, hashed(key), tried, kind === 'retryprev'));
      return [key, tried.map(({ port }) => port)];
    });
    expect(Object.fromEntries(sequences)).toEqual(wanted);
  });

  it('clusters that weights choose by the hash (use_hash_policy)', () => {
    const { config, vectors } = recorded.weighted_cluster_use_hash_policy;
    const entries = config.weighted_clusters.clusters.map(({ name, weight }) => ({ cluster: name, weight }));
    const choose = compileWeightedClusters(entries, random, (x) => x.hash);
    expect(Object.fromEntries(Object.keys(vectors).map((key) => [key, choose(hashed(key))]))).toEqual(vectors);
  });

  it('XXH64 of single texts', () => {
    const hashes = Object.keys(recorded.xxh64_sample).map((text) => [text, String(xxh64(text))]);
    expect(Object.fromEntries(hashes)).toEqual(recorded.xxh64_sample);
  });
});
