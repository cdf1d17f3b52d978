import { isIP } from 'node:net';
import { MeshEnvoy } from '../envoy/mesh-envoy.ts';
import type { TestMesh } from '../mesh/test-mesh.ts';
import type { MeshClient } from '../table/observation.ts';
import { replyOf } from './reply-of.ts';

/** Calls through the sidecar Envoy of a workload `client`. */
export async function envoyClient(binary: string, mesh: TestMesh): Promise<MeshClient> {
  const envoy = await MeshEnvoy.start(binary, mesh, {
    role: 'sidecar',
    variant: 'delta',
    name: 'client-envoy',
    serviceAccount: 'client',
    labels: { app: 'client' },
  });
  return {
    name: 'Envoy',
    call: async (call) => {
      const { hostname, port } = new URL(call.url);
      // A connection per call, as if each came from a fresh app: no call waits for another's connection.
      const client = await envoy.outboundClient(port === '' ? 80 : Number(port), isIP(hostname) === 0 ? undefined : hostname);
      try {
        return await replyOf(client, call);
      } finally {
        await client.destroy();
      }
    },
    [Symbol.asyncDispose]: () => envoy[Symbol.asyncDispose](),
  };
}
