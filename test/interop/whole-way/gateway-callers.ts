import { connect as connectTcp } from 'node:net';
import { type buildConnector, Client } from 'undici';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import type { Destination } from '../envoy/captured-socket.ts';
import type { Call, Site } from './bed.ts';
import type { Request } from './trial.ts';

/** Somebody outside of the mesh, before the gateway: an Envoy, and ours. `own`: where ours listens for a listener's port. */
export function gatewayCallers(
  { applied }: Site,
  own: (listenerPort: number) => Destination | undefined,
  request: Request,
): { envoy: Call; sdk: Call } {
  const { host, port, method, path, body, caller } = request;
  const call = (headers: Readonly<Record<string, string>>) => ({
    url: `http://of-the-header${path}`,
    method,
    headers: { host, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const to =
    (destination: Destination | undefined): Call =>
    async (headers) => {
      const client = new Client('http://of-the-header', { connect: connectorOf(destination, caller?.address) });
      return replyOf(client, call(headers)).finally(() => client.destroy());
    };
  return { envoy: to({ address: applied.address, port }), sdk: to(own(port)) };
}

/** Port 1 in the place of a port that is not open: nobody listens there. */
const CLOSED: Destination = { address: '127.0.0.1', port: 1 };

function connectorOf({ address, port }: Destination = CLOSED, localAddress = '127.0.0.1'): buildConnector.connector {
  return (_options, done) => {
    const socket = connectTcp({ host: address, port, localAddress, noDelay: true });
    socket.once('connect', () => done(null, socket));
    socket.once('error', (error) => done(error, null));
  };
}
