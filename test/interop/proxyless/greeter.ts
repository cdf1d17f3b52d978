import grpc from '@grpc/grpc-js';
import { METHOD } from './program.ts';

/** A gRPC server outside of xDS that answers any message with its version. */
export class Greeter implements AsyncDisposable {
  readonly port: number;
  calls = 0;
  private readonly server: grpc.Server;

  /** `dieAfter`: ends without a word when it has answered so many calls. */
  static start(version: string, dieAfter: number = Number.POSITIVE_INFINITY): Promise<Greeter> {
    const raw = (bytes: Buffer): Buffer => bytes;
    const server = new grpc.Server();
    let greeter: Greeter;
    server.addService(
      {
        Say: {
          path: METHOD,
          requestStream: false,
          responseStream: false,
          requestSerialize: raw,
          requestDeserialize: raw,
          responseSerialize: raw,
          responseDeserialize: raw,
        },
      },
      {
        Say: (_call: unknown, done: grpc.sendUnaryData<Buffer>) => {
          if (++greeter.calls > dieAfter) server.forceShutdown();
          else done(null, Buffer.from(version));
        },
      },
    );
    return new Promise((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
        if (error !== null) return reject(error);
        greeter = new Greeter(server, port);
        resolve(greeter);
      });
    });
  }

  private constructor(server: grpc.Server, port: number) {
    this.server = server;
    this.port = port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.forceShutdown();
  }
}
