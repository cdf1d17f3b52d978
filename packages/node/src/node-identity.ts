import { randomBytes } from 'node:crypto';
import type { Settings } from './settings.ts';

/** The version that istiod gates its output on; a fixed real one (reference: the istiod that Ripstop is measured against). */
const ISTIO_VERSION = '1.32.0';
export const RIPSTOP_VERSION = '0.1.0';

/** One port that this process serves, as the control plane registers it. */
export interface ServedPort {
  readonly workloadPort: number;
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** An xDS node (envoy.config.core.v3.Node) before encoding. */
export interface NodeDescription {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Names this process to the control plane: id, labels and, once it listens, its ports. */
export class NodeIdentity {
  readonly instanceName: string;
  readonly address: string;
  private readonly settings: Settings;
  private readonly served = new Map<number, ServedPort>();
  private adminAddress = '';

  constructor(settings: Settings) {
    this.settings = settings;
    // Like a pod name: the same service may run several times on one machine.
    this.instanceName = `${settings.service}${settings.version === '' ? '' : `-${settings.version}`}-${randomBytes(4).toString('hex')}`;
    this.address = settings.bind === '0.0.0.0' || settings.bind === '::' ? '127.0.0.1' : settings.bind;
  }

  get spiffeId(): string {
    const { trustDomain, namespace, serviceAccount } = this.settings;
    return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  }

  get workloadName(): string {
    const { service, version } = this.settings;
    return version === '' ? service : `${service}-${version}`;
  }

  serve(port: ServedPort): void {
    this.served.set(port.workloadPort, port);
  }

  withdraw(workloadPort: number): void {
    this.served.delete(workloadPort);
  }

  get servedPorts(): readonly ServedPort[] {
    return [...this.served.values()];
  }

  set admin(address: string) {
    this.adminAddress = address;
  }

  describe(): NodeDescription {
    const { namespace, role, labels, serviceAccount, service, version, nodeName } = this.settings;
    return {
      id: `${role}~${this.address}~${this.instanceName}.${namespace}~${namespace}.svc.cluster.local`,
      cluster: `${service}.${namespace}`,
      metadata: {
        NAME: this.instanceName,
        NAMESPACE: namespace,
        CLUSTER_ID: 'Kubernetes',
        LABELS: {
          ...labels,
          'service.istio.io/canonical-name': labels['service.istio.io/canonical-name'] ?? service,
          'service.istio.io/canonical-revision': labels['service.istio.io/canonical-revision'] ?? (version === '' ? 'latest' : version),
          'security.istio.io/tlsMode': 'istio',
        },
        INSTANCE_IPS: this.address,
        SERVICE_ACCOUNT: serviceAccount,
        WORKLOAD_NAME: this.workloadName,
        ...(nodeName === '' ? {} : { NODE_NAME: nodeName }),
        MESH_ID: this.settings.trustDomain,
        ISTIO_VERSION,
        RIPSTOP_VERSION,
        RIPSTOP_PORTS: this.servedPorts,
        RIPSTOP_ADMIN: this.adminAddress,
      },
    };
  }
}
