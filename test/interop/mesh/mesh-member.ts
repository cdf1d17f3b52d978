import type { Mesh } from '@ripstop/node';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import type { Reply } from '../../simulation/observation.ts';
import type { MeshEnvoy } from '../envoy/mesh-envoy.ts';

/** Only the account `client` may call, over mutual TLS. */
export const CLIENT_ONLY = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: client-only, namespace: default }
spec:
  action: ALLOW
  rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/client] } }] }]
`;

/** A workload of the mesh, whoever carries its calls. */
export interface Member {
  call(host: string): Promise<Reply>;
  rotate(): Promise<unknown>;
}

export function throughEnvoy(envoy: MeshEnvoy): Member {
  return {
    call: async (host) => {
      const client = await envoy.outboundClient(80);
      return replyOf(client, { url: `http://${host}/` }).finally(() => client.destroy());
    },
    rotate: () => envoy.identity.rotateNow(),
  };
}

export function throughSdk(mesh: Mesh): Member {
  return { call: (host) => replyOf(mesh.dispatcher, { url: `http://${host}/` }), rotate: () => mesh.rotateIdentity() };
}
