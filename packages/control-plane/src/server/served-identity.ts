import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import type { MeshTrust } from '../ca/mesh-trust.ts';
import type { Scheduler } from '../registry/workload-registry.ts';
import { type TlsMaterial, TlsServerCredentials } from './tls-credentials.ts';

export interface ServedIdentityOptions {
  readonly ca: CertificateAuthority;
  readonly trust: MeshTrust;
  /** `host:port` that is served. */
  readonly address: string;
  readonly scheduler: Scheduler;
  /** Roots or issuer are others now. */
  readonly onChange: () => void;
  readonly onProblem: (message: string) => void;
}

/** How soon a changed root is seen. Four small files are read, in about a tenth of a millisecond. */
const LOOK_MS = 50;

/** The control plane's own certificate, from its own CA, anew whenever the files of the CA change (`ripstop ca rotate`, or an operator). */
export class ServedIdentity {
  readonly credentials: TlsServerCredentials;
  private readonly options: ServedIdentityOptions;
  private timer: { cancel(): void };
  private problem = '';

  constructor(options: ServedIdentityOptions) {
    this.options = options;
    this.credentials = new TlsServerCredentials(this.material());
    this.timer = this.later();
  }

  close(): void {
    this.timer.cancel();
  }

  private later(): { cancel(): void } {
    return this.options.scheduler.setTimer(() => {
      this.look();
      this.timer = this.later();
    }, LOOK_MS);
  }

  private look(): void {
    const { trust, onChange, onProblem } = this.options;
    let problem = '';
    try {
      if (trust.reload()) {
        this.credentials.update(this.material());
        onChange();
      }
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (problem !== '' && problem !== this.problem) onProblem(`the CA is as it was, what has changed does not fit: ${problem}`);
    this.problem = problem;
  }

  private material(): TlsMaterial {
    const { ca, trust, address } = this.options;
    const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
    const isAddress = /^[\d.]+$/.test(host) || host.includes(':');
    const certificate = ca.serverCertificate({
      dns: ['localhost', 'istiod.istio-system.svc', ...(isAddress ? [] : [host])],
      ips: [...new Set(['127.0.0.1', '::1', ...(isAddress ? [host] : [])])],
    });
    return { ...certificate, clientRootsPem: trust.bundlePem };
  }
}
