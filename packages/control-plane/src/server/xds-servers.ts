import { X509Certificate } from 'node:crypto';
import { fromPem } from '@ripstop/pki';
import type { AdsService } from '../ads/ads-service.ts';
import { addClientStatus } from '../ads/client-status.ts';
import type { LoadReports } from '../ads/load-reports.ts';
import { Attestation, type TokenAttestor } from '../ca/attest/attestation.ts';
import { addCaService, type Issuance } from '../ca/ca-service.ts';
import type { CertificateAuthority, CertificateSigner } from '../ca/certificate-authority.ts';
import type { IssuanceLog } from '../ca/issuance-log.ts';
import type { MeshTrust } from '../ca/mesh-trust.ts';
import type { TokenIssuer } from '../ca/token-issuer.ts';
import type { ControlPlaneEvent } from '../events.ts';
import { GrpcServer, shutDown } from './grpc-server.ts';
import { ServedIdentity } from './served-identity.ts';
import { systemScheduler as scheduler } from './system-scheduler.ts';

export interface XdsServersOptions {
  readonly trustDomain: string;
  readonly ca: CertificateAuthority;
  readonly trust: MeshTrust;
  /** PEM: `trust` with what the mesh configuration adds. */
  readonly bundle: () => string;
  readonly tokens: TokenIssuer;
  readonly attestors: readonly TokenAttestor[];
  /** Signs in the CA's place. */
  readonly signer: CertificateSigner | undefined;
  readonly issuances: IssuanceLog | undefined;
  readonly ads: AdsService;
  readonly load: LoadReports;
  readonly tell: (event: ControlPlaneEvent) => void;
  /** Roots or issuer of the CA are others now. */
  readonly onRoots: () => void;
}

/** Time for open streams to take the news, once a root is gone. */
const ROOT_GONE_MS = 2_000;

/** The gRPC ports: xDS and load reports on both; client status and certificates only over TLS, to callers who prove who they are. */
export class XdsServers {
  private readonly options: XdsServersOptions;
  private readonly servers: GrpcServer[] = [];
  private identity: ServedIdentity | undefined;
  private tls: GrpcServer | undefined;

  constructor(options: XdsServersOptions) {
    this.options = options;
  }

  /** Without TLS a token would travel in the clear: this port asks for none and issues no certificates, like istiod's. */
  servePlain(address: string): Promise<string> {
    const { ads, load } = this.options;
    const server = this.newServer();
    ads.addTo(server.services, undefined);
    load.addTo(server.services, undefined);
    return server.bind(address);
  }

  async serveTls(address: string): Promise<string> {
    const { ads, load, ca, trust, bundle, tokens, attestors, signer, trustDomain, tell } = this.options;
    const server = this.newServer();
    const attestation = new Attestation({ trustDomain, tokens, attestors, trusts: (certificate) => trust.trusts(certificate) });
    ads.addTo(server.services, attestation);
    load.addTo(server.services, attestation);
    addClientStatus(server.services, attestation, () => ads.sessions);
    addCaService(server.services, {
      ca,
      tokens,
      attestation,
      trust,
      signer,
      bundle,
      onIssued: (entry) => this.issued(entry),
      onRefused: ({ from, reason, cause }) => tell({ type: 'problem', message: `no certificate for ${from}: ${reason}${causeOf(cause)}` }),
    });
    this.identity = this.identityAt(address);
    this.tls = server;
    return server.bind(address, this.identity.tls);
  }

  /** Ends streams one after the other within so long, then everything. */
  async close(withinMs: number): Promise<void> {
    this.identity?.close();
    await shutDown(this.servers, () => this.options.ads.drain(withinMs));
  }

  private newServer(): GrpcServer {
    const server = new GrpcServer({ hasRoom: () => this.options.ads.hasRoom });
    this.servers.push(server);
    return server;
  }

  private identityAt(address: string): ServedIdentity {
    const { ca, trust, tell, onRoots } = this.options;
    let roots = fingerprintsOf(trust.bundlePem);
    return new ServedIdentity({
      ca,
      trust,
      address,
      scheduler,
      now: Date.now,
      random: Math.random,
      onChange: () => {
        const before = roots;
        roots = fingerprintsOf(trust.bundlePem);
        tell({ type: 'roots', fingerprints: roots });
        onRoots();
        // Streams that a certificate of it opened: whoever has a new one comes back with that.
        if (before.some((root) => !roots.includes(root))) this.tls?.drain(ROOT_GONE_MS);
      },
      onProblem: (message) => tell({ type: 'problem', message }),
    });
  }

  /** A line that cannot be written is said, and refuses nobody. */
  private issued(entry: Issuance): void {
    const { issuances, tell } = this.options;
    tell({ type: 'issued', ...entry });
    try {
      issuances?.add(entry);
    } catch (error) {
      tell({ type: 'problem', message: `the issuance log cannot be written: ${error instanceof Error ? error.message : String(error)}` });
    }
  }
}

/** SHA-256 of each root, the signing one first. */
function fingerprintsOf(bundlePem: string): string[] {
  return fromPem(bundlePem, 'CERTIFICATE').map((der) => new X509Certificate(der).fingerprint256);
}

/** What a caller is not told. */
function causeOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
}
