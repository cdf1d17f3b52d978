import grpc from '@grpc/grpc-js';

/**
 * Credentials of a client in the mesh. They hold no key: each connection takes the workload's certificate, or none, as the endpoint's
 * transport demands. Call credentials can be combined with them. They work only with the mesh's channel options.
 */
export class MeshCredentials extends grpc.ChannelCredentials {
  /** Per-call credentials of the app; undefined = none. */
  readonly callCredentials: grpc.CallCredentials | undefined;

  constructor(callCredentials?: grpc.CallCredentials) {
    super();
    this.callCredentials = callCredentials;
  }

  override compose(callCredentials: grpc.CallCredentials): MeshCredentials {
    return new MeshCredentials(this.callCredentials === undefined ? callCredentials : this.callCredentials.compose(callCredentials));
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: grpc.ChannelCredentials): boolean {
    return this === other;
  }

  /** Only an ordinary channel asks for it; a throw here would end the process, so its calls fail instead, naming the mistake. */
  override _createSecureConnector(target: grpc.experimental.GrpcUri): grpc.experimental.SecureConnector {
    const refuse = (): Promise<never> => Promise.reject(new Error(withoutOptions(grpc.experimental.uriToString(target))));
    const credentials = grpc.CallCredentials.createEmpty();
    return { connect: refuse, waitForReady: refuse, getCallCredentials: () => credentials, destroy: () => {} };
  }
}

function withoutOptions(target: string): string {
  return `the client for "${target}" has mesh credentials but not the mesh's channel options: pass createGrpcChannelOptions(mesh.parts) as its options [RIPSTOP_GRPC_OPTIONS]`;
}

/** Credentials for `new Client(target, meshCredentials(), createGrpcChannelOptions(mesh.parts))`. */
export function meshCredentials(): grpc.ChannelCredentials {
  return new MeshCredentials();
}
