import { connect } from 'node:tls';
import type { Identity } from '@ripstop/identity';
import { type buildConnector, Client } from 'undici';
import { rawReply } from '../../simulation/calls/raw-reply.ts';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import type { Caller } from '../../simulation/observation.ts';
import type { Call } from '../../simulation/row.ts';
import { MeshEnvoy } from '../envoy/mesh-envoy.ts';
import { workloadIdentity } from '../mesh/workload-identity.ts';
import { type Runner, sdkMember } from './context.ts';

/** The way into the workload `served`: its port behind a sidecar, and behind the SDK in it. */
export const servers: Runner = async (context) => {
  const { pod, upstreams, parts } = context;
  const member = { serviceAccount: 'served', labels: { app: 'served' } };
  const options = { ...member, role: 'sidecar', variant: 'delta', name: 'served-envoy' } as const;
  const envoy = parts.use(await MeshEnvoy.start(context.envoy, context.mesh, options));
  pod.serve({ appPort: upstreams.port('served-v1'), inboundPort: await envoy.inboundPort() });
  const mesh = await sdkMember(context, { ...member, service: 'served' });
  const { port } = await mesh.listen(upstreams.app('served-v1'), pod.port);
  // One certificate per account: the app is told its hash, and both sides have to say the same.
  const identities = new Map<string, Promise<Identity>>();
  const identityOf: IdentityOf = ({ serviceAccount, namespace }) => {
    const key = `${namespace}/${serviceAccount}`;
    const found = identities.get(key) ?? workloadIdentity(context.mesh, serviceAccount, namespace);
    identities.set(key, found);
    return found;
  };
  parts.defer(async () => {
    for (const identity of identities.values()) (await identity).close();
  });
  return { envoy: peer(pod.port, identityOf), sdk: peer(port, identityOf) };
};

type IdentityOf = (account: NonNullable<Call['as']>) => Promise<Identity>;

/** A client that talks to one socket, in plaintext or with a certificate of the mesh, and nothing in between. */
function peer(port: number, identityOf: IdentityOf): Caller {
  return {
    call: async (call) => {
      if (call.raw !== undefined) return rawReply(port, call.raw, '127.0.0.1');
      const client = call.as === undefined ? new Client(`http://127.0.0.1:${port}`) : secureClient(port, await identityOf(call.as));
      return replyOf(client, call).finally(() => client.destroy());
    },
  };
}

/** Names that an Istio client offers (for HTTP behind auto-mTLS). */
const ISTIO_ALPN = ['istio-peer-exchange', 'istio'];

function secureClient(port: number, identity: Identity): Client {
  const { certificateChainPem: cert, privateKeyPem: key, trustBundlePem: ca } = identity.current()!;
  // undici's own TLS connector has a fixed ALPN list.
  const open = (_options: unknown, done: buildConnector.Callback): void => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      cert,
      key,
      ca,
      ALPNProtocols: ISTIO_ALPN,
      servername: 'served',
      checkServerIdentity,
    });
    socket.once('secureConnect', () => done(null, socket));
    socket.once('error', (error) => done(error, null));
  };
  return new Client(`http://127.0.0.1:${port}`, { connect: open });
}

/** Names of the mesh are URIs, which Node does not look at; the CA is checked. */
function checkServerIdentity(): undefined {}
