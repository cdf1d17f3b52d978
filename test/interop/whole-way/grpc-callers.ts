import { createServer, type Server } from 'node:net';
import grpc from '@grpc/grpc-js';
import type { Reply } from '../../simulation/observation.ts';
import { capturedSocket, type Destination } from '../envoy/captured-socket.ts';
import type { Call, Site } from './bed.ts';
import type { Echo } from './echo.ts';
import { CAPTURE_PORTS } from './envoy-side.ts';
import type { Request } from './trial.ts';

/** An app that calls by grpc-js: through its sidecar, as its kernel would lead the connection there, and through the SDK in it. */
export async function grpcCallers(
  { applied, member, names, node }: Site,
  echo: Echo,
  request: Request,
): Promise<{ envoy: Call; sdk: Call }> {
  const { host, port } = request;
  const own = node.ID.split('~')[1]!;
  const address = names.addressOf(host);
  await echo.listen(address, port);
  const listener = { port: CAPTURE_PORTS.outbound, address: applied.address };
  const authority = `${host}:${port}`;
  return {
    envoy: async (headers) => {
      const relay = await relayTo(listener, { address, port }, own);
      const options = { 'grpc.default_authority': authority, 'grpc.enable_retries': 0, 'grpc.use_local_subchannel_pool': 1 };
      const client = new grpc.Client(`127.0.0.1:${relay.port}`, grpc.credentials.createInsecure(), options);
      return callOf(client, request, headers).finally(() => {
        client.close();
        relay.server.close();
      });
    },
    sdk: (headers) => {
      const client = new grpc.Client(authority, member.grpc.credentials(), member.grpc.options);
      return callOf(client, request, headers).finally(() => client.close());
    },
  };
}

/** grpc-js opens its connections itself, and cannot say first where they were meant to go. */
async function relayTo(listener: Destination, destination: Destination, source: string): Promise<{ server: Server; port: number }> {
  const server = createServer({ noDelay: true }, (socket) => {
    const onward = capturedSocket(listener, destination, { address: source });
    socket.pipe(onward).pipe(socket);
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
}

const identity = (bytes: Buffer): Buffer => bytes;

/** The status is gRPC's; headers are those of the answer with its trailers; the body is what it says beside, and its message. */
function callOf(
  client: grpc.Client,
  { path, headers: own, body = '', deadlineMs }: Request,
  more: Readonly<Record<string, string>>,
): Promise<Reply> {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries({ ...own, ...more })) metadata.set(name, value);
  const started = performance.now();
  return new Promise((resolve) => {
    let headers: Readonly<Record<string, string>> = {};
    let message = '';
    const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
    const call = client.makeUnaryRequest(path, identity, identity, Buffer.from(body), metadata, options, (_error, answer) => {
      message = answer === undefined ? '' : String(answer);
    });
    call.on('metadata', (found: grpc.Metadata) => {
      headers = shown(found);
    });
    call.on('status', ({ code, details, metadata: trailers }: grpc.StatusObject) => {
      // The callback has run by then.
      setImmediate(() =>
        resolve({
          status: code,
          headers: { ...headers, ...shown(trailers) },
          body: `${details}\n${message}`,
          tookMs: performance.now() - started,
        }),
      );
    });
  });
}

function shown(metadata: grpc.Metadata): Record<string, string> {
  const names = Object.keys(metadata.getMap());
  return Object.fromEntries(names.map((name) => [name, metadata.get(name).map(String).join(',')]));
}
