import grpc from '@grpc/grpc-js';

export interface TlsMaterial {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Roots of the clients' certificates. */
  readonly clientRootsPem: string;
}

/**
 * TLS that asks clients for a certificate and lets them do without: who has none yet proves itself by token. What it shows is verified
 * against the roots; `call.getAuthContext()` names it only then. grpc-js's own createSsl can only demand one.
 */
export class TlsServerCredentials extends grpc.ServerCredentials {
  constructor(material: TlsMaterial) {
    super({ requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' }, contextOf(material));
  }

  /** For connections from now on. */
  update(material: TlsMaterial): void {
    this.updateSecureContextOptions(contextOf(material));
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return this === other;
  }
}

function contextOf({ certificatePem, privateKeyPem, clientRootsPem }: TlsMaterial) {
  return { cert: certificatePem, key: privateKeyPem, ca: clientRootsPem };
}
