import { createGateway } from '@ripstop/gateway';
import { Client } from 'undici';
import { rawReply } from '../../simulation/calls/raw-reply.ts';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import type { Caller } from '../../simulation/observation.ts';
import { MeshEnvoy } from '../envoy/mesh-envoy.ts';
import { type Runner, sdkMember } from './context.ts';

const PORT = 80;
/** Still the loopback, but not 127.0.0.1, for which Envoy writes its own address into x-forwarded-for. */
const STRANGER = '127.0.0.2';

/** The ingress gateway `istio: ingressgateway`: an Envoy, and ours. */
export const gateways: Runner = async (context) => {
  const member = { serviceAccount: 'ingress', labels: { istio: 'ingressgateway' } };
  const options = { ...member, role: 'router', variant: 'delta', name: 'ingress-envoy' } as const;
  const envoy = context.parts.use(await MeshEnvoy.start(context.envoy, context.mesh, options));
  const gateway = createGateway({
    mesh: await sdkMember(context, { ...member, service: 'ingress', role: 'router' }),
    ports: { [PORT]: 0 },
  });
  context.parts.use(gateway);
  await gateway.start();
  const own = gateway.addresses().find(({ listenerPort }) => listenerPort === PORT);
  if (own === undefined) throw new Error(`our gateway does not listen for port ${PORT}`);
  return { envoy: stranger(await envoy.process.listenerPort(`0.0.0.0_${PORT}`)), sdk: stranger(own.port) };
};

/** Somebody outside of the mesh, with a connection per call. */
function stranger(port: number): Caller {
  return {
    call: (call) => {
      if (call.raw !== undefined) return rawReply(port, call.raw, STRANGER);
      const client = new Client(`http://127.0.0.1:${port}`, { localAddress: STRANGER });
      return replyOf(client, call).finally(() => client.destroy());
    },
  };
}
