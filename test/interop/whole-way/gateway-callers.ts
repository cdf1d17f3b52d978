import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type buildConnector, Client } from 'undici';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import type { Destination } from '../envoy/captured-socket.ts';
import type { Call, Site } from './bed.ts';
import type { Certificates } from './certificates.ts';
import type { Request, RequestTls } from './trial.ts';

/** Somebody outside of the mesh, before the gateway: an Envoy, and ours. `own`: where ours listens for a listener's port. */
export function gatewayCallers(
  { applied }: Site,
  certificates: Certificates,
  own: (listenerPort: number) => Destination | undefined,
  request: Request,
): { envoy: Call; sdk: Call } {
  const { host, port, method, path, body, caller, tls } = request;
  const call = (headers: Readonly<Record<string, string>>) => ({
    url: `http://of-the-header${path}`,
    method,
    headers: { host, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const to =
    (destination: Destination | undefined): Call =>
    async (headers) => {
      const connect = connectorOf(destination, caller?.address, tls, certificates);
      const client = new Client('http://of-the-header', { connect, allowH2: tls?.alpn.includes('h2') === true });
      return replyOf(client, call(headers)).finally(() => client.destroy());
    };
  return { envoy: to({ address: applied.address, port }), sdk: to(own(port)) };
}

/** Port 1 in the place of a port that is not open: nobody listens there. */
const CLOSED: Destination = { address: '127.0.0.1', port: 1 };

function connectorOf(
  { address, port }: Destination = CLOSED,
  localAddress = '127.0.0.1',
  tls: RequestTls | undefined,
  certificates: Certificates,
): buildConnector.connector {
  return (_options, done) => {
    const raw = connectTcp({ host: address, port, localAddress, noDelay: true });
    const socket = tls === undefined ? raw : secured(raw, tls, certificates);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => done(null, socket));
    socket.once('error', (error) => done(error, null));
    raw.once('close', () => socket.destroy());
  };
}

function secured(socket: Socket, { sni, alpn, spiffeId }: RequestTls, certificates: Certificates): Socket {
  const leaf = spiffeId === undefined ? undefined : certificates.leaf(spiffeId);
  return connectTls({
    socket,
    ...(sni === '' ? {} : { servername: sni }),
    ...(leaf === undefined ? {} : { cert: leaf.chain, key: leaf.key }),
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    ca: certificates.rootPem,
    // Names of the mesh are URIs, which Node does not look at; the CA is checked.
    checkServerIdentity: () => undefined,
  });
}
