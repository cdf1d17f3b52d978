import type { Cancel, IdentitySource, Svid } from '@ripstop/core';
import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';

const DAY_MS = 86_400_000;

/** What a leaf says; by default it is a good one. */
export interface LeafSpec {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  /** Relative to now. */
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly isCa?: boolean;
}

export interface Leaf {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of a test. */
export class TestAuthority {
  private readonly root = createSelfSignedRoot({
    organization: 'test',
    notBeforeMs: Date.now() - DAY_MS,
    notAfterMs: Date.now() + DAY_MS,
  });

  get certificatePem(): string {
    return this.root.certificatePem;
  }

  issue({ uris = [], dns = [], notBeforeMs = -DAY_MS / 2, notAfterMs = DAY_MS / 2, isCa = false }: LeafSpec): Leaf {
    const keys = createKeyPair();
    const issuer = { certificatePem: this.certificatePem, privateKey: this.root.keyPair.privateKey };
    const now = Date.now();
    const validity = { notBeforeMs: now + notBeforeMs, notAfterMs: now + notAfterMs };
    const cert = issueCertificate(issuer, { publicKey: keys.publicKey, names: { uris: [...uris], dns: [...dns] }, isCa, ...validity });
    return { cert, key: privateKeyPem(keys.privateKey) };
  }
}

/** A workload's identity, rotated by hand. */
export class TestIdentity implements IdentitySource {
  private readonly watchers = new Set<(next: Svid) => void>();
  private svid: Svid | undefined;

  constructor(authority: TestAuthority, spiffeId: string) {
    this.rotate(authority, spiffeId);
  }

  current(): Svid | undefined {
    return this.svid;
  }

  onRotate(run: (next: Svid) => void): Cancel {
    this.watchers.add(run);
    return () => void this.watchers.delete(run);
  }

  /** `trust`: PEM of the roots; by default the authority's own. */
  rotate(authority: TestAuthority, spiffeId: string, trust: string = authority.certificatePem): void {
    const { cert, key } = authority.issue({ uris: [spiffeId] });
    const generation = (this.svid?.generation ?? 0) + 1;
    this.svid = {
      spiffeId,
      generation,
      certificateChainPem: cert,
      privateKeyPem: key,
      trustBundlePem: trust,
      serialNumber: String(generation),
      notBeforeMs: 0,
      notAfterMs: 0,
    };
    for (const run of this.watchers) run(this.svid);
  }

  lose(): void {
    this.svid = undefined;
  }
}
