/** A certificate and its key, PEM, in memory only: a dump shows nothing of it. */
export interface TlsKeyPair {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
}
