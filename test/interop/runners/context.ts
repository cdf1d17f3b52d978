import { createMesh, type Mesh, type MeshOptions } from '@ripstop/node';
import type { Upstreams } from '../../simulation/mesh/upstreams.ts';
import type { Pair } from '../../simulation/observation.ts';
import type { PodPort } from '../envoy/pod-port.ts';
import type { TestMesh } from '../mesh/test-mesh.ts';

/** What a runner builds on. */
export interface RunnerContext {
  /** The Envoy binary. */
  readonly envoy: string;
  readonly mesh: TestMesh;
  readonly upstreams: Upstreams;
  /** The port that the YAML names as that of the workload `served`. */
  readonly pod: PodPort;
  /** Ends what the runner starts. */
  readonly parts: AsyncDisposableStack;
}

/** Starts an Envoy and the SDK at the same place of a mesh. */
export type Runner = (context: RunnerContext) => Promise<Pair>;

/** A member of the mesh that runs the SDK, over TLS with a join token as any. */
export async function sdkMember(
  { mesh: { controlPlane }, parts }: Pick<RunnerContext, 'mesh' | 'parts'>,
  options: MeshOptions & { readonly service: string },
): Promise<Mesh> {
  const { namespace = 'default', serviceAccount = options.service } = options;
  const mesh = createMesh({
    ...options,
    xds: `grpcs://${controlPlane.addresses.xdsTls}`,
    token: controlPlane.tokens.issue({ namespace, serviceAccount, ttlSeconds: 3600 }),
    rootCertificatePem: controlPlane.ca.rootCertificatePem,
    admin: 'off',
    ports: 'auto',
  });
  parts.defer(() => mesh.close({ drainMs: 0 }));
  await mesh.ready();
  return mesh;
}
