/** TLS settings of MeshConfig: `meshMTLS` for the mesh's own mTLS, `tlsDefaults` for everything else. */
export interface TlsSettings {
  /** '' = whatever is the default. */
  readonly minProtocolVersion?: string;
  readonly cipherSuites?: readonly string[];
  readonly ecdhCurves?: readonly string[];
}

export interface MeshTls {
  readonly mutual: TlsSettings;
  readonly defaults: TlsSettings;
}
