import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import type { MeshTrust } from '../ca/mesh-trust.ts';
import type { Scheduler } from '../registry/workload-registry.ts';
import { ExpiryWarning } from './expiry-warning.ts';
import { type TlsMaterial, TlsTermination } from './tls-termination.ts';

export interface ServedIdentityOptions {
  readonly ca: CertificateAuthority;
  readonly trust: MeshTrust;
  /** `host:port` that is served. */
  readonly address: string;
  readonly scheduler: Scheduler;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Roots or issuer are others now. */
  readonly onChange: () => void;
  readonly onProblem: (message: string) => void;
}

/** How soon a changed root is seen. Four small files are read, in about a tenth of a millisecond. */
const LOOK_MS = 50;
/** How soon a renewal that failed is tried again, and how often one may be at most. */
const RETRY_MS = 60_000;
const ADVICE = 'put a renewed one into its files before (docs/guides/identity.md, "A new root of your own CA")';

/**
 * The control plane's own certificate, from its own CA, anew at half of its life ± 1 %, and whenever the files of the CA change
 * (`ripstop ca rotate`, or an operator). Connections that are open stay.
 */
export class ServedIdentity {
  readonly tls: TlsTermination;
  private readonly options: ServedIdentityOptions;
  private readonly warnings: readonly ExpiryWarning[];
  private timer: { cancel(): void };
  private problem = '';
  private renewAtMs = 0;
  private renewalProblem = '';

  constructor(options: ServedIdentityOptions) {
    this.options = options;
    const { ca, now, onProblem: tell } = options;
    this.tls = new TlsTermination(this.material());
    this.warnings = [
      new ExpiryWarning({ what: 'the root certificate of the CA', advice: ADVICE, notAfterMs: () => ca.ends.rootNotAfterMs, now, tell }),
      new ExpiryWarning({
        what: 'the intermediate certificate of the CA',
        advice: ADVICE,
        // A root that signs itself is told of once.
        notAfterMs: () => (ca.ends.issuerNotAfterMs === ca.ends.rootNotAfterMs ? Number.MAX_SAFE_INTEGER : ca.ends.issuerNotAfterMs),
        now,
        tell,
      }),
    ];
    this.timer = this.later();
    this.warn();
  }

  close(): void {
    this.timer.cancel();
  }

  private later(): { cancel(): void } {
    return this.options.scheduler.setTimer(() => {
      this.look();
      this.renew();
      this.warn();
      this.timer = this.later();
    }, LOOK_MS);
  }

  private look(): void {
    const { trust, onChange, onProblem } = this.options;
    let problem = '';
    try {
      if (trust.reload()) {
        this.tls.update(this.material());
        onChange();
      }
    } catch (error) {
      problem = messageOf(error);
    }
    if (problem !== '' && problem !== this.problem) onProblem(`the CA is as it was, what has changed does not fit: ${problem}`);
    this.problem = problem;
  }

  private renew(): void {
    const { now, onProblem } = this.options;
    if (now() < this.renewAtMs) return;
    try {
      this.tls.update(this.material());
      this.renewalProblem = '';
    } catch (error) {
      const problem = messageOf(error);
      this.renewAtMs = now() + RETRY_MS;
      if (problem !== this.renewalProblem) onProblem(`the control plane's own certificate cannot be renewed: ${problem}`);
      this.renewalProblem = problem;
    }
  }

  private warn(): void {
    for (const warning of this.warnings) warning.look();
  }

  private material(): TlsMaterial {
    const { ca, trust, address, now, random } = this.options;
    const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
    const isAddress = /^[\d.]+$/.test(host) || host.includes(':');
    const { notAfterMs, ...certificate } = ca.serverCertificate({
      dns: ['localhost', 'istiod.istio-system.svc', ...(isAddress ? [] : [host])],
      ips: [...new Set(['127.0.0.1', '::1', ...(isAddress ? [host] : [])])],
    });
    this.renewAtMs = now() + Math.max(RETRY_MS, (notAfterMs - now()) * (0.5 + (random() - 0.5) * 0.02));
    return { ...certificate, clientRootsPem: trust.bundlePem };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
