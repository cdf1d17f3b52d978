import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeCluster } from '../kubernetes/kube-cluster.ts';
import { freePorts } from '../peers/free-ports.ts';
import { PeerProcess } from '../peers/peer-process.ts';
import { until } from '../until.ts';

/** A whole istiod over a Kubernetes API server, with a certificate authority of its own. */
export class DiscoveryProcess implements AsyncDisposable {
  /** `127.0.0.1:15012`: ADS and certificates over TLS. */
  readonly address: string;
  /** PEM of its root, as it publishes it in ConfigMap istio-ca-root-cert. */
  readonly rootCertificatePem: string;
  private readonly process: PeerProcess;

  static async start(binary: string, cluster: KubeCluster): Promise<DiscoveryProcess> {
    const [http, monitoring, plain, secure] = (await freePorts(4)) as [number, number, number, number];
    const at = (port: number): string => `127.0.0.1:${port}`;
    await cluster.create('/api/v1/namespaces', { metadata: { name: 'istio-system' } });
    const none = join(cluster.folder, 'none.yaml');
    writeFileSync(none, '{}');
    const process = await PeerProcess.start({
      name: 'istiod',
      command: binary,
      args: [
        ...['discovery', `--kubeconfig=${cluster.kubeconfig()}`, `--meshConfig=${none}`, `--networksConfig=${none}`],
        ...['--domain=cluster.local', `--httpAddr=${at(http)}`, `--monitoringAddr=${at(monitoring)}`, `--grpcAddr=${at(plain)}`],
        ...[`--secureGRPCAddr=${at(secure)}`, '--httpsAddr=', '--ctrlz_address=127.0.0.1', '--ctrlz_port=0'],
      ],
      env: {
        POD_NAME: 'istiod',
        POD_NAMESPACE: 'istio-system',
        CLUSTER_ID: 'Kubernetes',
        ISTIOD_CUSTOM_HOST: 'localhost',
        PILOT_DEBOUNCE_AFTER: '10ms',
      },
      cwd: cluster.folder,
      ready: async () => (await fetch(`http://${at(http)}/ready`)).ok,
      timeoutMs: 90_000,
    });
    try {
      const root = await until("istiod's root", async () => {
        const { data } = await cluster.read('/api/v1/namespaces/default/configmaps/istio-ca-root-cert');
        return data?.['root-cert.pem'];
      });
      return new DiscoveryProcess(at(secure), root, process);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(address: string, rootCertificatePem: string, process: PeerProcess) {
    this.address = address;
    this.rootCertificatePem = rootCertificatePem;
    this.process = process;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.process[Symbol.asyncDispose]();
  }
}
