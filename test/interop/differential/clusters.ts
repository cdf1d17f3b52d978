import { Cluster, Cluster_DiscoveryType, Cluster_LbPolicy } from '@ripstop/xds-api';

/** Upstreams by cluster. One endpoint: no draw. Several: a hash decides, the same in both. */
export const CLUSTERS: Readonly<Record<string, readonly string[]>> = {
  one: ['up-0'],
  two: ['up-1'],
  ring: ['up-0', 'up-1', 'up-2', 'up-3'],
  maglev: ['up-0', 'up-1', 'up-2', 'up-3'],
  empty: [],
  refused: ['nobody'],
};

export const UPSTREAM_NAMES = ['up-0', 'up-1', 'up-2', 'up-3'] as const;
/** Where mirrored copies go, and nothing else. */
export const SHADOW = 'shadow';

const POLICIES: Readonly<Record<string, Cluster_LbPolicy>> = { ring: Cluster_LbPolicy.RING_HASH, maglev: Cluster_LbPolicy.MAGLEV };
/** Nothing listens there. */
const CLOSED_PORT = 1;

/** `port` of an upstream. */
export function clusterMessages(port: (upstream: string) => number): Cluster[] {
  return Object.entries({ ...CLUSTERS, [SHADOW]: [SHADOW] }).map(([name, upstreams]) =>
    Cluster.fromPartial({
      name,
      clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
      connectTimeout: { seconds: 1 },
      lbPolicy: POLICIES[name] ?? Cluster_LbPolicy.ROUND_ROBIN,
      loadAssignment: {
        clusterName: name,
        endpoints: [
          {
            lbEndpoints: upstreams.map((upstream) => ({
              hostIdentifier: {
                $case: 'endpoint' as const,
                value: {
                  // The host of auto_host_rewrite.
                  hostname: `${upstream}.host`,
                  address: {
                    address: {
                      $case: 'socketAddress' as const,
                      value: {
                        address: '127.0.0.1',
                        portSpecifier: { $case: 'portValue' as const, value: upstream === 'nobody' ? CLOSED_PORT : port(upstream) },
                      },
                    },
                  },
                },
              },
            })),
          },
        ],
      },
    }),
  );
}
