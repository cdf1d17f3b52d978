import { type buildConnector, Client } from 'undici';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import { capturedSocket } from '../envoy/captured-socket.ts';
import type { Call, Site } from './bed.ts';
import type { Echo } from './echo.ts';
import { CAPTURE_PORTS } from './envoy-side.ts';
import type { Request } from './trial.ts';

/** The way out of a workload: through its sidecar, as its kernel would lead the connection there, and through the SDK in it. */
export async function sidecarCallers(
  { applied, member, names, node }: Site,
  echo: Echo,
  request: Request,
): Promise<{ envoy: Call; sdk: Call }> {
  const { host, port, method, path, body } = request;
  const own = node.ID.split('~')[1]!;
  const address = names.addressOf(host);
  // Whatever passes the mesh by finds somebody there.
  await echo.listen(address, port);
  const url = `http://${host}${port === 80 ? '' : `:${port}`}${path}`;
  const call = (headers: Readonly<Record<string, string>>) => ({ url, method, headers, ...(body === undefined ? {} : { body }) });
  return {
    envoy: async (headers) => {
      // A connection per call, as if each came from a fresh app: no call waits for another's connection.
      const client = new Client(`http://${host}:${port}`, {
        connect: (_options: buildConnector.Options, done: buildConnector.Callback) => {
          const socket = capturedSocket({ port: CAPTURE_PORTS.outbound, address: applied.address }, { address, port }, { address: own });
          socket.once('connect', () => done(null, socket));
          socket.once('error', (error) => done(error, null));
        },
      });
      return replyOf(client, call(headers)).finally(() => client.destroy());
    },
    sdk: (headers) => replyOf(member.dispatcher, call(headers)),
  };
}
