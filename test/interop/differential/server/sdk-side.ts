import { type ConfigSource, type ConfigUpdate, type Exchange, formatResponseFlags, type Rejection } from '@ripstop/core';
import { createMesh, type Mesh, systemEnvironment } from '@ripstop/node';
import { CLUSTER_TYPE_URL, type Cluster, Cluster as ClusterCodec, LISTENER_TYPE_URL, Listener } from '@ripstop/xds-api';
import type { Certificates } from '../../whole-way/certificates.ts';
import { ENVOY_PORT } from '../envoy-side.ts';
import { PROBE_HEADER } from '../listener.ts';
import type { Account } from '../scenario.ts';
import type { Apps } from './apps.ts';
import { serverListener } from './listener.ts';
import type { ServerScenario } from './scenario.ts';

/** Processes of a mesh that serve the app with the SDK in front of it, one for each scenario. */
export class ServerSide implements AsyncDisposable {
  private readonly clusters: readonly Cluster[];
  private readonly apps: Apps;
  private readonly certificates: Certificates;
  private readonly accounts = new Map<string, Account>();
  private readonly ports = new Map<string, number>();
  private meshes: Mesh[] = [];

  constructor(clusters: readonly Cluster[], apps: Apps, certificates: Certificates) {
    this.clusters = clusters;
    this.apps = apps;
    this.certificates = certificates;
  }

  /** Puts these in the place of all others; answers why some were refused. */
  async apply(scenarios: ReadonlyMap<string, ServerScenario>): Promise<Map<string, string>> {
    await this.close();
    const refused = new Map<string, string>();
    this.accounts.clear();
    this.ports.clear();
    await Promise.all([...scenarios].map(([name, scenario]) => this.serve(name, scenario, refused)));
    return refused;
  }

  /** On 127.0.0.1. */
  portOf(name: string): number {
    return this.ports.get(name)!;
  }

  account(probe: string): Account | undefined {
    return this.accounts.get(probe);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async close(): Promise<void> {
    await Promise.all(this.meshes.splice(0).map((mesh) => mesh.close({ drainMs: 0 })));
  }

  private async serve(name: string, scenario: ServerScenario, refused: Map<string, string>): Promise<void> {
    // Each mesh listens for the end of its process.
    process.setMaxListeners(0);
    const listener = serverListener(scenario, { name: 'virtualInbound', address: '0.0.0.0', port: ENVOY_PORT }, OF_THE_MESH);
    const source = new Once(listener, this.clusters, (reason) => refused.set(name, reason));
    const mesh = createMesh(
      {
        service: 'served',
        admin: 'off',
        bind: '127.0.0.1',
        ports: 'auto',
        bootTimeoutMs: 5000,
        // What Ripstop does more strictly than Istio by default has rows of its own.
        headerMatch: 'envoy',
        pathBinding: 'istio',
        log: () => {},
      },
      {
        ...systemEnvironment,
        configSource: () => source,
        signCsr: async (csr, spiffeId) => this.certificates.sign(csr, spiffeId),
      },
    );
    this.meshes.push(mesh);
    this.listen(mesh);
    await mesh.ready();
    this.ports.set(name, (await mesh.listen(this.apps.app(scenario.app), ENVOY_PORT)).port);
  }

  private listen({ parts }: Mesh): void {
    const sink = parts.telemetry;
    const end = sink.onEnd.bind(sink);
    sink.onEnd = (x, outcome) => {
      // Calls to an authorizer carry the probe's header, too.
      if (x.direction === 'inbound') this.accounts.set(x.request.header(PROBE_HEADER) ?? '', accountOf(x));
      end(x, outcome);
    };
  }
}

/** By the workload's own identity. */
const OF_THE_MESH = {
  tls_certificate_sds_secret_configs: [{ name: 'default' }],
  combined_validation_context: {
    default_validation_context: {},
    validation_context_sds_secret_config: { name: 'ROOTCA' },
  },
};

function accountOf({ route, flags, details }: Exchange): Account {
  const orNone = (text: string | undefined): string => (text === undefined || text === '' ? '-' : text);
  return {
    route: orNone(route?.name),
    cluster: orNone(route?.action.kind === 'inbound' ? route.action.clusterName : ''),
    flags: formatResponseFlags(flags),
    details: (details === '' ? 'via_upstream' : details).replaceAll(' ', '_'),
  };
}

/** Says everything at once, and nothing ever again. */
class Once implements ConfigSource {
  private readonly listener: Listener;
  private readonly clusters: readonly Cluster[];
  private readonly refuse: (reason: string) => void;

  constructor(listener: Listener, clusters: readonly Cluster[], refuse: (reason: string) => void) {
    this.listener = listener;
    this.clusters = clusters;
    this.refuse = refuse;
  }

  subscribe(tell: (update: ConfigUpdate) => readonly Rejection[]): { want(): void; close(): void } {
    const clusters = this.clusters.map((cluster) => ({ name: cluster.name, version: '1', body: ClusterCodec.encode(cluster).finish() }));
    const { name } = this.listener;
    const listener = { name, version: '1', body: Listener.encode(this.listener).finish() };
    setImmediate(() => {
      for (const [typeUrl, resources] of [[CLUSTER_TYPE_URL, clusters] as const, [LISTENER_TYPE_URL, [listener]] as const])
        for (const { reason } of tell({ typeUrl, version: '1', resources, removed: [], full: true })) this.refuse(reason);
    });
    return { want: () => {}, close: () => {} };
  }
}
