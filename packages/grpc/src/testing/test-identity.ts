import type { Cancel, DownstreamTls, IdentitySource, Svid, TlsTransport } from '@ripstop/core';

/** Issues a leaf for a SPIFFE id. */
export interface Authority {
  readonly certificatePem: string;
  issue(spiffeId: string): { readonly certificatePem: string; readonly keyPem: string };
}

/** An identity that is rotated by hand. */
export class TestIdentity implements IdentitySource {
  readonly #authority: Authority;
  readonly #watchers = new Set<(next: Svid) => void>();
  #svid: Svid | undefined;
  #generation = 0;

  constructor(authority: Authority, spiffeId: string) {
    this.#authority = authority;
    this.rotate(spiffeId);
  }

  current(): Svid | undefined {
    return this.#svid;
  }

  onRotate(run: (next: Svid) => void): Cancel {
    this.#watchers.add(run);
    return () => this.#watchers.delete(run);
  }

  /** `trust`: PEM of the roots; by default the authority's own. */
  rotate(spiffeId: string, trust: string = this.#authority.certificatePem): void {
    const { certificatePem, keyPem } = this.#authority.issue(spiffeId);
    this.#svid = {
      spiffeId,
      generation: ++this.#generation,
      certificateChainPem: certificatePem,
      privateKeyPem: keyPem,
      trustBundlePem: trust,
      serialNumber: String(this.#generation),
      notBeforeMs: 0,
      notAfterMs: 0,
    };
    for (const run of this.#watchers) run(this.#svid);
  }
}

/** A cluster's ISTIO_MUTUAL towards one SPIFFE id. */
export function istioMutual(expected: string): TlsTransport {
  return {
    kind: 'tls',
    key: `mutual:${expected}`,
    sni: 'outbound_.50051_._.greeter.default.svc.cluster.local',
    alpn: ['istio-peer-exchange', 'istio', 'h2'],
    alpnOverride: true,
    clientCertificate: { kind: 'identity' },
    trust: { kind: 'identity' },
    acceptsSans: (uris) => uris.includes(expected),
    expectedSans: [expected],
    autoSni: false,
  };
}

/** A workload port's mutual TLS as istiod configures it. */
export const MESH_TLS: DownstreamTls = {
  requireClientCertificate: true,
  alpn: ['h2', 'http/1.1'],
  minVersion: 'TLSv1.2',
  ciphers: [],
  acceptsSans: (uris) => uris.some((uri) => uri.startsWith('spiffe://cluster.local/')),
  certificateName: 'default',
  validationName: 'ROOTCA',
};

export const MESH_ALPN: readonly string[] = ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2'];
