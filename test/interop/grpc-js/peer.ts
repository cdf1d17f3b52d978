// Stock @grpc/grpc-js-xds as a program with the same options and output as ../grpc-go/main.go: a client, or with --serve a server.
import { parseArgs } from 'node:util';
import grpc from '@grpc/grpc-js';
import { register, XdsChannelCredentials, XdsServer, XdsServerCredentials } from '@grpc/grpc-js-xds';

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: '' },
    method: { type: 'string', default: '' },
    calls: { type: 'string', default: '1' },
    headers: { type: 'string', default: '' },
    serve: { type: 'string', default: '' },
    reply: { type: 'string', default: '' },
  },
});

const TIMEOUT_MS = 10_000;
const raw = (bytes: Buffer): Buffer => bytes;

register();
if (values.serve === '') await callAll();
else serve(values.serve);

async function callAll(): Promise<void> {
  const client = new grpc.Client(values.target, new XdsChannelCredentials(grpc.credentials.createInsecure()));
  for (let index = 0; index < Number(values.calls); index++) console.log(JSON.stringify(await call(client)));
  client.close();
  process.exit(); // The xDS client has no close.
}

function call(client: grpc.Client): Promise<object> {
  const metadata = new grpc.Metadata({ waitForReady: true });
  for (const pair of values.headers.split(',').filter((text) => text !== '')) {
    const [name = '', value = ''] = pair.split('=');
    metadata.add(name, value);
  }
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + TIMEOUT_MS };
    client.makeUnaryRequest(values.method, raw, raw, Buffer.alloc(0), metadata, options, (error, reply) => {
      resolve(error === null ? { code: 0, reply: String(reply) } : { code: error.code, message: error.details });
    });
  });
}

function serve(address: string): void {
  const server = new XdsServer();
  const forms = { requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw };
  server.addService(
    { Say: { path: values.method, requestStream: false, responseStream: false, ...forms } },
    { Say: (_call: unknown, done: grpc.sendUnaryData<Buffer>) => done(null, Buffer.from(values.reply)) },
  );
  server.bindAsync(address, new XdsServerCredentials(grpc.ServerCredentials.createInsecure()), (error) => {
    if (error !== null) throw error;
    console.log('serving');
  });
}
