import type { Socket } from 'node:net';
import { connect as secure } from 'node:tls';
import { createGateway } from '@ripstop/gateway';
import { createMesh, type Mesh, type MeshOptions } from '@ripstop/node';
import type { VirtualMesh } from '@ripstop/testing';
import { type buildConnector, Client } from 'undici';
import { rawReplyOver } from '../calls/raw-reply.ts';
import { replyOf } from '../calls/reply-of.ts';
import type { Upstreams } from '../mesh/upstreams.ts';
import type { Caller } from '../observation.ts';
import type { Call, Table } from '../row.ts';

export interface PlaceContext {
  readonly mesh: VirtualMesh;
  readonly upstreams: Upstreams;
  readonly podPort: number;
  /** Ends what the place starts. */
  readonly parts: AsyncDisposableStack;
}

/** How calls are made at each place of a virtual mesh. */
export const PLACES: Readonly<Record<Table['place'], (context: PlaceContext) => Promise<Caller>>> = { sidecar, gateway, server };

const GATEWAY_PORT = 80;
/** Still the loopback, but not the gateway's own address. */
const STRANGER = '127.0.0.2';

async function sidecar(context: PlaceContext): Promise<Caller> {
  const { mesh } = context;
  const { dispatcher } = await member(context, { service: 'client', labels: { app: 'client' } });
  return { call: (call) => mesh.until(replyOf(dispatcher, call, () => mesh.clock.now())) };
}

async function gateway(context: PlaceContext): Promise<Caller> {
  const labels = { istio: 'ingressgateway' };
  const ingress = createGateway({
    mesh: await member(context, { service: 'ingress', labels, role: 'router' }),
    ports: { [GATEWAY_PORT]: 0 },
  });
  context.parts.defer(() => context.mesh.until(ingress.close({ drainMs: 0 })));
  await ingress.start();
  const address = ingress.addresses().find(({ listenerPort }) => listenerPort === GATEWAY_PORT);
  if (address === undefined) throw new Error(`the gateway does not listen for port ${GATEWAY_PORT}`);
  return peer(context.mesh, () => context.mesh.network.connect({ host: '127.0.0.1', port: address.port }, STRANGER));
}

async function server(context: PlaceContext): Promise<Caller> {
  const { mesh, upstreams, podPort } = context;
  const served = await member(context, { service: 'served', labels: { app: 'served' } });
  await served.listen(upstreams.app('served-v1'), podPort);
  const callers = new Map<string, Mesh>();
  const open = async ({ as }: Call): Promise<Socket> => {
    const plain = mesh.network.connect({ host: '127.0.0.1', port: podPort });
    if (as === undefined) return plain;
    const key = `${as.namespace}/${as.serviceAccount}`;
    const caller = callers.get(key) ?? (await member(context, { service: as.serviceAccount, ...as }));
    callers.set(key, caller);
    return secured(plain, caller);
  };
  return peer(mesh, open);
}

async function member({ mesh, parts }: PlaceContext, options: MeshOptions): Promise<Mesh> {
  const joined = createMesh({ ...options, bind: '127.0.0.1', admin: 'off' }, mesh.environment);
  parts.defer(() => mesh.until(joined.close({ drainMs: 0 })));
  await joined.ready();
  return joined;
}

/** A client with a connection per call. */
export function peer(mesh: VirtualMesh, open: (call: Call) => Socket | Promise<Socket>): Caller {
  const { clock } = mesh;
  const call = async (call: Call): Promise<Awaited<ReturnType<Caller['call']>>> => {
    if (call.raw !== undefined) return rawReplyOver(await open(call), call.raw, clock);
    const client = new Client('http://127.0.0.1', { connect: (_options, done) => void handOver(open(call), done) });
    return replyOf(client, call, () => clock.now()).finally(() => client.destroy());
  };
  return { call: (each) => mesh.until(call(each)) };
}

async function handOver(opening: Socket | Promise<Socket>, done: buildConnector.Callback): Promise<void> {
  const socket = await opening;
  socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => done(null, socket));
  socket.once('error', (error) => done(error, null));
}

/** As an Istio client: its ALPN names, and the CA is what it looks at. */
function secured(socket: Socket, { parts }: Mesh): Socket {
  const { certificateChainPem: cert, privateKeyPem: key, trustBundlePem: ca } = parts.identity!.current()!;
  const ALPNProtocols = ['istio-peer-exchange', 'istio'];
  return secure({ socket, cert, key, ca, ALPNProtocols, servername: 'served', checkServerIdentity: () => undefined });
}
