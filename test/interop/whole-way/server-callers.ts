import { connect as connectTcp, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { type buildConnector, Client } from 'undici';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import { capturedSocket, type Destination } from '../envoy/captured-socket.ts';
import type { Call, Site } from './bed.ts';
import type { Certificates } from './certificates.ts';
import { CAPTURE_PORTS } from './envoy-side.ts';
import type { Request } from './trial.ts';

/** Names that an Istio client offers. */
const ISTIO_ALPN = ['istio-http/1.1', 'istio', 'http/1.1'];

/** The way into a workload: its port behind a sidecar, and behind the SDK in it. `served`: workload port → the SDK's socket. */
export async function serverCallers(
  { applied, node }: Site,
  certificates: Certificates,
  served: (workloadPort: number) => Promise<Destination>,
  request: Request,
): Promise<{ envoy: Call; sdk: Call }> {
  const { host, port, method, path, body, caller } = request;
  const address = node.ID.split('~')[1]!;
  const own = await served(port);
  const call = (headers: Readonly<Record<string, string>>) => ({
    url: `http://of-the-header${path}`,
    method,
    headers: { host, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const from = caller?.address ?? '127.0.0.1';
  const over =
    (open: () => Socket): Call =>
    async (headers) => {
      const client = new Client('http://of-the-header', { connect: connectorOf(open, certificates, caller?.spiffeId) });
      return replyOf(client, call(headers)).finally(() => client.destroy());
    };
  return {
    envoy: over(() => capturedSocket({ address: applied.address, port: CAPTURE_PORTS.inbound }, { address, port }, { address: from })),
    sdk: over(() => connectTcp({ host: own.address, port: own.port, localAddress: from, noDelay: true })),
  };
}

function connectorOf(open: () => Socket, certificates: Certificates, spiffeId: string | undefined): buildConnector.connector {
  return (_options, done) => {
    const socket = open();
    const ready = spiffeId === undefined ? socket : secured(socket, certificates, spiffeId);
    ready.once(spiffeId === undefined ? 'connect' : 'secureConnect', () => done(null, ready));
    ready.once('error', (error) => done(error, null));
    socket.once('close', () => ready.destroy());
  };
}

function secured(socket: Socket, certificates: Certificates, spiffeId: string): Socket {
  const { chain: cert, key } = certificates.leaf(spiffeId);
  return connect({
    socket,
    cert,
    key,
    ca: certificates.rootPem,
    ALPNProtocols: ISTIO_ALPN,
    servername: 'outbound_.80_._.served.shop.svc.cluster.local',
    // Names of the mesh are URIs, which Node does not look at; the CA is checked.
    checkServerIdentity: () => undefined,
  });
}
