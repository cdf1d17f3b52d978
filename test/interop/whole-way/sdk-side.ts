import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type ControlPlane, type ControlPlaneEvent, createControlPlane } from '@ripstop/control-plane';
import { type Exchange, formatResponseFlags } from '@ripstop/core';
import { createMesh, type Mesh, systemEnvironment } from '@ripstop/node';
import { yamlOf } from '../istiod/compare-mesh.ts';
import type { RecordedNode } from '../istiod/istiod-process.ts';
import type { Mesh as Drawn } from '../istiod/mesh/random-mesh.ts';
import { until } from '../until.ts';
import type { Certificates } from './certificates.ts';
import { PROBE_HEADER } from './echo.ts';
import { secretDocuments } from './secrets.ts';
import type { Account } from './trial.ts';

/** Our control plane over a folder that is written anew for each mesh, and a process of the mesh that runs the SDK. */
export class SdkSide implements AsyncDisposable {
  private readonly controlPlane: ControlPlane;
  private readonly source: string;
  private readonly staging: string;
  private readonly events: ControlPlaneEvent[] = [];
  private readonly certificates: Certificates;
  private readonly told = new Map<string, Account>();
  private mesh: Mesh | undefined;
  private written = '';

  static async start(folder: string, certificates: Certificates): Promise<SdkSide> {
    const side = new SdkSide(folder, certificates);
    await side.controlPlane.start();
    return side;
  }

  private constructor(folder: string, certificates: Certificates) {
    this.source = join(folder, 'documents');
    mkdirSync(this.source);
    this.staging = join(folder, 'staging');
    mkdirSync(this.staging);
    this.certificates = certificates;
    this.controlPlane = createControlPlane({
      source: this.source,
      stateDir: certificates.stateDir,
      xds: '127.0.0.1:0',
      xdsTls: '127.0.0.1:0',
      http: '',
      onEvent: (event) => this.events.push(event),
    });
  }

  /** Puts documents in the place of the last ones, and a fresh process as `node` in their mesh. */
  async apply(drawn: Drawn, node: RecordedNode, trustDomain: string, addressOf: (host: string) => string): Promise<Mesh> {
    await this.mesh?.close({ drainMs: 0 });
    const { documents, config } = drawn;
    await this.write(documents.map(yamlOf).join('---\n') + secretDocuments(drawn, this.certificates), yamlOf(config));
    this.mesh = this.member(node, trustDomain, addressOf);
    this.listen(this.mesh);
    await this.mesh.ready();
    return this.mesh;
  }

  private async write(documents: string, config: string): Promise<void> {
    // What stands there already brings no news.
    if (this.written === documents + config) return;
    this.written = documents + config;
    this.events.length = 0;
    // Moved in together: between two writes the control plane may read the one and half of the other.
    const files = { 'mesh.yaml': config, 'documents.yaml': documents };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.staging, name), text);
    for (const name of Object.keys(files)) renameSync(join(this.staging, name), join(this.source, name));
    await until('our control plane reads the documents', () => this.events.some(({ type }) => type === 'configuration'));
    const problems = this.events.filter(({ type }) => type === 'problem');
    if (problems.length > 0) throw new Error(`our control plane has problems: ${JSON.stringify(problems)}`);
  }

  account(probe: string): Account | undefined {
    return this.told.get(probe);
  }

  forget(): void {
    this.told.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh?.close({ drainMs: 0 });
    await this.controlPlane.close();
  }

  private member({ ID, Metadata, Locality }: RecordedNode, trustDomain: string, addressOf: (host: string) => string): Mesh {
    const labels = Metadata.LABELS as Record<string, string>;
    const [role, address] = ID.split('~') as ['sidecar' | 'router', string];
    const namespace = Metadata.NAMESPACE as string;
    const serviceAccount = Metadata.SERVICE_ACCOUNT as string;
    return createMesh(
      {
        service: labels.app!,
        version: labels.version ?? '',
        namespace,
        serviceAccount,
        labels: { ...labels, 'istio-locality': `${Locality.Region}.${Locality.Zone}.${Locality.SubZone}` },
        nodeName: Metadata.NODE_NAME as string,
        role,
        trustDomain,
        ...(role === 'router' ? this.proven(namespace, serviceAccount) : { xds: `grpc://${this.controlPlane.addresses.xds}` }),
        admin: 'off',
        bind: address,
        ports: 'auto',
        // What Ripstop does more strictly than Istio by default has rows of its own.
        headerMatch: 'envoy',
        pathBinding: 'istio',
        log: (line) => void this.said.push(line),
      },
      {
        ...systemEnvironment,
        resolveDns: async (host) => [addressOf(host)],
        openSocket: ({ host, port }) => connect({ host: addressOf(host), port, noDelay: true }),
        signCsr: async (csr, spiffeId) => this.certificates.sign(csr, spiffeId),
      },
    );
  }

  /** Secrets are for nobody who has not said who he is. */
  private proven(namespace: string, serviceAccount: string): { xds: string; token: string; rootCertificatePem: string } {
    const { addresses, tokens, ca } = this.controlPlane;
    const token = tokens.issue({ namespace, serviceAccount, ttlSeconds: 3600 });
    return { xds: `grpcs://${addresses.xdsTls}`, token, rootCertificatePem: ca.rootCertificatePem };
  }

  /** Lines of the SDK's log. */
  readonly said: string[] = [];

  private listen({ parts }: Mesh): void {
    const sink = parts.telemetry;
    const end = sink.onEnd.bind(sink);
    sink.onEnd = (x, outcome) => {
      this.told.set(x.request.header(PROBE_HEADER) ?? '', accountOf(x));
      end(x, outcome);
    };
  }
}

function accountOf({ route, cluster, endpoint, flags, details }: Exchange): Account {
  const orNone = (text: string | undefined): string => (text === undefined || text === '' ? '-' : text);
  return {
    route: orNone(route?.name),
    cluster: orNone(cluster?.name),
    host: orNone(endpoint?.key),
    flags: formatResponseFlags(flags),
    details: (details === '' ? 'via_upstream' : details).replaceAll(' ', '_'),
  };
}
