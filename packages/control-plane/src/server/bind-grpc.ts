import type grpc from '@grpc/grpc-js';

/** Binds a gRPC server; answers `host:port` with the port that it got. The error says which port is taken and what to do. */
export function bindGrpc(server: grpc.Server, address: string, credentials: grpc.ServerCredentials): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(`${address.slice(0, address.lastIndexOf(':'))}:${port}`);
      else reject(new Error(`cannot listen on ${address}: is another control plane running? Name another port`, { cause: error }));
    });
  });
}
