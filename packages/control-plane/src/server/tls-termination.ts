import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';

export interface TlsMaterial {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Roots of the clients' certificates. */
  readonly clientRootsPem: string;
}

const HANDSHAKES = { requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2', ALPNProtocols: ['h2'] } as const;

/**
 * TLS that asks clients for a certificate and lets them do without: who has none yet proves itself by token. What it shows is verified
 * against the roots; `call.getAuthContext()` names it only then. In front of the gRPC server, because grpc-js's own TLS can only demand
 * a certificate, and keeps its connections to itself (arrivals.ts).
 */
export class TlsTermination {
  private material: TlsMaterial;
  private readonly servers: Server[] = [];

  constructor(material: TlsMaterial) {
    this.material = material;
  }

  /** For connections from now on. */
  update(material: TlsMaterial): void {
    for (const server of this.servers) server.setSecureContext({ ...contextOf(material), minVersion: HANDSHAKES.minVersion });
    this.material = material;
  }

  /** What connections are given to; `secured` gets those whose handshake succeeds. The others are closed. */
  terminate(secured: (socket: TLSSocket) => void): (socket: Socket) => void {
    const server = createServer({ ...contextOf(this.material), ...HANDSHAKES }, (socket) => {
      socket.on('error', () => {}); // `close` follows.
      secured(socket);
    });
    this.servers.push(server);
    return (socket) => {
      server.emit('connection', socket);
    };
  }
}

function contextOf({ certificatePem, privateKeyPem, clientRootsPem }: TlsMaterial) {
  return { cert: certificatePem, key: privateKeyPem, ca: clientRootsPem };
}
