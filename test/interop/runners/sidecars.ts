import { isIP } from 'node:net';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import { MeshEnvoy } from '../envoy/mesh-envoy.ts';
import { type Runner, sdkMember } from './context.ts';

/** The way out of a workload `client`: through its sidecar, and through the SDK in it. */
export const sidecars: Runner = async (context) => {
  const member = { serviceAccount: 'client', labels: { app: 'client' } };
  const options = { ...member, role: 'sidecar', variant: 'delta', name: 'client-envoy' } as const;
  const envoy = context.parts.use(await MeshEnvoy.start(context.envoy, context.mesh, options));
  const { dispatcher } = await sdkMember(context, { ...member, service: 'client' });
  return {
    envoy: {
      call: async (call) => {
        const { hostname, port } = new URL(call.url);
        // A connection per call, as if each came from a fresh app: no call waits for another's connection.
        const client = await envoy.outboundClient(port === '' ? 80 : Number(port), isIP(hostname) === 0 ? undefined : hostname);
        return replyOf(client, call).finally(() => client.destroy());
      },
    },
    sdk: { call: (call) => replyOf(dispatcher, call) },
  };
};
