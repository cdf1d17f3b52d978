import { createMesh } from '@ripstop/node';
import type { TestMesh } from '../mesh/test-mesh.ts';
import type { MeshClient } from '../table/observation.ts';
import { replyOf } from './reply-of.ts';

/** Calls through the SDK in a workload `client`, which is configured by the same control plane as the Envoy. */
export async function sdkClient({ controlPlane }: TestMesh): Promise<MeshClient> {
  const mesh = createMesh({
    service: 'client',
    serviceAccount: 'client',
    xds: `grpcs://${controlPlane.addresses.xdsTls}`,
    token: controlPlane.tokens.issue({ namespace: 'default', serviceAccount: 'client', ttlSeconds: 3600 }),
    rootCertificatePem: controlPlane.ca.rootCertificatePem,
    admin: 'off',
  });
  await mesh.ready();
  return {
    name: 'SDK',
    call: (call) => replyOf(mesh.dispatcher, call),
    [Symbol.asyncDispose]: () => mesh.close({ drainMs: 0 }),
  };
}
