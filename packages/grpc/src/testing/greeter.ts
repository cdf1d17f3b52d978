import grpc from '@grpc/grpc-js';

/** Messages are JSON here: the mesh never looks into them. */
export interface Hello {
  readonly text: string;
}

const serialize = (value: Hello): Buffer => Buffer.from(JSON.stringify(value));
const deserialize = (bytes: Buffer): Hello => JSON.parse(bytes.toString()) as Hello;

function method(name: string, requestStream: boolean, responseStream: boolean): Method {
  return {
    path: `/test.Greeter/${name}`,
    requestStream,
    responseStream,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  };
}

type Method = grpc.MethodDefinition<Hello, Hello>;

export const greeterService: { greet: Method; collect: Method; list: Method; chat: Method } = {
  greet: method('Greet', false, false),
  collect: method('Collect', true, false),
  list: method('List', false, true),
  chat: method('Chat', true, true),
};

export interface GreeterHandlers {
  greet?: grpc.handleUnaryCall<Hello, Hello>;
  collect?: grpc.handleClientStreamingCall<Hello, Hello>;
  list?: grpc.handleServerStreamingCall<Hello, Hello>;
  chat?: grpc.handleBidiStreamingCall<Hello, Hello>;
}

/** A client whose unary call is a promise. */
export class Greeter extends grpc.Client {
  greet(text: string, metadata: grpc.Metadata = new grpc.Metadata(), options: grpc.CallOptions = {}): Promise<Hello> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = greeterService.greet;
      this.makeUnaryRequest(path, requestSerialize, responseDeserialize, { text }, metadata, options, (error, answer) => {
        if (error !== null) reject(error);
        else resolve(answer!);
      });
    });
  }

  collect(callback: grpc.requestCallback<Hello>): grpc.ClientWritableStream<Hello> {
    const { path, requestSerialize, responseDeserialize } = greeterService.collect;
    return this.makeClientStreamRequest(path, requestSerialize, responseDeserialize, new grpc.Metadata(), {}, callback);
  }

  list(text: string, options: grpc.CallOptions = {}): grpc.ClientReadableStream<Hello> {
    const { path, requestSerialize, responseDeserialize } = greeterService.list;
    return this.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { text }, new grpc.Metadata(), options);
  }

  chat(options: grpc.CallOptions = {}): grpc.ClientDuplexStream<Hello, Hello> {
    const { path, requestSerialize, responseDeserialize } = greeterService.chat;
    return this.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new grpc.Metadata(), options);
  }
}

/** What a call failed with; fails itself when the call did not. */
export async function failure(call: Promise<unknown>): Promise<grpc.ServiceError> {
  const answer = await call.then(
    (value) => ({ value }),
    (error: grpc.ServiceError) => error,
  );
  if (answer instanceof Error) return answer;
  throw new Error(`the call succeeded: ${JSON.stringify(answer)}`);
}

/** A grpc-js server without a mesh, on loopback. */
export async function startGreeter(handlers: GreeterHandlers, port = 0): Promise<{ port: number; close(): void }> {
  const server = new grpc.Server();
  server.addService(greeterService, handlers as grpc.UntypedServiceImplementation);
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, free) =>
      error === null ? resolve(free) : reject(error),
    ),
  );
  return { port: bound, close: () => server.forceShutdown() };
}
