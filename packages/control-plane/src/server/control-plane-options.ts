import type { TokenAttestor } from '../ca/attest/attestation.ts';
import type { CertificateSigner } from '../ca/certificate-authority.ts';
import type { ControlPlaneEvent } from '../events.ts';
import type { Explainer } from './explain-endpoint.ts';

export interface ControlPlaneOptions {
  /** A folder of YAML, read recursively and watched, or one file. */
  readonly source: string;
  /** Directory of the root certificate, its key and the token key; made with mode 0700. Without one they live in memory. */
  readonly stateDir?: string;
  /** Addresses `host:port`; port 0 takes a free one, undefined leaves it out. Defaults: 127.0.0.1 on 15010, 15012, 15014. */
  readonly xds?: string;
  readonly xdsTls?: string;
  readonly http?: string;
  readonly trustDomain?: string;
  /**
   * Clients that say they know xDS's time to live forget what this control plane has not confirmed for so long; three beats in that
   * time confirm it. Default 0: they keep it for ever.
   */
  readonly resourceTtlMs?: number;
  /** Address ranges that a jwksUri may not lead to, beside link-local ones, which it never may: `10.0.0.0/8`. */
  readonly blockedJwksCidrs?: readonly string[];
  /** Who else is believed beside join tokens and certificates of this CA, asked in this order: Kubernetes, OpenID Connect issuers. */
  readonly attestors?: readonly TokenAttestor[];
  /** Signs workload certificates in the place of the own CA. */
  readonly signer?: CertificateSigner;
  /** Answers the questions of the live page: what would become of a request. Without it the page does not ask. */
  readonly explain?: Explainer;
  readonly onEvent?: (event: ControlPlaneEvent) => void;
}

/** Where a running control plane is reached, `host:port` each. */
export interface ControlPlaneAddresses {
  readonly xds: string;
  readonly xdsTls: string;
  readonly http: string;
}
