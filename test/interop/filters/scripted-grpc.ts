import grpc from '@grpc/grpc-js';

const raw = (bytes: Buffer): Buffer => bytes;

/** A gRPC service of one unary method, in bytes: it answers as it is told, and remembers what it was asked. */
export class ScriptedGrpc implements AsyncDisposable {
  readonly port: number;
  answer: Uint8Array | 'UNAVAILABLE' | 'late' = new Uint8Array();
  asked: Buffer[] = [];
  private readonly server: grpc.Server;

  static async start(path: string): Promise<ScriptedGrpc> {
    const server = new grpc.Server();
    let scripted: ScriptedGrpc | undefined;
    const Call: grpc.MethodDefinition<Buffer, Buffer> = {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: raw,
      requestDeserialize: raw,
      responseSerialize: raw,
      responseDeserialize: raw,
    };
    const handler: grpc.handleUnaryCall<Buffer, Buffer> = ({ request }, respond) => scripted!.serve(request, respond);
    server.addService({ Call }, { Call: handler });
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    scripted = new ScriptedGrpc(server, port);
    return scripted;
  }

  private constructor(server: grpc.Server, port: number) {
    this.server = server;
    this.port = port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.forceShutdown();
  }

  private serve(request: Buffer, respond: grpc.sendUnaryData<Buffer>): void {
    this.asked.push(request);
    if (this.answer === 'UNAVAILABLE') respond({ code: grpc.status.UNAVAILABLE, details: 'down' });
    else if (this.answer !== 'late') respond(null, Buffer.from(this.answer));
  }
}
